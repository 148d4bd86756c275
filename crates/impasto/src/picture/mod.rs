//! Pictures: planar red, green, blue, sRGB values 0–255 in `f32`.

mod read;
mod resize;
mod write;

pub use read::ReadError;
pub(crate) use read::crop_of_file;
pub use write::{PictureFormat, WriteError};
pub(crate) use write::{check_place, write_durable, write_whole};

/// The shortest side a picture may have: below it there is nothing to see a content or a style in.
pub const MIN_SIDE: usize = 8;

/// A picture in memory: planar `3 × height × width`, red, green, blue, sRGB, 0–255.
///
/// Values outside 0–255 may occur while painting; they are clipped when the picture is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    height: usize,
    width: usize,
    data: Vec<f32>,
}

impl Picture {
    /// A picture from planar data, `3 · height · width` values.
    ///
    /// # Panics
    /// If the length does not fit.
    pub fn from_planar(height: usize, width: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), 3 * height * width, "a picture has three planes");
        Self { height, width, data }
    }

    /// A picture from interleaved 8-bit data, `height · width · 3` values.
    ///
    /// # Panics
    /// If the length does not fit.
    pub fn from_rgb8(height: usize, width: usize, rgb: &[u8]) -> Self {
        assert_eq!(rgb.len(), 3 * height * width, "a picture has three channels");
        let plane = |c: usize| rgb.iter().skip(c).step_by(3).map(|&v| f32::from(v));
        Self { height, width, data: (0..3).flat_map(plane).collect() }
    }

    /// Interleaved 8-bit data, rounded and clipped.
    pub fn to_rgb8(&self) -> Vec<u8> {
        let n = self.height * self.width;
        // `as` saturates, and turns NaN into 0.
        let pixel = |i: usize| (0..3).map(move |c| (c, i)).map(|(c, i)| self.data[c * n + i].round() as u8);
        (0..n).flat_map(pixel).collect()
    }

    /// A picture of the same size with this value everywhere.
    pub(crate) fn filled(&self, value: f32) -> Self {
        Self { data: vec![value; self.data.len()], ..*self }
    }

    /// Left and right changed, if so wanted.
    pub(crate) fn mirrored_if(mut self, wanted: bool) -> Self {
        if wanted {
            self.data.chunks_exact_mut(self.width).for_each(<[f32]>::reverse);
        }
        self
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The planar values.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The planar values, to be changed.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// The planar values alone.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }
}

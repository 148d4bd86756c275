//! Pictures: planar red, green, blue, sRGB values 0–255 in `f32`, and how opaque each pixel is.
//!
//! ```text
//! file ─▶ decode ─▶ upright ─▶ profile: sRGB ─▶ alpha: filled in ─▶ Picture ─▶ encode ─▶ file
//!            └──────────── metadata: what is kept of it ────────────────────────┘
//! ```

mod alpha;
mod animation;
mod canvas;
mod decode;
mod depth;
mod encode;
mod error;
mod exif;
mod format;
mod inks;
mod iptc;
mod limits;
mod max_pixels;
mod metadata;
mod png_file;
mod profile;
mod read;
mod resize;
mod segments;
mod settings;
mod tiff_file;
mod write;
mod xmp;

pub use depth::BitDepth;
pub use encode::{KeptOfInput, PictureOutput};
pub use error::{ReadError, WriteError};
pub(crate) use format::looks_like_a_picture;
pub use format::{FORMATS, Format, PictureFormat};
pub use limits::ReadLimits;
pub use max_pixels::MaxPixels;
pub use metadata::Metadata;
pub use read::PictureFile;
pub(crate) use read::{cost_of, cost_of_bytes, crop_of_bytes, load, load_stream};
pub(crate) use resize::{resize_plane, size_with_longer_side};
pub use settings::settings_of;

/// The shortest side a picture may have: below it there is nothing to see a content or a style in.
pub const MIN_SIDE: usize = 8;

/// A picture in memory: planar `3 × height × width`, red, green, blue, sRGB, 0–255, and a plane of opacities where not
/// all of it is opaque.
///
/// Values outside 0–255 may occur while painting; they are clipped when the picture is written. Colours are not
/// multiplied by the opacity. What is fully transparent has the colours of its surroundings once a file is read, so
/// that the colours alone show no edges there.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    height: usize,
    width: usize,
    data: Vec<f32>,
    alpha: Option<Vec<f32>>,
}

impl Picture {
    /// An opaque picture from planar data, `3 · height · width` values.
    ///
    /// # Panics
    /// If the length does not fit.
    pub fn from_planar(height: usize, width: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), 3 * height * width, "a picture has three planes");
        Self { height, width, data, alpha: None }
    }

    /// An opaque picture from interleaved 8-bit data, `height · width · 3` values.
    ///
    /// # Panics
    /// If the length does not fit.
    pub fn from_rgb8(height: usize, width: usize, rgb: &[u8]) -> Self {
        assert_eq!(rgb.len(), 3 * height * width, "a picture has three channels");
        let mut data = Vec::with_capacity(rgb.len());
        for channel in 0..3 {
            data.extend(rgb.chunks_exact(3).map(|pixel| f32::from(pixel[channel])));
        }
        Self { height, width, data, alpha: None }
    }

    /// Interleaved 8-bit colours, rounded and clipped; the opacity is left aside.
    pub fn to_rgb8(&self) -> Vec<u8> {
        let mut rgb = vec![0; self.data.len()];
        for (channel, plane) in self.data.chunks_exact((self.height * self.width).max(1)).enumerate() {
            for (pixel, value) in rgb.chunks_exact_mut(3).zip(plane) {
                // Rounding by the cast, which cuts off and turns NaN into 0: `round` is a call for each value.
                pixel[channel] = (value.clamp(0.0, 255.0) + 0.5) as u8;
            }
        }
        rgb
    }

    /// An opaque picture of the same size with this value everywhere.
    pub(crate) fn filled(&self, value: f32) -> Self {
        Self::from_planar(self.height, self.width, vec![value; self.data.len()])
    }

    /// Left and right changed, if so wanted.
    pub(crate) fn mirrored_if(mut self, wanted: bool) -> Self {
        if wanted {
            let planes = self.data.chunks_exact_mut(self.width);
            planes
                .chain(self.alpha.iter_mut().flat_map(|alpha| alpha.chunks_exact_mut(self.width)))
                .for_each(<[f32]>::reverse);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_rounded_and_clipped_and_come_back() {
        let values = [-3.0, 0.49, 0.5, 1.49, 254.5, 300.0, f32::NAN, 7.0, f32::INFINITY, 8.0, 9.0, 10.0];
        let picture = Picture::from_planar(2, 2, values.to_vec());
        assert_eq!(picture.to_rgb8(), [0, 255, 255, 0, 255, 8, 1, 0, 9, 1, 7, 10]);
        let rgb: Vec<u8> = (0..=255).cycle().take(3 * 16 * 16 * 3).collect();
        assert_eq!(Picture::from_rgb8(16, 48, &rgb).to_rgb8(), rgb);
    }

    #[test]
    fn mirroring_turns_colours_and_opacity_alike() {
        let picture = Picture::from_planar(1, 2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).with_alpha(vec![0.0, 1.0]);
        let mirrored = picture.mirrored_if(true);
        assert_eq!(mirrored.data(), [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
        assert_eq!(mirrored.alpha(), Some(&[1.0, 0.0][..]));
    }
}

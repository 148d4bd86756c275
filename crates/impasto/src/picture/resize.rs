//! Resizing, with Lanczos' filter of three lobes.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::Picture;

impl Picture {
    /// The picture at another size, by Lanczos' filter of three lobes on the sRGB values.
    ///
    /// # Panics
    /// If a side is 0.
    pub fn resized(&self, height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "a picture has at least one pixel");
        if (height, width) == (self.height, self.width) {
            return self.clone();
        }
        let planes = self.data.chunks_exact(self.height * self.width);
        let data = planes.flat_map(|plane| resize_plane(plane, (self.height, self.width), (height, width))).collect();
        Self { height, width, data }
    }

    /// The picture with its longer side at `size`, its proportions kept, no side below 1.
    pub fn resized_to_longer_side(&self, size: usize) -> Self {
        let (height, width) = self.size_with_longer_side(size);
        self.resized(height, width)
    }

    /// Rows and columns of the picture with its longer side at `size`.
    pub fn size_with_longer_side(&self, size: usize) -> (usize, usize) {
        size_with_longer_side((self.height, self.width), size)
    }
}

/// Rows and columns of a picture that has so many, once its longer side is at `size`; no side below 1.
pub(crate) fn size_with_longer_side((height, width): (usize, usize), size: usize) -> (usize, usize) {
    let longer = height.max(width);
    let scaled = |side: usize| ((side as f64 * size as f64 / longer as f64).round() as usize).max(1);
    (scaled(height), scaled(width))
}

fn resize_plane(plane: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    let side = |n: usize| u32::try_from(n).expect("a side fits 32 bits");
    let bytes: Vec<u8> = plane.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let source = ImageRef::new(side(from.1), side(from.0), &bytes, PixelType::F32).expect("the plane has this size");
    let mut target = Image::new(side(to.1), side(to.0), PixelType::F32);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&source, &mut target, &options).expect("both are planes of f32");
    target.buffer().chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect()
}

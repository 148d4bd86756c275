//! Resizing, with Lanczos' filter of three lobes.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::Picture;

/// The opacity below which a colour cannot be divided out of what is seen of it: half a step of 8 bits.
const LEAST_OPACITY: f32 = 0.5 / 255.0;

impl Picture {
    /// The picture at another size, by Lanczos' filter of three lobes on the sRGB values. Transparent pixels weigh as
    /// much as they are opaque, so that nothing of what is not seen comes into what is.
    ///
    /// # Panics
    /// If a side is 0.
    pub fn resized(&self, height: usize, width: usize) -> Self {
        assert!(height > 0 && width > 0, "a picture has at least one pixel");
        if (height, width) == (self.height, self.width) {
            return self.clone();
        }
        let (from, to) = ((self.height, self.width), (height, width));
        let planes = self.data.chunks_exact(self.height * self.width);
        let data = planes.clone().flat_map(|plane| resize_plane(plane, from, to)).collect();
        let mut resized = Self { height, width, data, alpha: None };
        let Some(alpha) = &self.alpha else { return resized };
        let new_alpha = resize_plane(alpha, from, to);
        for (plane, new) in planes.zip(resized.data.chunks_exact_mut(height * width)) {
            let premultiplied: Vec<f32> = plane.iter().zip(alpha).map(|(value, a)| value * a).collect();
            let seen = resize_plane(&premultiplied, from, to);
            for ((value, seen), a) in new.iter_mut().zip(seen).zip(&new_alpha) {
                if *a > LEAST_OPACITY {
                    *value = (seen / a).clamp(0.0, 255.0);
                }
            }
        }
        resized.with_alpha(new_alpha)
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

/// Rows and columns of a picture that has this many, once its longer side is at `size`; no side below 1.
pub(crate) fn size_with_longer_side((height, width): (usize, usize), size: usize) -> (usize, usize) {
    let longer = height.max(width);
    let scaled = |side: usize| ((side as f64 * size as f64 / longer as f64).round() as usize).max(1);
    (scaled(height), scaled(width))
}

/// One plane at another size, rows before columns.
pub(crate) fn resize_plane(plane: &[f32], from: (usize, usize), to: (usize, usize)) -> Vec<f32> {
    let side = |n: usize| u32::try_from(n).expect("a side fits 32 bits");
    let bytes: Vec<u8> = plane.iter().flat_map(|v| v.to_ne_bytes()).collect();
    let source = ImageRef::new(side(from.1), side(from.0), &bytes, PixelType::F32).expect("the plane has this size");
    let mut target = Image::new(side(to.1), side(to.0), PixelType::F32);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&source, &mut target, &options).expect("both are planes of f32");
    target.buffer().chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_bleeds_in_from_what_is_transparent() {
        // Blue and opaque to the left; green, which is never seen, to the right.
        let side = 32;
        let alpha: Vec<f32> = (0..side * side).map(|i| if i % side < 16 { 1.0 } else { 0.0 }).collect();
        let green = alpha.iter().map(|a| 255.0 * (1.0 - a));
        let blue = alpha.iter().map(|a| 180.0 * a);
        let data = vec![0.0; side * side].into_iter().chain(green).chain(blue).collect();
        let picture = Picture::from_planar(side, side, data).with_alpha(alpha);
        for (height, width) in [(11, 11), (20, 7), (64, 50)] {
            let resized = picture.resized(height, width);
            let alpha = resized.alpha().unwrap();
            let (green, blue) = resized.data()[height * width..].split_at(height * width);
            for i in 0..height * width {
                if alpha[i] > 0.01 {
                    assert!(
                        green[i] < 0.1 && (blue[i] - 180.0).abs() < 0.1,
                        "{} {} at {}",
                        green[i],
                        blue[i],
                        alpha[i]
                    );
                }
            }
            let seen = alpha.iter().sum::<f32>() / (height * width) as f32;
            assert!((seen - 0.5).abs() < 0.02, "half of it is opaque, not {seen}");
        }
    }
}

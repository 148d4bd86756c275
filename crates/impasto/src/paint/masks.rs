//! Masks: grey pictures that say where something counts, white for all and black for nothing.

use std::path::{Path, PathBuf};

use crate::objective::Regions;
use crate::picture::{Picture, ReadError, ReadLimits, resize_plane};

/// What stands in the place of a mask for a style that has none.
pub const NO_MASK: &str = "none";

/// Why a mask cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// It is not a picture that can be read.
    #[error("a mask cannot be used: {0}")]
    Read(#[from] ReadError),
    /// Nothing counts.
    #[error("the mask `{}` is black everywhere: make white what it should let through", .0.display())]
    Black(PathBuf),
    /// Nothing is left to paint.
    #[error("the mask `{}` protects the whole picture: leave something of it black, to be painted", .0.display())]
    White(PathBuf),
    /// Some mask belongs to no style.
    #[error("there are {masks} masks for {styles} styles: give each style one mask at most, in the same order")]
    TooMany {
        /// Masks given.
        masks: usize,
        /// Styles given.
        styles: usize,
    },
}

/// Reads the picture in a file.
type ReadPicture<'a> = &'a mut dyn FnMut(&Path) -> Result<Picture, ReadError>;

/// A mask of any size: `height × width` values from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    height: usize,
    width: usize,
    data: Vec<f32>,
}

impl Mask {
    /// The brightness of a picture: the mean of its channels, 0–255 made 0–1, times its opacity.
    pub fn of(picture: &Picture) -> Self {
        let (height, width) = (picture.height(), picture.width());
        let positions = height * width;
        let mut data = vec![0.0; positions];
        for plane in picture.data().chunks_exact(positions) {
            data.iter_mut().zip(plane).for_each(|(sum, value)| *sum += value / (3.0 * 255.0));
        }
        if let Some(alpha) = picture.alpha() {
            data.iter_mut().zip(alpha).for_each(|(value, alpha)| *value *= alpha);
        }
        // White stays white, whatever thirds add up to.
        data.iter_mut().for_each(|value| *value = if *value > 1.0 - 1e-5 { 1.0 } else { value.max(0.0) });
        Self { height, width, data }
    }

    /// The mask in a file, which lets something through.
    fn of_file(path: &Path, read: ReadPicture<'_>) -> Result<Self, MaskError> {
        let mask = Self::of(&read(path)?);
        let most = mask.data.iter().fold(0.0, |most: f32, value| most.max(*value));
        if most * 255.0 < 0.5 { Err(MaskError::Black(path.into())) } else { Ok(mask) }
    }

    /// Bytes that it takes as it is.
    pub(crate) fn bytes(&self) -> u64 {
        size_of_val(&*self.data) as u64
    }

    /// At another size, by the filter that pictures are resized with, within 0 and 1.
    pub(crate) fn resized(&self, size: (usize, usize)) -> Vec<f32> {
        if size == (self.height, self.width) {
            return self.data.clone();
        }
        let mut data = resize_plane(&self.data, (self.height, self.width), size);
        // The filter's lobes leave traces in what is all or nothing.
        data.iter_mut().for_each(|value| *value = ((*value - 0.002) / 0.996).clamp(0.0, 1.0));
        data
    }
}

/// The masks of a painting.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Masks {
    /// Where each style counts; everywhere where there is none, or beyond the end of the list.
    pub styles: Vec<Option<Mask>>,
    /// What stays as it is in the photograph.
    pub protect: Option<Mask>,
}

impl Masks {
    /// Reads masks for this many styles, in their order, and what to protect; each within the limits.
    ///
    /// # Errors
    /// If a mask is no picture or lets nothing through, protects all, or belongs to no style.
    pub fn read(
        masks: &[PathBuf],
        styles: usize,
        protect: Option<&Path>,
        limits: &ReadLimits,
    ) -> Result<Self, MaskError> {
        Self::read_with(masks, styles, protect, &mut |path| Picture::read_within(path, limits))
    }

    /// The same, where `read` reads the files.
    pub(super) fn read_with(
        masks: &[PathBuf],
        styles: usize,
        protect: Option<&Path>,
        read: ReadPicture<'_>,
    ) -> Result<Self, MaskError> {
        if masks.len() > styles {
            return Err(MaskError::TooMany { masks: masks.len(), styles });
        }
        let one = |path: &PathBuf| (path.as_os_str() != NO_MASK).then(|| Mask::of_file(path, read)).transpose();
        let styles = masks.iter().map(one).collect::<Result<_, _>>()?;
        let protect = protect.map(|path| Mask::of_file(path, read).map(|mask| (path, mask))).transpose()?;
        if let Some((path, mask)) = &protect
            && mask.data.iter().all(|value| *value == 1.0)
        {
            return Err(MaskError::White(path.to_path_buf()));
        }
        Ok(Self { styles, protect: protect.map(|(_, mask)| mask) })
    }

    /// Planes of one number a pixel that they take while a picture is painted.
    pub(super) fn planes(&self) -> usize {
        let styles = self.styles.iter().flatten().count();
        // A protected content and what is seen of the picture are three planes each.
        2 * styles + if self.protect.is_some() { 2 + 6 } else { 0 }
    }

    /// Bytes that they take as they are.
    pub(super) fn bytes(&self) -> u64 {
        self.styles.iter().flatten().chain(&self.protect).map(Mask::bytes).sum()
    }

    /// Where what counts in a content.
    pub(super) fn regions(&self, content: &Picture) -> Regions {
        let size = (content.height(), content.width());
        let at = |mask: &Mask| mask.resized(size);
        let masked = self.styles.iter().any(Option::is_some);
        let styles = if masked { self.styles.iter().map(|mask| mask.as_ref().map(at)).collect() } else { Vec::new() };
        let alpha = content.alpha().map(<[f32]>::to_vec);
        Regions { styles, alpha, protect: self.protect.as_ref().map(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_as_bright_as_its_picture_and_stays_within_its_bounds() {
        let rgb: Vec<u8> = (0..16 * 16).flat_map(|i| if i % 16 < 8 { [255; 3] } else { [0, 0, 51] }).collect();
        let mask = Mask::of(&Picture::from_rgb8(16, 16, &rgb));
        assert_eq!(mask.data[0], 1.0);
        assert!((mask.data[15] - 51.0 / 765.0).abs() < 1e-6);
        let large = mask.resized((50, 70));
        assert!(large.iter().all(|value| (0.0..=1.0).contains(value)));
        assert_eq!(large[0], 1.0);
    }
}

//! The pictures of a painting.

use super::error::PaintError;
use super::masks::Masks;
use super::pyramid::Scale;
use crate::picture::{MIN_SIDE, Picture};

/// The pictures of a painting, of any size.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What is painted.
    pub content: Picture,
    /// How it is painted, and each style's share; the shares are made to sum to 1.
    pub styles: Vec<(Picture, f64)>,
    /// Where to start, for [`Init::File`](crate::settings::Init::File).
    pub start: Option<Picture>,
    /// Where each style counts, and what stays as it is.
    pub masks: Masks,
}

impl Scene {
    /// Rows and columns of the picture that is painted.
    pub(super) fn working_size(&self, size: Option<usize>) -> (usize, usize) {
        let (height, width) = (self.content.height(), self.content.width());
        size.map_or((height, width), |size| self.content.size_with_longer_side(size))
    }

    /// Whether there is something to paint.
    pub(super) fn check(&self, scales: &[Scale]) -> Result<(), PaintError> {
        let total: f64 = self.styles.iter().map(|(_, share)| share).sum();
        if total.is_nan() || total <= 0.0 {
            return Err(PaintError::NoStyle);
        }
        let Scale { height, width, .. } = scales[scales.len() - 1];
        if width.min(height) < MIN_SIDE {
            return Err(PaintError::TooSmall { width, height });
        }
        Ok(())
    }

    /// With the styles that are used alone, their shares summing to 1.
    pub(super) fn with_shares(self) -> Self {
        let total: f64 = self.styles.iter().map(|(_, share)| share).sum();
        let mut of_styles = self.masks.styles.into_iter();
        let all = self.styles.into_iter().map(|(style, share)| (style, share / total, of_styles.next().flatten()));
        let used = all.filter(|(_, share, _)| *share > 0.0).map(|(style, share, mask)| ((style, share), mask));
        let (styles, of_styles) = used.unzip();
        Self { styles, masks: Masks { styles: of_styles, ..self.masks }, ..self }
    }

    /// The content at a size, and the styles with its longer side times `style_scale`.
    pub(super) fn at(&self, scale: Scale, style_scale: f64) -> Self {
        let content = self.content.resized(scale.height, scale.width);
        let side = style_side(scale.height.max(scale.width), style_scale);
        let styles = self.styles.iter().map(|(style, share)| (style.resized_to_longer_side(side), *share)).collect();
        Self { content, styles, start: self.start.clone(), masks: Masks::default() }
    }

    /// The same, for the last time: nothing of the scene is kept beside it.
    pub(super) fn at_last(&mut self, scale: Scale, style_scale: f64) -> Self {
        let (mut content, styles) = (Picture::from_planar(1, 1, vec![0.0; 3]), std::mem::take(&mut self.styles));
        std::mem::swap(&mut content, &mut self.content);
        self.start = None;
        if (content.height(), content.width()) != (scale.height, scale.width) {
            content = content.resized(scale.height, scale.width);
        }
        let side = style_side(scale.height.max(scale.width), style_scale);
        let styles = styles.into_iter().map(|(style, share)| (style.resized_to_longer_side(side), share)).collect();
        Self { content, styles, start: None, masks: Masks::default() }
    }
}

/// The longer side of the styles for a picture with this longer side.
pub(super) fn style_side(longer: usize, style_scale: f64) -> usize {
    ((longer as f64 * style_scale).round() as usize).max(MIN_SIDE)
}

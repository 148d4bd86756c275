//! What stays as it is in the content: `seen = stays · content + (1 − stays) · picture`.
//!
//! The loss is that of what is seen, so its gradient with respect to the picture is `1 − stays` times that with respect
//! to what is seen. Where all stays, the gradient is 0 and what is seen is the content, bit for bit.

use crate::picture::Picture;

/// A content and how much of each pixel stays.
pub(crate) struct Protected {
    /// Planar, three planes.
    content: Vec<f32>,
    /// One plane, 0 to 1.
    stays: Vec<f32>,
    seen: Vec<f32>,
}

impl Protected {
    pub(crate) fn new(content: &Picture, stays: Vec<f32>) -> Self {
        Self { content: content.data().to_vec(), stays, seen: Vec::new() }
    }

    /// What is seen of a picture.
    pub(crate) fn shown(&mut self, picture: &[f32]) -> &[f32] {
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        seen.extend_from_slice(picture);
        self.lay_over(&mut seen);
        self.seen = seen;
        &self.seen
    }

    /// Makes a picture what is seen of it.
    pub(crate) fn lay_over(&self, picture: &mut [f32]) {
        let planes = picture.chunks_exact_mut(self.stays.len()).zip(self.content.chunks_exact(self.stays.len()));
        for (plane, content) in planes {
            for ((value, content), stays) in plane.iter_mut().zip(content).zip(&self.stays) {
                // All of it, and nothing of it, exactly.
                *value = if *stays == 1.0 { *content } else { *value + stays * (content - *value) };
            }
        }
    }

    /// From the gradient with respect to what is seen to that with respect to the picture.
    pub(crate) fn hold(&self, gradient: &mut [f32]) {
        for plane in gradient.chunks_exact_mut(self.stays.len()) {
            plane.iter_mut().zip(&self.stays).for_each(|(slope, stays)| *slope *= 1.0 - stays);
        }
    }
}

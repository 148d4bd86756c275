//! What stays as it is in the content: `seen = stays · content + (1 − stays) · picture`.
//!
//! The loss is that of what is seen, so its gradient with respect to the picture is `1 − stays` times that with respect
//! to what is seen. Where all stays, the gradient is 0 and what is seen is the content, bit for bit.

use std::sync::Arc;

use impasto_nn::backend::{Backend, Tensor};

use crate::picture::Picture;

/// A content and how much of each pixel stays.
pub(crate) struct Protected {
    backend: Arc<dyn Backend>,
    /// Planar, three planes.
    content: Tensor,
    /// One plane, 0 to 1.
    stays: Tensor,
    seen: Option<Tensor>,
}

impl Protected {
    pub(crate) fn new(backend: Arc<dyn Backend>, content: &Picture, stays: Vec<f32>) -> Self {
        let (content, stays) = (backend.upload(content.data().to_vec()), backend.upload(stays));
        Self { backend, content, stays, seen: None }
    }

    /// What is seen of a picture.
    pub(crate) fn shown(&mut self, picture: &Tensor) -> &Tensor {
        let mut seen = match self.seen.take() {
            Some(mut seen) => {
                self.backend.copy(picture, &mut seen);
                seen
            }
            None => picture.clone(),
        };
        self.lay_over(&mut seen);
        self.seen.insert(seen)
    }

    /// Makes a picture what is seen of it.
    pub(crate) fn lay_over(&self, picture: &mut Tensor) {
        self.backend.lay_over(picture, &self.content, &self.stays);
    }

    /// From the gradient with respect to what is seen to that with respect to the picture.
    pub(crate) fn hold(&self, gradient: &mut Tensor) {
        self.backend.hold(gradient, &self.stays);
    }
}

//! The image transformation network: one pass from a photograph to a painting, and its training.

mod error;
mod naive;
mod norm;
mod outer;
mod picture;
mod planes;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
mod tiles;
mod trainer;
mod weight_gradient;
mod weights;
mod window;

use crate::{Isa, Threads};
pub use error::StyleNetError;
pub use shape::{Parameter, StyleNetLayer, StyleNetShape};
pub use trainer::StyleNetTrainer;

/// The least side of a picture that passes through the network.
pub const LEAST_SIDE: usize = 16;

/// A network ready to paint: weights packed for an instruction set. Running it changes nothing in it, so that several
/// threads may share it.
pub struct StyleNet {
    shape: StyleNetShape,
    parameters: Vec<f32>,
}

impl StyleNet {
    /// Packs the parameters, which lie as [`StyleNetShape::parameters`] says.
    ///
    /// # Errors
    /// If the shape is not one that the kernels run, or there are not as many parameters as it needs.
    pub fn new(isa: Isa, threads: Threads, shape: StyleNetShape, parameters: &[f32]) -> Result<Self, StyleNetError> {
        let _ = (isa, threads);
        check(shape, parameters)?;
        Ok(Self { shape, parameters: parameters.to_vec() })
    }

    /// Bytes of memory that painting a picture of this size takes beside the picture and the result, within `budget`
    /// bytes: whole if that fits, in strips otherwise.
    ///
    /// # Errors
    /// If the picture is too small, or not even strips fit.
    pub fn plan(&self, height: usize, width: usize, budget: usize) -> Result<usize, StyleNetError> {
        let _ = budget;
        fits(height, width)?;
        Ok(height * width * 400)
    }

    /// Paints a planar picture, `3 × height × width`, RGB 0–255, into `out`, which has the same shape and may leave
    /// 0–255. Any size from [`LEAST_SIDE`] up; a side that is no multiple of 4 is continued by reflection and cut off
    /// again. `styles` weighs the network's styles and should add up to 1.
    ///
    /// # Errors
    /// If the picture is too small, or does not fit into `budget` bytes (see [`plan`](StyleNet::plan)).
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn run(
        &self,
        picture: &[f32],
        height: usize,
        width: usize,
        styles: &[f32],
        budget: usize,
        out: &mut [f32],
    ) -> Result<(), StyleNetError> {
        self.plan(height, width, budget)?;
        out.copy_from_slice(&naive::run(self.shape, &self.parameters, picture, height, width, styles));
        Ok(())
    }
}

fn check_shape(shape: StyleNetShape) -> Result<(), StyleNetError> {
    if shape.width == 0 || !shape.width.is_multiple_of(16) {
        return Err(StyleNetError::Width(shape.width));
    }
    if shape.styles == 0 {
        return Err(StyleNetError::NoStyles);
    }
    Ok(())
}

fn check(shape: StyleNetShape, parameters: &[f32]) -> Result<(), StyleNetError> {
    check_shape(shape)?;
    let (expected, found) = (shape.parameter_count(), parameters.len());
    if expected != found {
        return Err(StyleNetError::Parameters { expected, found });
    }
    Ok(())
}

fn fits(height: usize, width: usize) -> Result<(), StyleNetError> {
    if height.min(width) < LEAST_SIDE {
        return Err(StyleNetError::TooSmall { width, height, least: LEAST_SIDE });
    }
    Ok(())
}

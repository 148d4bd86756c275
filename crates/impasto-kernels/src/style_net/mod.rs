//! The image transformation network: one pass from a photograph to a painting, and its training.

mod error;
#[cfg(test)]
mod naive;
mod net;
mod norm;
mod outer;
mod pass;
mod picture;
mod plan;
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

pub use error::StyleNetError;
pub use net::StyleNet;
pub use shape::{Parameter, StyleNetLayer, StyleNetShape};
pub use trainer::StyleNetTrainer;

/// The least side of a picture that passes through the network.
pub const LEAST_SIDE: usize = 16;

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

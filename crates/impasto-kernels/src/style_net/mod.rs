//! The image transformation network: one pass from a photograph to a painting, and its training.

mod embed;
mod error;
mod naive;
mod naive_backward;
mod net;
mod norm;
mod normalisation;
mod outer;
mod pass;
mod picture;
mod plan;
mod planes;
mod rows;
mod shape;
mod statistics;
#[cfg(test)]
pub(crate) mod tests;
mod tiles;
mod trainer;
mod weight_gradient;
mod weights;
mod window;

use crate::size::{feature_fits, product};
pub use error::StyleNetError;
pub use net::StyleNet;
pub use normalisation::Normalisation;
pub use shape::{LayerRole, Parameter, StyleNetLayer, StyleNetShape};
pub use trainer::StyleNetTrainer;

/// The definition, for [`crate::reference`].
pub(crate) mod reference {
    pub(crate) use super::naive::{LayerTrace, forward, run};
    pub(crate) use super::naive_backward::backward;
    pub(crate) use super::normalisation::StyleShares;
    pub(crate) use super::{check, check_shape, check_size};
}

/// The least side of a picture that passes through the network.
pub const LEAST_SIDE: usize = 16;

pub(crate) fn check_shape(shape: StyleNetShape) -> Result<(), StyleNetError> {
    if shape.width == 0 || !shape.width.is_multiple_of(16) {
        return Err(StyleNetError::Width(shape.width));
    }
    let StyleNetShape { downsamplings, edge_kernel, .. } = shape;
    if downsamplings > 2 || ![3, 9].contains(&edge_kernel) {
        return Err(StyleNetError::Topology { downsamplings, edge_kernel });
    }
    if shape.styles == 0 {
        return Err(StyleNetError::NoStyles);
    }
    // All weights, with 9×9 for every kernel; all scales and shifts.
    let StyleNetShape { width, residual_blocks, styles, .. } = shape;
    let layers = residual_blocks.saturating_mul(2).saturating_add(6);
    let weights = product(&[16 * 81 * size_of::<f32>(), width, width, layers]);
    let norms = product(&[8 * size_of::<f32>(), styles, width, layers]);
    match weights.zip(norms) {
        Some((weights, norms)) if weights.checked_add(norms).is_some() => Ok(()),
        _ => Err(StyleNetError::TooManyParameters),
    }
}

/// Refuses a size before anything is computed from it. The widest layer has the channels of all at full resolution.
pub(crate) fn check_size(shape: StyleNetShape, height: usize, width: usize) -> Result<(), StyleNetError> {
    if height.min(width) < LEAST_SIDE {
        return Err(StyleNetError::TooSmall { width, height, least: LEAST_SIDE });
    }
    // All layers together take less than sixteen times the first one and twice that for each residual block.
    let channels =
        shape.residual_blocks.checked_mul(2).and_then(|blocks| product(&[blocks.checked_add(16)?, shape.width]));
    match channels {
        Some(channels) if feature_fits(channels, height, width) => Ok(()),
        _ => Err(StyleNetError::TooLarge { width, height }),
    }
}

pub(crate) fn check(shape: StyleNetShape, parameters: &[f32]) -> Result<(), StyleNetError> {
    check_shape(shape)?;
    let (expected, found) = (shape.parameter_count(), parameters.len());
    if expected != found {
        return Err(StyleNetError::Parameters { expected, found });
    }
    Ok(())
}

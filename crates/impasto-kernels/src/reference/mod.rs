//! The definition of the networks: plain loops in double precision, slow and simple. The kernels are tested against it.

mod plain;
mod style_net;
#[cfg(test)]
mod tests;
mod trunk;

#[cfg(test)]
pub(crate) use plain::{Reference, Trace, convolve, convolve_back, moments};
pub use style_net::{ReferenceStyleNet, ReferenceStyleNetTrainer};
pub use trunk::ReferenceTrunk;

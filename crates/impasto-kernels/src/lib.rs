//! CPU kernels of impasto, on slices: the frozen trunk of a VGG network, forward and backward to the picture.
//!
//! Shapes are given as `channels × height × width`; a *position* is one of the `height · width` places of a feature.
//!
//! A [`PackedTrunk`] holds the network, transformed and packed for an instruction set ([`Isa`]); it is made once. An
//! [`Engine`] is one job: it runs pictures through the trunk, gives [`Moments`] of features at its taps, and carries
//! gradients back to the picture. [`vector`] has what optimisers need.

mod direct;
mod engine;
mod error;
mod isa;
mod layout;
mod memory;
mod moments;
mod multiply;
mod pool;
mod profile;
#[cfg(test)]
mod reference;
mod simd;
mod sinks;
mod taps;
#[cfg(test)]
mod tests;
mod threads;
mod trunk;
mod types;
mod unpool;
pub mod vector;
mod winograd;

pub use engine::Engine;
pub use error::TrunkError;
pub use isa::Isa;
pub use profile::{Part, Timing, peak_flops};
pub use threads::Threads;
pub use trunk::PackedTrunk;
pub use types::{
    ContentGradient, Convolution, Features, MomentGradient, Moments, Pooling, Shape, TapGradient, TrunkLayer,
};

//! Networks of impasto and their weights.

pub mod trunk;
pub mod vgg;

pub use impasto_kernels as kernels;

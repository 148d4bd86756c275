//! Networks of impasto and their weights.

mod builtin;
pub mod formats;
pub mod trunk;
pub mod vgg;

pub use formats::{Description, LoadError, describe};
pub use impasto_kernels as kernels;

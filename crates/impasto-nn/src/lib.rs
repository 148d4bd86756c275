//! Networks of impasto and their weights.
//!
//! ```no_run
//! use impasto_nn::vgg::Vgg;
//!
//! let builtin = Vgg::builtin();
//! let downloaded = Vgg::load("imagenet-vgg-verydeep-19.mat".as_ref())?;
//! assert_eq!(builtin.kind, downloaded.kind);
//! # Ok::<(), impasto_nn::LoadError>(())
//! ```

pub mod backend;
mod builtin;
pub mod formats;
pub mod style_model;
pub mod style_predictor;
pub mod trunk;
pub mod vgg;

pub use builtin::describe_builtin;
pub use formats::{Description, LoadError, describe};
pub use impasto_kernels as kernels;

//! CPU kernels of impasto, on slices: the frozen trunk of a VGG network, forward and backward to the picture.
//!
//! Shapes are given as `channels × height × width`; a *position* is one of the `height · width` places of a feature.

mod types;

pub use types::{
    ContentGradient, Convolution, Features, MomentGradient, Moments, Pooling, Shape, TapGradient, TrunkLayer,
};

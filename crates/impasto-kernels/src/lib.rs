//! CPU kernels of impasto, on slices: the frozen trunk of a VGG network, forward and backward to the picture, and the
//! image transformation network, painting and in training.
//!
//! Shapes are given as `channels × height × width`; a *position* is one of the `height · width` places of a feature.
//!
//! A [`PackedTrunk`] holds the network, transformed and packed for an instruction set ([`Isa`]); it is made once. An
//! [`Engine`] is one job: it runs pictures through the trunk, gives [`Moments`] of features at its taps, and carries
//! gradients back to the picture. [`vector`] has what optimisers need.
//!
//! ```
//! use impasto_kernels::{Convolution, Engine, Isa, MomentGradient, PackedTrunk, Pooling, TapGradient, Threads};
//! use impasto_kernels::TrunkLayer;
//! use std::sync::Arc;
//!
//! let (in_channels, out_channels) = (3, 16);
//! let weight = (0..16 * 27).map(|i| (i % 7) as f32 * 0.01).collect();
//! let layers = [TrunkLayer::Convolution(Convolution { in_channels, out_channels, weight, bias: vec![0.1; 16] })];
//! let threads = Threads::new(2);
//! let trunk = Arc::new(PackedTrunk::new(Isa::best(), &threads, &layers)?);
//! let mut engine = Engine::new(trunk, threads, Pooling::Average, [124.0, 117.0, 104.0], [0.02; 3], &[0])?;
//!
//! let picture = vec![200.0; 3 * 8 * 10];
//! engine.forward(&picture, 8, 10, true);
//! let moments = engine.moments(0, None);
//! let (second, mean) = (&moments.second, &[0.0; 16]);
//! let gradient = MomentGradient { second, mean, weights: None, weight: moments.weight };
//! let mut out = vec![0.0; picture.len()];
//! engine.backward(&[TapGradient { tap: 0, moments: Some(gradient), content: None, features: None }], &mut out);
//! assert!(out.iter().all(|value| value.is_finite()));
//! # Ok::<(), impasto_kernels::TrunkError>(())
//! ```
//!
//! A [`StyleNet`] is a network that paints a photograph in one pass, a [`StyleNetTrainer`] the same in training; their
//! parameters are one flat list, named by [`StyleNetShape::parameters`].
//!
//! ```
//! use impasto_kernels::{Isa, Normalisation, StyleNet, StyleNetShape, Threads};
//!
//! let shape = StyleNetShape { width: 16, residual_blocks: 1, styles: 2, ..StyleNetShape::JOHNSON };
//! let parameters = vec![0.01; shape.parameter_count()];
//! let net = StyleNet::new(Isa::best(), Threads::new(2), shape, &parameters)?;
//! let (picture, mut painted) = (vec![200.0; 3 * 20 * 30], vec![0.0; 3 * 20 * 30]);
//! net.run(&picture, 20, 30, Normalisation::Blend(&[0.5, 0.5]), 1 << 30, &mut painted)?;
//! assert!(painted.iter().all(|value| value.is_finite()));
//! # Ok::<(), impasto_kernels::StyleNetError>(())
//! ```
//!
//! # How it is built
//!
//! Features lie in blocks of sixteen channels with a border of zeros (`layout`). Every convolution but the first is
//! Winograd's F(4×4, 3×3) (`winograd`), whose 36 multiplies go through one register-blocked kernel (`multiply`); bias,
//! ReLU and pooling happen where its output is transformed back (`sinks`), the backward of a pooling where the input is
//! transformed (`unpool`). Everything is written once over a vector of sixteen floats (`simd`) and compiled for
//! AVX-512, AVX2 with FMA, and whatever the target always has. The image transformation network (`style_net`) goes
//! through the same Winograd convolution: what it reads is normalised as tiles are loaded, what it writes is added up
//! for the next normalisation as tiles are stored, and where a layer enlarges its input eleven of the 36 frequencies
//! are zero and left out, on the way back as well. Its two 9×9 layers and those with a stride are direct convolutions. Work is shared out statically, so that results are the
//! same bits for the same instruction set and number of threads.
//!
//! # How `unsafe` is checked
//!
//! Every access goes through a view that checks its bounds in builds with debug assertions (`memory`), so the tests in
//! the dev profile, `cargo test -p impasto-kernels`, check the index arithmetic of every instruction set of the
//! machine.
//! AddressSanitizer runs over the same tests, on a stable toolchain too:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address \
//!     cargo test --release -p impasto-kernels --lib --target x86_64-unknown-linux-gnu
//! ```

mod direct;
mod engine;
mod error;
mod interrupt;
mod isa;
mod layout;
mod memory;
mod mix;
mod moments;
mod multiply;
mod pool;
mod profile;
pub mod reference;
mod register_rows;
mod simd;
mod sinks;
mod size;
mod style_net;
mod taps;
#[cfg(test)]
mod tests;
mod threads;
mod to_picture;
mod trunk;
mod types;
mod unpool;
pub mod vector;
mod winograd;

pub use engine::Engine;
pub use error::TrunkError;
pub use isa::Isa;
pub use memory::{release_pages, return_large_blocks};
pub use mix::mix;
pub use profile::{Part, Timing, peak_flops};
pub use style_net::{
    LEAST_SIDE, LayerRole, Normalisation, Parameter, StyleNet, StyleNetError, StyleNetLayer, StyleNetShape,
    StyleNetTrainer,
};
pub use threads::Threads;
pub use trunk::{PackedTrunk, sorted_taps};
pub use types::{
    Border, ContentGradient, Convolution, FeatureGradient, Features, MomentGradient, Moments, Pooling, Shape,
    TapGradient, TrunkLayer,
};

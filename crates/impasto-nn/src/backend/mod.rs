//! The seam between everything above and whatever computes: a processor, a graphics processor, or plain loops.
//!
//! A [`Backend`] owns its [`Tensor`]s: the picture that is painted, its gradient, what the optimisers remember, the
//! parameters of a network in training. Values go to it and come back by [`Backend::upload`] and [`Backend::download`]
//! alone. It makes the networks that work on these tensors, and says what a layout costs.
//!
//! To add one: implement [`Backend`] and the three networks in a file of its own, and give it a name in the settings'
//! `Device` and a line in `impasto::device`. [`ReferenceBackend`] is the definition that it is tested against.

mod cpu;
mod cpu_networks;
mod networks;
mod numbers;
mod reference;
mod reference_trunk;
mod tensor;

use std::borrow::Cow;
use std::fmt::Debug;
use std::ops::Range;

use impasto_kernels::vector::Adam;
use impasto_kernels::{StyleNetError, StyleNetShape, TrunkError};

pub use cpu::{Cpu, CpuBackend};
pub use networks::{
    ContentGradient, DeviceTrunk, Feature, FeatureGradient, ReadyTrunk, StyleNetwork, StyleTrainer, TapGradient,
    TrunkOptions,
};
pub use numbers::{Numbers, Slice};
pub use reference::ReferenceBackend;
pub use tensor::{Input, Tensor, Values};

use crate::vgg::Vgg;

/// How a picture passes through a trunk, as far as its cost depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// In one piece.
    Whole,
    /// The shallow part in bands of `rows` rows, of a picture of `height` rows.
    Bands {
        /// Rows of a band.
        rows: usize,
        /// Rows of the picture.
        height: usize,
    },
    /// In windows, which pass twice forwards and once backwards.
    Tiles,
}

/// What one evaluation of a picture costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// For each pixel, in pixels of a small picture that passes whole.
    pub of_a_pixel: f64,
    /// How often sparing weights are packed, in packings for a forward and a backward pass.
    pub packings: f64,
}

/// Where values of a window lie in a planar picture: the row and the column of the picture for each of its own.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Rows and columns of the picture.
    pub picture: [usize; 2],
    /// The picture's row for each row of the window.
    pub rows: &'a [usize],
    /// The picture's column for each column of the window.
    pub columns: &'a [usize],
}

/// The vectors of one step of Adam, all of one length.
#[derive(Debug)]
pub struct AdamVectors<'a> {
    /// The gradient.
    pub gradient: &'a Tensor,
    /// What is moved.
    pub values: &'a mut Tensor,
    /// The first moment.
    pub first: &'a mut Tensor,
    /// The second moment.
    pub second: &'a mut Tensor,
}

/// What computes.
///
/// All operations panic if a tensor is of another backend or has another length than the others.
pub trait Backend: Debug + Send + Sync {
    /// For people, such as `cpu, avx512, 2 threads`.
    fn name(&self) -> String;

    /// The processor, for what is computed on host values: losses of moments and of downloaded features, colours.
    fn host(&self) -> &Cpu;

    /// Values on the device.
    fn upload(&self, values: Vec<f32>) -> Tensor;

    /// Values of the device, borrowed where the device's memory is the host's.
    fn download<'a>(&self, tensor: &'a Tensor) -> Cow<'a, [f32]>;

    /// The same for the last time.
    fn take(&self, tensor: Tensor) -> Vec<f32>;

    /// Downloads a range of the values, lets `change` change them, and uploads them.
    fn on_host(&self, tensor: &mut Tensor, range: Range<usize>, change: &mut dyn FnMut(&mut [f32]));

    /// This many zeros.
    fn zeros(&self, len: usize) -> Tensor {
        self.upload(vec![0.0; len])
    }

    /// The tensor as a checkpoint keeps it.
    fn stored<'a>(&self, tensor: &'a Tensor) -> Slice<'a>;

    /// What [`stored`](Self::stored) gave.
    fn restore(&self, numbers: Numbers) -> Tensor;

    /// The tensor in half the memory, 11 bits of each value, and the factor that its values are to be multiplied by; as
    /// it is, with a factor of 1, where the device has no such. Only [`dot`](Self::dot) takes it, as either argument,
    /// and [`add_scaled`](Self::add_scaled), as `x`.
    fn halved(&self, tensor: Tensor) -> (Tensor, f64);

    /// `to = from`
    fn copy(&self, from: &Tensor, to: &mut Tensor);

    /// Sets all values to 0.
    fn clear(&self, tensor: &mut Tensor);

    /// `Σ a·b`
    fn dot(&self, a: &Tensor, b: &Tensor) -> f64;

    /// `y += factor · x`
    fn add_scaled(&self, y: &mut Tensor, factor: f64, x: &Tensor);

    /// `y *= factor`
    fn scale(&self, y: &mut Tensor, factor: f64);

    /// `y = x − y`
    fn subtract_from(&self, y: &mut Tensor, x: &Tensor);

    /// One step of Adam in a range of the vectors.
    fn adam_step(&self, adam: Adam, range: Range<usize>, vectors: AdamVectors<'_>);

    /// `window[c, y, x] = picture[c, rows[y], columns[x]]`; the window's length becomes what is needed.
    fn cut(&self, picture: Input<'_>, at: Window<'_>, window: &mut Tensor);

    /// `picture[c, rows[y], columns[x]] += window[c, y, x]`
    fn add_window(&self, window: &Tensor, at: Window<'_>, picture: &mut Tensor);

    /// `picture = share · over + (1 − share) · picture`; `share` has one plane, 0 to 1.
    fn lay_over(&self, picture: &mut Tensor, over: &Tensor, share: &Tensor);

    /// `gradient *= 1 − share`; `share` has one plane, 0 to 1.
    fn hold(&self, gradient: &mut Tensor, share: &Tensor);

    /// `Σ w · d²` over the differences d of all neighbours in rows and columns of a planar picture of this height and
    /// width, where w is the less of what the two pixels weigh (`visible`, one plane of the host; default: 1). `factor` times its
    /// gradient is added to `gradient`.
    fn total_variation(
        &self,
        picture: &Tensor,
        size: [usize; 2],
        visible: Option<&[f32]>,
        factor: f64,
        gradient: &mut Tensor,
    ) -> f64;

    /// What an evaluation costs.
    fn cost(&self, pass: Pass) -> Cost;

    /// What packing sparing weights once in each direction costs, in pixels of a small picture that passes whole.
    fn packing_cost(&self) -> f64;

    /// The frozen network.
    ///
    /// # Errors
    /// If there are no taps, one is beyond the network, or the network is not one that the device can run.
    fn trunk(&self, network: &Vgg, options: TrunkOptions<'_>) -> Result<ReadyTrunk, TrunkError>;

    /// An image transformation network, ready to paint.
    ///
    /// # Errors
    /// If it is not one that the device can run.
    fn style_net(&self, shape: StyleNetShape, parameters: &[f32]) -> Result<Box<dyn StyleNetwork>, StyleNetError>;

    /// The same in training, for pictures of this height and width.
    ///
    /// # Errors
    /// If it is not one that the device can train.
    fn style_trainer(
        &self,
        shape: StyleNetShape,
        height: usize,
        width: usize,
    ) -> Result<Box<dyn StyleTrainer>, StyleNetError>;
}

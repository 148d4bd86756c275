//! The networks that a backend makes.

use impasto_kernels::{Normalisation, StyleNetError};

use super::tensor::{Input, Tensor};
use crate::trunk::{self, Border, Moments, Packing, Pooling, Shape};

/// How a trunk is wanted.
#[derive(Clone, Copy, Debug)]
pub struct TrunkOptions<'a> {
    /// The convolutions whose outputs are read, counted from 0, in any order.
    pub taps: &'a [usize],
    /// What a pooling keeps of four values.
    pub pooling: Pooling,
    /// A factor of what every pooling puts out.
    pub pooling_scale: f32,
    /// What the first convolution sees around the picture.
    pub border: Border,
    /// How the weights are kept, where the device has a choice.
    pub packing: Packing,
}

/// A trunk and what its weights take.
pub struct ReadyTrunk {
    /// The network.
    pub trunk: Box<dyn DeviceTrunk>,
    /// Bytes of its weights.
    pub weights: u64,
    /// Bytes that they would take with [`Packing::Kept`].
    pub packed_weights: u64,
}

/// A feature on a device, in the order that its trunk likes.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Its shape.
    pub shape: Shape,
    /// Its values.
    pub values: Tensor,
}

/// [`trunk::ContentGradient`] with a target on a device, from [`DeviceTrunk::capture`].
pub type ContentGradient<'a> = trunk::ContentGradient<'a, Feature>;

/// [`trunk::FeatureGradient`] with a gradient on a device, from [`DeviceTrunk::upload`].
pub type FeatureGradient<'a> = trunk::FeatureGradient<'a, Feature>;

/// [`trunk::TapGradient`] with features on a device.
pub type TapGradient<'a> = trunk::TapGradient<'a, Feature>;

/// A frozen VGG up to its deepest tap on a device. It keeps what its last [`forward`](Self::forward) found.
///
/// Pictures and their gradients are planar `3 × height × width`, red, green, blue, 0–255. Moments, distances and the
/// weights of positions are host values; features are the device's.
pub trait DeviceTrunk: Send {
    /// The shape of a tap's feature for a picture of this size.
    fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape;

    /// Runs the picture to the deepest tap, and gives the moments of what it finds, each a tap and the weights of its
    /// positions. With `keep` it also keeps what [`backward`](Self::backward) needs.
    fn forward(
        &mut self,
        picture: Input<'_>,
        height: usize,
        width: usize,
        keep: bool,
        wanted: &[(usize, Option<&[f32]>)],
    ) -> Vec<Moments>;

    /// Downloads the feature of the last forward pass, planar `channels × height × width`.
    fn features(&mut self, tap: usize) -> Vec<f32>;

    /// A copy of the feature of the last forward pass, on the device.
    fn capture(&mut self, tap: usize) -> Feature;

    /// Planar host values, `channels × height × width`, on the device.
    fn upload(&self, shape: Shape, planar: &[f32]) -> Feature;

    /// The moments of the last forward pass; `weights` has one value for each position of the tap.
    fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments;

    /// `Σ w[p] · (F − target)²` over channels and positions.
    fn squared_distance(&mut self, tap: usize, target: &Feature, weights: Option<&[f32]>) -> f64;

    /// The gradient with respect to the picture of the last forward pass, written to `gradient`.
    fn backward(&mut self, gradients: &[TapGradient<'_>], gradient: &mut Tensor);

    /// Runs the shallow part of the network in bands of about `rows` rows of the picture from here on, whole if `None`: less memory for more time, the same results. A trunk that has no bands runs whole.
    fn set_bands(&mut self, rows: Option<usize>) {
        let _ = rows;
    }

    /// Drops what the last forward pass left, and the room for it.
    fn release(&mut self) {}

    /// Bytes of the host's memory that the trunk's buffers take for pictures of this size in bands of `bands` rows.
    fn planned_bytes(&self, height: usize, width: usize, bands: Option<usize>) -> usize;
}

/// An image transformation network on a device. Several threads may share it.
pub trait StyleNetwork: Send + Sync {
    /// Bytes of the host's memory that a picture of this size takes within `budget` bytes.
    ///
    /// # Errors
    /// If a side is shorter than [`LEAST_SIDE`](impasto_kernels::LEAST_SIDE), or the budget is too small.
    fn plan(&self, height: usize, width: usize, budget: usize) -> Result<usize, StyleNetError>;

    /// Paints a planar picture of the host, `3 × height × width`, RGB 0–255, into `out`, which has the same shape and may
    /// leave 0–255.
    ///
    /// # Errors
    /// As [`plan`](Self::plan); or if it was interrupted.
    fn run(
        &self,
        picture: &[f32],
        height: usize,
        width: usize,
        normalisation: Normalisation<'_>,
        budget: usize,
        out: &mut [f32],
    ) -> Result<(), StyleNetError>;

    /// Frees the memory that is kept for the next picture.
    fn release(&self);
}

/// The same in training: one picture at a time, whose gradients are summed.
pub trait StyleTrainer: Send {
    /// The parameters that are used from here on.
    ///
    /// # Errors
    /// If there are not as many as the shape needs.
    fn set_parameters(&mut self, parameters: &Tensor) -> Result<(), StyleNetError>;

    /// Paints a planar picture of the host.
    fn forward(&mut self, picture: &[f32], normalisation: Normalisation<'_>, out: &mut Tensor);

    /// Adds the gradient with respect to the parameters, from that with respect to what was painted last.
    fn backward(&mut self, gradient: &Tensor);

    /// The gradient of the last pass with respect to the normalisation's values, as they lie when they are given from
    /// outside (see [`Normalisation::Given`]); the host's, since what predicts them is small.
    fn normalisation_gradient(&self) -> &[f32];

    /// Writes `factor` times the sum of all gradients since the last call, and begins a new sum.
    fn take_gradient(&mut self, factor: f32, gradient: &mut Tensor);
}

//! The seam between the objective and whatever computes the frozen network: kernels on the CPU, Burn elsewhere.

#[cfg(feature = "burn")]
pub mod burn;
pub mod cpu;

#[cfg(feature = "burn")]
pub use burn::BurnTrunk;
pub use cpu::{CpuTrunk, Packing};
pub use impasto_kernels::{
    Border, ContentGradient, FeatureGradient, Features, MomentGradient, Moments, Pooling, Shape, TapGradient,
    TrunkError,
};

/// A frozen VGG up to its deepest tap, which keeps what its last [`forward`](Trunk::forward) found.
///
/// A *tap* is the number of a convolution, from 0; what is tapped is its output behind the ReLU. Pictures and their
/// gradients are planar `3 × height × width`, red, green, blue, 0–255; the trunk does the preprocessing of its network.
pub trait Trunk: Send {
    /// Which taps may be asked for, ascending.
    fn taps(&self) -> &[usize];

    /// The shape of a tap's feature for a picture of this size.
    fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape;

    /// Runs the picture to the deepest tap. With `keep` it also keeps what [`backward`](Trunk::backward) needs.
    fn forward(&mut self, picture: &[f32], height: usize, width: usize, keep: bool);

    /// The feature of the last forward pass, planar `channels × height × width`.
    fn features(&mut self, tap: usize) -> Vec<f32>;

    /// A copy of the feature of the last forward pass in the trunk's own layout.
    fn capture(&mut self, tap: usize) -> Features;

    /// Planar values, `channels × height × width`, in the trunk's own layout.
    fn upload(&self, shape: Shape, planar: &[f32]) -> Features;

    /// The moments of the last forward pass; `weights` has one value for each position of the tap.
    fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments;

    /// `Σ w[p] · (F − target)²` over channels and positions.
    fn squared_distance(&mut self, tap: usize, target: &Features, weights: Option<&[f32]>) -> f64;

    /// The gradient with respect to the picture of the last forward pass, written to `gradient`.
    fn backward(&mut self, gradients: &[TapGradient<'_>], gradient: &mut [f32]);

    /// A forward pass and [`moments`](Trunk::moments) of what it finds, each a tap and the weights of its positions:
    /// never slower than one after the other.
    fn forward_with_moments(
        &mut self,
        picture: &[f32],
        height: usize,
        width: usize,
        keep: bool,
        wanted: &[(usize, Option<&[f32]>)],
    ) -> Vec<Moments> {
        self.forward(picture, height, width, keep);
        wanted.iter().map(|&(tap, weights)| self.moments(tap, weights)).collect()
    }

    /// Runs the shallow part of the network in bands of about this many rows of the picture from here on, whole if
    /// `None`: less memory for more time, the same results. A trunk that has no bands runs whole.
    fn set_bands(&mut self, rows: Option<usize>) {
        let _ = rows;
    }

    /// Drops what the last forward pass left, and the room for it.
    fn forget(&mut self) {}

    /// Bytes of this machine's memory that the trunk's buffers take for pictures of this size in such bands.
    fn planned_bytes(&self, height: usize, width: usize, bands: Option<usize>) -> usize;
}

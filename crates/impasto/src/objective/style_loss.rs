//! Style losses as objects.
//!
//! A loss is a function of the moments of a feature or of the feature itself. To add one: implement [`MomentLoss`] or
//! [`FeatureLoss`] in a file of its own, give it a name in [`StyleLossKind`](crate::settings::StyleLossKind), and a line
//! in `style_losses.rs`.

use std::fmt::Debug;

use impasto_nn::trunk::Moments;

use crate::device::Cpu;

/// A style at one layer, which moments of a picture's feature are compared with.
pub(super) trait MomentLoss: Debug + Send + Sync {
    /// The loss of a feature of zeros, about: what relative losses are shares of.
    fn zero_loss(&self) -> f64;

    /// `factor` times the loss; its gradients are added to `second`, C×C, and `mean`, C.
    fn value_and_gradient(&self, moments: &Moments, factor: f64, second: &mut [f32], mean: &mut [f32]) -> f64;
}

/// A style at one layer, which a picture's feature itself is compared with.
pub(super) trait FeatureLoss: Debug + Send + Sync {
    /// The loss of a feature of zeros, about: what relative losses are shares of.
    fn zero_loss(&self) -> f64;

    /// `factor` times the loss; its gradient is added to `gradient`, planar, where there is one.
    fn value_and_gradient(
        &self,
        cpu: &Cpu,
        feature: &PlanarFeature<'_>,
        factor: f64,
        gradient: Option<&mut [f32]>,
    ) -> f64;
}

/// A feature, planar, channels × positions, and the weight of each position (default: 1).
#[derive(Clone, Copy, Debug)]
pub(super) struct PlanarFeature<'a> {
    pub(super) values: &'a [f32],
    pub(super) channels: usize,
    pub(super) weights: Option<&'a [f32]>,
}

impl PlanarFeature<'_> {
    pub(super) fn positions(&self) -> usize {
        self.values.len() / self.channels
    }

    pub(super) fn total_weight(&self) -> f64 {
        self.weights.map_or(self.positions() as f64, |weights| weights.iter().map(|w| f64::from(*w)).sum())
    }
}

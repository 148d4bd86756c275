//! Which layers are compared, what each weighs and in which units.

use std::collections::BTreeSet;

use impasto_nn::backend::DeviceTrunk;
use impasto_nn::trunk::Moments;
use impasto_nn::vgg::VggKind;

use super::regions;
use super::tiles::{Reach, Tile};
use crate::settings::{BorderKind, LossScale, Settings, SettingsError, StyleLossKind};

/// Which layers are compared, what each weighs and in which units: settings, understood for one network.
///
/// In absolute units the losses of the layers are as their files have them. In relative ones each is a share, times
/// [`RELATIVE_UNIT`]: the content loss of a layer `Σ(F−P)² / ΣP²`, its Wasserstein-2 loss `W² / (ΣS_cc)` with the second
/// moments S of the style, its Gram loss `Σ(S−A)² / ΣA²`, and the total variation the mean square of the differences
/// between neighbours on a scale of 0 to 1. A style loss is then multiplied by `(ΣS_cc / ΣP_cc)^0.8` of the style's and the
/// photograph's second moments at that layer, between ¼ and 4, which makes it nearly a share of the photograph. crowsonkb/style-transfer-pytorch divides by the L1 norm of the gradient
/// instead, for the Gram and content losses alone; a share needs no gradient, is smooth, and stays the same function
/// during a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Tap and factor of `Σ (F − P)² / (2·M·N)`.
    pub(super) content: Vec<(usize, f64)>,
    /// Tap and factor of the style loss.
    pub(super) style: Vec<(usize, f64)>,
    /// How the style is compared.
    pub(super) style_loss: StyleLossKind,
    /// In which units the losses are.
    pub(super) scale: LossScale,
    /// Whether pictures and styles are seen with a margin.
    pub(super) margin: bool,
    /// The factor of the total variation.
    pub(super) total_variation: f64,
    /// The network whose layers they are.
    network: VggKind,
    /// How far the deepest tap reaches.
    pub(super) reach: Reach,
}

/// The factor of relative losses: gradients of single pixels are then far above Adam's ε of 10⁻⁸ at every size.
pub const RELATIVE_UNIT: f64 = 1e4;

impl Weights {
    /// The factors of every layer: `content_weight` or `style_weight` times the layer's weight, averaged over layers.
    ///
    /// # Errors
    /// If the network has no layer of a name.
    pub fn new(settings: &Settings, network: VggKind) -> Result<Self, SettingsError> {
        let scaled = |taps: Vec<(usize, f64)>, factor: f64| {
            let taps = taps.into_iter().map(|(tap, weight)| (tap, weight * factor));
            taps.filter(|(_, weight)| *weight > 0.0).collect()
        };
        let mut weights = Self {
            content: scaled(settings.content_layers.taps(network)?, settings.content_weight),
            style: scaled(settings.style_layers.taps(network)?, settings.style_weight),
            style_loss: settings.style_loss,
            scale: settings.loss_scale,
            margin: settings.border == BorderKind::Mirror,
            total_variation: settings.tv_weight,
            network,
            reach: Reach::of(network, 0),
        };
        weights.reach = Reach::of(network, weights.taps().last().copied().unwrap_or(0));
        Ok(weights)
    }

    /// The taps that a trunk must offer, ascending.
    pub fn taps(&self) -> Vec<usize> {
        let all = self.content.iter().chain(&self.style).map(|(tap, _)| *tap);
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The taps at which the style is compared, in the order of the settings.
    pub(crate) fn style_taps(&self) -> impl Iterator<Item = usize> {
        self.style.iter().map(|(tap, _)| *tap)
    }

    /// How far the deepest tap reaches.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// What `Σ d² / (2·M·3)` of the total variation is multiplied by for its units.
    pub(super) fn variation_unit(&self) -> f64 {
        match self.scale {
            LossScale::Absolute => 1.0,
            LossScale::Relative => 2.0 * RELATIVE_UNIT / (255.0 * 255.0),
        }
    }

    /// What the positions of a tap weigh in a window of a picture whose pixels have these weights.
    pub(super) fn position_weights(
        &self,
        trunk: &dyn DeviceTrunk,
        tap: usize,
        tile: &Tile,
        pixels: Option<(&[f32], usize)>,
    ) -> Option<Vec<f32>> {
        let shape = trunk.tap_shape(tap, tile.size().0, tile.size().1);
        let step = Reach::of(self.network, tap).step;
        regions::position_weights(tile, pixels, (shape.height, shape.width), step)
    }
}

/// The mean square of a feature's values.
pub(super) fn mean_square(moments: &Moments) -> f64 {
    let channels = moments.channels;
    (0..channels).map(|i| f64::from(moments.second[i * channels + i])).sum::<f64>() / channels as f64
}

//! The perceptual objective of Gatys et al. 2015: how far a picture is from a content and from a style.
//!
//! `loss = content_weight · content + style_weight · style + tv_weight · total_variation`, each described in its file.

mod margin;
mod perceptual;
mod protect;
mod regions;
mod style;
mod sums;
pub mod tiles;
mod total_variation;
mod wasserstein;

use std::collections::BTreeSet;
use std::ops::{AddAssign, Mul};

use impasto_nn::trunk::{Moments, Trunk};
use impasto_nn::vgg::VggKind;
use serde::{Deserialize, Serialize};

use crate::device::Machine;
use crate::memory::Layout;
use crate::picture::Picture;
use crate::settings::{BorderKind, LossScale, Settings, SettingsError, StyleLossKind};

pub(crate) use margin::MARGIN;
use margin::Margin;
pub use perceptual::{ContentTarget, Perceptual, StyleTarget};
pub(crate) use protect::Protected;
pub use regions::Regions;
pub use style::gram_loss;
use tiles::{Reach, Tile};
pub use total_variation::{total_variation, visible_variation};
pub use wasserstein::{WassersteinTarget, wasserstein_loss};

/// The parts of a loss, each with its weight already in it: they sum up to `loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// The whole.
    pub loss: f64,
    /// The content's share.
    pub content: f64,
    /// The style's share.
    pub style: f64,
    /// The share of the total variation.
    pub total_variation: f64,
}

impl Losses {
    /// Loss, content, style and total variation, as checkpoints keep them.
    pub(crate) fn numbers(&self) -> [f64; 4] {
        [self.loss, self.content, self.style, self.total_variation]
    }

    /// Those of a checkpoint again, from the first four numbers.
    pub(crate) fn from_numbers(numbers: &[f64]) -> Self {
        let [loss, content, style, total_variation, ..] = *numbers else { return Self::default() };
        Self { loss, content, style, total_variation }
    }
}

impl AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.content += other.content;
        self.style += other.style;
        self.total_variation += other.total_variation;
    }
}

impl Mul<f64> for Losses {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self {
            loss: self.loss * factor,
            content: self.content * factor,
            style: self.style * factor,
            total_variation: self.total_variation * factor,
        }
    }
}

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
    content: Vec<(usize, f64)>,
    /// Tap and factor of the style loss.
    style: Vec<(usize, f64)>,
    /// How the style is compared.
    style_loss: StyleLossKind,
    /// In which units the losses are.
    scale: LossScale,
    /// Whether pictures and styles are seen with a margin.
    margin: bool,
    /// The factor of the total variation.
    total_variation: f64,
    /// The network whose layers they are.
    network: VggKind,
    /// How far the deepest tap looks.
    reach: Reach,
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

    /// How far the deepest tap looks.
    pub fn reach(&self) -> Reach {
        self.reach
    }

    /// What `Σ d² / (2·M·3)` of the total variation is multiplied by for its units.
    fn variation_unit(&self) -> f64 {
        match self.scale {
            LossScale::Absolute => 1.0,
            LossScale::Relative => 2.0 * RELATIVE_UNIT / (255.0 * 255.0),
        }
    }

    /// What the positions of a tap weigh in a window of a picture whose pixels have these weights.
    fn at(&self, trunk: &dyn Trunk, tap: usize, tile: &Tile, pixels: Option<(&[f32], usize)>) -> Option<Vec<f32>> {
        let shape = trunk.tap_shape(tap, tile.size().0, tile.size().1);
        let step = Reach::of(self.network, tap).step;
        regions::position_weights(tile, pixels, (shape.height, shape.width), step)
    }
}

/// The mean square of a feature's values.
fn mean_square(moments: &Moments) -> f64 {
    let channels = moments.channels;
    (0..channels).map(|i| f64::from(moments.second[i * channels + i])).sum::<f64>() / channels as f64
}

/// The loss of a picture of one size against a content and styles, and its gradient.
pub struct Objective {
    perceptual: Perceptual,
    content: ContentTarget,
    style: StyleTarget,
    protected: Option<Protected>,
    margin: Option<Margin>,
}

impl Objective {
    /// Looks at the content and at the styles, each with its share of the blend, through the trunk.
    ///
    /// # Panics
    /// If the trunk does not offer [`Weights::taps`].
    pub fn new(machine: Machine, weights: &Weights, content: &Picture, styles: &[(Picture, f64)]) -> Self {
        Self::within(machine, weights, Layout::Whole, content, styles, Regions::default())
    }

    /// The same, in this layout, where the content counts, and each style, as the regions say.
    ///
    /// # Panics
    /// If the trunk does not offer [`Weights::taps`], or a region is not of the content's size.
    pub fn within(
        machine: Machine,
        weights: &Weights,
        layout: Layout,
        content: &Picture,
        styles: &[(Picture, f64)],
        regions: Regions,
    ) -> Self {
        let mut objective = Self::blank(machine, weights);
        objective.look_at(layout, content, styles, regions);
        objective
    }

    /// One that has not looked at anything yet.
    pub(crate) fn blank(machine: Machine, weights: &Weights) -> Self {
        let mut perceptual = Perceptual::new(machine, weights);
        let style = perceptual.style(&[]);
        Self { perceptual, content: ContentTarget::default(), style, protected: None, margin: None }
    }

    /// Looks at another content and other styles.
    ///
    /// # Panics
    /// If a region is not of the content's size.
    pub fn look_at(&mut self, layout: Layout, content: &Picture, styles: &[(Picture, f64)], regions: Regions) {
        self.forget();
        self.perceptual.set_layout(layout);
        let shares: Vec<f64> = styles.iter().map(|(_, share)| *share).collect();
        if self.perceptual.has_margin() {
            let margin = Margin::new(content.height(), content.width());
            let styles: Vec<_> = styles.iter().map(|(style, share)| (Margin::picture(style), *share)).collect();
            self.style = self.perceptual.style(&styles);
            let (content, regions) = (Margin::picture(content), margin.regions(&regions));
            self.content = self.perceptual.content_within(&content, &regions, &shares);
            self.margin = Some(margin);
        } else {
            self.style = self.perceptual.style(styles);
            self.content = self.perceptual.content_within(content, &regions, &shares);
        }
        self.protected = regions.protect.map(|stays| Protected::new(content, stays));
    }

    /// Gives back the room of all that was looked at, which may be much; nothing can be asked before it looks again.
    pub(crate) fn forget(&mut self) {
        (self.content, self.protected, self.margin) = (ContentTarget::default(), None, None);
        self.perceptual.forget();
    }

    /// The loss itself, for whoever plans what it takes.
    pub(crate) fn perceptual(&self) -> &Perceptual {
        &self.perceptual
    }

    /// The losses of a planar `3 × height × width` picture, without a gradient.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value(&mut self, picture: &[f32]) -> Losses {
        let Self { perceptual, content, style, protected, margin } = self;
        let shown = protected.as_mut().map_or(picture, |protected| protected.shown(picture));
        let seen = margin.as_mut().map_or(shown, |margin| margin.around(shown));
        perceptual.value(seen, content, style)
    }

    /// The losses of a picture; their gradient with respect to it is written to `gradient`.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient(&mut self, picture: &[f32], gradient: &mut [f32]) -> Losses {
        let Self { perceptual, content, style, protected, margin } = self;
        let shown = protected.as_mut().map_or(picture, |protected| protected.shown(picture));
        let mut evaluate =
            |seen: &[f32], gradient: &mut [f32]| perceptual.value_and_gradient(seen, content, style, gradient);
        let losses = match margin {
            None => evaluate(shown, gradient),
            Some(margin) => margin.through(shown, gradient, evaluate),
        };
        if let Some(protected) = protected {
            protected.hold(gradient);
        }
        losses
    }

    /// Makes of a picture what is seen of it: where the content is protected, the content. The losses are those of
    /// what is seen.
    pub fn show(&self, picture: &mut [f32]) {
        if let Some(protected) = &self.protected {
            protected.lay_over(picture);
        }
    }
}

#[cfg(test)]
mod tests;

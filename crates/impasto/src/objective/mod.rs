//! The perceptual objective of Gatys et al. 2015: how far a picture is from a content and from a style.
//!
//! `loss = content_weight · content + style_weight · style + tv_weight · total_variation`, each described in its file.

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

use impasto_nn::trunk::Trunk;
use impasto_nn::vgg::VggKind;
use serde::{Deserialize, Serialize};

use crate::device::Machine;
use crate::memory::Layout;
use crate::picture::Picture;
use crate::settings::{Settings, SettingsError, StyleLossKind};

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

/// Which layers are looked at and what each weighs: settings, understood for one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Tap and factor of `Σ (F − P)² / (2·M·N)`.
    content: Vec<(usize, f64)>,
    /// Tap and factor of the style loss.
    style: Vec<(usize, f64)>,
    /// How the style is compared.
    style_loss: StyleLossKind,
    /// The factor of the total variation.
    total_variation: f64,
    /// The network whose layers they are.
    network: VggKind,
    /// How far the deepest tap looks.
    reach: Reach,
}

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

    /// What the positions of a tap weigh in a window of a picture whose pixels weigh so much.
    fn at(&self, trunk: &dyn Trunk, tap: usize, tile: &Tile, pixels: Option<(&[f32], usize)>) -> Option<Vec<f32>> {
        let shape = trunk.tap_shape(tap, tile.size().0, tile.size().1);
        let step = Reach::of(self.network, tap).step;
        regions::position_weights(tile, pixels, (shape.height, shape.width), step)
    }
}

/// The loss of a picture of one size against a content and styles, and its gradient.
pub struct Objective {
    perceptual: Perceptual,
    content: ContentTarget,
    style: StyleTarget,
    protected: Option<Protected>,
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
        Self { perceptual, content: ContentTarget::default(), style, protected: None }
    }

    /// Looks at another content and other styles; the share of the style stays.
    ///
    /// # Panics
    /// If a region is not of the content's size.
    pub fn look_at(&mut self, layout: Layout, content: &Picture, styles: &[(Picture, f64)], regions: Regions) {
        self.forget();
        self.perceptual.set_layout(layout);
        let share = self.style.share;
        self.style = self.perceptual.style(styles);
        self.style.share = share;
        let shares: Vec<f64> = styles.iter().map(|(_, share)| *share).collect();
        self.content = self.perceptual.content_within(content, &regions, &shares);
        self.protected = regions.protect.map(|stays| Protected::new(content, stays));
    }

    /// Gives back the room of all that was looked at, which may be much; nothing can be asked before it looks again.
    pub(crate) fn forget(&mut self) {
        (self.content, self.protected) = (ContentTarget::default(), None);
        self.perceptual.forget();
    }

    /// The loss itself, for whoever plans what it takes.
    pub(crate) fn perceptual(&self) -> &Perceptual {
        &self.perceptual
    }

    /// Multiplies the style loss by this, on top of its weight.
    pub fn set_style_share(&mut self, share: f64) {
        self.style.share = share;
    }

    /// The losses of a planar `3 × height × width` picture, without a gradient.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value(&mut self, picture: &[f32]) -> Losses {
        let Self { perceptual, content, style, protected } = self;
        match protected {
            None => perceptual.value(picture, content, style),
            Some(protected) => perceptual.value(protected.shown(picture), content, style),
        }
    }

    /// The losses of a picture; their gradient with respect to it is written to `gradient`.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient(&mut self, picture: &[f32], gradient: &mut [f32]) -> Losses {
        let Self { perceptual, content, style, protected } = self;
        let Some(protected) = protected else {
            return perceptual.value_and_gradient(picture, content, style, gradient);
        };
        let losses = perceptual.value_and_gradient(protected.shown(picture), content, style, gradient);
        protected.hold(gradient);
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

//! The perceptual objective of Gatys et al. 2015: how far a picture is from a content and from a style.
//!
//! `loss = content_weight · content + style_weight · style + tv_weight · total_variation`, each described in its file.

mod perceptual;
mod style;
mod total_variation;
mod wasserstein;

use std::collections::BTreeSet;
use std::ops::{AddAssign, Mul};

use impasto_nn::vgg::VggKind;
use serde::{Deserialize, Serialize};

use crate::device::Machine;
use crate::picture::Picture;
use crate::settings::{Settings, SettingsError};

pub use perceptual::{ContentTarget, Perceptual, StyleTarget};
pub use style::gram_loss;
pub use total_variation::total_variation;
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
    /// The factor of the total variation.
    total_variation: f64,
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
        Ok(Self {
            content: scaled(settings.content_layers.taps(network)?, settings.content_weight),
            style: scaled(settings.style_layers.taps(network)?, settings.style_weight),
            total_variation: settings.tv_weight,
        })
    }

    /// The taps that a trunk must offer, ascending.
    pub fn taps(&self) -> Vec<usize> {
        let all = self.content.iter().chain(&self.style).map(|(tap, _)| *tap);
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The loss of a picture of one size against a content and styles, and its gradient.
pub struct Objective {
    perceptual: Perceptual,
    content: ContentTarget,
    style: StyleTarget,
}

impl Objective {
    /// Looks at the content and at the styles, each with its share of the blend, through the trunk.
    ///
    /// # Panics
    /// If the trunk does not offer [`Weights::taps`].
    pub fn new(machine: Machine, weights: &Weights, content: &Picture, styles: &[(Picture, f64)]) -> Self {
        let mut perceptual = Perceptual::new(machine, weights);
        let style = perceptual.style(styles);
        let content = perceptual.content(content);
        Self { perceptual, content, style }
    }

    /// The losses of a planar `3 × height × width` picture, without a gradient.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value(&mut self, picture: &[f32]) -> Losses {
        self.perceptual.value(picture, &self.content, &self.style)
    }

    /// The losses of a picture; their gradient with respect to it is written to `gradient`.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient(&mut self, picture: &[f32], gradient: &mut [f32]) -> Losses {
        self.perceptual.value_and_gradient(picture, &self.content, &self.style, gradient)
    }
}

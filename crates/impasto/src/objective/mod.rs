//! The perceptual objective of Gatys et al. 2015: how far a picture is from a content and from a style.
//!
//! `loss = content_weight · content + style_weight · style + tv_weight · total_variation`, each described in its file.

mod style;
mod total_variation;

use std::collections::BTreeSet;

use impasto_nn::trunk::{ContentGradient, Features, MomentGradient, Moments, TapGradient, Trunk};
use serde::Serialize;

use crate::device::{Cpu, Machine};
use crate::picture::Picture;
use crate::settings::{Settings, SettingsError};
use impasto_nn::vgg::VggKind;

pub use style::gram_loss;
pub use total_variation::total_variation;

/// The parts of a loss, each with its weight already in it: they sum up to `loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
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

struct ContentTerm {
    tap: usize,
    factor: f64,
    target: Features,
}

struct StyleTerm {
    tap: usize,
    factor: f64,
    /// Each style's moments, and its share of the blend.
    targets: Vec<(f64, Moments)>,
}

/// The loss of a picture of one size against a content and styles, and its gradient.
pub struct Objective {
    trunk: Box<dyn Trunk>,
    cpu: Cpu,
    height: usize,
    width: usize,
    content: Vec<ContentTerm>,
    style: Vec<StyleTerm>,
    total_variation: f64,
}

impl Objective {
    /// Looks at the content and at the styles, each with its share of the blend, through the trunk.
    ///
    /// # Panics
    /// If the trunk does not offer [`Weights::taps`].
    pub fn new(machine: Machine, weights: &Weights, content: &Picture, styles: &[(Picture, f64)]) -> Self {
        let Machine { mut trunk, cpu, .. } = machine;
        let mut style: Vec<StyleTerm> =
            weights.style.iter().map(|&(tap, factor)| StyleTerm { tap, factor, targets: Vec::new() }).collect();
        if !style.is_empty() {
            for (picture, share) in styles {
                trunk.forward(picture.data(), picture.height(), picture.width(), false);
                for term in &mut style {
                    term.targets.push((*share, trunk.moments(term.tap, None)));
                }
            }
        }
        let (height, width) = (content.height(), content.width());
        let mut terms = Vec::new();
        if !weights.content.is_empty() {
            trunk.forward(content.data(), height, width, false);
            let term = |&(tap, factor): &(usize, f64)| ContentTerm { tap, factor, target: trunk.capture(tap) };
            terms = weights.content.iter().map(term).collect();
        }
        Self { trunk, cpu, height, width, content: terms, style, total_variation: weights.total_variation }
    }

    /// The losses of a planar `3 × height × width` picture, without a gradient.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value(&mut self, picture: &[f32]) -> Losses {
        self.trunk.forward(picture, self.height, self.width, false);
        let (losses, _) = self.losses();
        self.with_variation(losses, picture, &mut vec![0.0; picture.len()])
    }

    /// The losses of a picture; their gradient with respect to it is written to `gradient`.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient(&mut self, picture: &[f32], gradient: &mut [f32]) -> Losses {
        self.trunk.forward(picture, self.height, self.width, true);
        let (losses, style_gradients) = self.losses();
        let scale = |term: &ContentTerm| (term.factor / term.target.shape.len() as f64) as f32;
        let content = self.content.iter().map(|term| TapGradient {
            tap: term.tap,
            moments: None,
            content: Some(ContentGradient { target: &term.target, scale: scale(term), weights: None }),
        });
        let style = self.style.iter().zip(&style_gradients).map(|(term, (second, mean, weight))| TapGradient {
            tap: term.tap,
            moments: Some(MomentGradient { second, mean, weights: None, weight: *weight }),
            content: None,
        });
        let taps: Vec<TapGradient<'_>> = content.chain(style).collect();
        if taps.is_empty() {
            gradient.fill(0.0);
        } else {
            self.trunk.backward(&taps, gradient);
        }
        self.with_variation(losses, picture, gradient)
    }

    /// The whole loss: total variation comes on top, and its gradient too.
    fn with_variation(&self, mut losses: Losses, picture: &[f32], gradient: &mut [f32]) -> Losses {
        if self.total_variation > 0.0 {
            let size = (self.height, self.width);
            losses.total_variation = total_variation(&self.cpu, picture, size, self.total_variation, gradient);
        }
        losses.loss = losses.content + losses.style + losses.total_variation;
        losses
    }

    /// Content and style of the picture that the trunk saw last, and the gradients of the style losses: `∂L/∂S`, `∂L/∂μ`,
    /// and the sum of the position weights.
    #[allow(clippy::type_complexity, reason = "three values that go straight into a `MomentGradient`")]
    fn losses(&mut self) -> (Losses, Vec<(Vec<f32>, Vec<f32>, f64)>) {
        let mut losses = Losses::default();
        for ContentTerm { tap, factor, target } in &self.content {
            let distance = self.trunk.squared_distance(*tap, target, None);
            losses.content += factor * distance / (2 * target.shape.len()) as f64;
        }
        let mut gradients = Vec::new();
        for StyleTerm { tap, factor, targets } in &self.style {
            let moments = self.trunk.moments(*tap, None);
            let mut second = vec![0.0; moments.second.len()];
            for (share, target) in targets {
                losses.style += gram_loss(&moments, target, factor * share, &mut second);
            }
            gradients.push((second, vec![0.0; moments.channels], moments.weight));
        }
        (losses, gradients)
    }
}

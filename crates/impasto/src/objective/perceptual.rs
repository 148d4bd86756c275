//! The perceptual loss itself: whatever picture is asked about, against whatever content and style.
//!
//! Painting asks about one picture of one content and one style all along; training asks about another content with
//! every photograph, and about a few styles in turn. Both are told the same number.

use impasto_nn::trunk::{ContentGradient, Features, MomentGradient, Moments, TapGradient, Trunk};

use super::{Losses, Weights, gram_loss, total_variation};
use crate::device::{Cpu, Machine};
use crate::picture::Picture;

/// What a picture should show: the features of a content at every content layer, for one size.
#[derive(Clone, Debug)]
pub struct ContentTarget {
    height: usize,
    width: usize,
    /// One for each content layer of the weights.
    features: Vec<Features>,
}

/// How a picture should look: the moments of one or more styles at every style layer, for any size.
#[derive(Clone, Debug)]
pub struct StyleTarget {
    /// For each style layer of the weights, each style's moments and its share of the blend.
    moments: Vec<Vec<(f64, Moments)>>,
    /// A factor of the style loss, 1 but where training begins gently.
    pub(crate) share: f64,
}

/// `∂L/∂S`, `∂L/∂μ` and the sum of the position weights, of one style layer.
type StyleGradient = (Vec<f32>, Vec<f32>, f64);

/// The perceptual loss of Gatys et al. 2015 on a trunk, and its gradient.
pub struct Perceptual {
    trunk: Box<dyn Trunk>,
    cpu: Cpu,
    weights: Weights,
}

impl Perceptual {
    /// The loss with these weights on this trunk.
    ///
    /// # Panics
    /// Later, if the trunk does not offer [`Weights::taps`].
    pub fn new(machine: Machine, weights: &Weights) -> Self {
        let Machine { trunk, cpu, .. } = machine;
        Self { trunk, cpu, weights: weights.clone() }
    }

    /// Looks at a content.
    pub fn content(&mut self, content: &Picture) -> ContentTarget {
        let (height, width) = (content.height(), content.width());
        if self.weights.content.is_empty() {
            return ContentTarget { height, width, features: Vec::new() };
        }
        self.trunk.forward(content.data(), height, width, false);
        let features = self.weights.content.iter().map(|&(tap, _)| self.trunk.capture(tap)).collect();
        ContentTarget { height, width, features }
    }

    /// Looks at styles, each with its share of the blend.
    pub fn style(&mut self, styles: &[(Picture, f64)]) -> StyleTarget {
        let mut moments = vec![Vec::new(); self.weights.style.len()];
        if !moments.is_empty() {
            for (picture, share) in styles {
                self.trunk.forward(picture.data(), picture.height(), picture.width(), false);
                for ((tap, _), layer) in self.weights.style.iter().zip(&mut moments) {
                    layer.push((*share, self.trunk.moments(*tap, None)));
                }
            }
        }
        StyleTarget { moments, share: 1.0 }
    }

    /// The losses of a planar `3 × height × width` picture, RGB 0–255, without a gradient.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value(&mut self, picture: &[f32], content: &ContentTarget, style: &StyleTarget) -> Losses {
        self.trunk.forward(picture, content.height, content.width, false);
        let (losses, _) = self.losses(content, style);
        self.with_variation(losses, picture, content, &mut vec![0.0; picture.len()])
    }

    /// The losses of a picture; their gradient with respect to it is written to `gradient`.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient(
        &mut self,
        picture: &[f32],
        content: &ContentTarget,
        style: &StyleTarget,
        gradient: &mut [f32],
    ) -> Losses {
        self.trunk.forward(picture, content.height, content.width, true);
        let (losses, style_gradients) = self.losses(content, style);
        let contents = self.weights.content.iter().zip(&content.features).map(|(&(tap, factor), target)| {
            let scale = (factor / target.shape.len() as f64) as f32;
            TapGradient { tap, moments: None, content: Some(ContentGradient { target, scale, weights: None }) }
        });
        let styles = self.weights.style.iter().zip(&style_gradients).map(|((tap, _), (second, mean, weight))| {
            let moments = MomentGradient { second, mean, weights: None, weight: *weight };
            TapGradient { tap: *tap, moments: Some(moments), content: None }
        });
        let taps: Vec<TapGradient<'_>> = contents.chain(styles).collect();
        if taps.is_empty() {
            gradient.fill(0.0);
        } else {
            self.trunk.backward(&taps, gradient);
        }
        self.with_variation(losses, picture, content, gradient)
    }

    /// The whole loss: total variation comes on top, and its gradient too.
    fn with_variation(
        &self,
        mut losses: Losses,
        picture: &[f32],
        content: &ContentTarget,
        gradient: &mut [f32],
    ) -> Losses {
        let factor = self.weights.total_variation;
        if factor > 0.0 {
            let size = (content.height, content.width);
            losses.total_variation = total_variation(&self.cpu, picture, size, factor, gradient);
        }
        losses.loss = losses.content + losses.style + losses.total_variation;
        losses
    }

    /// Content and style of the picture that the trunk saw last, and the gradients of the style losses.
    fn losses(&mut self, content: &ContentTarget, style: &StyleTarget) -> (Losses, Vec<StyleGradient>) {
        let mut losses = Losses::default();
        for ((tap, factor), target) in self.weights.content.iter().zip(&content.features) {
            let distance = self.trunk.squared_distance(*tap, target, None);
            losses.content += factor * distance / (2 * target.shape.len()) as f64;
        }
        let mut gradients = Vec::new();
        for ((tap, factor), targets) in self.weights.style.iter().zip(&style.moments) {
            let moments = self.trunk.moments(*tap, None);
            let mut second = vec![0.0; moments.second.len()];
            for (share, target) in targets {
                losses.style += gram_loss(&moments, target, factor * share * style.share, &mut second);
            }
            gradients.push((second, vec![0.0; moments.channels], moments.weight));
        }
        (losses, gradients)
    }
}

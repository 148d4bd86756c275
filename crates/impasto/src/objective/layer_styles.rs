//! The styles at one layer.

use impasto_nn::trunk::Moments;

use super::content_target::ContentTarget;
use super::style::StyleLayer;

/// `∂L/∂S`, `∂L/∂μ` and the sum of the position weights, of one style layer at one place.
pub(super) struct StyleGradient {
    pub(super) second: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) weight: f64,
}

/// The styles at one layer, and the moments of the picture there.
pub(super) struct LayerStyles<'a> {
    /// The number of the layer among the style layers.
    pub(super) layer: usize,
    /// At each place.
    pub(super) places: &'a [Moments],
    pub(super) factor: f64,
    /// Each style and its share of the blend.
    pub(super) targets: &'a [(f64, StyleLayer)],
}

impl LayerStyles<'_> {
    /// The loss, and its gradient at each place.
    pub(super) fn loss(&self, content: &ContentTarget) -> (f64, Vec<StyleGradient>) {
        let mut loss = 0.0;
        let mut gradients: Vec<_> = self.places.iter().map(StyleGradient::zero).collect();
        for (number, (share, target)) in self.targets.iter().enumerate() {
            let place = content.place_of(number);
            if self.places[place].weight > 0.0 {
                let strength = content.strength(number, self.layer, target);
                let StyleGradient { second, mean, .. } = &mut gradients[place];
                loss += target.of_moments(&self.places[place], self.factor * share * strength, second, mean);
            }
        }
        (loss, gradients)
    }
}

impl StyleGradient {
    pub(super) fn zero(moments: &Moments) -> Self {
        let (second, mean) = (vec![0.0; moments.second.len()], vec![0.0; moments.channels]);
        Self { second, mean, weight: moments.weight }
    }
}

//! A style at one layer: a target, its units, and how strong it looks on a photograph.

use std::sync::Arc;

use impasto_nn::trunk::Moments;

use super::style_loss::{FeatureLoss, MomentLoss, PlanarFeature};
use super::style_losses::Maker;
use super::weights::{RELATIVE_UNIT, mean_square};
use crate::device::Cpu;
use crate::settings::{LossScale, StyleLossKind};

/// How a picture should look: the moments of one or more styles at every style layer, for any size.
#[derive(Clone, Debug)]
pub struct StyleTarget {
    /// For each style layer of the weights, each style and its share of the blend.
    pub(super) layers: Vec<Vec<(f64, StyleLayer)>>,
    /// A factor of the style loss, 1 but where training begins gently.
    pub(crate) share: f64,
}

/// A style at one layer, as a loss needs it.
#[derive(Clone, Debug)]
pub(super) struct StyleLayer {
    target: Target,
    /// What the loss is multiplied by for its units.
    unit: f64,
    /// Of the style's feature.
    mean_square: f64,
}

/// The power of the ratio of mean squares, style over photograph, in [`StyleLayer::contrast`]. 0 would make losses shares
/// of the style, 1 shares of the photograph. Chosen on fifteen pairs of seven photographs and five paintings, see
/// `docs/performance.md`.
const CONTRAST_POWER: f64 = 0.8;

/// The most that [`StyleLayer::contrast`] makes of a loss, and the inverse of the least.
const MOST_CONTRAST: f64 = 4.0;

#[derive(Clone, Debug)]
enum Target {
    OfMoments(Arc<dyn MomentLoss>),
    OfFeatures(Arc<dyn FeatureLoss>),
}

/// What is known of a style's feature.
pub(super) struct StyleFeature<'a> {
    pub(super) moments: &'a Moments,
    /// The feature itself, for losses that need it.
    pub(super) planar: Option<PlanarFeature<'a>>,
}

impl StyleLayer {
    /// The style that has this feature.
    ///
    /// # Panics
    /// If the loss needs the feature itself and it is not there.
    pub(super) fn new(kind: StyleLossKind, scale: LossScale, cpu: &Cpu, style: &StyleFeature<'_>) -> Self {
        let (target, whole) = match Maker::of(kind) {
            Maker::OfMoments(make) => {
                let target = make(style.moments);
                let whole = target.zero_loss();
                (Target::OfMoments(target), whole)
            }
            Maker::OfFeatures(make) => {
                let target = make(cpu, style.planar.as_ref().expect("a loss of features gets them"));
                let whole = target.zero_loss();
                (Target::OfFeatures(target), whole)
            }
        };
        let unit = match scale {
            LossScale::Absolute => 1.0,
            LossScale::Relative if whole > 0.0 => RELATIVE_UNIT / whole,
            LossScale::Relative => 0.0,
        };
        Self { target, unit, mean_square: mean_square(style.moments) }
    }

    /// What completes a relative loss for a photograph whose feature has this mean square. A photograph without much
    /// texture has little to lose, and a painting without much is soon reached; without this a style that looks right on
    /// one looks too strong or too weak on the other.
    pub(super) fn contrast(&self, photograph: f64) -> f64 {
        if self.mean_square > 0.0 && photograph > 0.0 {
            (self.mean_square / photograph).powf(CONTRAST_POWER).clamp(1.0 / MOST_CONTRAST, MOST_CONTRAST)
        } else {
            1.0
        }
    }

    /// `factor` times a loss of moments; its gradients are added to `second`, C×C, and `mean`, C. 0 if the loss is one of
    /// features.
    pub(super) fn of_moments(&self, moments: &Moments, factor: f64, second: &mut [f32], mean: &mut [f32]) -> f64 {
        match &self.target {
            Target::OfMoments(style) => style.value_and_gradient(moments, factor * self.unit, second, mean),
            Target::OfFeatures(_) => 0.0,
        }
    }

    /// `factor` times a loss of features; its gradient is added to `gradient`, planar. 0 if the loss is one of moments.
    pub(super) fn of_feature(
        &self,
        cpu: &Cpu,
        feature: &PlanarFeature<'_>,
        factor: f64,
        gradient: Option<&mut [f32]>,
    ) -> f64 {
        match &self.target {
            Target::OfFeatures(style) => style.value_and_gradient(cpu, feature, factor * self.unit, gradient),
            Target::OfMoments(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_a_power_of_a_ratio_within_bounds() {
        let second = vec![2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 3.0];
        let moments = Moments { channels: 3, weight: 10.0, mean: vec![0.0; 3], second };
        let whole = mean_square(&moments);
        let feature = StyleFeature { moments: &moments, planar: None };
        let style = StyleLayer::new(StyleLossKind::Wasserstein, LossScale::Relative, &Cpu::new(1), &feature);
        assert!((style.contrast(whole) - 1.0).abs() < 1e-12);
        assert!((style.contrast(whole / 2.0) - 2.0_f64.powf(CONTRAST_POWER)).abs() < 1e-12);
        assert_eq!((style.contrast(whole * 1e6), style.contrast(whole * 1e-6)), (0.25, 4.0));
        assert_eq!(style.contrast(0.0), 1.0, "a region without a pixel");
    }
}

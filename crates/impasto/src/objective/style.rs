//! The Gram loss: Gatys, Ecker & Bethge, "A Neural Algorithm of Artistic Style", 2015 (arXiv:1508.06576), eq. 3–5.
//!
//! There, with the Gram matrix `G = F·Fᵀ` of a feature of N channels and M positions, and A that of the style, a layer
//! adds `Σ (G − A)² / (4·N²·M²)`. With the second moment `S = G / M` that is `Σ (S − S_style)² / (4·N²)`.
//!
//! One deviation: the paper divides both matrices by the M of the picture that is painted. Here each is divided by its
//! own M, so that the style picture may have any size; for equal sizes the two are the same.

use impasto_nn::trunk::Moments;

use super::wasserstein::WassersteinTarget;
use super::weights::{RELATIVE_UNIT, mean_square};
use crate::settings::{LossScale, StyleLossKind};

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
    Gram(Moments),
    Wasserstein(WassersteinTarget),
}

impl StyleLayer {
    /// The style whose feature has these moments.
    pub(super) fn new(kind: StyleLossKind, scale: LossScale, style: Moments) -> Self {
        let mean_square = mean_square(&style);
        let whole = match kind {
            StyleLossKind::Gram => gram_size(&style),
            StyleLossKind::Wasserstein => mean_square,
        };
        let unit = match scale {
            LossScale::Absolute => 1.0,
            LossScale::Relative if whole > 0.0 => RELATIVE_UNIT / whole,
            LossScale::Relative => 0.0,
        };
        let target = match kind {
            StyleLossKind::Gram => Target::Gram(style),
            StyleLossKind::Wasserstein => Target::Wasserstein(WassersteinTarget::new(&style)),
        };
        Self { target, unit, mean_square }
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

    /// `factor` times the loss; its gradients are added to `second`, C×C, and `mean`, C.
    pub(super) fn loss(&self, moments: &Moments, factor: f64, second: &mut [f32], mean: &mut [f32]) -> f64 {
        let factor = factor * self.unit;
        match &self.target {
            Target::Gram(style) => gram_loss(moments, style, factor, second),
            Target::Wasserstein(style) => style.loss(moments, factor, second, mean),
        }
    }
}

/// `Σ A² / (4·N²)`: the Gram loss of a feature of zeros.
fn gram_size(style: &Moments) -> f64 {
    let squares: f64 = style.second.iter().map(|a| f64::from(*a).powi(2)).sum();
    squares / (4 * style.channels * style.channels) as f64
}

/// `factor · Σ (S − S_style)² / (4·N²)`; its gradient `factor · (S − S_style) / (2·N²)` is added to `gradient`, N×N.
///
/// # Panics
/// If the numbers of channels differ.
pub fn gram_loss(moments: &Moments, style: &Moments, factor: f64, gradient: &mut [f32]) -> f64 {
    assert_eq!(moments.channels, style.channels, "both are features of one layer");
    let n2 = (moments.channels * moments.channels) as f64;
    let mut sum = 0.0;
    for ((s, a), g) in moments.second.iter().zip(&style.second).zip(gradient) {
        let difference = f64::from(*s) - f64::from(*a);
        sum += difference * difference;
        *g += (factor / (2.0 * n2) * difference) as f32;
    }
    factor * sum / (4.0 * n2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(seed: f32) -> Moments {
        let second: Vec<f32> = (0..9).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
        Moments { channels: 3, weight: 10.0, mean: vec![0.0; 3], second }
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (a, style) = (moments(0.3), moments(1.1));
        let mut gradient = vec![0.0; 9];
        gram_loss(&a, &style, 5.0, &mut gradient);
        for (i, told) in gradient.iter().enumerate() {
            let at = |step: f32| {
                let mut moved = a.clone();
                moved.second[i] += step;
                gram_loss(&moved, &style, 5.0, &mut [0.0; 9])
            };
            let numeric = (at(1e-3) - at(-1e-3)) / 2e-3;
            assert!((numeric - f64::from(*told)).abs() < 1e-4, "{i}: {numeric} against {told}");
        }
    }

    #[test]
    fn contrast_is_a_power_of_a_ratio_within_bounds() {
        let second = vec![2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 3.0];
        let moments = Moments { channels: 3, weight: 10.0, mean: vec![0.0; 3], second };
        let whole = mean_square(&moments);
        let style = StyleLayer::new(StyleLossKind::Wasserstein, LossScale::Relative, moments);
        assert!((style.contrast(whole) - 1.0).abs() < 1e-12);
        assert!((style.contrast(whole / 2.0) - 2.0_f64.powf(CONTRAST_POWER)).abs() < 1e-12);
        assert_eq!((style.contrast(whole * 1e6), style.contrast(whole * 1e-6)), (0.25, 4.0));
        assert_eq!(style.contrast(0.0), 1.0, "a region without a pixel");
    }

    #[test]
    fn it_is_the_papers_formula() {
        let (a, style) = (moments(0.3), moments(1.1));
        // The paper's G and A, for M = 10 positions.
        let m = 10.0;
        let sum: f64 = (0..9).map(|i| (m * f64::from(a.second[i]) - m * f64::from(style.second[i])).powi(2)).sum();
        let expected = sum / (4.0 * 9.0 * m * m);
        assert!((gram_loss(&a, &style, 1.0, &mut [0.0; 9]) / expected - 1.0).abs() < 1e-12);
    }
}

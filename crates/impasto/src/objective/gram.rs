//! The Gram loss: Gatys, Ecker & Bethge, "A Neural Algorithm of Artistic Style", 2015 (arXiv:1508.06576), eq. 3–5.
//!
//! There, with the Gram matrix `G = F·Fᵀ` of a feature of N channels and M positions, and A that of the style, a layer
//! adds `Σ (G − A)² / (4·N²·M²)`. With the second moment `S = G / M` that is `Σ (S − S_style)² / (4·N²)`.
//!
//! One deviation: the paper divides both matrices by the M of the picture that is painted. Here each is divided by its
//! own M, so that the style picture may have any size; for equal sizes the two are the same.

use impasto_nn::trunk::Moments;

use super::style_loss::MomentLoss;

/// A style at one layer: its second moments.
#[derive(Clone, Debug)]
pub(super) struct GramTarget {
    style: Moments,
}

impl GramTarget {
    /// The style whose feature has these moments.
    pub(super) fn new(style: &Moments) -> Self {
        Self { style: style.clone() }
    }
}

impl MomentLoss for GramTarget {
    /// `Σ A² / (4·N²)`.
    fn zero_loss(&self) -> f64 {
        let squares: f64 = self.style.second.iter().map(|a| f64::from(*a).powi(2)).sum();
        squares / (4 * self.style.channels * self.style.channels) as f64
    }

    fn value_and_gradient(&self, moments: &Moments, factor: f64, second: &mut [f32], _mean: &mut [f32]) -> f64 {
        gram_loss(moments, &self.style, factor, second)
    }
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
    fn it_is_the_papers_formula() {
        let (a, style) = (moments(0.3), moments(1.1));
        // The paper's G and A, for M = 10 positions.
        let m = 10.0;
        let sum: f64 = (0..9).map(|i| (m * f64::from(a.second[i]) - m * f64::from(style.second[i])).powi(2)).sum();
        let expected = sum / (4.0 * 9.0 * m * m);
        assert!((gram_loss(&a, &style, 1.0, &mut [0.0; 9]) / expected - 1.0).abs() < 1e-12);
    }
}

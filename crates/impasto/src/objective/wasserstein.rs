//! The Wasserstein-2 style loss: how far the feature of a picture is from that of a style when both are taken for
//! normal distributions, with mean μ and covariance Σ = S − μ·μᵀ.
//!
//! `W² = |μ − μ_s|² + tr(Σ + Σ_s − 2·(Σ_s^½·Σ·Σ_s^½)^½)` (Dowson & Landau 1982, "The Fréchet distance between
//! multivariate normal distributions", eq. 4), divided by the number of channels as in crowsonkb/style-transfer-pytorch,
//! which brought it into style transfer. It sees the mean apart from the spread, where a Gram matrix adds the two up.
//!
//! One deviation from that program: there 10⁻⁴ is added to the diagonal of both covariances, here [`RIDGE`] times the
//! style's mean variance, so that it means the same for every layer of every network: features that are `k` times as
//! large have `k²` times the loss, and only in the directions in which the style varies at all. A root is found from
//! eigenvalues rather than by twelve steps of an iteration, and is any A with `A·Aᵀ = Σ_s`: the trace is the same.
//!
//! The gradient: `∂tr(M^½) = ½·tr(M^-½·∂M)`, so `∂W²/∂Σ = I − A·(Aᵀ·Σ·A)^-½·Aᵀ`, `∂S = ∂Σ`, and μ gets
//! `2·(μ − μ_s) − 2·∂W²/∂Σ·μ`.

use impasto_matrix::Matrix;
use impasto_nn::trunk::Moments;

use super::style_loss::MomentLoss;
use super::weights::mean_square;

/// What is added to the diagonal of both covariances, as a share of the style's mean variance: channels that are always
/// zero have no spread, and where nothing spreads the root has no slope.
const RIDGE: f64 = 1e-4;

/// The variance counts as at least this share of the mean square of the features. A style of one colour has no variance
/// but rounding errors, which are about 10⁻⁷ of the mean square: with [`RIDGE`] the ridge is no smaller than they are.
const LEAST_VARIANCE: f64 = 1e-3;

/// Directions in which a style varies less than this share of the ridge are left out of its root: in single precision
/// they cannot be told from rounding errors, which are about 10⁻⁶ of the variance. A deep layer of a small style has fewer
/// positions than channels, so its root has few columns and costs little.
const RANK: f64 = 0.1;

/// A style at one layer, with the root of its covariance.
#[derive(Clone, Debug)]
pub struct WassersteinTarget {
    mean: Vec<f64>,
    /// A, channels × rank, with `A·Aᵀ` the covariance with its ridge; of no columns for a style of zeros.
    root: Matrix,
    trace: f64,
    ridge: f64,
    /// Of the style's feature.
    mean_square: f64,
}

impl WassersteinTarget {
    /// The style whose feature has these moments.
    pub fn new(style: &Moments) -> Self {
        let channels = style.channels;
        let covariance = covariance(style);
        let variance = covariance.trace() / channels as f64;
        let ridge = RIDGE * variance.max(LEAST_VARIANCE * mean_square(style));
        let root = covariance.root(RANK * ridge, ridge).unwrap_or_else(|| Matrix::rectangle(channels, 0, |_, _| 0.0));
        let trace = covariance.trace() + ridge * root.columns() as f64;
        Self {
            mean: style.mean.iter().map(|&mean| f64::from(mean)).collect(),
            root,
            trace,
            ridge,
            mean_square: mean_square(style),
        }
    }

    /// `factor · W² / C`; its gradients are added to `second`, C×C, and `mean`, C. NaN where the moments are not
    /// numbers.
    ///
    /// # Panics
    /// If the numbers of channels differ.
    pub fn loss(&self, moments: &Moments, factor: f64, second: &mut [f32], mean: &mut [f32]) -> f64 {
        let channels = moments.channels;
        assert_eq!(channels, self.mean.len(), "both are features of one layer");
        let covariance = covariance(moments);
        let Some((along, overlap)) = self.overlap(&covariance) else { return f64::NAN };
        let trace = covariance.trace() + self.ridge * self.root.columns() as f64;
        let towards = |i: usize, j: usize| if i == j { 1.0 - along.get(i, j) } else { -along.get(i, j) };

        let factor = factor / channels as f64;
        let mu: Vec<f64> = moments.mean.iter().map(|&mean| f64::from(mean)).collect();
        let mut distance = 0.0;
        for (i, gradient) in mean.iter_mut().enumerate() {
            let difference = mu[i] - self.mean[i];
            distance += difference * difference;
            let turned: f64 = (0..channels).map(|j| towards(j, i) * mu[j]).sum();
            *gradient += (2.0 * factor * (difference - turned)) as f32;
        }
        for (i, row) in second.chunks_exact_mut(channels).enumerate() {
            row.iter_mut().enumerate().for_each(|(j, gradient)| *gradient += (factor * towards(j, i)) as f32);
        }
        factor * (distance + self.trace + trace - 2.0 * overlap)
    }

    /// `A·(Aᵀ·Σ·A)^-½·Aᵀ` and `tr(Aᵀ·Σ·A)^½` of a covariance that gets its ridge here; nothing where it is not a number.
    fn overlap(&self, covariance: &Matrix) -> Option<(Matrix, f64)> {
        let channels = covariance.rows();
        if self.root.columns() == 0 {
            return Some((Matrix::from_fn(channels, |_, _| 0.0), 0.0));
        }
        let across = self.root.transposed();
        // The columns of A are orthogonal, so the ridge adds to the diagonal alone.
        let ridge = |i: usize| self.ridge * (0..channels).map(|c| self.root.get(c, i).powi(2)).sum::<f64>();
        let middle = across.times(covariance).times(&self.root).plus_diagonal(ridge);
        // Rounding leaves small eigenvalues uncertain: none is below the product of both ridges.
        let (inverse_root, eigenvalues) = middle.function(self.ridge * self.ridge, |value| 1.0 / value.sqrt())?;
        let overlap = eigenvalues.iter().map(|value| value.sqrt()).sum();
        Some((self.root.times(&inverse_root).times(&across), overlap))
    }
}

impl MomentLoss for WassersteinTarget {
    fn zero_loss(&self) -> f64 {
        self.mean_square
    }

    fn value_and_gradient(&self, moments: &Moments, factor: f64, second: &mut [f32], mean: &mut [f32]) -> f64 {
        self.loss(moments, factor, second, mean)
    }
}

/// The Wasserstein-2 distance, squared and divided by the number of channels, of two features with these moments.
pub fn wasserstein_loss(moments: &Moments, style: &Moments) -> f64 {
    let channels = moments.channels;
    let (mut second, mut mean) = (vec![0.0; channels * channels], vec![0.0; channels]);
    WassersteinTarget::new(style).loss(moments, 1.0, &mut second, &mut mean)
}

/// `S − μ·μᵀ`.
fn covariance(moments: &Moments) -> Matrix {
    let (channels, mean) = (moments.channels, &moments.mean);
    Matrix::from_fn(channels, |i, j| {
        f64::from(moments.second[i * channels + j]) - f64::from(mean[i]) * f64::from(mean[j])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments of a feature of 12 positions, so that its covariance is not diagonal.
    fn moments(channels: usize, seed: f32) -> Moments {
        let positions = 12;
        let value =
            |c: usize, p: usize| (((c * 12 + p) as f32 * 12.9898 + seed).sin() * 437.585).fract().max(0.0) * 4.0;
        let sum = |of: &dyn Fn(usize) -> f32| (0..positions).map(of).sum::<f32>() / positions as f32;
        let mean = (0..channels).map(|c| sum(&|p| value(c, p))).collect();
        let pairs = (0..channels * channels).map(|i| (i / channels, i % channels));
        let second = pairs.map(|(a, b)| sum(&|p| value(a, p) * value(b, p))).collect();
        Moments { channels, weight: positions as f64, mean, second }
    }

    #[test]
    fn one_channel_is_the_distance_of_means_and_deviations() {
        let at = |mean: f32, deviation: f32| Moments {
            channels: 1,
            weight: 1.0,
            mean: vec![mean],
            second: vec![mean * mean + deviation * deviation],
        };
        let loss = wasserstein_loss(&at(5.0, 2.0), &at(1.0, 3.0));
        assert!((loss - (16.0 + 1.0)).abs() < 1e-3, "{loss}");
    }

    #[test]
    fn a_style_is_at_no_distance_from_itself() {
        let own = moments(5, 0.1);
        let other = wasserstein_loss(&own, &moments(5, 0.7));
        assert!(wasserstein_loss(&own, &own).abs() < 1e-6 * other, "{other}");
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let (channels, style) = (5, WassersteinTarget::new(&moments(5, 0.1)));
        let own = moments(channels, 0.7);
        let (mut second, mut mean) = (vec![0.0; channels * channels], vec![0.0; channels]);
        style.loss(&own, 3.0, &mut second, &mut mean);
        let at = |own: &Moments| style.loss(own, 3.0, &mut [0.0; 25], &mut [0.0; 5]);
        let near = |numeric: f64, told: f32| (numeric - f64::from(told)).abs() < 2e-3 * numeric.abs().max(1.0);
        for i in 0..channels {
            let moved = |step: f32| {
                let mut moved = own.clone();
                moved.mean[i] += step;
                at(&moved)
            };
            let numeric = (moved(2e-3) - moved(-2e-3)) / 4e-3;
            assert!(near(numeric, mean[i]), "mean {i}: {numeric} against {}", mean[i]);
            // Symmetric, as every second moment is.
            for j in 0..=i {
                let moved = |step: f32| {
                    let mut moved = own.clone();
                    moved.second[i * channels + j] += step;
                    moved.second[j * channels + i] = moved.second[i * channels + j];
                    at(&moved)
                };
                let numeric = (moved(2e-3) - moved(-2e-3)) / 4e-3;
                let told = if i == j { second[i * channels + i] } else { 2.0 * second[i * channels + j] };
                assert!(near(numeric, told), "second {i},{j}: {numeric} against {told}");
            }
        }
    }

    #[test]
    fn what_is_no_number_gives_none_and_dead_channels_do_no_harm() {
        let style = WassersteinTarget::new(&moments(5, 0.1));
        let mut own = moments(5, 0.7);
        own.second[7] = f32::NAN;
        own.second[11] = f32::NAN;
        assert!(style.loss(&own, 1.0, &mut [0.0; 25], &mut [0.0; 5]).is_nan());
        let dead = Moments { channels: 5, weight: 1.0, mean: vec![0.0; 5], second: vec![0.0; 25] };
        let (mut second, mut mean) = ([0.0; 25], [0.0; 5]);
        let loss = WassersteinTarget::new(&dead).loss(&own_without(&own), 1.0, &mut second, &mut mean);
        assert!(loss > 0.0 && loss.is_finite() && second.iter().chain(&mean).all(|value| value.is_finite()));
    }

    fn times(moments: &Moments, factor: f32) -> Moments {
        let scaled = |values: &[f32], factor: f32| values.iter().map(|value| value * factor).collect();
        let (mean, second) = (scaled(&moments.mean, factor), scaled(&moments.second, factor * factor));
        Moments { mean, second, ..moments.clone() }
    }

    /// Moments of a feature that has the same values at every position.
    fn flat(channels: usize, seed: f32) -> Moments {
        let mean: Vec<f32> = (0..channels).map(|c| (c as f32 * 0.7 + seed).sin().max(0.0) * 3.0).collect();
        let second = mean.iter().flat_map(|a| mean.iter().map(move |b| a * b)).collect();
        Moments { channels, weight: 12.0, mean, second }
    }

    #[test]
    fn features_a_thousand_times_as_large_have_a_million_times_the_loss() {
        let dead = times(&flat(5, 0.4), 0.0);
        let all = [moments(5, 0.1), moments(5, 0.7), flat(5, 0.1), flat(5, 1.3)];
        for style in all.iter().chain([&dead]) {
            for own in &all {
                // Down to features as small as those of a flat grey under torchvision's preprocessing.
                for factor in [1e-3, 1e3] {
                    let (mut second, mut mean) = ([0.0; 25], [0.0; 5]);
                    let target = WassersteinTarget::new(&times(style, factor));
                    let scaled = target.loss(&times(own, factor), 1.0, &mut second, &mut mean);
                    let expected = wasserstein_loss(own, style) * f64::from(factor).powi(2);
                    let unit = f64::from(factor).powi(2);
                    assert!((scaled - expected).abs() < 1e-4 * expected + 1e-5 * unit, "{scaled} is not {expected}");
                    assert!(second.iter().chain(&mean).all(|value| value.is_finite()));
                    let most = second.iter().fold(0.0f32, |most, value| most.max(value.abs()));
                    assert!(most <= 250.0, "the slope of the root is bounded by the ridge: {most}");
                }
            }
        }
    }

    #[test]
    fn one_colour_is_at_the_distance_of_the_means_from_another() {
        let (one, other) = (flat(5, 0.1), flat(5, 1.3));
        let means: f64 = one.mean.iter().zip(&other.mean).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let loss = wasserstein_loss(&one, &other);
        assert!((loss - means / 5.0).abs() < 1e-4 * loss, "{loss} is not {}", means / 5.0);
        assert!(wasserstein_loss(&one, &one).abs() < 1e-5 * loss);
    }

    fn own_without(own: &Moments) -> Moments {
        let second = own.second.iter().map(|value| if value.is_nan() { 0.0 } else { *value }).collect();
        Moments { second, ..own.clone() }
    }
}

//! Instance normalisation (Ulyanov et al. 2016), forward and backward, as a factor and an offset for each channel.
//!
//! Forward `y = scale·(x − μ)/√(σ² + ε) + shift = factor·x + offset`. Backward, with `g = ∂L/∂y`, n positions and
//! `x̂ = (x − μ)/√(σ² + ε)`: `∂L/∂shift = Σ g`, `∂L/∂scale = Σ g·x̂`, and
//! `∂L/∂x = factor·(g − Σ g / n − x̂·Σ g·x̂ / n)`, again affine in g and x.

use super::planes::Sums;

/// ε of instance normalisation.
pub(super) const EPSILON: f64 = 1e-5;

/// What normalises each channel of a feature.
#[derive(Clone, Default)]
pub(super) struct Norm {
    pub(super) factor: Vec<f32>,
    pub(super) offset: Vec<f32>,
    mean: Vec<f64>,
    /// `1/√(σ² + ε)`
    inverse: Vec<f64>,
}

/// The backward of a normalisation: `∂L/∂x = gradient·g + value·x + constant`, for each channel.
#[derive(Default)]
pub(super) struct NormBackward {
    pub(super) gradient: Vec<f32>,
    pub(super) value: Vec<f32>,
    pub(super) constant: Vec<f32>,
}

impl Norm {
    /// From `Σ x` and `Σ x²` of each channel over this many positions.
    pub(super) fn set(&mut self, totals: &[(f64, f64)], positions: usize, scale: &[f32], shift: &[f32]) {
        let n = positions as f64;
        *self = Self::default();
        for (channel, (&scale, &shift)) in scale.iter().zip(shift).enumerate() {
            let (sum, squares) = totals[channel];
            let mean = sum / n;
            let inverse = 1.0 / ((squares / n - mean * mean).max(0.0) + EPSILON).sqrt();
            let factor = f64::from(scale) * inverse;
            self.factor.push(factor as f32);
            self.offset.push((f64::from(shift) - mean * factor) as f32);
            self.mean.push(mean);
            self.inverse.push(inverse);
        }
    }

    /// From `Σ g` and `Σ g·x`; adds to the gradients of scale and shift.
    pub(super) fn backward(&self, sums: &Sums, positions: usize, scale: &mut [f32], shift: &mut [f32]) -> NormBackward {
        let n = positions as f64;
        let mut backward = NormBackward::default();
        for (channel, (scale, shift)) in scale.iter_mut().zip(shift).enumerate() {
            let (mean, inverse) = (self.mean[channel], self.inverse[channel]);
            let (sum, products) = sums.total(channel);
            let along = inverse * (products - mean * sum);
            *shift += sum as f32;
            *scale += along as f32;
            let factor = f64::from(self.factor[channel]);
            backward.gradient.push(factor as f32);
            backward.value.push((-factor * inverse * along / n) as f32);
            backward.constant.push((factor * (inverse * mean * along - sum) / n) as f32);
        }
        backward
    }
}

//! Muon: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
//! (<https://kellerjordan.github.io/posts/muon/>), for the 3×3 convolutions of a network; Adam moves all the rest.
//!
//! A weight is a matrix of channels out by all that each of them reads. It moves along the orthogonal part `U·Vᵀ` of its
//! momentum `U·Σ·Vᵀ`: in all directions alike, where the gradient itself is mostly a few of them. Deviations: the
//! orthogonal part is exact, by eigenvalues, in place of five Newton–Schulz iterations; the length of a step is that of
//! Liu et al. 2025 (arXiv:2502.16982) times 1.5, so that the learning rate is one for both optimisers; no weight decay.

use std::ops::Range;

use impasto_matrix::orthogonal_part;
use impasto_nn::backend::{Backend, Tensor};
use impasto_nn::kernels::{Parameter, StyleNetShape};

/// How much of the momentum a step keeps; Nesterov's form, as theirs.
const MOMENTUM: f32 = 0.95;

/// How far a weight moves in a step, as a root of the mean of squares over its matrix, in learning rates: about as far as
/// with Adam.
const LENGTH: f32 = 0.3;

/// A weight that is moved as a matrix.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    /// Channels out.
    rows: usize,
    /// All that each of them reads.
    columns: usize,
    /// Where its values lie among all parameters.
    pub(super) range: Range<usize>,
}

/// The weights that are matrices.
pub(super) fn matrices(shape: StyleNetShape) -> Vec<Matrix> {
    let matrix = |Parameter { shape, range, .. }: Parameter| match shape[..] {
        [rows, channels, 3, 3] => Some(Matrix { rows, columns: channels * 9, range }),
        _ => None,
    };
    shape.parameters().into_iter().filter_map(matrix).collect()
}

impl Matrix {
    /// A step along a gradient on a device; all three hold the values of all parameters. The matrix itself is moved on the
    /// host.
    pub(super) fn step_on(
        &self,
        backend: &dyn Backend,
        learning_rate: f32,
        gradient: &[f32],
        values: &mut Tensor,
        momentum: &mut Tensor,
    ) {
        let gradient = &gradient[self.range.clone()];
        backend.on_host(momentum, self.range.clone(), &mut |momentum| {
            backend.on_host(values, self.range.clone(), &mut |values| {
                self.step(learning_rate, gradient, values, momentum);
            });
        });
    }

    /// A step along a gradient; all three slices are the matrix' own. Where the momentum is nothing, or is no number,
    /// nothing moves.
    fn step(&self, learning_rate: f32, gradient: &[f32], values: &mut [f32], momentum: &mut [f32]) {
        let toward = |(momentum, gradient): (&mut f32, &f32)| {
            *momentum += (1.0 - MOMENTUM) * (gradient - *momentum);
            *momentum + (1.0 - MOMENTUM) * (gradient - *momentum)
        };
        let toward: Vec<f32> = momentum.iter_mut().zip(gradient).map(toward).collect();
        let Some(direction) = orthogonal_part(self.rows, self.columns, &toward) else { return };
        // The orthogonal part has as many singular values of 1 as its shorter side.
        let length = LENGTH * learning_rate * (self.rows.max(self.columns) as f32).sqrt();
        values.iter_mut().zip(direction).for_each(|(value, direction)| *value -= length * direction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrices_are_the_small_convolutions() {
        let shape = StyleNetShape { width: 16, residual_blocks: 1, styles: 2, ..StyleNetShape::JOHNSON };
        let all = matrices(shape);
        let sizes: Vec<_> = all.iter().map(|matrix| (matrix.rows, matrix.columns)).collect();
        assert_eq!(sizes, [(32, 144), (64, 288), (64, 576), (64, 576), (32, 576), (16, 288)]);
        assert!(all.iter().all(|matrix| matrix.range.len() == matrix.rows * matrix.columns));
    }

    #[test]
    fn a_step_has_its_length_and_leads_downhill_whatever_the_gradient_is_scaled_by() {
        let matrix = Matrix { rows: 8, columns: 18, range: 0..144 };
        let gradient: Vec<f32> = (0..144).map(|i| ((i * i) as f32 * 0.7).sin()).collect();
        let step = |factor: f32| {
            let (mut values, mut momentum) = (vec![0.0; 144], vec![0.0; 144]);
            let scaled: Vec<f32> = gradient.iter().map(|g| g * factor).collect();
            matrix.step(0.01, &scaled, &mut values, &mut momentum);
            assert!((momentum[5] - 0.05 * scaled[5]).abs() < 1e-6 * factor);
            values
        };
        let values = step(1.0);
        let squares: f32 = values.iter().map(|v| v * v).sum();
        assert!(((squares / 144.0).sqrt() / 0.01 - 0.3).abs() < 1e-3, "{squares}");
        assert!(values.iter().zip(&gradient).map(|(v, g)| v * g).sum::<f32>() < 0.0);
        assert!(step(1e6).iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-6));
        let (mut still, mut momentum) = (vec![1.0; 144], vec![0.0; 144]);
        matrix.step(0.01, &[0.0; 144], &mut still, &mut momentum);
        assert!(still.iter().all(|v| *v == 1.0));
    }
}

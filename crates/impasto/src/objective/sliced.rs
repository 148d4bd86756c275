//! The sliced Wasserstein style loss: Heitz, Vanhoey, Chambon & Belcour, "A Sliced Wasserstein Loss for Neural Texture
//! Synthesis", 2021 (arXiv:2006.07229), eq. 3–4. Features are projected onto random directions; the projections of
//! picture and style are sorted and compared place by place. It is 0 only where the whole distributions agree, not their
//! moments alone.
//!
//! Deviations from the paper:
//! - directions are orthogonal to each other, at most 128, and always the same: L-BFGS needs one function to search along,
//!   and orthogonal directions miss less;
//! - the loss is the mean over directions, so that it means the same for every layer, as the Wasserstein-2 loss divided
//!   by the channels does;
//! - the style is kept as at most 4096 even quantiles of each direction: it may have any size, and a large one takes
//!   little memory. A style of more positions is thus not quite 0 from itself;
//! - positions have weights, and numbers of positions may differ: the distance is the integral, over all quantiles from
//!   0 to 1, of the squared difference of the two quantile functions, which are steps. Of equal numbers it is the paper's.

use impasto_nn::kernels::mix;

use super::directions::orthogonal_directions;
use super::in_parallel::in_parallel;
use super::quantiles::Sorted;
use super::style_loss::{FeatureLoss, PlanarFeature};
use crate::device::Cpu;

/// The most directions. The paper takes as many as there are channels, up to 512, and new ones in each step.
const MOST_DIRECTIONS: usize = 128;

/// Even quantiles that a style is kept as in each direction, at most.
const QUANTILES: usize = 4096;

/// A style at one layer: its distribution along some directions.
#[derive(Clone, Debug)]
pub(super) struct SlicedTarget {
    channels: usize,
    /// Directions of length 1, row-major, directions × channels.
    directions: Vec<f32>,
    /// The same with rows for columns.
    transposed: Vec<f32>,
    /// For each direction its quantiles, ascending.
    quantiles: Vec<f32>,
    /// Quantiles of a direction.
    count: usize,
    /// Of the style's feature.
    mean_square: f64,
}

impl SlicedTarget {
    /// The style whose feature this is.
    pub(super) fn new(cpu: &Cpu, style: &PlanarFeature<'_>) -> Self {
        let (channels, positions) = (style.channels, style.positions());
        let number = channels.min(MOST_DIRECTIONS);
        let directions = orthogonal_directions(number, channels);
        let transposed = (0..channels).flat_map(|c| (0..number).map(move |k| k * channels + c));
        let transposed = transposed.map(|at| directions[at]).collect();
        let projected = project(cpu, &directions, style);
        let count = positions.clamp(1, QUANTILES);
        let mut quantiles = vec![0.0; number * count];
        let jobs = projected.chunks_exact(positions.max(1)).zip(quantiles.chunks_exact_mut(count)).collect();
        in_parallel(jobs, cpu.threads().count(), |(values, quantiles): (&[f32], &mut [f32])| {
            // As passes of networks do: the target is thrown away then.
            if !cpu.threads().interrupted() {
                Sorted::new(values, style.weights).even_quantiles(values, quantiles);
            }
        });
        let mean_square = mean_square(style);
        Self { channels, directions, transposed, quantiles, count, mean_square }
    }
}

impl FeatureLoss for SlicedTarget {
    fn zero_loss(&self) -> f64 {
        self.mean_square
    }

    /// `factor · mean over directions of ∫ (x(q) − t(q))² dq`, with the quantile functions x of the projected feature and t
    /// of the style. The gradient is that for the present order of the projections.
    fn value_and_gradient(
        &self,
        cpu: &Cpu,
        feature: &PlanarFeature<'_>,
        factor: f64,
        gradient: Option<&mut [f32]>,
    ) -> f64 {
        let (channels, positions) = (self.channels, feature.positions());
        assert_eq!(channels, feature.channels, "both are features of one layer");
        let (number, total) = (self.directions.len() / channels, feature.total_weight());
        if total <= 0.0 {
            return 0.0;
        }
        let scale = factor / (number as f64 * total);
        let mut projected = project(cpu, &self.directions, feature);
        let jobs = projected.chunks_exact_mut(positions).zip(self.quantiles.chunks_exact(self.count)).collect();
        let of_direction = |(values, quantiles): (&mut [f32], &[f32])| {
            let mut loss = 0.0;
            // As passes of networks do: loss and gradient are thrown away then.
            if cpu.threads().interrupted() {
                return loss;
            }
            let mut slopes = vec![0.0; positions];
            let steps = Steps::new(quantiles);
            // What the style varies by within the quantiles that one position stands for.
            let mut within = steps.squares * total;
            Sorted::new(values, feature.weights).for_each(|position, weight, quantile| {
                let mean = steps.mean(quantile, weight / total);
                let difference = f64::from(values[position]) - mean;
                loss += weight * difference * difference;
                within -= weight * mean * mean;
                slopes[position] = (2.0 * scale * weight * difference) as f32;
            });
            values.copy_from_slice(&slopes);
            loss + within.max(0.0)
        };
        let losses = in_parallel(jobs, cpu.threads().count(), of_direction);
        if let Some(gradient) = gradient {
            let mut of_feature = vec![0.0; channels * positions];
            mix(cpu.isa(), cpu.threads(), &self.transposed, &projected, number, &mut of_feature);
            cpu.add_scaled(gradient, 1.0, &of_feature);
        }
        scale * losses.iter().sum::<f64>()
    }
}

/// The mean square of a feature's values.
fn mean_square(feature: &PlanarFeature<'_>) -> f64 {
    let positions = feature.positions();
    let weight = |i: usize| feature.weights.map_or(1.0, |weights| f64::from(weights[i % positions]));
    let squares = feature.values.iter().enumerate().map(|(i, value)| weight(i) * f64::from(*value).powi(2));
    squares.sum::<f64>() / (feature.total_weight() * feature.channels as f64).max(f64::MIN_POSITIVE)
}

/// The projections of a feature, directions × positions.
fn project(cpu: &Cpu, directions: &[f32], feature: &PlanarFeature<'_>) -> Vec<f32> {
    let mut projected = vec![0.0; directions.len() / feature.channels * feature.positions()];
    mix(cpu.isa(), cpu.threads(), directions, feature.values, feature.channels, &mut projected);
    projected
}

/// A quantile function of even steps.
struct Steps<'a> {
    quantiles: &'a [f32],
    /// For each step, the sum of all before it.
    before: Vec<f64>,
    /// The mean of the squares.
    squares: f64,
}

impl<'a> Steps<'a> {
    fn new(quantiles: &'a [f32]) -> Self {
        let mut sum = 0.0;
        let add = |value: &f32| {
            let before = sum;
            sum += f64::from(*value);
            before
        };
        let before = quantiles.iter().map(add).collect();
        let squares = quantiles.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / quantiles.len() as f64;
        Self { quantiles, before, squares }
    }

    /// The mean over the quantiles `width` wide around `middle`, of 0 to 1.
    fn mean(&self, middle: f64, width: f64) -> f64 {
        let count = self.quantiles.len() as f64;
        let [from, to] = [middle - 0.5 * width, middle + 0.5 * width].map(|at| at.clamp(0.0, 1.0) * count);
        let step = |at: f64| (at as usize).min(self.quantiles.len() - 1);
        let sum = |at: f64| self.before[step(at)] + (at - step(at) as f64) * f64::from(self.quantiles[step(at)]);
        // Within one step the difference of sums is mostly rounding.
        if step(from) == step(to) { f64::from(self.quantiles[step(from)]) } else { (sum(to) - sum(from)) / (to - from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(channels: usize, positions: usize, seed: f32) -> Vec<f32> {
        (0..channels * positions).map(|i| ((i as f32 + seed) * 1.37).sin().max(0.0) + (i % 5) as f32 * 0.1).collect()
    }

    fn planar<'a>(values: &'a [f32], channels: usize, weights: Option<&'a [f32]>) -> PlanarFeature<'a> {
        PlanarFeature { values, channels, weights }
    }

    /// The definition: sort both, and compare place by place.
    #[test]
    fn of_equal_sizes_it_is_the_mean_square_of_sorted_projections() {
        let (channels, positions) = (16, 300);
        let (own, style) = (feature(channels, positions, 0.0), feature(channels, positions, 77.0));
        let cpu = Cpu::new(2);
        let target = SlicedTarget::new(&cpu, &planar(&style, channels, None));
        let found = target.value_and_gradient(&cpu, &planar(&own, channels, None), 1.0, None);
        let sorted = |feature: &[f32], direction: &[f32]| {
            let project = |p: usize| (0..channels).map(|c| direction[c] * feature[c * positions + p]).sum::<f32>();
            let mut projected: Vec<f32> = (0..positions).map(project).collect();
            projected.sort_by(f32::total_cmp);
            projected
        };
        let distance = |direction: &[f32]| {
            let pairs = sorted(&own, direction).into_iter().zip(sorted(&style, direction));
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / positions as f64
        };
        let expected = target.directions.chunks_exact(channels).map(distance).sum::<f64>() / channels as f64;
        assert!((found / expected - 1.0).abs() < 1e-4, "{found} for {expected}");
        let own = target.value_and_gradient(&cpu, &planar(&style, channels, None), 1.0, None);
        assert!(own < 1e-10 * expected, "a style is 0 from itself: {own}");
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences_also_under_weights() {
        let (channels, positions) = (4, 40);
        let own = feature(channels, positions, 3.0);
        let style = feature(channels, 90, 50.0);
        let cpu = Cpu::new(1);
        let target = SlicedTarget::new(&cpu, &planar(&style, channels, None));
        let weights: Vec<f32> = (0..positions).map(|p| [1.0, 0.25, 0.0, 0.8][p % 4]).collect();
        for weights in [None, Some(&weights[..])] {
            for i in (0..own.len()).step_by(7) {
                let moved = |step: f32| {
                    let mut moved = own.clone();
                    moved[i] += step;
                    moved
                };
                let value =
                    |step: f32| target.value_and_gradient(&cpu, &planar(&moved(step), channels, weights), 5.0, None);
                let slope = |step: f32| {
                    let mut gradient = vec![0.0; own.len()];
                    target.value_and_gradient(&cpu, &planar(&moved(step), channels, weights), 5.0, Some(&mut gradient));
                    f64::from(gradient[i])
                };
                // Slopes jump where two projections change places, so their mean over the way is compared.
                let slopes = (0..400).map(|k| slope((k as f32 + 0.5) / 2000.0 - 0.1)).sum::<f64>() / 400.0;
                let found = (value(0.1) - value(-0.1)) / 0.2;
                assert!((found - slopes).abs() < 2e-3 * slopes.abs().max(0.05), "{i}: {found} against {slopes}");
            }
        }
    }

    #[test]
    fn sizes_may_differ_and_weights_select() {
        let cpu = Cpu::new(2);
        let style = feature(16, 20_000, 9.0);
        let target = SlicedTarget::new(&cpu, &planar(&style, 16, None));
        let scale = style.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / style.len() as f64;
        let own = target.value_and_gradient(&cpu, &planar(&style, 16, None), 1.0, None);
        assert!(own < 1e-5 * scale, "many positions: {own}");
        // Half of the positions, and all with the others weighing nothing, are the same.
        let mut both = feature(16, 500, 1.0);
        let half: Vec<f32> = both.chunks_exact(500).flat_map(|plane| plane[..250].to_vec()).collect();
        both.chunks_exact_mut(500).for_each(|plane| plane[250..].fill(1e3));
        let weights: Vec<f32> = (0..500).map(|p| f32::from(u8::from(p < 250))).collect();
        let selected = target.value_and_gradient(&cpu, &planar(&both, 16, Some(&weights)), 1.0, None);
        let alone = target.value_and_gradient(&cpu, &planar(&half, 16, None), 1.0, None);
        assert!((selected / alone - 1.0).abs() < 1e-6, "{selected} and {alone}");
        let nothing = [0.0; 500];
        assert_eq!(target.value_and_gradient(&cpu, &planar(&both, 16, Some(&nothing)), 1.0, None), 0.0);
    }
}

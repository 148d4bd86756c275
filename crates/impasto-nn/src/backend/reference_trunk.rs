//! VGG by plain loops, with the sums and the gradients that losses need.

use std::collections::BTreeMap;

use impasto_kernels::TrunkError;
use impasto_kernels::reference::ReferenceTrunk;

use super::networks::{DeviceTrunk, Feature, TapGradient, TrunkOptions};
use super::reference::{doubles, doubles_mut, input, narrow, tensor, wide};
use super::{Input, Tensor};
use crate::trunk::{MomentGradient, Moments, Shape};
use crate::vgg::Vgg;

/// Bytes that a pixel takes: the 329 values of it in the features of VGG19 and the picture, and two of the largest
/// gradients.
const BYTES_OF_A_PIXEL: usize = 8 * (329 + 2 * 64);

/// A trunk whose pictures and features are planar tensors in double precision.
pub(super) struct ReferenceDeviceTrunk {
    trunk: ReferenceTrunk,
    weight_bytes: u64,
}

impl ReferenceDeviceTrunk {
    pub(super) fn new(network: &Vgg, options: TrunkOptions<'_>) -> Result<Self, TrunkError> {
        let TrunkOptions { taps, pooling, pooling_scale, border, .. } = options;
        let deepest = network.deepest(taps)?;
        let (layers, preprocessing) = (network.trunk_layers(deepest), network.preprocessing);
        let mut trunk = ReferenceTrunk::new(layers, pooling, preprocessing.mean, preprocessing.scale, taps)?;
        trunk.set_pooling_scale(pooling_scale);
        trunk.set_border(border);
        let values = |c: &impasto_kernels::Convolution| c.weight.len() + c.bias.len();
        let weights: usize = network.convolutions[..=deepest].iter().map(values).sum();
        Ok(Self { trunk, weight_bytes: (weights * size_of::<f32>()) as u64 })
    }

    pub(super) fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }
}

/// The weight of a position.
fn weight(weights: Option<&[f32]>, position: usize) -> f64 {
    weights.map_or(1.0, |weights| f64::from(weights[position]))
}

impl DeviceTrunk for ReferenceDeviceTrunk {
    fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        self.trunk.tap_shape(tap, height, width)
    }

    fn forward(
        &mut self,
        picture: Input<'_>,
        height: usize,
        width: usize,
        _: bool,
        wanted: &[(usize, Option<&[f32]>)],
    ) -> Vec<Moments> {
        self.trunk.forward(&narrow(&input(picture)), height, width);
        wanted.iter().map(|(tap, weights)| self.moments(*tap, *weights)).collect()
    }

    fn features(&mut self, tap: usize) -> Vec<f32> {
        narrow(self.trunk.feature(tap).1)
    }

    fn capture(&mut self, tap: usize) -> Feature {
        let (shape, values) = self.trunk.feature(tap);
        Feature { shape, values: tensor(values.to_vec()) }
    }

    fn upload(&self, shape: Shape, planar: &[f32]) -> Feature {
        Feature { shape, values: tensor(wide(planar)) }
    }

    fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments {
        let (shape, feature) = self.trunk.feature(tap);
        let (channels, positions) = (shape.channels, shape.positions());
        let total: f64 = (0..positions).map(|position| weight(weights, position)).sum();
        let share = if total == 0.0 { 0.0 } else { 1.0 / total };
        let value = |channel: usize, position: usize| feature[channel * positions + position];
        let mean = |c: usize| (0..positions).map(|p| weight(weights, p) * value(c, p)).sum::<f64>() * share;
        let product = |i: usize| {
            let (a, b) = (i / channels, i % channels);
            (0..positions).map(|p| weight(weights, p) * value(a, p) * value(b, p)).sum::<f64>() * share
        };
        Moments {
            channels,
            weight: total,
            mean: (0..channels).map(|channel| mean(channel) as f32).collect(),
            second: (0..channels * channels).map(|i| product(i) as f32).collect(),
        }
    }

    fn squared_distance(&mut self, tap: usize, target: &Feature, weights: Option<&[f32]>) -> f64 {
        let (shape, feature) = self.trunk.feature(tap);
        let pairs = feature.iter().zip(doubles(&target.values)).enumerate();
        pairs.map(|(i, (value, target))| weight(weights, i % shape.positions()) * (value - target).powi(2)).sum()
    }

    fn backward(&mut self, gradients: &[TapGradient<'_>], gradient: &mut Tensor) {
        let mut of_taps: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for TapGradient { tap, moments, content, features } in gradients {
            let (shape, feature) = self.trunk.feature(*tap);
            let sum = of_taps.entry(*tap).or_insert_with(|| vec![0.0; feature.len()]);
            if let Some(moments) = moments {
                add_moments(moments, shape, feature, sum);
            }
            if let Some(content) = content {
                let target = doubles(&content.target.values);
                for (i, sum) in sum.iter_mut().enumerate() {
                    let weight = weight(content.weights, i % shape.positions());
                    *sum += f64::from(content.scale) * weight * (feature[i] - target[i]);
                }
            }
            if let Some(features) = features {
                let slopes = doubles(&features.gradient.values);
                sum.iter_mut().zip(slopes).for_each(|(sum, slope)| *sum += f64::from(features.scale) * slope);
            }
        }
        let mut found = vec![0.0; gradient.len()];
        self.trunk.backward(&of_taps.into_iter().collect::<Vec<_>>(), &mut found);
        *doubles_mut(gradient) = wide(&found);
    }

    fn release(&mut self) {
        self.trunk.forget();
    }

    fn planned_bytes(&self, height: usize, width: usize, _: Option<usize>) -> usize {
        height.saturating_mul(width).saturating_mul(BYTES_OF_A_PIXEL)
    }
}

/// `∂L/∂F[:,p] = w[p] / weight · ((second + secondᵀ)·F[:,p] + mean)`, added to `sum`.
fn add_moments(moments: &MomentGradient<'_>, shape: Shape, feature: &[f64], sum: &mut [f64]) {
    let (channels, positions) = (shape.channels, shape.positions());
    let MomentGradient { second, mean, weights, weight: total } = *moments;
    let factor = |a: usize, b: usize| f64::from(second[a * channels + b]) + f64::from(second[b * channels + a]);
    for a in 0..channels {
        let mut slopes = vec![f64::from(mean[a]); positions];
        for b in 0..channels {
            let (factor, values) = (factor(a, b), &feature[b * positions..][..positions]);
            slopes.iter_mut().zip(values).for_each(|(slope, value)| *slope += factor * value);
        }
        for (position, slope) in slopes.into_iter().enumerate() {
            sum[a * positions + position] += weight(weights, position) / total * slope;
        }
    }
}

//! The networks of the kernels, as a backend gives them out.

use impasto_kernels as kernels;
use impasto_kernels::{Normalisation, StyleNet, StyleNetError, StyleNetTrainer};

use super::cpu::{floats, floats_mut, input};
use super::networks::{DeviceTrunk, Feature, StyleNetwork, StyleTrainer, TapGradient};
use super::{Input, Tensor, Values};
use crate::trunk::{CpuTrunk, Features, Moments, Shape, Trunk};

/// A trunk whose pictures and features are tensors of the CPU.
#[derive(Debug)]
pub(super) struct CpuDeviceTrunk(pub(super) CpuTrunk);

impl Values for Features {
    fn count(&self) -> usize {
        self.data.len()
    }

    fn duplicate(&self) -> Box<dyn Values> {
        Box::new(self.clone())
    }
}

fn feature(features: Features) -> Feature {
    Feature { shape: features.shape, values: Tensor::new(features) }
}

fn of_the_kernels<'a>(gradient: &TapGradient<'a>) -> kernels::TapGradient<'a> {
    let TapGradient { tap, moments, content, features } = *gradient;
    let content = content.map(|content| kernels::ContentGradient {
        target: content.target.values.values::<Features>(),
        scale: content.scale,
        weights: content.weights,
    });
    let features = features.map(|features| kernels::FeatureGradient {
        gradient: features.gradient.values.values::<Features>(),
        scale: features.scale,
    });
    kernels::TapGradient { tap, moments, content, features }
}

impl DeviceTrunk for CpuDeviceTrunk {
    fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        self.0.tap_shape(tap, height, width)
    }

    fn forward(
        &mut self,
        picture: Input<'_>,
        height: usize,
        width: usize,
        keep: bool,
        wanted: &[(usize, Option<&[f32]>)],
    ) -> Vec<Moments> {
        self.0.forward_with_moments(input(picture), height, width, keep, wanted)
    }

    fn features(&mut self, tap: usize) -> Vec<f32> {
        self.0.features(tap)
    }

    fn capture(&mut self, tap: usize) -> Feature {
        feature(self.0.capture(tap))
    }

    fn upload(&self, shape: Shape, planar: &[f32]) -> Feature {
        feature(Features::from_planar(shape, planar))
    }

    fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments {
        self.0.moments(tap, weights)
    }

    fn squared_distance(&mut self, tap: usize, target: &Feature, weights: Option<&[f32]>) -> f64 {
        self.0.squared_distance(tap, target.values.values(), weights)
    }

    fn backward(&mut self, gradients: &[TapGradient<'_>], gradient: &mut Tensor) {
        let gradients: Vec<_> = gradients.iter().map(of_the_kernels).collect();
        self.0.backward(&gradients, floats_mut(gradient));
    }

    fn set_bands(&mut self, rows: Option<usize>) {
        self.0.set_bands(rows);
    }

    fn release(&mut self) {
        self.0.forget();
    }

    fn planned_bytes(&self, height: usize, width: usize, bands: Option<usize>) -> usize {
        self.0.planned_bytes(height, width, bands)
    }
}

impl StyleNetwork for StyleNet {
    fn plan(&self, height: usize, width: usize, budget: usize) -> Result<usize, StyleNetError> {
        Self::plan(self, height, width, budget)
    }

    fn run(
        &self,
        picture: &[f32],
        height: usize,
        width: usize,
        normalisation: Normalisation<'_>,
        budget: usize,
        out: &mut [f32],
    ) -> Result<(), StyleNetError> {
        Self::run(self, picture, height, width, normalisation, budget, out)
    }

    fn release(&self) {
        Self::release(self);
    }
}

impl StyleTrainer for StyleNetTrainer {
    fn set_parameters(&mut self, parameters: &Tensor) -> Result<(), StyleNetError> {
        Self::set_parameters(self, floats(parameters))
    }

    fn forward(&mut self, picture: &[f32], normalisation: Normalisation<'_>, out: &mut Tensor) {
        Self::forward(self, picture, normalisation, floats_mut(out));
    }

    fn backward(&mut self, gradient: &Tensor) {
        Self::backward(self, floats(gradient));
    }

    fn normalisation_gradient(&self) -> &[f32] {
        Self::normalisation_gradient(self)
    }

    fn take_gradient(&mut self, factor: f32, gradient: &mut Tensor) {
        Self::take_gradient(self, factor, floats_mut(gradient));
    }
}

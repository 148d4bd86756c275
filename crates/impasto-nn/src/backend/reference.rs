//! Plain loops in double precision: the definition of a [`Backend`], small and slow.

use std::borrow::Cow;
use std::ops::Range;

use impasto_kernels::reference::{ReferenceStyleNet, ReferenceStyleNetTrainer};
use impasto_kernels::vector::Adam;
use impasto_kernels::{Normalisation, StyleNetError, StyleNetShape, TrunkError};

use super::networks::{ReadyTrunk, StyleNetwork, StyleTrainer, TrunkOptions};
use super::reference_trunk::ReferenceDeviceTrunk;
use super::{AdamVectors, Backend, Cost, Cpu, Input, Numbers, Pass, Slice, Tensor, Values, Window};
use crate::vgg::Vgg;

/// Values in double precision: no other backend can read them.
#[derive(Clone, Debug)]
pub(super) struct Doubles(pub(super) Vec<f64>);

impl Values for Doubles {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn duplicate(&self) -> Box<dyn Values> {
        Box::new(self.clone())
    }
}

/// Plain loops on one thread, in double precision.
#[derive(Clone, Debug)]
pub struct ReferenceBackend {
    host: Cpu,
}

impl ReferenceBackend {
    /// With this processor for what is computed on host values.
    pub fn new(host: Cpu) -> Self {
        Self { host }
    }
}

pub(super) fn doubles(tensor: &Tensor) -> &[f64] {
    &tensor.values::<Doubles>().0
}

pub(super) fn doubles_mut(tensor: &mut Tensor) -> &mut Vec<f64> {
    &mut tensor.values_mut::<Doubles>().0
}

pub(super) fn tensor(values: Vec<f64>) -> Tensor {
    Tensor::new(Doubles(values))
}

/// To the precision of the host.
pub(super) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

/// To that of the reference.
pub(super) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

pub(super) fn input(input: Input<'_>) -> Cow<'_, [f64]> {
    match input {
        Input::Host(values) => Cow::Owned(wide(values)),
        Input::Device(tensor) => Cow::Borrowed(doubles(tensor)),
    }
}

impl Backend for ReferenceBackend {
    fn name(&self) -> String {
        "reference, plain loops".into()
    }

    fn host(&self) -> &Cpu {
        &self.host
    }

    fn upload(&self, values: Vec<f32>) -> Tensor {
        tensor(wide(&values))
    }

    fn download<'a>(&self, tensor: &'a Tensor) -> Cow<'a, [f32]> {
        Cow::Owned(narrow(doubles(tensor)))
    }

    fn take(&self, tensor: Tensor) -> Vec<f32> {
        narrow(doubles(&tensor))
    }

    fn on_host(&self, tensor: &mut Tensor, range: Range<usize>, change: &mut dyn FnMut(&mut [f32])) {
        let values = &mut doubles_mut(tensor)[range];
        let mut host = narrow(values);
        change(&mut host);
        values.copy_from_slice(&wide(&host));
    }

    fn stored<'a>(&self, tensor: &'a Tensor) -> Slice<'a> {
        Slice::Floats(self.download(tensor))
    }

    fn restore(&self, numbers: Numbers) -> Tensor {
        tensor(match numbers {
            Numbers::Floats(values) => wide(&values),
            Numbers::Halves(values) => values.into_iter().map(f64::from).collect(),
        })
    }

    fn halved(&self, tensor: Tensor) -> (Tensor, f64) {
        (tensor, 1.0)
    }

    fn copy(&self, from: &Tensor, to: &mut Tensor) {
        doubles_mut(to).copy_from_slice(doubles(from));
    }

    fn clear(&self, tensor: &mut Tensor) {
        doubles_mut(tensor).fill(0.0);
    }

    fn dot(&self, a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.len(), b.len(), "both tensors have the same length");
        doubles(a).iter().zip(doubles(b)).map(|(a, b)| a * b).sum()
    }

    fn add_scaled(&self, y: &mut Tensor, factor: f64, x: &Tensor) {
        assert_eq!(y.len(), x.len(), "both tensors have the same length");
        doubles_mut(y).iter_mut().zip(doubles(x)).for_each(|(y, x)| *y += factor * x);
    }

    fn scale(&self, y: &mut Tensor, factor: f64) {
        doubles_mut(y).iter_mut().for_each(|y| *y *= factor);
    }

    fn subtract_from(&self, y: &mut Tensor, x: &Tensor) {
        doubles_mut(y).iter_mut().zip(doubles(x)).for_each(|(y, x)| *y = x - *y);
    }

    /// Kingma & Ba 2015, algorithm 1.
    fn adam_step(&self, adam: Adam, range: Range<usize>, vectors: AdamVectors<'_>) {
        let AdamVectors { gradient, values, first, second } = vectors;
        let (gradient, values) = (doubles(gradient), doubles_mut(values));
        let (first, second) = (doubles_mut(first), doubles_mut(second));
        let [rate, beta1, beta2, epsilon] = [adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon].map(f64::from);
        let correction = |beta: f64| 1.0 - beta.powf(f64::from(adam.step));
        for i in range {
            first[i] = beta1 * first[i] + (1.0 - beta1) * gradient[i];
            second[i] = beta2 * second[i] + (1.0 - beta2) * gradient[i] * gradient[i];
            let root = (second[i] / correction(beta2)).sqrt();
            values[i] -= rate * first[i] / correction(beta1) / (root + epsilon);
        }
    }

    fn cut(&self, picture: Input<'_>, at: Window<'_>, window: &mut Tensor) {
        let picture = input(picture);
        let mut values = Vec::new();
        for plane in picture.chunks_exact(at.picture[0] * at.picture[1]) {
            for row in at.rows {
                values.extend(at.columns.iter().map(|column| plane[row * at.picture[1] + column]));
            }
        }
        *doubles_mut(window) = values;
    }

    fn add_window(&self, window: &Tensor, at: Window<'_>, picture: &mut Tensor) {
        let mut values = doubles(window).iter();
        for plane in doubles_mut(picture).chunks_exact_mut(at.picture[0] * at.picture[1]) {
            for row in at.rows {
                for (column, value) in at.columns.iter().zip(&mut values) {
                    plane[row * at.picture[1] + column] += value;
                }
            }
        }
    }

    fn lay_over(&self, picture: &mut Tensor, over: &Tensor, share: &Tensor) {
        let shares = doubles(share).iter().cycle();
        for ((value, over), share) in doubles_mut(picture).iter_mut().zip(doubles(over)).zip(shares) {
            *value = share * over + (1.0 - share) * *value;
        }
    }

    fn hold(&self, gradient: &mut Tensor, share: &Tensor) {
        doubles_mut(gradient).iter_mut().zip(doubles(share).iter().cycle()).for_each(|(g, share)| *g *= 1.0 - share);
    }

    fn total_variation(
        &self,
        picture: &Tensor,
        [height, width]: [usize; 2],
        visible: Option<&[f32]>,
        factor: f64,
        gradient: &mut Tensor,
    ) -> f64 {
        let (picture, gradient) = (doubles(picture), doubles_mut(gradient));
        let weight = |pixel: usize| visible.map_or(1.0, |visible| f64::from(visible[pixel]));
        let positions = height * width;
        let mut sum = 0.0;
        for here in 0..picture.len() {
            let (plane, pixel) = (here / positions * positions, here % positions);
            let right = (pixel % width + 1 < width).then_some(pixel + 1);
            let below = (pixel / width + 1 < height).then_some(pixel + width);
            for neighbour in [right, below].into_iter().flatten() {
                let weight = weight(pixel).min(weight(neighbour));
                let difference = picture[plane + neighbour] - picture[here];
                sum += weight * difference * difference;
                gradient[plane + neighbour] += 2.0 * factor * weight * difference;
                gradient[here] -= 2.0 * factor * weight * difference;
            }
        }
        sum
    }

    fn cost(&self, _: Pass) -> Cost {
        Cost { of_a_pixel: 1.0, packings: 0.0 }
    }

    fn packing_cost(&self) -> f64 {
        0.0
    }

    fn trunk(&self, network: &Vgg, options: TrunkOptions<'_>) -> Result<ReadyTrunk, TrunkError> {
        let trunk = ReferenceDeviceTrunk::new(network, options)?;
        let weights = trunk.weight_bytes();
        Ok(ReadyTrunk { trunk: Box::new(trunk), weights, packed_weights: weights })
    }

    fn style_net(&self, shape: StyleNetShape, parameters: &[f32]) -> Result<Box<dyn StyleNetwork>, StyleNetError> {
        Ok(Box::new(ReferenceStyleNet::new(shape, parameters)?))
    }

    fn style_trainer(
        &self,
        shape: StyleNetShape,
        height: usize,
        width: usize,
    ) -> Result<Box<dyn StyleTrainer>, StyleNetError> {
        Ok(Box::new(ReferenceStyleNetTrainer::new(shape, height, width)?))
    }
}

impl StyleNetwork for ReferenceStyleNet {
    fn plan(&self, height: usize, width: usize, budget: usize) -> Result<usize, StyleNetError> {
        match self.bytes(height, width)? {
            needed if needed > budget => Err(StyleNetError::Budget { needed, budget }),
            needed => Ok(needed),
        }
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
        self.plan(height, width, budget)?;
        Self::run(self, picture, height, width, normalisation, out)
    }

    /// Nothing is kept.
    fn release(&self) {}
}

impl StyleTrainer for ReferenceStyleNetTrainer {
    fn set_parameters(&mut self, parameters: &Tensor) -> Result<(), StyleNetError> {
        Self::set_parameters(self, &narrow(doubles(parameters)))
    }

    fn forward(&mut self, picture: &[f32], normalisation: Normalisation<'_>, out: &mut Tensor) {
        let mut painted = vec![0.0; out.len()];
        Self::forward(self, picture, normalisation, &mut painted);
        *doubles_mut(out) = wide(&painted);
    }

    fn backward(&mut self, gradient: &Tensor) {
        Self::backward(self, &narrow(doubles(gradient)));
    }

    fn normalisation_gradient(&self) -> &[f32] {
        Self::normalisation_gradient(self)
    }

    fn take_gradient(&mut self, factor: f32, gradient: &mut Tensor) {
        let mut sum = vec![0.0; gradient.len()];
        Self::take_gradient(self, factor, &mut sum);
        *doubles_mut(gradient) = wide(&sum);
    }
}

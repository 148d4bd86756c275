//! The trunk on Burn's stock operations: what runs on a GPU, and the reference that the CPU kernels are tested against.

use burn::{
    Tensor,
    tensor::{
        Device, TensorData,
        activation::relu,
        module::{avg_pool2d, conv2d, max_pool2d},
        ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions, PadMode},
    },
};
use impasto_kernels::{Convolution, TrunkLayer, sorted_taps};

use super::{
    Border, ContentGradient, Features, MomentGradient, Moments, Pooling, Shape, TapGradient, Trunk, TrunkError,
};
use crate::vgg::Vgg;

/// A [`Trunk`] of Burn's stock operations on any Burn device, with gradients by Burn's autodiff.
///
/// Features are captured planar, `channels × height × width`.
pub struct BurnTrunk {
    taps: Vec<usize>,
    pooling: Pooling,
    /// A factor on what a pooling puts out.
    pooling_scale: f32,
    border: Border,
    layers: Vec<Layer>,
    /// `1 × 3 × 1 × 1`, subtracted from the picture.
    mean: Tensor<4>,
    /// `1 × 3 × 1 × 1`, multiplied after that.
    scale: Tensor<4>,
    device: Device,
    pass: Option<Pass>,
}

/// A convolution and a ReLU.
struct Layer {
    /// Whether a pooling comes first.
    pool: bool,
    /// `out × in × 3 × 3`.
    weight: Tensor<4>,
    /// `out`.
    bias: Tensor<1>,
}

/// What the last forward pass left.
struct Pass {
    /// `1 × 3 × height × width`, without gradients.
    picture: Tensor<4>,
    /// One feature for each tap, `channels × positions`, without gradients.
    features: Vec<Feature>,
    /// Whether the caller asked for a backward pass.
    keep: bool,
    /// Burn consumes a graph by going back through it: there until then.
    graph: Option<Graph>,
}

struct Feature {
    shape: Shape,
    values: Tensor<2>,
}

/// The recorded way from the picture to the taps.
struct Graph {
    picture: Tensor<4>,
    /// `1 × channels × height × width` for each tap.
    taps: Vec<Tensor<4>>,
}

impl BurnTrunk {
    /// The network up to its deepest tap on `device`. The taps come in any order.
    ///
    /// # Errors
    /// If there are no taps, or one is beyond the network.
    pub fn new(vgg: &Vgg, pooling: Pooling, taps: &[usize], device: Device) -> Result<Self, TrunkError> {
        let taps = sorted_taps(taps, vgg.convolutions.len())?;
        let device = device.without_autodiff();
        let layers = upload_layers(vgg.trunk_layers(taps[taps.len() - 1]), &device);
        let per_channel = |v: [f32; 3]| Tensor::from_data(TensorData::new(v.to_vec(), [1, 3, 1, 1]), &device);
        let (mean, scale) = (per_channel(vgg.preprocessing.mean), per_channel(vgg.preprocessing.scale));
        let (pooling_scale, border) = (1.0, Border::Zero);
        Ok(Self { taps, pooling, pooling_scale, border, layers, mean, scale, device, pass: None })
    }

    /// The same on the CPU.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn cpu(vgg: &Vgg, pooling: Pooling, taps: &[usize]) -> Result<Self, TrunkError> {
        Self::new(vgg, pooling, taps, Device::flex())
    }

    /// What the first convolution sees around the picture; zeros unless this is called. What was kept of the last
    /// picture is gone.
    pub fn set_border(&mut self, border: Border) {
        (self.border, self.pass) = (border, None);
    }

    /// A factor on what every pooling puts out; 1 unless this is called. What was kept of the last picture is gone.
    pub fn set_pooling_scale(&mut self, scale: f32) {
        (self.pooling_scale, self.pass) = (scale, None);
    }

    /// The feature of every tap, `1 × channels × height × width`, of a picture `1 × 3 × height × width`.
    fn run(&self, picture: Tensor<4>) -> Vec<Tensor<4>> {
        let mut x = (picture - self.mean.clone()) * self.scale.clone();
        let mut tapped = Vec::with_capacity(self.taps.len());
        for (number, layer) in self.layers.iter().enumerate() {
            if layer.pool {
                x = pool(x, self.pooling).mul_scalar(self.pooling_scale);
            }
            let around = match self.border {
                Border::Replicate if number == 0 => {
                    x = x.pad((1, 1, 1, 1), PadMode::Edge);
                    0
                }
                _ => 1,
            };
            let options = ConvOptions::new([1, 1], [around, around], [1, 1], 1);
            x = relu(conv2d(x, layer.weight.clone(), Some(layer.bias.clone()), options));
            if self.taps.contains(&number) {
                tapped.push(x.clone());
            }
        }
        tapped
    }

    fn record(&self, picture: &Tensor<4>) -> Graph {
        let picture = picture.clone().autodiff().require_grad();
        Graph { taps: self.run(picture.clone()), picture }
    }

    fn index(&self, tap: usize) -> usize {
        self.taps.binary_search(&tap).unwrap_or_else(|_| panic!("tap {tap} is not one of {:?}", self.taps))
    }

    fn pass(&self) -> &Pass {
        self.pass.as_ref().expect("a forward pass comes first")
    }

    fn feature(&self, tap: usize) -> &Feature {
        &self.pass().features[self.index(tap)]
    }

    /// `1 × positions`.
    fn position_weights(&self, weights: &[f32], shape: Shape) -> Tensor<2> {
        assert_eq!(weights.len(), shape.positions(), "one weight for each position");
        Tensor::from_data(TensorData::new(weights.to_vec(), [1, shape.positions()]), &self.device)
    }

    /// `channels × positions`.
    fn tensor_of(&self, target: &Features) -> Tensor<2> {
        let shape = [target.shape.channels, target.shape.positions()];
        Tensor::from_data(TensorData::new(target.data.clone(), shape), &self.device)
    }

    /// `∂L/∂F` of one tap, `channels × positions`.
    fn feature_gradient(&self, gradient: &TapGradient<'_>) -> Option<Tensor<2>> {
        let feature = self.feature(gradient.tap);
        let moments = gradient.moments.as_ref().map(|m| self.moment_gradient(feature, m));
        let content = gradient.content.as_ref().map(|c| self.content_gradient(feature, c));
        let own = gradient.features.as_ref().map(|f| self.tensor_of(f.gradient).mul_scalar(f.scale));
        [moments, content, own].into_iter().flatten().reduce(|a, b| a + b)
    }

    /// `w / weight · ((second + secondᵀ)·F + mean)`; nothing flows where the weights add up to 0.
    fn moment_gradient(&self, feature: &Feature, gradient: &MomentGradient<'_>) -> Tensor<2> {
        let channels = feature.shape.channels;
        let second =
            Tensor::<2>::from_data(TensorData::new(gradient.second.to_vec(), [channels, channels]), &self.device);
        let mean = Tensor::<2>::from_data(TensorData::new(gradient.mean.to_vec(), [channels, 1]), &self.device);
        let values = (second.clone() + second.transpose()).matmul(feature.values.clone()) + mean;
        let values = values.mul_scalar(if gradient.weight == 0.0 { 0.0 } else { 1.0 / gradient.weight });
        match gradient.weights {
            Some(weights) => values * self.position_weights(weights, feature.shape),
            None => values,
        }
    }

    /// `scale · w · (F − target)`.
    fn content_gradient(&self, feature: &Feature, gradient: &ContentGradient<'_>) -> Tensor<2> {
        assert_eq!(gradient.target.shape, feature.shape, "the target is of another size");
        let values = (feature.values.clone() - self.tensor_of(gradient.target)).mul_scalar(gradient.scale);
        match gradient.weights {
            Some(weights) => values * self.position_weights(weights, feature.shape),
            None => values,
        }
    }
}

fn upload_layers(layers: Vec<TrunkLayer>, device: &Device) -> Vec<Layer> {
    let mut uploaded = Vec::new();
    let mut pool = false;
    for layer in layers {
        match layer {
            TrunkLayer::Pool => pool = true,
            TrunkLayer::Convolution(Convolution { in_channels, out_channels, weight, bias }) => {
                let weight = Tensor::from_data(TensorData::new(weight, [out_channels, in_channels, 3, 3]), device);
                let bias = Tensor::from_data(TensorData::new(bias, [out_channels]), device);
                uploaded.push(Layer { pool, weight, bias });
                pool = false;
            }
        }
    }
    uploaded
}

impl Trunk for BurnTrunk {
    fn taps(&self) -> &[usize] {
        &self.taps
    }

    fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        let halvings = self.layers[..=tap].iter().filter(|layer| layer.pool).count();
        let halved = |side| (0..halvings).fold(side, |side: usize, _| (side / 2).max(1));
        Shape { channels: self.layers[tap].bias.dims()[0], height: halved(height), width: halved(width) }
    }

    /// # Panics
    /// If the picture is not `3 × height × width`, or empty.
    fn forward(&mut self, picture: &[f32], height: usize, width: usize, keep: bool) {
        assert!(height > 0 && width > 0, "a picture has at least one pixel");
        let picture = Tensor::from_data(TensorData::new(picture.to_vec(), [1, 3, height, width]), &self.device);
        let (tapped, graph) = if keep {
            let graph = self.record(&picture);
            (graph.taps.iter().map(|t| t.clone().inner()).collect(), Some(graph))
        } else {
            (self.run(picture.clone()), None)
        };
        let features = tapped.into_iter().map(Feature::new).collect();
        self.pass = Some(Pass { picture, features, keep, graph });
    }

    fn features(&mut self, tap: usize) -> Vec<f32> {
        download(self.feature(tap).values.clone())
    }

    fn capture(&mut self, tap: usize) -> Features {
        Features { shape: self.feature(tap).shape, data: self.features(tap) }
    }

    fn upload(&self, shape: Shape, planar: &[f32]) -> Features {
        Features { shape, data: planar.to_vec() }
    }

    fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments {
        let Feature { shape, values } = self.feature(tap);
        let weighted = match weights {
            Some(weights) => values.clone() * self.position_weights(weights, *shape),
            None => values.clone(),
        };
        let weight = weights.map_or(shape.positions() as f64, |w| w.iter().map(|&w| f64::from(w)).sum());
        let share = if weight == 0.0 { 0.0 } else { 1.0 / weight };
        let second = weighted.clone().matmul(values.clone().transpose());
        let second = (second.clone() + second.transpose()).mul_scalar(0.5 * share);
        let mean = weighted.sum_dim(1).mul_scalar(share);
        Moments { channels: shape.channels, weight, mean: download(mean), second: download(second) }
    }

    fn squared_distance(&mut self, tap: usize, target: &Features, weights: Option<&[f32]>) -> f64 {
        let Feature { shape, values } = self.feature(tap);
        assert_eq!(target.shape, *shape, "the target is of another size");
        let squared = (values.clone() - self.tensor_of(target)).square();
        let weighted = match weights {
            Some(weights) => squared * self.position_weights(weights, *shape),
            None => squared,
        };
        download(weighted.sum_dim(1)).into_iter().map(f64::from).sum()
    }

    /// Every feature and its gradient, kept by the graph.
    fn planned_bytes(&self, height: usize, width: usize, _bands: Option<usize>) -> usize {
        let features = (0..self.layers.len()).map(|layer| self.tap_shape(layer, height, width).len());
        2 * size_of::<f32>() * features.sum::<usize>()
    }

    /// # Panics
    /// If the last forward pass did not keep what this needs, or the sizes do not fit it.
    fn backward(&mut self, gradients: &[TapGradient<'_>], gradient: &mut [f32]) {
        let pass = self.pass.as_mut().expect("a forward pass comes first");
        assert!(pass.keep, "the forward pass before a backward one must keep what it needs");
        let graph = pass.graph.take();
        let graph = graph.unwrap_or_else(|| self.record(&self.pass().picture));
        // Any scalar whose gradient at each tap is the one wanted: the sum of the products with constants.
        let products = gradients.iter().filter_map(|g| {
            let tapped = graph.taps[self.index(g.tap)].clone();
            let constant = self.feature_gradient(g)?.reshape(tapped.dims());
            Some((tapped * constant).sum())
        });
        match products.reduce(|a, b| a + b) {
            None => gradient.fill(0.0),
            Some(scalar) => {
                let mut found = scalar.backward();
                let found = graph.picture.grad_remove(&mut found).expect("every tap depends on the picture");
                gradient.copy_from_slice(&download(found));
            }
        }
    }
}

impl Feature {
    fn new(tapped: Tensor<4>) -> Self {
        let [_, channels, height, width] = tapped.dims();
        let values = tapped.reshape([channels, height * width]);
        Self { shape: Shape { channels, height, width }, values }
    }
}

/// A 2×2 pooling with stride 2, its window cut to what is there.
fn pool(x: Tensor<4>, pooling: Pooling) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let window = [height.min(2), width.min(2)];
    let average = |x| avg_pool2d(x, AvgPoolOptions::new(window).with_stride([2, 2]));
    match pooling {
        Pooling::Average => average(x),
        Pooling::Max => max_pool2d(x, MaxPoolOptions::new(window).with_stride([2, 2])),
        Pooling::L2 => root(average(x.square()).mul_scalar((window[0] * window[1]) as f32)),
    }
}

/// The square root, with a gradient of 0 at 0 (where it has none): 1 is added under the root there, and taken off again.
fn root(x: Tensor<4>) -> Tensor<4> {
    let at_zero = x.clone().inner().equal_elem(0.0).float();
    (x + at_zero.clone()).sqrt() - at_zero
}

fn download<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_as::<f32>().try_into_vec::<f32>().expect("the values are f32")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_checked() {
        let vgg = Vgg::builtin();
        let make = |taps: &[usize]| BurnTrunk::cpu(&vgg, Pooling::Max, taps).map(|_| ());
        assert_eq!(make(&[]), Err(TrunkError::NoTaps));
        assert_eq!(make(&[0, 16]), Err(TrunkError::NoSuchTap { tap: 16, convolutions: 16 }));
        assert_eq!(make(&[0]), Ok(()));
    }
}

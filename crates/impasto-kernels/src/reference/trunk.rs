//! VGG up to its deepest tap.

use super::plain::{Reference, Trace};
use crate::{Border, Pooling, Shape, TrunkLayer};

/// VGG up to its deepest tap, which keeps its last forward pass.
#[derive(Debug)]
pub struct ReferenceTrunk {
    layers: Vec<TrunkLayer>,
    pooling: Pooling,
    pooling_scale: f32,
    border: Border,
    mean: [f32; 3],
    scale: [f32; 3],
    trace: Option<Trace>,
}

impl ReferenceTrunk {
    /// A network that takes `mean` away from each channel of a picture and then multiplies it by `scale`.
    pub fn new(layers: Vec<TrunkLayer>, pooling: Pooling, mean: [f32; 3], scale: [f32; 3]) -> Self {
        Self { layers, pooling, pooling_scale: 1.0, border: Border::Zero, mean, scale, trace: None }
    }

    /// A factor of what every pooling puts out [default: 1].
    pub fn set_pooling_scale(&mut self, scale: f32) {
        self.pooling_scale = scale;
    }

    /// What the first convolution sees around the picture [default: zeros].
    pub fn set_border(&mut self, border: Border) {
        self.border = border;
    }

    fn reference(&self) -> Reference<'_> {
        let Self { layers, pooling, pooling_scale, border, mean, scale, .. } = self;
        let (pooling, pooling_scale, border) = (*pooling, *pooling_scale, *border);
        Reference { layers, pooling, pooling_scale, border, mean: *mean, scale: *scale, signs: None, places: None }
    }

    /// The shape of the output of a convolution, counted from 0, for a picture of this size.
    ///
    /// # Panics
    /// If there is no such convolution.
    pub fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        let mut shape = Shape { channels: 3, height, width };
        let mut convolutions = 0;
        for layer in &self.layers {
            match layer {
                TrunkLayer::Pool => shape = Shape { height: shape.height / 2, width: shape.width / 2, ..shape },
                TrunkLayer::Convolution(convolution) => {
                    shape.channels = convolution.out_channels;
                    if convolutions == tap {
                        return shape;
                    }
                    convolutions += 1;
                }
            }
        }
        panic!("the network has {convolutions} convolutions");
    }

    /// Runs a planar picture, `3 × height × width`, RGB 0–255.
    pub fn forward(&mut self, picture: &[f32], height: usize, width: usize) {
        let picture: Vec<f64> = picture.iter().map(|value| f64::from(*value)).collect();
        self.trace = Some(self.reference().forward(&picture, height, width));
    }

    /// The output of a convolution behind its ReLU, planar, in the last forward pass.
    ///
    /// # Panics
    /// If there was none; so does [`backward`](Self::backward).
    pub fn feature(&self, tap: usize) -> (Shape, &[f64]) {
        self.trace().feature(&self.layers, tap)
    }

    /// From gradients of outputs, each with the number of its convolution, to that of the picture.
    pub fn backward(&self, gradients: &[(usize, Vec<f64>)], gradient: &mut [f32]) {
        let found = self.reference().backward(self.trace(), gradients);
        gradient.iter_mut().zip(found).for_each(|(target, value)| *target = value as f32);
    }

    /// Drops what the last forward pass left.
    pub fn release(&mut self) {
        self.trace = None;
    }

    fn trace(&self) -> &Trace {
        self.trace.as_ref().expect("a picture was run")
    }
}

//! What a trainer keeps between its passes.

use super::super::norm::Norm;
use super::super::normalisation::{NormPlace, StyleShares};
use super::super::picture::{Canvas, PAD};
use super::super::plan::scratch_len;
use super::super::planes::{Field, RING, Sums};
use super::super::shape::LayerRole;
use super::super::shape::{StyleNetLayer, StyleNetShape};
use super::super::tiles::{Activate, Feature};
use super::super::weight_gradient::{self, WeightSums};
use super::super::weights::{BackwardWeights, Weights};
use crate::memory::Buffer;
use crate::{Isa, Shape, Threads};
use std::ops::Range;

/// A network in training: forward and backward of one picture at a time, gradients added up over a batch.
pub struct StyleNetTrainer {
    pub(super) isa: Isa,
    pub(super) threads: Threads,
    /// The network's own shape, whose edges may be smaller than those that run.
    pub(super) own: StyleNetShape,
    pub(super) shape: StyleNetShape,
    pub(super) layers: Vec<StyleNetLayer>,
    pub(super) height: usize,
    pub(super) width: usize,
    /// The styles of the last forward pass.
    pub(super) shares: StyleShares,
    /// Where scales and shifts lie among the values of the normalisation.
    pub(super) norm_places: Vec<NormPlace>,
    /// The values of the last forward pass.
    pub(super) normalisation: Vec<f32>,
    pub(super) parameters: Vec<f32>,
    pub(super) packed: Option<(Weights, BackwardWeights)>,
    pub(super) forward: Forward,
    pub(super) backward: Backward,
}

impl StyleNetTrainer {
    /// The index of the last layer.
    pub(super) fn out_layer(&self) -> usize {
        self.layers.len() - 1
    }

    /// The enlarging layers.
    pub(super) fn up_layers(&self) -> Range<usize> {
        self.out_layer() - self.shape.downsamplings..self.out_layer()
    }

    /// The index of a residual block's first layer.
    pub(super) fn block_layer(&self, block: usize) -> usize {
        self.shape.stream_layer() + 1 + 2 * block
    }

    pub(super) fn weights(&self) -> &Weights {
        &self.packed.as_ref().expect("parameters are set before the first pass").0
    }
}

/// What the forward pass leaves.
pub(super) struct Forward {
    pub(super) canvas: Canvas,
    /// What comes out of each normalised layer's convolution.
    pub(super) raw: Vec<Field>,
    pub(super) norms: Vec<Norm>,
    /// The inputs of the halving layers.
    pub(super) down_inputs: Vec<Field>,
    /// The input of the last layer.
    pub(super) out_input: Field,
    /// What goes into each residual block, and what comes out of the last one.
    pub(super) stream: Vec<Field>,
    pub(super) sums: Vec<Sums>,
    pub(super) scratch: Buffer<f32>,
}

impl Forward {
    pub(super) fn new(
        shape: StyleNetShape,
        layers: &[StyleNetLayer],
        height: usize,
        width: usize,
        workers: usize,
    ) -> Self {
        let field = |channels, divisor, offset| smaller_field(channels, height, width, divisor, offset);
        let normalised = &layers[..layers.len() - 1];
        let raw = normalised.iter().zip(divisors(layers)).map(|(layer, divisor)| field(layer.out_channels, divisor, 0));
        let w = shape.width;
        let streams = (0..=shape.residual_blocks).map(|_| field(shape.stream_channels(), shape.stream_divisor(), 0));
        Self {
            canvas: Canvas::new(height, width, PAD),
            raw: raw.collect(),
            norms: normalised.iter().map(|_| Norm::default()).collect(),
            down_inputs: (0..shape.downsamplings).map(|halvings| field(w << halvings, 1 << halvings, 1)).collect(),
            out_input: field(w, 1, PAD),
            stream: streams.collect(),
            sums: normalised.iter().map(|layer| Sums::new(layer.out_channels, workers)).collect(),
            scratch: Buffer::new(scratch_len(shape) * workers),
        }
    }

    pub(super) fn inputs(&self) -> Inputs<'_> {
        Inputs { raw: &self.raw, norms: &self.norms, stream: &self.stream }
    }
}

/// What a convolution may take its input from.
pub(super) struct Inputs<'a> {
    pub(super) raw: &'a [Field],
    pub(super) norms: &'a [Norm],
    pub(super) stream: &'a [Field],
}

impl<'a> Inputs<'a> {
    /// A layer's output, normalised and activated when it is loaded.
    pub(super) fn activated(&self, index: usize) -> Feature<'a> {
        let norm = &self.norms[index];
        let activate = Some(Activate::new(&norm.factor, &norm.offset));
        Feature { plane: self.raw[index].plane(), activate }
    }

    /// What goes into a residual block.
    pub(super) fn plain(&self, block: usize) -> Feature<'a> {
        Feature { plane: self.stream[block].plane(), activate: None }
    }
}

/// What the backward pass needs.
pub(super) struct Backward {
    pub(super) canvas: Canvas,
    /// The gradients of the outputs of the layers in front of the stream.
    pub(super) down: Vec<Field>,
    /// The gradient of the stream.
    pub(super) stream: Field,
    /// Two gradients inside a residual block.
    pub(super) block: [Field; 2],
    /// The gradients of the enlarging layers' outputs.
    pub(super) up: Vec<Field>,
    pub(super) weights: Vec<WeightSums>,
    /// Gradients of scales, shifts and the bias, where they lie among the parameters.
    pub(super) rest: Vec<f32>,
    /// The gradient of the last pass's normalisation.
    pub(super) normalisation: Vec<f32>,
    pub(super) scratch: Buffer<f32>,
}

impl Backward {
    pub(super) fn new(
        shape: StyleNetShape,
        layers: &[StyleNetLayer],
        height: usize,
        width: usize,
        workers: usize,
    ) -> Self {
        let field = |channels, divisor, offset| smaller_field(channels, height, width, divisor, offset);
        let w = shape.width;
        let weights = layers.iter().map(|layer| {
            let len = match layer.role {
                LayerRole::Input => weight_gradient::planes_len(layer.out_channels),
                LayerRole::Output => weight_gradient::planes_len(layer.in_channels),
                LayerRole::Down => layer.weight_len(),
                _ => WeightSums::winograd_len(layer.in_channels, layer.out_channels),
            };
            WeightSums::new(len, workers)
        });
        // The last layer's input has a ring as wide as its kernel reaches.
        let after =
            |halvings: usize, is_last: bool| field(w << halvings, 1 << halvings, if is_last { PAD } else { RING });
        let (halvings, stream_channels) = (shape.downsamplings, shape.stream_channels());
        Self {
            canvas: Canvas::new(height, width, 2 * PAD),
            down: (0..halvings).map(|level| after(level, false)).collect(),
            stream: after(halvings, halvings == 0),
            block: [after(halvings, false), after(halvings, false)],
            up: (0..halvings).rev().map(|level| after(level, level == 0)).collect(),
            weights: weights.collect(),
            rest: vec![0.0; shape.parameter_count()],
            normalisation: vec![0.0; shape.normalisation_len()],
            scratch: Buffer::new(weight_gradient::scratch_len(stream_channels, stream_channels) * workers),
        }
    }
}

/// A field whose sides are those of the picture divided by `divisor`.
fn smaller_field(channels: usize, height: usize, width: usize, divisor: usize, offset: usize) -> Field {
    Field::new(Shape { channels, height: height / divisor, width: width / divisor }, offset)
}

/// By how much each layer's output is smaller than the picture.
fn divisors(layers: &[StyleNetLayer]) -> impl Iterator<Item = usize> {
    layers.iter().scan(1, |divisor, layer| {
        match layer.role {
            LayerRole::Down => *divisor *= 2,
            LayerRole::Up => *divisor /= 2,
            _ => {}
        }
        Some(*divisor)
    })
}

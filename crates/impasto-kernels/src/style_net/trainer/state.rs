//! What a trainer keeps between its passes.

use super::super::norm::Norm;
use super::super::picture::{Canvas, PAD};
use super::super::planes::{Field, RING, Sums};
use super::super::shape::{StyleNetLayer, StyleNetShape};
use super::super::tiles::{Activate, Feature};
use super::super::weight_gradient::{self, WeightSums};
use super::super::weights::{BackwardWeights, DOWN, Weights};
use crate::memory::Buffer;
use crate::{Isa, Shape, Threads, winograd};

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
    pub(super) style: usize,
    pub(super) parameters: Vec<f32>,
    pub(super) packed: Option<(Weights, BackwardWeights)>,
    pub(super) forward: Forward,
    pub(super) backward: Backward,
}

/// The indices of the layers that are not residual.
#[derive(Clone, Copy)]
pub(super) struct Indices {
    pub(super) up1: usize,
    pub(super) up2: usize,
    pub(super) out: usize,
}

impl StyleNetTrainer {
    pub(super) fn indices(&self) -> Indices {
        let out = self.layers.len() - 1;
        Indices { up1: out - 2, up2: out - 1, out }
    }

    /// The index of a residual block's first layer.
    pub(super) fn block_layer(block: usize) -> usize {
        DOWN + 2 * block
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
    /// The inputs of the second and third layer, and of the last one.
    pub(super) padded: Vec<Field>,
    /// What goes into each residual block, and what comes out of the last one.
    pub(super) stream: Vec<Field>,
    pub(super) sums: Vec<Sums>,
    pub(super) scratch: Buffer<f32>,
}

impl Forward {
    pub(super) fn new(
        shape: StyleNetShape,
        layers: &[StyleNetLayer],
        (height, width): (usize, usize),
        workers: usize,
    ) -> Self {
        let field = |channels, divisor, offset| smaller_field(channels, (height, width), divisor, offset);
        let normalised = &layers[..layers.len() - 1];
        let raw = (0..normalised.len()).map(|i| field(layers[i].out_channels, divisor(i, layers.len()), 0)).collect();
        let w = shape.width;
        let room = 0..=shape.residual_blocks;
        let scratch =
            normalised[DOWN..].iter().map(|layer| winograd::scratch_for(layer.in_channels.max(layer.out_channels)));
        Self {
            canvas: Canvas::new(height, width, PAD),
            raw,
            norms: normalised.iter().map(|_| Norm::default()).collect(),
            padded: vec![field(w, 1, 1), field(2 * w, 2, 1), field(w, 1, PAD)],
            stream: room.map(|_| field(4 * w, 4, 0)).collect(),
            sums: normalised.iter().map(|layer| Sums::new(layer.out_channels, workers)).collect(),
            scratch: Buffer::new(scratch.max().unwrap_or(0) * workers),
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
    /// The gradients of the first and second layer's output, and of the stream.
    pub(super) down: [Field; 3],
    /// Two gradients inside a residual block.
    pub(super) block: [Field; 2],
    /// The gradients of the enlarging layers' outputs.
    pub(super) up: [Field; 2],
    pub(super) weights: Vec<WeightSums>,
    /// Gradients of scales, shifts and the bias, where they lie among the parameters.
    pub(super) rest: Vec<f32>,
    pub(super) scratch: Buffer<f32>,
}

impl Backward {
    pub(super) fn new(
        shape: StyleNetShape,
        layers: &[StyleNetLayer],
        (height, width): (usize, usize),
        workers: usize,
    ) -> Self {
        let field = |channels, divisor, offset| smaller_field(channels, (height, width), divisor, offset);
        let w = shape.width;
        let last = layers.len() - 1;
        let weights = layers.iter().enumerate().map(|(index, layer)| {
            let len = match index {
                _ if index == 0 => weight_gradient::planes_len(layer.out_channels),
                _ if index == last => weight_gradient::planes_len(layer.in_channels),
                _ if index < DOWN => layer.weight_len(),
                _ => WeightSums::winograd_len(layer.in_channels, layer.out_channels),
            };
            WeightSums::new(len, workers)
        });
        Self {
            canvas: Canvas::new(height, width, 2 * PAD),
            down: [field(w, 1, RING), field(2 * w, 2, RING), field(4 * w, 4, RING)],
            block: [field(4 * w, 4, RING), field(4 * w, 4, RING)],
            up: [field(2 * w, 2, RING), field(w, 1, PAD)],
            weights: weights.collect(),
            rest: vec![0.0; shape.parameter_count()],
            scratch: Buffer::new(weight_gradient::scratch_len(4 * w, 4 * w) * workers),
        }
    }
}

/// A field whose sides are those of the picture divided by `divisor`.
fn smaller_field(channels: usize, (height, width): (usize, usize), divisor: usize, offset: usize) -> Field {
    Field::new(Shape { channels, height: height / divisor, width: width / divisor }, offset)
}

/// By how much a layer's output is smaller than the picture.
fn divisor(index: usize, layers: usize) -> usize {
    match (index, layers - index) {
        (0, _) | (_, 2) => 1,
        (1, _) | (_, 3) => 2,
        _ => 4,
    }
}

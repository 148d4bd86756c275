//! The parameters of a network, packed for the kernels.

use super::picture::{FromPlanes, SIDE, ToPlanes};
use super::shape::{StyleNetLayer, StyleNetShape};
use super::window;
use crate::winograd::{self, Direction};
use crate::{Convolution, Isa, Threads};
use std::ops::Range;

/// Packed for the forward pass.
pub(super) struct Weights {
    pub(super) down1: FromPlanes,
    /// The halving layers'.
    pub(super) strided: Vec<window::Packed>,
    /// The residual blocks' and the enlarging layers'.
    pub(super) winograd: WinogradWeights,
    pub(super) out: ToPlanes,
}

/// Packed for the backward pass.
pub(super) struct BackwardWeights {
    /// For each halving layer four windows: of even rows and columns, even rows and odd columns, …
    pub(super) strided: Vec<[window::Packed; 4]>,
    pub(super) winograd: WinogradWeights,
    pub(super) out: FromPlanes,
}

/// The layers that go through Winograd's convolution, packed in one direction.
pub(super) struct WinogradWeights {
    /// The first of them.
    first: usize,
    direction: Direction,
    packed: Vec<winograd::Packed>,
}

impl WinogradWeights {
    fn new(isa: Isa, threads: &Threads, shape: StyleNetShape, parameters: &[f32], direction: Direction) -> Self {
        let layers = shape.layers();
        let range = winograd_layers(shape);
        let pack = |layer| winograd::Packed::new(isa, threads, &convolution(layer, parameters), direction);
        Self { first: range.start, direction, packed: layers[range].iter().map(pack).collect() }
    }

    fn set(&mut self, isa: Isa, threads: &Threads, layers: &[StyleNetLayer], parameters: &[f32]) {
        for (packed, layer) in self.packed.iter_mut().zip(&layers[self.first..]) {
            packed.set(isa, threads, &convolution(layer, parameters), self.direction);
        }
    }

    /// The weights of a layer of the network.
    pub(super) fn layer(&self, index: usize) -> &winograd::Packed {
        &self.packed[index - self.first]
    }
}

/// The taps of a 3×3 kernel with stride 2 that reach rows (or columns) of one parity.
pub(super) fn taps_of_parity(parity: usize) -> &'static [usize] {
    if parity == 0 { &[0, 2] } else { &[1] }
}

/// The layers that go through Winograd's convolution: residual and enlarging ones.
pub(super) fn winograd_layers(shape: StyleNetShape) -> Range<usize> {
    let first = shape.stream_layer() + 1;
    first..first + 2 * shape.residual_blocks + shape.downsamplings
}

/// The halving layers.
fn strided_layers(shape: StyleNetShape) -> Range<usize> {
    1..shape.stream_layer() + 1
}

fn convolution(layer: &StyleNetLayer, parameters: &[f32]) -> Convolution {
    Convolution {
        in_channels: layer.in_channels,
        out_channels: layer.out_channels,
        weight: parameters[layer.weight()].to_vec(),
        bias: Vec::new(),
    }
}

impl Weights {
    /// Room for a network, and its parameters in it.
    pub(super) fn new(isa: Isa, threads: &Threads, shape: StyleNetShape, parameters: &[f32]) -> Self {
        let layers = shape.layers();
        let strided = &layers[strided_layers(shape)];
        let strided = strided.iter().map(|layer| window::Packed::new(isa, 9, layer.in_channels, layer.out_channels));
        let mut weights = Self {
            down1: FromPlanes::new(isa, shape.width),
            strided: strided.collect(),
            winograd: WinogradWeights::new(isa, threads, shape, parameters, Direction::Forward),
            out: ToPlanes::new(shape.width),
        };
        weights.set_direct(&layers, parameters);
        weights
    }

    /// Packs new parameters.
    pub(super) fn set(&mut self, isa: Isa, threads: &Threads, layers: &[StyleNetLayer], parameters: &[f32]) {
        self.set_direct(layers, parameters);
        self.winograd.set(isa, threads, layers, parameters);
    }

    fn set_direct(&mut self, layers: &[StyleNetLayer], parameters: &[f32]) {
        let down1 = &parameters[layers[0].weight()];
        let window = down1.len() / layers[0].out_channels;
        self.down1.set(|tap, channel| down1[channel * window + tap]);
        for (packed, layer) in self.strided.iter_mut().zip(&layers[1..]) {
            let weight = &parameters[layer.weight()];
            packed.set(|tap, i, o| weight[(o * layer.in_channels + i) * 9 + tap]);
        }
        let out = &layers[layers.len() - 1];
        let (weight, bias) = (&parameters[out.weight()], &parameters[out.bias()]);
        let kernel = SIDE * SIDE;
        self.out.set([bias[0], bias[1], bias[2]], |tap, channel| {
            weight[(tap / kernel * out.in_channels + channel) * kernel + tap % kernel]
        });
    }
}

impl BackwardWeights {
    /// Room for a network, and its parameters in it.
    pub(super) fn new(isa: Isa, threads: &Threads, shape: StyleNetShape, parameters: &[f32]) -> Self {
        let layers = shape.layers();
        let strided = layers[strided_layers(shape)].iter().map(|layer| {
            let (depth, channels) = (layer.out_channels, layer.in_channels);
            [4, 2, 2, 1].map(|taps| window::Packed::new(isa, taps, depth, channels))
        });
        let mut weights = Self {
            strided: strided.collect(),
            winograd: WinogradWeights::new(isa, threads, shape, parameters, Direction::Backward),
            out: FromPlanes::new(isa, shape.width),
        };
        weights.set_direct(&layers, parameters);
        weights
    }

    /// Packs new parameters.
    pub(super) fn set(&mut self, isa: Isa, threads: &Threads, layers: &[StyleNetLayer], parameters: &[f32]) {
        self.set_direct(layers, parameters);
        self.winograd.set(isa, threads, layers, parameters);
    }

    fn set_direct(&mut self, layers: &[StyleNetLayer], parameters: &[f32]) {
        for (phases, layer) in self.strided.iter_mut().zip(&layers[1..]) {
            let weight = &parameters[layer.weight()];
            for (phase, packed) in phases.iter_mut().enumerate() {
                let (rows, columns) = (taps_of_parity(phase / 2), taps_of_parity(phase % 2));
                packed.set(|tap, o, i| {
                    let (ky, kx) = (rows[tap / columns.len()], columns[tap % columns.len()]);
                    weight[(o * layer.in_channels + i) * 9 + ky * 3 + kx]
                });
            }
        }
        let out = &layers[layers.len() - 1];
        let weight = &parameters[out.weight()];
        let kernel = SIDE * SIDE;
        self.out.set(|tap, channel| {
            weight[(tap / kernel * out.in_channels + channel) * kernel + kernel - 1 - tap % kernel]
        });
    }
}

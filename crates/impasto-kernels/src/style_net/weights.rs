//! The parameters of a network, packed for the kernels.

use super::picture::{FromPlanes, SIDE, ToPlanes};
use super::shape::{StyleNetLayer, StyleNetShape};
use super::window;
use crate::winograd::{self, Direction};
use crate::{Convolution, Isa, Threads};
use std::ops::Range;

/// Layers in front of the residual blocks.
pub(super) const DOWN: usize = 3;

/// Packed for the forward pass.
pub(super) struct Weights {
    pub(super) down1: FromPlanes,
    /// The second and third layer's.
    pub(super) strided: [window::Packed; 2],
    /// The residual blocks' and the two enlarging layers'.
    pub(super) winograd: Vec<winograd::Packed>,
    pub(super) out: ToPlanes,
}

/// Packed for the way back.
pub(super) struct BackwardWeights {
    /// For each of the second and third layer four windows: of even rows and columns, even rows and odd columns, …
    pub(super) strided: [[window::Packed; 4]; 2],
    pub(super) winograd: Vec<winograd::Packed>,
    pub(super) out: FromPlanes,
}

/// The taps of a 3×3 kernel with stride 2 that reach rows (or columns) of one parity.
pub(super) fn taps_of_parity(parity: usize) -> &'static [usize] {
    if parity == 0 { &[0, 2] } else { &[1] }
}

/// The layers that go through Winograd's convolution.
pub(super) fn winograd_layers(layers: usize) -> Range<usize> {
    DOWN..layers - 1
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
        let strided = [1, 2].map(|i: usize| window::Packed::new(isa, 9, layers[i].in_channels, layers[i].out_channels));
        let winograd = layers[winograd_layers(layers.len())].iter();
        let winograd = winograd
            .map(|layer| winograd::Packed::new(isa, threads, &convolution(layer, parameters), Direction::Forward))
            .collect();
        let mut weights =
            Self { down1: FromPlanes::new(isa, shape.width), strided, winograd, out: ToPlanes::new(shape.width) };
        weights.set_direct(&layers, parameters);
        weights
    }

    /// Packs new parameters.
    pub(super) fn set(&mut self, isa: Isa, threads: &Threads, layers: &[StyleNetLayer], parameters: &[f32]) {
        self.set_direct(layers, parameters);
        for (packed, layer) in self.winograd.iter_mut().zip(&layers[DOWN..]) {
            packed.set(isa, threads, &convolution(layer, parameters), Direction::Forward);
        }
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
        let strided = [1, 2].map(|i: usize| {
            let (depth, channels) = (layers[i].out_channels, layers[i].in_channels);
            [4, 2, 2, 1].map(|taps| window::Packed::new(isa, taps, depth, channels))
        });
        let winograd = layers[winograd_layers(layers.len())].iter();
        let winograd = winograd
            .map(|layer| winograd::Packed::new(isa, threads, &convolution(layer, parameters), Direction::Backward))
            .collect();
        let mut weights = Self { strided, winograd, out: FromPlanes::new(isa, shape.width) };
        weights.set_direct(&layers, parameters);
        weights
    }

    /// Packs new parameters.
    pub(super) fn set(&mut self, isa: Isa, threads: &Threads, layers: &[StyleNetLayer], parameters: &[f32]) {
        self.set_direct(layers, parameters);
        for (packed, layer) in self.winograd.iter_mut().zip(&layers[DOWN..]) {
            packed.set(isa, threads, &convolution(layer, parameters), Direction::Backward);
        }
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

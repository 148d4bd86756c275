//! The forward pass of training, which keeps what the way back needs.

use super::super::norm::Norm;
use super::super::picture::PlanesRows;
use super::super::planes::Field;
use super::super::rows::{self, Before, Edge, Join, Padded, Shared};
use super::super::tiles::{Activate, Enlarged, Raw};
use super::super::window::{Places, Window};
use super::state::{Forward, Inputs, StyleNetTrainer};
use crate::memory::{View, ViewMut};
use crate::winograd::{self, Winograd};
use crate::{Isa, Shape, Threads};

impl StyleNetTrainer {
    /// Makes the normalisation of a layer from its sums.
    fn normalise(&mut self, index: usize) {
        let place = &self.norm_places[index];
        let scale = &self.normalisation[place.scale.clone()];
        let shift = &self.normalisation[place.shift.clone()];
        let positions = self.forward.raw[index].shape.positions();
        self.forward.norms[index].set(&self.forward.sums[index].totals(), positions, scale, shift);
    }

    /// The layers in front of the stream, and what goes into the first residual block.
    pub(super) fn run_down(&mut self) {
        let (isa, threads) = (self.isa, self.threads.clone());
        {
            let (weights, _) = self.packed.as_ref().expect("parameters are set before the first pass");
            let Forward { canvas, raw, sums, .. } = &mut self.forward;
            weights.down1.run(isa, &threads, canvas, &mut raw[0], (0, 0), Some(&mut sums[0]));
        }
        self.normalise(0);
        for index in 1..=self.shape.stream_layer() {
            let (weights, _) = self.packed.as_ref().expect("parameters are set before the first pass");
            let Forward { raw, norms, down_inputs, sums, .. } = &mut self.forward;
            pad(isa, &threads, &raw[index - 1], Some(&norms[index - 1]), &mut down_inputs[index - 1]);
            let input = &down_inputs[index - 1];
            let shape = raw[index].shape;
            Window {
                weights: &weights.strided[index - 1],
                input: View::new(&input.data),
                taps: std::array::from_fn(|tap| Places::new(input.layout, tap / 3, tap % 3, 2)),
                target: Places::new(raw[index].layout, 0, 0, 1),
                output: ViewMut::new(&mut raw[index].data),
                height: shape.height,
                width: shape.width,
            }
            .run(isa, &threads);
            let squares = rows::Squares { source: Shared::of(&raw[index]), first: 0, width: shape.width };
            rows::run(isa, &threads, squares, raw[index].layout.blocks(), shape.height, Some(&mut sums[index]));
            self.normalise(index);
        }
        let (last, edge) = (self.shape.stream_layer(), self.stream_edge(0));
        let Forward { raw, norms, stream, .. } = &mut self.forward;
        join(isa, &threads, None, &raw[last], &norms[last], &mut stream[0]);
        rows::fill_border(isa, &threads, &mut stream[0], edge);
    }

    /// How the stream is continued beyond its edges in front of residual block `block`, or of the enlarging layers.
    fn stream_edge(&self, block: usize) -> Edge {
        if block == self.shape.residual_blocks { Edge::Repeat } else { Edge::Reflect }
    }

    /// One residual block.
    pub(super) fn run_block(&mut self, block: usize) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let first = self.block_layer(block);
        self.convolve(first, Input::Stream(block));
        rows::fill_border(isa, &threads, &mut self.forward.raw[first], Edge::Reflect);
        self.convolve(first + 1, Input::Layer(first));
        let edge = self.stream_edge(block + 1);
        let Forward { raw, norms, stream, .. } = &mut self.forward;
        let (before, after) = stream.split_at_mut(block + 1);
        join(isa, &threads, Some(&before[block]), &raw[first + 1], &norms[first + 1], &mut after[0]);
        rows::fill_border(isa, &threads, &mut after[0], edge);
    }

    /// A Winograd layer: convolution, sums and normalisation.
    fn convolve(&mut self, index: usize, input: Input) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let (weights, _) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Forward { raw, norms, stream, sums, scratch, .. } = &mut self.forward;
        let (before, target) = raw.split_at_mut(index);
        let target = &mut target[0];
        let inputs = Inputs { raw: before, norms, stream };
        let source = match input {
            Input::Stream(block) => inputs.plain(block),
            Input::Layer(index) => inputs.activated(index),
        };
        let Shape { height, width, .. } = target.shape;
        let sink = Raw { plane: target.plane_mut(), size: (height, width), corner: (0, 0), sums: sums[index].begin() };
        let weights = weights.winograd.layer(index);
        if self.layers[index].role.upsamples() {
            let job = Winograd { weights, height, width, source: Enlarged(source), sink };
            winograd::run(isa, &threads, &job, scratch);
        } else {
            winograd::run(isa, &threads, &Winograd { weights, height, width, source, sink }, scratch);
        }
        self.normalise(index);
    }

    /// The enlarging layers and the last one.
    pub(super) fn run_up(&mut self, out: &mut [f32]) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let mut input = Input::Stream(self.shape.residual_blocks);
        for index in self.up_layers() {
            self.convolve(index, input);
            if index + 1 < self.out_layer() {
                rows::fill_border(isa, &threads, &mut self.forward.raw[index], Edge::Repeat);
            }
            input = Input::Layer(index);
        }
        let Forward { raw, norms, stream, out_input, .. } = &mut self.forward;
        match input {
            Input::Layer(index) => pad(isa, &threads, &raw[index], Some(&norms[index]), out_input),
            Input::Stream(block) => pad(isa, &threads, &stream[block], None, out_input),
        }
        let target = PlanesRows { out, size: (self.height, self.width), first: 0, factor: 255.0 };
        self.weights().out.run(isa, &threads, &self.forward.out_input, 0..self.height, target);
    }
}

/// Which input a convolution takes.
#[derive(Clone, Copy)]
enum Input {
    /// What goes into a residual block, or comes out of the last one.
    Stream(usize),
    /// What another layer made, normalised and activated.
    Layer(usize),
}

/// Continues a feature, normalised and activated where there is a normalisation.
fn pad(isa: Isa, threads: &Threads, feature: &Field, norm: Option<&Norm>, target: &mut Field) {
    let (blocks, height) = (feature.layout.blocks(), target.layout.shape.height);
    let activate = norm.map(|norm| Activate::new(&norm.factor, &norm.offset));
    let kernel = Padded { source: Shared::of(feature), activate, target: Shared::new(target), edge: Edge::Reflect };
    rows::run(isa, threads, kernel, blocks, height, None);
}

/// Normalises a feature and adds it to the stream, or activates it where there is none yet.
fn join(isa: Isa, threads: &Threads, before: Option<&Field>, raw: &Field, norm: &Norm, target: &mut Field) {
    let (blocks, height) = (raw.layout.blocks(), raw.shape.height);
    let activate = Activate::new(&norm.factor, &norm.offset);
    let before = before.map_or(Before::Nothing, |before| Before::Other(Shared::of(before)));
    let kernel = Join { before, source: Shared::of(raw), activate, target: Shared::new(target) };
    rows::run(isa, threads, kernel, blocks, height, None);
}

//! The backward pass, from the picture's gradient to those of all parameters.

use super::super::norm::NormBackward;
use super::super::normalisation::NormPlace;
use super::super::picture::PAD;
use super::super::planes::Field;
use super::super::rows::{self, Edge, Fold, NormGradient, Shared};
use super::super::shape::StyleNetLayer;
use super::super::tiles::{Activate, Enlarged, Gradient, HalvedGradient, PerChannel};
use super::super::weight_gradient::{self};
use super::super::weights::taps_of_parity;
use super::super::window::{self, Places, TAPS, Window};
use super::state::{Backward, Forward, StyleNetTrainer};
use crate::memory::{View, ViewMut};
use crate::winograd::{self, Winograd};
use crate::{Isa, Shape, Threads};

impl StyleNetTrainer {
    /// From the picture's gradient to that of the stream.
    pub(super) fn backward_up(&mut self, gradient: &[f32]) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let (out, ups) = (self.out_layer(), self.up_layers());
        let (_, weights) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Backward { canvas, up, stream, weights: sums, rest, normalisation, scratch, .. } = &mut self.backward;
        let forward = &mut self.forward;
        canvas.fill_inside(gradient, 255.0);
        let positions = self.height * self.width;
        for (plane, bias) in rest[self.layers[out].bias()].iter_mut().enumerate() {
            let total: f64 = gradient[plane * positions..][..positions].iter().map(|&v| f64::from(v)).sum();
            *bias += (255.0 * total) as f32;
        }
        weight_gradient::to_planes(isa, &threads, &forward.out_input, canvas, &mut sums[out]);
        let of_input = up.last_mut().unwrap_or(&mut *stream);
        weights.out.run(isa, &threads, canvas, of_input, (0, 0), None);
        normalisation.fill(0.0);
        let mut step =
            Step { isa, threads: &threads, layers: &self.layers, norm_places: &self.norm_places, normalisation };
        let mut edge = (Edge::Reflect, PAD);
        for (place, index) in ups.clone().enumerate().rev() {
            let (before, here) = up.split_at_mut(place);
            let gradient = &mut here[0];
            step.through(index, forward, gradient, edge);
            let inputs = forward.inputs();
            let input = match place {
                0 => inputs.plain(self.shape.residual_blocks),
                _ => inputs.activated(index - 1),
            };
            let depth = self.layers[index].in_channels;
            weight_gradient::winograd(isa, &threads, Enlarged(input), depth, gradient, &mut sums[index], scratch);
            let target = before.last_mut().unwrap_or(&mut *stream);
            step.halve(weights.winograd.layer(index), gradient, target, &mut forward.scratch);
            edge = (Edge::Repeat, 1);
        }
        step.fold(ups.start - 1, forward, stream, edge, None);
    }

    /// From the gradient of what comes out of a residual block, folded, to that of what goes in.
    pub(super) fn backward_block(&mut self, block: usize) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let first = self.block_layer(block);
        let (_, weights) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Backward { stream, block: [near, far], weights: sums, normalisation, scratch, .. } = &mut self.backward;
        let forward = &mut self.forward;
        let mut step =
            Step { isa, threads: &threads, layers: &self.layers, norm_places: &self.norm_places, normalisation };
        let depth = self.layers[first].in_channels;

        step.normalise(first + 1, forward, Some(stream), far);
        let source = forward.inputs().activated(first);
        weight_gradient::winograd(isa, &threads, source, depth, far, &mut sums[first + 1], scratch);
        step.back(weights.winograd.layer(first + 1), far, near, &mut forward.scratch);

        step.through(first, forward, near, (Edge::Reflect, 1));
        let source = forward.inputs().plain(block);
        weight_gradient::winograd(isa, &threads, source, depth, near, &mut sums[first], scratch);
        step.back(weights.winograd.layer(first), near, far, &mut forward.scratch);
        step.fold(first - 1, forward, far, (Edge::Reflect, 1), Some(stream));
    }

    /// From the gradient of the stream, folded and closed by the ReLU in front of it, to the first layer.
    pub(super) fn backward_down(&mut self) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let (_, weights) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Backward { down, stream, weights: sums, normalisation, .. } = &mut self.backward;
        let forward = &mut self.forward;
        let mut step =
            Step { isa, threads: &threads, layers: &self.layers, norm_places: &self.norm_places, normalisation };
        let last = self.shape.stream_layer();
        rows::clear_ring(isa, &threads, stream);
        step.normalise(last, forward, None, stream);
        for index in (1..=last).rev() {
            let (before, after) = down.split_at_mut(index);
            let (target, gradient) = (&mut before[index - 1], after.first().unwrap_or(&*stream));
            weight_gradient::strided(isa, &threads, &forward.down_inputs[index - 1], gradient, &mut sums[index]);
            for (phase, packed) in weights.strided[index - 1].iter().enumerate() {
                strided_back(isa, &threads, (phase / 2, phase % 2), packed, gradient, target);
            }
            step.through(index - 1, forward, target, (Edge::Reflect, 1));
        }
        let of_first = down.first().unwrap_or(&*stream);
        weight_gradient::from_planes(isa, &threads, &forward.canvas, of_first, &mut sums[0]);
    }
}

/// The backward pass of a convolution with stride 2, for rows and columns of one parity of its continued input.
fn strided_back(
    isa: Isa,
    threads: &Threads,
    parity: (usize, usize),
    weights: &window::Packed,
    gradient: &Field,
    target: &mut Field,
) {
    let (rows, columns) = (taps_of_parity(parity.0), taps_of_parity(parity.1));
    // Row y of the input, counted from the one outside, meets tap k at row (y − k) / 2 of the gradient.
    let from = |tap: usize| gradient.offset - tap / 2;
    let mut taps = [Places::new(gradient.layout, 0, 0, 1); TAPS];
    for (index, places) in taps.iter_mut().take(rows.len() * columns.len()).enumerate() {
        let (ky, kx) = (rows[index / columns.len()], columns[index % columns.len()]);
        *places = Places::new(gradient.layout, from(ky), from(kx), 1);
    }
    let first = |parity: usize| target.offset - 1 + parity;
    let (height, width) = (gradient.shape.height, gradient.shape.width);
    Window {
        weights,
        input: View::new(&gradient.data),
        taps,
        target: Places::new(target.layout, first(parity.0), first(parity.1), 2),
        output: ViewMut::new(&mut target.data),
        height: height + 1 - parity.0,
        width: width + 1 - parity.1,
    }
    .run(isa, threads);
}

/// What the ways back through layers have in common.
struct Step<'a> {
    isa: Isa,
    threads: &'a Threads,
    layers: &'a [StyleNetLayer],
    norm_places: &'a [NormPlace],
    /// The gradient of the normalisation's values.
    normalisation: &'a mut [f32],
}

impl Step<'_> {
    /// From the gradient of an activated feature, with its ring, to that of the convolution's output, with a ring of
    /// zeros.
    fn through(&mut self, index: usize, forward: &mut Forward, gradient: &mut Field, edge: (Edge, usize)) {
        self.fold(index, forward, gradient, edge, None);
        rows::clear_ring(self.isa, self.threads, gradient);
        self.normalise(index, forward, None, gradient);
    }

    /// Folds a gradient back from its ring and closes it by the ReLU of layer `index`, if it has one; adds it to the
    /// stream's where there is one. The layer's sums are then those of its normalisation's way back.
    fn fold(
        &mut self,
        index: usize,
        forward: &mut Forward,
        gradient: &mut Field,
        edge: (Edge, usize),
        stream: Option<&mut Field>,
    ) {
        let raw = &forward.raw[index];
        let norm = &forward.norms[index];
        let (blocks, height) = (raw.layout.blocks(), raw.shape.height);
        let relu = self.layers[index].role.has_relu().then(|| Activate::new(&norm.factor, &norm.offset));
        let has_stream = stream.is_some();
        let kernel =
            Fold { gradient: Shared::new(gradient), edge, stream: stream.map(Shared::new), raw: Shared::of(raw), relu };
        rows::run(self.isa, self.threads, kernel, blocks, height, Some(&mut forward.sums[index]));
        if has_stream {
            rows::clear_ring(self.isa, self.threads, gradient);
        }
    }

    /// Back through a normalisation, from the sums that `fold` left; in place, or from `source` to `target`.
    fn normalise(&mut self, index: usize, forward: &Forward, source: Option<&Field>, target: &mut Field) {
        let raw = &forward.raw[index];
        let NormPlace { scale, shift } = self.norm_places[index].clone();
        // The shift lies right behind the scale.
        let (before, after) = self.normalisation.split_at_mut(shift.start);
        let (scale, shift) = (&mut before[scale], &mut after[..shift.len()]);
        let norm = &forward.norms[index];
        let NormBackward { gradient, value, constant } =
            norm.backward(&forward.sums[index], raw.shape.positions(), scale, shift);
        let (blocks, height) = (raw.layout.blocks(), raw.shape.height);
        let kernel = NormGradient {
            source: source.map(Shared::of),
            raw: Shared::of(raw),
            of_gradient: PerChannel::new(&gradient),
            of_value: PerChannel::new(&value),
            constant: PerChannel::new(&constant),
            target: Shared::new(target),
        };
        rows::run(self.isa, self.threads, kernel, blocks, height, None);
    }

    /// Back through a convolution, ring and all.
    fn back(&self, weights: &winograd::Packed, gradient: &Field, target: &mut Field, scratch: &mut [f32]) {
        let Shape { height, width, .. } = target.layout.shape;
        let (source, sink) = (gradient.plane(), Gradient(target.plane_mut()));
        winograd::run(self.isa, self.threads, &Winograd { weights, height, width, source, sink }, scratch);
    }

    /// Back through a convolution and the enlarging in front of it.
    fn halve(&self, weights: &winograd::Packed, gradient: &Field, target: &mut Field, scratch: &mut [f32]) {
        let Shape { height, width, .. } = gradient.layout.shape;
        let sink = HalvedGradient { plane: target.plane_mut(), ring: gradient.offset };
        let source = gradient.plane();
        winograd::run(self.isa, self.threads, &Winograd { weights, height, width, source, sink }, scratch);
    }
}

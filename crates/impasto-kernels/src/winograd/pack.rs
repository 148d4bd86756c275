//! Weights, transformed and packed once: `[panel][frequency][channels in][16 or 32 channels out]`.

use super::transform::{self, FREQUENCIES};
use crate::memory::{Buffer, View, ViewMut};
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use crate::{Convolution, Isa};

/// Which way a convolution runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From its input to its output.
    Forward,
    /// From the gradient of its output to that of its input: the same convolution with flipped, transposed weights.
    Backward,
}

/// The transformed weights of one convolution in one direction, 36 floats for each 3×3 kernel.
pub(crate) struct Packed {
    /// Channels in.
    pub(crate) depth: usize,
    /// Channels out.
    pub(crate) channels: usize,
    /// Blocks of sixteen channels out in a full panel.
    panel_blocks: usize,
    data: Buffer<f32>,
}

impl Packed {
    /// Transforms and packs with all threads.
    pub(crate) fn new(isa: Isa, threads: &Threads, convolution: &Convolution, direction: Direction) -> Self {
        let (depth, channels) = depth_and_channels(convolution, direction);
        let data = Buffer::new(floats(convolution));
        let mut packed = Self { depth, channels, panel_blocks: isa.panel_blocks(), data };
        packed.set(isa, threads, convolution, direction);
        packed
    }

    /// Nothing yet, and room for weights of this many floats at most ([`floats`]).
    pub(crate) fn room(isa: Isa, floats: usize) -> Self {
        Self { depth: 0, channels: 0, panel_blocks: isa.panel_blocks(), data: Buffer::new(floats) }
    }

    /// Packs other weights, for which there must be room.
    pub(crate) fn hold(&mut self, isa: Isa, threads: &Threads, convolution: &Convolution, direction: Direction) {
        (self.depth, self.channels) = depth_and_channels(convolution, direction);
        assert!(self.data.len() >= floats(convolution), "there is room for these weights");
        self.set(isa, threads, convolution, direction);
    }

    /// The same for new weights of the same shape.
    pub(crate) fn set(&mut self, isa: Isa, threads: &Threads, convolution: &Convolution, direction: Direction) {
        let Self { depth, channels, panel_blocks, .. } = *self;
        let target = ViewMut::new(&mut self.data);
        // One task is sixteen channels out by sixteen channels in.
        let tasks = (depth / LANES) * (channels / LANES);
        let count = threads.count();
        threads.run(|worker| {
            for task in part(tasks, count, worker) {
                let (block_out, block_in) = (task / (depth / LANES), task % (depth / LANES));
                isa.run(Pack { convolution, direction, depth, channels, panel_blocks, target, block_out, block_in });
            }
        });
    }

    /// Panels.
    pub(crate) fn panels(&self) -> usize {
        (self.channels / LANES).div_ceil(self.panel_blocks)
    }

    /// The blocks of channels out that a panel holds.
    pub(crate) fn panel(&self, panel: usize) -> std::ops::Range<usize> {
        let first = panel * self.panel_blocks;
        first..(first + self.panel_blocks).min(self.channels / LANES)
    }

    /// The most blocks a panel holds.
    pub(crate) fn panel_blocks(&self) -> usize {
        self.panel_blocks
    }

    /// All values.
    pub(crate) fn view(&self) -> View<'_, f32> {
        View::new(&self.data)
    }

    /// Where the weights of a frequency of a panel begin.
    pub(crate) fn start(&self, panel: usize, frequency: usize) -> usize {
        let before = panel * self.panel_blocks * FREQUENCIES;
        (before + frequency * self.panel(panel).len()) * self.depth * LANES
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.data)
    }
}

/// Floats of a convolution packed in one direction.
pub(crate) fn floats(convolution: &Convolution) -> usize {
    FREQUENCIES * convolution.in_channels * convolution.out_channels
}

fn depth_and_channels(convolution: &Convolution, direction: Direction) -> (usize, usize) {
    match direction {
        Direction::Forward => (convolution.in_channels, convolution.out_channels),
        Direction::Backward => (convolution.out_channels, convolution.in_channels),
    }
}

struct Pack<'a> {
    convolution: &'a Convolution,
    direction: Direction,
    depth: usize,
    channels: usize,
    panel_blocks: usize,
    target: ViewMut<'a, f32>,
    block_out: usize,
    block_in: usize,
}

impl Pack<'_> {
    /// The sixteen kernels of one channel in, `[tap][channel out]`.
    #[inline(always)]
    fn gather(&self, channel_in: usize) -> [[f32; LANES]; 9] {
        let kernel = |lane: usize| {
            let channel_out = self.block_out * LANES + lane;
            let (o, i) = match self.direction {
                Direction::Forward => (channel_out, channel_in),
                Direction::Backward => (channel_in, channel_out),
            };
            let start = (o * self.convolution.in_channels + i) * 9;
            &self.convolution.weight[start..start + 9]
        };
        let sources: [&[f32]; LANES] = std::array::from_fn(kernel);
        let mut kernels = [[0.0; LANES]; 9];
        for (tap, values) in kernels.iter_mut().enumerate() {
            let tap = if self.direction == Direction::Forward { tap } else { 8 - tap };
            for (value, source) in values.iter_mut().zip(sources) {
                *value = source[tap];
            }
        }
        kernels
    }
}

impl Op for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let panel = self.block_out / self.panel_blocks;
        let first = panel * self.panel_blocks;
        let blocks = self.panel_blocks.min(self.channels / LANES - first);
        let width = blocks * LANES;
        let base = first * FREQUENCIES * self.depth * LANES + (self.block_out - first) * LANES;
        for channel_in in self.block_in * LANES..(self.block_in + 1) * LANES {
            let kernels = self.gather(channel_in);
            // SAFETY: each of the nine arrays holds 16 floats; frequency, channel in and panel lie inside the target,
            // and no other task has the same sixteen channels out and channel in.
            unsafe {
                let kernels: [S::V; 9] = s.load_many(kernels.as_flattened().as_ptr(), LANES);
                for (frequency, value) in transform::weight(s, &kernels).into_iter().enumerate() {
                    let at = base + (frequency * self.depth + channel_in) * width;
                    s.store(self.target.at(at, LANES), value);
                }
            }
        }
    }
}

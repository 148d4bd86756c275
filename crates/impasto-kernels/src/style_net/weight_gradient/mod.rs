//! Gradients with respect to weights, added up by each worker over the pictures of a batch.

mod planes;

use super::outer::Outer;
use super::planes::Field;
use super::window::Places;
use crate::interrupt::Interrupt;
use crate::layout::Plane;
use crate::memory::{Buffer, View, ViewMut};
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use crate::winograd::transform::{self, FREQUENCIES};
use crate::winograd::{Source, TILE, vanishes};
use crate::{Isa, Shape};
pub(super) use planes::{from_planes, planes_len, to_planes};
use std::ops::Range;

/// Tiles that a worker takes at a time. The sums of a layer of 128 channels (2.4 MB) are read and written once for
/// each such group.
const TILES: usize = 96;

/// The sums of one layer, one after the other for each worker.
pub(super) struct WeightSums {
    data: Buffer<f32>,
    share: usize,
}

impl WeightSums {
    pub(super) fn new(len: usize, workers: usize) -> Self {
        Self { data: Buffer::new(len * workers), share: len }
    }

    /// Floats of a Winograd layer.
    pub(super) fn winograd_len(depth: usize, channels: usize) -> usize {
        FREQUENCIES * depth * channels
    }

    fn view(&mut self) -> ViewMut<'_, f32> {
        ViewMut::new(&mut self.data)
    }

    /// Adds up all workers into the first one's share.
    pub(super) fn gather(&mut self, threads: &Threads) -> &[f32] {
        let (share, count) = (self.share, threads.count());
        let data = self.view();
        threads.run(|worker| {
            let mine = part(share, count, worker);
            // SAFETY: parts do not overlap.
            unsafe {
                let total = data.slice(mine.start, mine.len());
                for other in 1..count {
                    let more = data.slice(other * share + mine.start, mine.len());
                    total.iter_mut().zip(more).for_each(|(value, more)| *value += *more);
                }
            }
        });
        &self.data[..share]
    }

    pub(super) fn clear(&mut self, threads: &Threads) {
        let (len, count) = (self.data.len(), threads.count());
        let data = self.view();
        threads.run(|worker| {
            let mine = part(len, count, worker);
            // SAFETY: parts do not overlap.
            unsafe { data.slice(mine.start, mine.len()) }.fill(0.0);
        });
    }
}

/// Floats of scratch that each worker needs for the widest layer.
pub(super) fn scratch_len(depth: usize, channels: usize) -> usize {
    FREQUENCIES * (stride(depth, TILES) + stride(channels, TILES))
}

/// Floats from one frequency to the next: an odd number of cache lines.
fn stride(channels: usize, tiles: usize) -> usize {
    ((channels / LANES * tiles) | 1) * LANES
}

/// Adds a Winograd layer's gradient to `[frequency][channel in][channel out]`: `Σ_tiles (Bᵀ·d·B)·(A·g·Aᵀ)`.
pub(super) fn winograd<I: Source>(
    isa: Isa,
    threads: &Threads,
    source: I,
    depth: usize,
    gradient: &Field,
    sums: &mut WeightSums,
    scratch: &mut [f32],
) {
    let count = threads.count();
    let Shape { channels, height, width } = gradient.shape;
    let share = scratch_len(depth, channels);
    let (sums_share, scratch) = (sums.share, ViewMut::new(&mut scratch[..count * share]));
    let sums = sums.view();
    let across = width.div_ceil(TILE);
    let tiles = height.div_ceil(TILE) * across;
    threads.run(|worker| {
        let job = Winograd {
            source,
            gradient: gradient.plane(),
            offset: gradient.offset,
            depth,
            channels,
            across,
            sums,
            sums_start: worker * sums_share,
            scratch,
            scratch_start: worker * share,
            interrupt: threads.interrupt(),
        };
        isa.run(WinogradTiles { job, tiles: part(tiles, count, worker) });
    });
}

#[derive(Clone, Copy)]
struct Winograd<'a, I> {
    source: I,
    gradient: Plane<'a>,
    offset: usize,
    depth: usize,
    channels: usize,
    across: usize,
    sums: ViewMut<'a, f32>,
    sums_start: usize,
    scratch: ViewMut<'a, f32>,
    scratch_start: usize,
    interrupt: &'a Interrupt,
}

struct WinogradTiles<'a, I> {
    job: Winograd<'a, I>,
    tiles: Range<usize>,
}

impl<I: Source> Op for WinogradTiles<'_, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let groups = self.tiles.len().div_ceil(TILES);
        for group in 0..groups {
            if self.job.interrupt.requested() {
                return;
            }
            let tiles = part(self.tiles.len(), groups, group);
            let tiles = self.tiles.start + tiles.start..self.tiles.start + tiles.end;
            let (job, count) = (&self.job, tiles.len());
            let columns_start = job.scratch_start + FREQUENCIES * stride(job.depth, count);
            s.vectorise(Input { job, tiles: tiles.clone() });
            s.vectorise(Output { job, tiles, columns_start });
            // SAFETY: the scratch is this worker's own, and nobody writes to it while the products are made.
            let scratch = unsafe { job.scratch.reading() };
            for frequency in (0..FREQUENCIES).filter(|&frequency| !(I::ENLARGED && vanishes(frequency))) {
                for block in 0..job.depth / LANES {
                    let rows_start = job.scratch_start + frequency * stride(job.depth, count) + block * count * LANES;
                    s.vectorise(Outer {
                        rows: scratch,
                        rows_start,
                        rows_step: LANES,
                        columns: scratch,
                        columns_start: columns_start + frequency * stride(job.channels, count),
                        columns_step: LANES,
                        columns_block: count * LANES,
                        blocks: job.channels / LANES,
                        count,
                        target: job.sums,
                        target_start: job.sums_start + (frequency * job.depth + block * LANES) * job.channels,
                        target_row: job.channels,
                    });
                }
            }
        }
    }
}

/// The input's tiles, transformed.
struct Input<'a, 'b, I> {
    job: &'a Winograd<'b, I>,
    tiles: Range<usize>,
}

impl<I: Source> Op for Input<'_, '_, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let job = self.job;
        let stride = stride(job.depth, self.tiles.len());
        for block in 0..job.depth / LANES {
            for (index, tile) in self.tiles.clone().enumerate() {
                let at = job.scratch_start + (block * self.tiles.len() + index) * LANES;
                // SAFETY: block and tile exist; the scratch is the worker's own.
                unsafe {
                    let tile = job.source.tile(s, block, tile / job.across, tile % job.across);
                    for (frequency, value) in transform::input(s, &tile).into_iter().enumerate() {
                        if !(I::ENLARGED && vanishes(frequency)) {
                            s.store(job.scratch.at(at + frequency * stride, LANES), value);
                        }
                    }
                }
            }
        }
    }
}

/// The gradient's tiles, transformed.
struct Output<'a, 'b, I> {
    job: &'a Winograd<'b, I>,
    tiles: Range<usize>,
    columns_start: usize,
}

impl<I: Source> Op for Output<'_, '_, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let job = self.job;
        let (layout, stride) = (job.gradient.layout, stride(job.channels, self.tiles.len()));
        for block in 0..job.channels / LANES {
            for (index, tile) in self.tiles.clone().enumerate() {
                let (y, x) = (tile / job.across * TILE + job.offset, tile % job.across * TILE + job.offset);
                let at = self.columns_start + (block * self.tiles.len() + index) * LANES;
                // SAFETY: a ring of zeros lies around the gradient; the scratch is the worker's own.
                unsafe {
                    let mut values = [s.zero(); TILE * TILE];
                    for (i, value) in values.iter_mut().enumerate() {
                        *value = s.load(job.gradient.data.at(layout.at(block, y + i / TILE, x + i % TILE), LANES));
                    }
                    for (frequency, value) in transform::output_adjoint(s, &values).into_iter().enumerate() {
                        if !(I::ENLARGED && vanishes(frequency)) {
                            s.store(job.scratch.at(at + frequency * stride, LANES), value);
                        }
                    }
                }
            }
        }
    }
}

/// From `[frequency][in][out]` to the gradient of the weight, `out × in × 3 × 3`, times `factor`.
pub(super) fn winograd_weight(
    isa: Isa,
    threads: &Threads,
    sums: &[f32],
    depth: usize,
    channels: usize,
    factor: f32,
    weight: &mut [f32],
) {
    let count = threads.count();
    let (sums, weight) = (View::new(sums), ViewMut::new(weight));
    threads.run(|worker| {
        isa.run(Weight { sums, depth, channels, factor, weight, blocks: part(channels / LANES, count, worker) });
    });
}

struct Weight<'a> {
    sums: View<'a, f32>,
    depth: usize,
    channels: usize,
    factor: f32,
    weight: ViewMut<'a, f32>,
    /// Blocks of channels out.
    blocks: Range<usize>,
}

impl Op for Weight<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for block in self.blocks {
            for i in 0..self.depth {
                // SAFETY: 36 frequencies of all channels lie there; each worker has its own channels out.
                unsafe {
                    let stride = self.depth * self.channels;
                    let start = self.sums.at(i * self.channels + block * LANES, (FREQUENCIES - 1) * stride + LANES);
                    let values: [S::V; FREQUENCIES] = s.load_many(start, stride);
                    for (tap, value) in transform::weight_adjoint(s, &values).into_iter().enumerate() {
                        let mut lanes = [0.0; LANES];
                        s.store(lanes.as_mut_ptr(), value);
                        for (lane, value) in lanes.into_iter().enumerate() {
                            let at = ((block * LANES + lane) * self.depth + i) * 9 + tap;
                            *self.weight.at(at, 1) = value * self.factor;
                        }
                    }
                }
            }
        }
    }
}

/// Adds the gradient of a 3×3 layer with stride 2 to `[tap][channel in][channel out]`.
pub(super) fn strided(isa: Isa, threads: &Threads, input: &Field, gradient: &Field, sums: &mut WeightSums) {
    let count = threads.count();
    let Shape { channels, height, width } = gradient.shape;
    let share = sums.share;
    let sums = sums.view();
    threads.run(|worker| {
        let (input, gradient_plane) = (input.plane(), gradient.plane());
        let places = Places::new(gradient.layout, gradient.offset, gradient.offset, 1);
        isa.run(Strided {
            input,
            gradient: gradient_plane,
            places,
            channels,
            width,
            rows: part(height, count, worker),
            sums,
            start: worker * share,
        });
    });
}

struct Strided<'a> {
    input: Plane<'a>,
    gradient: Plane<'a>,
    /// Of the gradient.
    places: Places,
    channels: usize,
    width: usize,
    rows: Range<usize>,
    sums: ViewMut<'a, f32>,
    start: usize,
}

impl Op for Strided<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let layout = self.input.layout;
        let depth = layout.shape.channels;
        for y in self.rows {
            for tap in 0..9 {
                for block in 0..depth / LANES {
                    s.vectorise(Outer {
                        rows: self.input.data,
                        rows_start: layout.at(block, 2 * y + tap / 3, tap % 3),
                        rows_step: 2 * LANES,
                        columns: self.gradient.data,
                        columns_start: self.places.start + y * self.places.row,
                        columns_step: LANES,
                        columns_block: self.places.block,
                        blocks: self.channels / LANES,
                        count: self.width,
                        target: self.sums,
                        target_start: self.start + (tap * depth + block * LANES) * self.channels,
                        target_row: self.channels,
                    });
                }
            }
        }
    }
}

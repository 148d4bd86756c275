//! Direct convolutions from blocks to blocks: those with a stride, forward and backward.

use crate::Isa;
use crate::layout::Layout;
use crate::memory::{Buffer, View, ViewMut};
use crate::register_rows::{GroupedRows, RowGroup};
use crate::simd::{LANES, Simd};
use crate::threads::{Threads, part};

/// Most taps of a window.
pub(super) const TAPS: usize = 9;

/// The weights of a window, packed: `[panel][tap][channels in][16 · blocks]`.
pub(super) struct Packed {
    depth: usize,
    channels: usize,
    panel_blocks: usize,
    taps: usize,
    data: Buffer<f32>,
}

impl Packed {
    pub(super) fn new(isa: Isa, taps: usize, depth: usize, channels: usize) -> Self {
        let data = Buffer::new(taps * depth * channels);
        Self { depth, channels, panel_blocks: isa.panel_blocks(), taps, data }
    }

    /// `value(tap, channel in, channel out)`
    pub(super) fn set(&mut self, value: impl Fn(usize, usize, usize) -> f32) {
        let depth = self.taps * self.depth;
        for tap in 0..self.taps {
            for k in 0..self.depth {
                for c in 0..self.channels {
                    let row = tap * self.depth + k;
                    let at = crate::direct::packed_at(self.panel_blocks, depth, self.channels, row, c);
                    self.data[at] = value(tap, k, c);
                }
            }
        }
    }
}

/// Where the values of a job lie: those of row y begin `start + y · row` floats behind the beginning of a block.
#[derive(Clone, Copy)]
pub(super) struct Places {
    pub(super) start: usize,
    pub(super) row: usize,
    /// From one position to the next.
    pub(super) step: usize,
    /// From one block of channels to the next.
    pub(super) block: usize,
}

impl Places {
    /// The same, rows and columns counted from the border.
    pub(super) fn bordered(layout: Layout, row: usize, column: usize, stride: usize) -> Self {
        Self { start: layout.bordered(0, row, column), ..Self::new(layout, 0, 0, stride) }
    }

    /// Every `stride`th row and column from (`y`, `x`) on.
    pub(super) fn new(layout: Layout, y: usize, x: usize, stride: usize) -> Self {
        Self {
            start: layout.at(0, y, x),
            row: stride * layout.columns * LANES,
            step: stride * LANES,
            block: layout.block_len(),
        }
    }
}

/// `output[c][y][x] = Σ_tap Σ_k weight[tap][k][c] · input[k][y, x at the tap]`
#[derive(Clone, Copy)]
pub(super) struct Window<'a> {
    pub(super) weights: &'a Packed,
    pub(super) input: View<'a, f32>,
    /// Where the window of each tap begins.
    pub(super) taps: [Places; TAPS],
    pub(super) output: ViewMut<'a, f32>,
    pub(super) target: Places,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Window<'_> {
    pub(super) fn run(self, isa: Isa, threads: &Threads) {
        let count = threads.count();
        let (width, blocks) = (self.width, self.weights.channels / LANES);
        threads.run(|worker| {
            let (rows, interrupt) = (part(self.height, count, worker), threads.interrupt());
            isa.run(GroupedRows { kernel: self, rows, width, blocks, interrupt });
        });
    }
}

impl RowGroup for Window<'_> {
    #[inline(always)]
    unsafe fn group<S: Simd, const R: usize, const V: usize>(&self, s: S, first_block: usize, y: usize, x: usize) {
        let (depth, taps) = (self.weights.depth, self.weights.taps);
        let mut sums = [[s.zero(); V]; R];
        // SAFETY: all positions of all taps exist, as whoever fills a `Window` promises, the blocks exist, and the
        // worker alone has this row.
        unsafe {
            let start = first_block * LANES * depth * taps;
            let mut weights = View::new(&self.weights.data).at(start, depth * taps * V * LANES);
            for places in &self.taps[..taps] {
                let step = places.step;
                for block in 0..depth / LANES {
                    let at = places.start + places.row * y + step * x + places.block * block;
                    let input = self.input.at(at, (R - 1) * step + LANES);
                    for k in 0..LANES {
                        let columns: [S::V; V] = s.load_many(weights, LANES);
                        for (r, sums) in sums.iter_mut().enumerate() {
                            let value = s.splat(*input.add(r * step + k));
                            for (sum, column) in sums.iter_mut().zip(columns) {
                                *sum = s.mul_add(value, column, *sum);
                            }
                        }
                        weights = weights.add(V * LANES);
                    }
                }
            }
            let target = &self.target;
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let at = target.start + target.row * y + target.step * (x + r);
                    s.store(self.output.at(at + (first_block + v) * target.block, LANES), sum);
                }
            }
        }
    }
}

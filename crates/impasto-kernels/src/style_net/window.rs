//! Direct convolutions from blocks to blocks: those with a stride, forward and backward.

use crate::Isa;
use crate::layout::Layout;
use crate::memory::{Buffer, View, ViewMut};
use crate::simd::{LANES, Op, Simd};
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
    pub(super) fn bordered(layout: Layout, (row, column): (usize, usize), stride: usize) -> Self {
        Self { start: layout.bordered(0, row, column), ..Self::new(layout, (0, 0), stride) }
    }

    /// Every `stride`th row and column from (`y`, `x`) on.
    pub(super) fn new(layout: Layout, (y, x): (usize, usize), stride: usize) -> Self {
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
        threads.run(|worker| isa.run(Rows { of: self, rows: part(self.height, count, worker) }));
    }
}

struct Rows<'a> {
    of: Window<'a>,
    rows: std::ops::Range<usize>,
}

impl Op for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let blocks = self.of.weights.channels / LANES;
        let groups = self.of.width.div_ceil(S::ROWS);
        for y in self.rows {
            for first_block in (0..blocks).step_by(S::VECTORS) {
                for group in 0..groups {
                    let columns = part(self.of.width, groups, group);
                    let place = Place { of: &self.of, first_block, y, x: columns.start };
                    if S::VECTORS == 2 && first_block + 1 < blocks {
                        place.group::<S, 2>(s, columns.len());
                    } else {
                        place.group::<S, 1>(s, columns.len());
                    }
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Place<'a, 'b> {
    of: &'a Window<'b>,
    first_block: usize,
    y: usize,
    x: usize,
}

impl Place<'_, '_> {
    #[inline(always)]
    fn group<S: Simd, const V: usize>(self, s: S, columns: usize) {
        /// Picks the kernel of so many columns; those that an instruction set never needs are not compiled.
        macro_rules! pick {
            ($($n:literal)*) => {
                match columns {
                    $($n if $n <= S::ROWS => s.vectorise(Group::<$n, V>(self)),)*
                    _ => unreachable!("a group has at most {} columns", S::ROWS),
                }
            };
        }
        pick!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }
}

/// `R` positions of a row by `V` blocks of channels.
struct Group<'a, 'b, const R: usize, const V: usize>(Place<'a, 'b>);

impl<const R: usize, const V: usize> Op for Group<'_, '_, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Place { of, first_block, y, x } = self.0;
        let (depth, taps) = (of.weights.depth, of.weights.taps);
        let mut sums = [[s.zero(); V]; R];
        // SAFETY: all positions of all taps exist, as whoever fills a `Window` promises, the blocks exist, and the
        // worker alone has this row.
        unsafe {
            let start = first_block * LANES * depth * taps;
            let mut weights = View::new(&of.weights.data).at(start, depth * taps * V * LANES);
            for places in &of.taps[..taps] {
                let step = places.step;
                for block in 0..depth / LANES {
                    let at = places.start + places.row * y + step * x + places.block * block;
                    let input = of.input.at(at, (R - 1) * step + LANES);
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
            let target = &of.target;
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let at = target.start + target.row * y + target.step * (x + r);
                    s.store(of.output.at(at + (first_block + v) * target.block, LANES), sum);
                }
            }
        }
    }
}

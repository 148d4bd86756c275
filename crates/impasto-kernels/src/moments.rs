//! Weighted moments of a blocked feature, and the squared distance of two.

use crate::layout::Plane;
use crate::memory::View;
use crate::memory::ViewMut;
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use crate::{Isa, Moments};
use std::ops::Range;

/// Positions that are added up in single precision before the sum goes to double precision: enough to make the
/// conversions cheap, few enough to keep the error of a Gram matrix below 1e-6.
const CHUNK: usize = 512;

/// Doubles of scratch that each worker needs for a feature of this many channels.
pub(crate) fn scratch_len(channels: usize) -> usize {
    (channels + 1) * channels
}

/// `Σ w·F` and `Σ w·F·Fᵀ`, divided by `Σ w`; `scratch` holds [`scratch_len`] doubles for each worker.
pub(crate) fn moments(
    isa: Isa,
    threads: &Threads,
    feature: Plane<'_>,
    weights: Option<&[f32]>,
    scratch: &mut [f64],
) -> Moments {
    let shape = feature.layout.shape;
    sum(isa, threads, feature, 0..shape.height, weights, scratch, false);
    finish(threads, shape.channels, total(weights, shape.positions()), scratch)
}

/// The sum of the weights, or the number of positions where there are none.
pub(crate) fn total(weights: Option<&[f32]>, positions: usize) -> f64 {
    weights.map_or(positions as f64, |weights| weights.iter().map(|&w| f64::from(w)).sum())
}

/// `Σ w·F` and `Σ w·F·Fᵀ` over some rows of a feature; with `add` the sums are added to what is in `scratch`. There are
/// weights for all rows of the feature up to the last of these.
pub(crate) fn sum(
    isa: Isa,
    threads: &Threads,
    feature: Plane<'_>,
    rows: Range<usize>,
    weights: Option<&[f32]>,
    scratch: &mut [f64],
    add: bool,
) {
    let shape = feature.layout.shape;
    let (count, share) = (threads.count(), scratch_len(shape.channels));
    let chunks = Chunks::new(rows, shape.width, count);
    let mask = weights.map(View::new);
    let sums = ViewMut::new(&mut scratch[..count * share]);
    threads.run(|worker| {
        // SAFETY: each worker has its own share.
        let sums = unsafe { sums.slice(worker * share, share) };
        let mine = part(chunks.len(), count, worker);
        let interrupted = threads.interrupted();
        if (mine.is_empty() || interrupted) && !add {
            sums.fill(0.0);
        }
        if interrupted {
            return;
        }
        isa.run(Sum { feature, mask, chunks, mine, add, sums });
    });
}

/// Adds up the workers, divides by the weight, and mirrors the half that was computed.
pub(crate) fn finish(threads: &Threads, channels: usize, weight: f64, scratch: &[f64]) -> Moments {
    let factor = if weight == 0.0 { 1.0 } else { 1.0 / weight };
    let (count, share) = (threads.count(), scratch_len(channels));
    let total = |row: usize, from: usize, target: &mut [f32]| {
        for (i, target) in target.iter_mut().enumerate() {
            let at = row * channels + from + i;
            let sum: f64 = (0..count).map(|worker| scratch[worker * share + at]).sum();
            *target = (sum * factor) as f32;
        }
    };
    let mut second = vec![0.0; channels * channels];
    let rows = ViewMut::new(&mut second);
    // Rows get shorter downwards: each worker takes every so manieth.
    threads.run(|worker| {
        for row in (worker..channels).step_by(count) {
            // SAFETY: each row belongs to one worker.
            total(row, row, unsafe { rows.slice(row * channels + row, channels - row) });
        }
    });
    mirror(threads, channels, &mut second);
    let mut mean = vec![0.0; channels];
    total(channels, 0, &mut mean);
    Moments { channels, weight, mean, second }
}

/// Copies what lies above the diagonal to below it.
fn mirror(threads: &Threads, channels: usize, second: &mut [f32]) {
    let (count, second) = (threads.count(), ViewMut::new(second));
    threads.run(|worker| {
        for block in (worker..channels / LANES).step_by(count) {
            for column in 0..(block + 1) * LANES {
                for row in (block * LANES).max(column + 1)..(block + 1) * LANES {
                    // SAFETY: both places exist; nobody writes above the diagonal, and the row belongs to this worker.
                    unsafe { *second.at(row * channels + column, 1) = *second.at(column * channels + row, 1) };
                }
            }
        }
    });
}

/// The positions of a feature in rectangles of about [`CHUNK`].
#[derive(Clone, Copy)]
struct Chunks {
    first: usize,
    end: usize,
    width: usize,
    rows: usize,
    columns: usize,
}

impl Chunks {
    fn new(rows: Range<usize>, width: usize, workers: usize) -> Self {
        let columns = width.min(CHUNK);
        let high = (CHUNK / columns).clamp(1, rows.len().div_ceil(workers).max(1));
        Self { first: rows.start, end: rows.end, width, rows: high, columns }
    }

    fn len(&self) -> usize {
        (self.end - self.first).div_ceil(self.rows) * self.width.div_ceil(self.columns)
    }

    fn get(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let across = self.width.div_ceil(self.columns);
        let (y, x) = (self.first + index / across * self.rows, index % across * self.columns);
        (y..(y + self.rows).min(self.end), x..(x + self.columns).min(self.width))
    }
}

struct Sum<'a> {
    feature: Plane<'a>,
    mask: Option<View<'a, f32>>,
    chunks: Chunks,
    mine: Range<usize>,
    /// Whether to add to what is there.
    add: bool,
    /// `C × C` second moments (blocks on and above the diagonal), then `C` first ones.
    sums: &'a mut [f64],
}

impl Op for Sum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let blocks = self.feature.layout.blocks();
        let sums = ViewMut::new(self.sums);
        for chunk in self.mine.clone() {
            let (ys, xs) = self.chunks.get(chunk);
            let add = self.add || chunk > self.mine.start;
            for row_block in 0..blocks {
                let at = Outer {
                    feature: self.feature,
                    mask: self.mask,
                    ys: &ys,
                    xs: &xs,
                    sums,
                    add,
                    row_block,
                    column_block: 0,
                };
                s.vectorise(First(at));
                // Pairs of column blocks, the pair of the diagonal first.
                for column_block in (row_block / S::VECTORS * S::VECTORS..blocks).step_by(S::VECTORS) {
                    let at = Outer { column_block, ..at };
                    if S::VECTORS == 2 && column_block + 1 < blocks {
                        at.split::<S, 2>(s);
                    } else {
                        at.split::<S, 1>(s);
                    }
                }
            }
        }
    }
}

/// A chunk of positions, a block of sixteen rows and one or two blocks of sixteen columns of the second moment.
#[derive(Clone, Copy)]
struct Outer<'a> {
    feature: Plane<'a>,
    mask: Option<View<'a, f32>>,
    ys: &'a Range<usize>,
    xs: &'a Range<usize>,
    sums: ViewMut<'a, f64>,
    /// Whether to add to what is there.
    add: bool,
    row_block: usize,
    column_block: usize,
}

impl Outer<'_> {
    /// As many rows at a time as the registers hold.
    #[inline(always)]
    fn split<S: Simd, const V: usize>(self, s: S) {
        for half in 0..2 {
            if S::MANY_REGISTERS {
                s.vectorise(Rows::<8, V> { of: self, first: half * 8 });
            } else {
                for first in (half * 8..half * 8 + 8).step_by(4) {
                    s.vectorise(Rows::<4, V> { of: self, first });
                }
            }
        }
    }

    /// Where the positions of a row of the chunk begin in a block.
    #[inline(always)]
    fn start(&self, block: usize, y: usize) -> usize {
        self.feature.layout.at(block, y, self.xs.start)
    }
}

struct Rows<'a, const R: usize, const V: usize> {
    of: Outer<'a>,
    first: usize,
}

impl<const R: usize, const V: usize> Op for Rows<'_, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Outer { feature, mask, ys, xs, sums, add, row_block, column_block } = self.of;
        let (channels, width) = (feature.layout.shape.channels, feature.layout.shape.width);
        let mut found = [[s.zero(); V]; R];
        // SAFETY: blocks and positions exist; the sums are the worker's own.
        unsafe {
            for y in ys.clone() {
                let count = xs.len() * LANES;
                let rows = feature.data.at(self.of.start(row_block, y), count).add(self.first);
                feature.data.at(self.of.start(column_block + V - 1, y), count);
                let columns = feature.data.at(self.of.start(column_block, y), count);
                for x in 0..xs.len() {
                    let mut values: [S::V; V] = s.load_many(columns.add(x * LANES), feature.layout.block_len());
                    if let Some(mask) = mask {
                        let weight = s.splat(*mask.at(y * width + xs.start + x, 1));
                        for value in &mut values {
                            *value = s.mul(*value, weight);
                        }
                    }
                    for (r, found) in found.iter_mut().enumerate() {
                        let factor = s.splat(*rows.add(x * LANES + r));
                        for (found, value) in found.iter_mut().zip(values) {
                            *found = s.mul_add(factor, value, *found);
                        }
                    }
                }
            }
            for (r, found) in found.into_iter().enumerate() {
                for (v, found) in found.into_iter().enumerate() {
                    let row = row_block * LANES + self.first + r;
                    let sum = sums.at(row * channels + (column_block + v) * LANES, LANES);
                    let before = if add { s.wide_load(sum) } else { s.wide_zero() };
                    s.wide_store(sum, s.wide_add(found, before));
                }
            }
        }
    }
}

/// The first moments of a block.
struct First<'a>(Outer<'a>);

impl Op for First<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Outer { feature, mask, ys, xs, sums, add, row_block, .. } = self.0;
        let (channels, width) = (feature.layout.shape.channels, feature.layout.shape.width);
        let mut found = s.zero();
        // SAFETY: block and positions exist; the sums are the worker's own.
        unsafe {
            for y in ys.clone() {
                let row = feature.data.at(self.0.start(row_block, y), xs.len() * LANES);
                for x in 0..xs.len() {
                    let weight = match mask {
                        Some(mask) => *mask.at(y * width + xs.start + x, 1),
                        None => 1.0,
                    };
                    found = s.mul_add(s.splat(weight), s.load(row.add(x * LANES)), found);
                }
            }
            let sum = sums.at(channels * channels + row_block * LANES, LANES);
            let before = if add { s.wide_load(sum) } else { s.wide_zero() };
            s.wide_store(sum, s.wide_add(found, before));
        }
    }
}

/// `Σ w[p] · (F − target)²` over some rows of a feature, squared and added up in double precision. Row `y` of it
/// belongs to row `y + first_row` of the target. There are weights for all rows of the feature up to the last of these.
pub(crate) fn squared_distance(
    isa: Isa,
    threads: &Threads,
    feature: Plane<'_>,
    rows: Range<usize>,
    target: Plane<'_>,
    first_row: usize,
    weights: Option<&[f32]>,
) -> f64 {
    let mask = weights.map(View::new);
    let count = threads.count();
    let sums = threads.run(|worker| {
        if threads.interrupted() {
            return 0.0;
        }
        let mine = part(feature.layout.blocks() * rows.len(), count, worker);
        isa.run(Distance { feature, rows: &rows, target, first_row, mask, mine })
    });
    sums.into_iter().sum()
}

struct Distance<'a> {
    feature: Plane<'a>,
    rows: &'a Range<usize>,
    target: Plane<'a>,
    first_row: usize,
    mask: Option<View<'a, f32>>,
    mine: Range<usize>,
}

impl Op for Distance<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let layout = self.feature.layout;
        let shape = layout.shape;
        let mut sum = s.wide_zero();
        for row in self.mine {
            let (block, y) = (row / self.rows.len(), self.rows.start + row % self.rows.len());
            let start = layout.at(block, y, 0);
            let target = self.target.layout.at(block, y + self.first_row, 0);
            for x in 0..shape.width {
                // SAFETY: the position exists in both planes.
                unsafe {
                    let value = s.load(self.feature.data.at(start + x * LANES, LANES));
                    let difference = s.sub(value, s.load(self.target.data.at(target + x * LANES, LANES)));
                    let weighted = match self.mask {
                        Some(mask) => s.mul(difference, s.splat(*mask.at(y * shape.width + x, 1))),
                        None => difference,
                    };
                    sum = s.wide_mul_add(weighted, difference, sum);
                }
            }
        }
        s.wide_sum(sum)
    }
}

//! The multiply that everything heavy goes through: rows of scalars times a panel of packed weights.
//!
//! `output[r][c] = Σ_k input[r][k] · weights[k][c]` for rows r (tiles or positions) and one panel of 16 or 32 columns.
//! Rows lie sixteen channels at a time, as in the blocked planes: `input[k/16][r][k%16]`, `output[c/16][r][c%16]`. The
//! accumulators of up to [`Simd::ROWS`] × [`Simd::VECTORS`] stay in registers, inputs are broadcast, and weights are
//! streamed once for each group of rows. While one panel is multiplied the next one is prefetched: without that the
//! layers of 512 channels, whose weights come from memory, take a fifth longer.

use crate::memory::{View, ViewMut};
use crate::register_rows::pick_rows;
use crate::simd::{LANES, Op, Simd};
use std::ops::Range;

/// One multiply.
#[derive(Clone, Copy)]
pub(crate) struct Multiply<'a> {
    /// `[depth/16][rows][16]`.
    pub(crate) input: View<'a, f32>,
    /// Where row 0 begins.
    pub(crate) input_start: usize,
    /// Floats from one block of sixteen channels to the next.
    pub(crate) input_stride: usize,
    /// `[depth][16 · blocks]`.
    pub(crate) weights: View<'a, f32>,
    /// Where the panel begins.
    pub(crate) weights_start: usize,
    /// `[blocks][rows][16]`, overwritten.
    pub(crate) output: ViewMut<'a, f32>,
    /// Where row 0 begins.
    pub(crate) output_start: usize,
    /// Floats from one block of sixteen columns to the next.
    pub(crate) output_stride: usize,
    /// Floats from one row of the output to the next; sixteen where rows lie as in the input.
    pub(crate) output_step: usize,
    /// Channels in, a multiple of 16.
    pub(crate) depth: usize,
    /// Blocks of sixteen columns: 1 or [`Simd::VECTORS`].
    pub(crate) blocks: usize,
    /// Rows.
    pub(crate) rows: usize,
}

impl Op for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let groups = self.rows.div_ceil(S::ROWS);
        for group in 0..groups {
            let rows = crate::threads::part(self.rows, groups, group);
            if S::VECTORS == 2 && self.blocks == 2 {
                self.group::<S, 2>(s, rows, (group, groups));
            } else {
                self.group::<S, 1>(s, rows, (group, groups));
            }
        }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn group<S: Simd, const V: usize>(&self, s: S, rows: Range<usize>, share: (usize, usize)) {
        macro_rules! group {
            ($n:literal) => {
                Group::<$n, V> { of: self, first: rows.start, share }
            };
        }
        pick_rows!(s, S, rows.len(), group)
    }
}

struct Group<'a, const R: usize, const V: usize> {
    of: &'a Multiply<'a>,
    first: usize,
    /// Which group of rows this is, and how many there are.
    share: (usize, usize),
}

impl<const R: usize, const V: usize> Op for Group<'_, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let &Multiply { depth, input_stride, output_stride, output_step, .. } = self.of;
        let width = V * LANES;
        let mut sums = [[s.zero(); V]; R];
        // SAFETY: `input` holds `depth / 16` blocks of at least `first + R` rows, `weights` `depth` rows of the panel
        // and `output` V blocks of `first + R` rows, as whoever fills a `Multiply` promises; the output is the
        // worker's own.
        unsafe {
            let row = self.first * LANES;
            let mut weights = self.of.weights.at(self.of.weights_start, depth * width);
            for block in 0..depth / LANES {
                let input = self.of.input.at(self.of.input_start + block * input_stride + row, R * LANES);
                // What the next multiply will read lies right behind; each group asks for its share of it.
                let asks = block % self.share.1 == self.share.0;
                let ahead = if asks { depth * width } else { 0 };
                for k in 0..LANES {
                    for v in 0..V {
                        s.prefetch(weights.wrapping_add(ahead + v * LANES));
                    }
                    let columns: [S::V; V] = s.load_many(weights, LANES);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let value = s.splat(*input.add(r * LANES + k));
                        for (sum, column) in sums.iter_mut().zip(columns) {
                            *sum = s.mul_add(value, column, *sum);
                        }
                    }
                    weights = weights.add(width);
                }
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let at = self.of.output_start + v * output_stride + (self.first + r) * output_step;
                    s.store(self.of.output.at(at, LANES), sum);
                }
            }
        }
    }
}

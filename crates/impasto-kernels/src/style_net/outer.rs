//! Sums of outer products over positions: the heart of every weight gradient.

use crate::memory::{View, ViewMut};
use crate::simd::{LANES, Op, Simd};

/// `target[r][c] += Σ_p rows[p][r] · columns[p][c]` for sixteen rows and some blocks of sixteen columns.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    pub(super) rows: View<'a, f32>,
    /// Where the sixteen rows of position 0 lie, and floats to the next position.
    pub(super) rows_start: usize,
    pub(super) rows_step: usize,
    pub(super) columns: View<'a, f32>,
    /// Where the first sixteen columns of position 0 lie, floats to the next position and to the next block.
    pub(super) columns_start: usize,
    pub(super) columns_step: usize,
    pub(super) columns_block: usize,
    /// Blocks of columns.
    pub(super) blocks: usize,
    /// Positions.
    pub(super) count: usize,
    pub(super) target: ViewMut<'a, f32>,
    /// Where row 0, column 0 lies, and floats to the next row.
    pub(super) target_start: usize,
    pub(super) target_row: usize,
}

impl Op for Outer<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut block = 0;
        while block < self.blocks {
            if S::VECTORS == 2 && block + 1 < self.blocks {
                for first in (0..LANES).step_by(8) {
                    s.vectorise(Part::<8, 2> { of: &self, block, first });
                }
                block += 2;
            } else {
                for first in (0..LANES).step_by(4) {
                    s.vectorise(Part::<4, 1> { of: &self, block, first });
                }
                block += 1;
            }
        }
    }
}

/// `R` rows by `V` blocks of columns.
struct Part<'a, 'b, const R: usize, const V: usize> {
    of: &'a Outer<'b>,
    block: usize,
    first: usize,
}

impl<const R: usize, const V: usize> Op for Part<'_, '_, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { of, block, first } = self;
        if of.count == 0 {
            return;
        }
        let mut sums = [[s.zero(); V]; R];
        // SAFETY: all positions exist in both, as whoever fills an `Outer` promises; the target is the worker's own.
        unsafe {
            let mut rows = of.rows.at(of.rows_start, (of.count - 1) * of.rows_step + LANES).add(first);
            let start = of.columns_start + block * of.columns_block;
            let mut columns = of.columns.at(start, (of.count - 1) * of.columns_step + LANES);
            for _ in 0..of.count {
                let values: [S::V; V] = s.load_many(columns, of.columns_block);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let factor = s.splat(*rows.add(r));
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = s.mul_add(factor, value, *sum);
                    }
                }
                rows = rows.wrapping_add(of.rows_step);
                columns = columns.wrapping_add(of.columns_step);
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let at = of.target_start + (first + r) * of.target_row + (block + v) * LANES;
                    let target = of.target.at(at, LANES);
                    s.store(target, s.add(s.load(target), sum));
                }
            }
        }
    }
}

//! Kernels whose sums stay in registers: some positions of a row by some blocks of sixteen channels at a time.

use crate::interrupt::Interrupt;
use crate::simd::{Op, Simd};
use crate::threads::part;
use std::ops::Range;

/// Vectorises the op that the macro `$op` makes of a number of rows, which only a literal can be; those that an
/// instruction set never needs are not compiled.
macro_rules! pick_rows {
    ($s:ident, $set:ident, $rows:expr, $op:ident) => {
        pick_rows!($s, $set, $rows, $op, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    ($s:ident, $set:ident, $rows:expr, $op:ident, $($n:literal)*) => {
        match $rows {
            $($n if $n <= $set::ROWS => $s.vectorise($op!($n)),)*
            _ => unreachable!("a group has at most {} rows", $set::ROWS),
        }
    };
}
pub(crate) use pick_rows;

/// A convolution of one row, as many positions and blocks at a time as the registers hold.
pub(crate) trait RowGroup: Copy {
    /// Makes `R` positions of row `y` from column `x` on, of the `V` blocks of channels from `first_block` on.
    /// # Safety
    /// Positions and blocks exist, and no other thread makes them.
    unsafe fn group<S: Simd, const R: usize, const V: usize>(&self, s: S, first_block: usize, y: usize, x: usize);
}

/// Rows of a convolution that are one worker's own.
pub(crate) struct GroupedRows<'a, K> {
    pub(crate) kernel: K,
    pub(crate) rows: Range<usize>,
    /// Positions in a row.
    pub(crate) width: usize,
    /// Blocks of sixteen channels out.
    pub(crate) blocks: usize,
    pub(crate) interrupt: &'a Interrupt,
}

impl<K: RowGroup> Op for GroupedRows<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let groups = self.width.div_ceil(S::ROWS);
        for y in self.rows.clone() {
            if self.interrupt.requested() {
                break;
            }
            for first_block in (0..self.blocks).step_by(S::VECTORS) {
                for group in 0..groups {
                    let columns = part(self.width, groups, group);
                    if S::VECTORS == 2 && first_block + 1 < self.blocks {
                        self.columns::<S, 2>(s, first_block, y, columns);
                    } else {
                        self.columns::<S, 1>(s, first_block, y, columns);
                    }
                }
            }
        }
        s.fence();
    }
}

impl<K: RowGroup> GroupedRows<'_, K> {
    #[inline(always)]
    fn columns<S: Simd, const V: usize>(&self, s: S, first_block: usize, y: usize, columns: Range<usize>) {
        macro_rules! group {
            ($n:literal) => {
                Group::<K, $n, V> { kernel: &self.kernel, first_block, y, x: columns.start }
            };
        }
        pick_rows!(s, S, columns.len(), group)
    }
}

struct Group<'a, K, const R: usize, const V: usize> {
    kernel: &'a K,
    first_block: usize,
    y: usize,
    x: usize,
}

impl<K: RowGroup, const R: usize, const V: usize> Op for Group<'_, K, R, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // SAFETY: whoever makes `GroupedRows` promises that the rows are the worker's own and that all of it exists.
        unsafe { self.kernel.group::<S, R, V>(s, self.first_block, self.y, self.x) }
    }
}

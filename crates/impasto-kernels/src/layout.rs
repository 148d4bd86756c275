//! Blocked planes: `[channels/16][rows][columns][16]` with a physical border of zeros.

use crate::memory::{View, ViewMut};
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use crate::{Isa, Shape};
use std::ops::Range;

/// How a feature lies in memory.
///
/// One row and column of zeros stand before the feature, and behind it as many as fill whole tiles of 4×4 plus one,
/// so that a convolution never meets an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// What is stored.
    pub(crate) shape: Shape,
    /// Rows with border.
    pub(crate) rows: usize,
    /// Columns with border.
    pub(crate) columns: usize,
}

impl Layout {
    /// The layout of a shape whose channels are a multiple of 16.
    pub(crate) fn new(shape: Shape) -> Self {
        let padded = |side: usize| side.next_multiple_of(4) + 2;
        Self { shape, rows: padded(shape.height), columns: padded(shape.width) }
    }

    /// Blocks of sixteen channels.
    pub(crate) fn blocks(&self) -> usize {
        self.shape.channels / LANES
    }

    /// Floats in one block.
    pub(crate) fn block_len(&self) -> usize {
        self.rows * self.columns * LANES
    }

    /// Floats in all.
    pub(crate) fn len(&self) -> usize {
        self.blocks() * self.block_len()
    }

    /// Whether it is so large that it will have left the caches before it is read again: it is then written past them.
    pub(crate) fn is_large(&self) -> bool {
        /// Floats in 16 MB.
        const LARGE: usize = 4 << 20;
        self.len() >= LARGE
    }

    /// Where the sixteen channels of a position begin; row and column −1 may be reached through
    /// [`bordered`](Layout::bordered).
    #[inline(always)]
    pub(crate) fn at(&self, block: usize, y: usize, x: usize) -> usize {
        self.bordered(block, y + 1, x + 1)
    }

    /// The same, counted from the border.
    #[inline(always)]
    pub(crate) fn bordered(&self, block: usize, row: usize, column: usize) -> usize {
        ((block * self.rows + row) * self.columns + column) * LANES
    }

    /// Where the ReLU masks of a position's sixteen channels lie: `[channels/16][height][width]` without border.
    #[inline(always)]
    pub(crate) fn mask_at(&self, block: usize, y: usize, x: usize) -> usize {
        (block * self.shape.height + y) * self.shape.width + x
    }

    /// How many masks of sixteen bits the whole feature has.
    pub(crate) fn mask_len(&self) -> usize {
        self.blocks() * self.shape.positions()
    }

    /// The plane of one block, planar: `sixteen × height × width`.
    pub(crate) fn planar(&self, data: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.shape.len()];
        let positions = self.shape.positions();
        for (channel, plane) in out.chunks_exact_mut(positions.max(1)).enumerate() {
            for (y, row) in plane.chunks_exact_mut(self.shape.width).enumerate() {
                let start = self.at(channel / LANES, y, 0) + channel % LANES;
                for (x, value) in row.iter_mut().enumerate() {
                    *value = data[start + x * LANES];
                }
            }
        }
        out
    }
}

/// Writes zeros to the border of a plane.
pub(crate) fn clear_border(isa: Isa, threads: &Threads, layout: Layout, data: &mut [f32]) {
    clear_around(isa, threads, layout, &(0..layout.shape.height), data);
}

/// Writes zeros to the border of a plane and to all rows but these.
pub(crate) fn clear_around(isa: Isa, threads: &Threads, layout: Layout, kept: &Range<usize>, data: &mut [f32]) {
    let data = ViewMut::new(data);
    let count = threads.count();
    threads.run(|worker| {
        let rows = part(layout.blocks() * layout.rows, count, worker);
        isa.run(ClearAround { layout, kept, data, rows });
    });
}

/// Copies some rows of a plane, borders included, to those from `first` on of one of the same width and channels.
pub(crate) fn copy_rows(threads: &Threads, source: Plane<'_>, rows: Range<usize>, target: PlaneMut<'_>, first: usize) {
    let (from, to, count) = (source.layout, target.layout, threads.count());
    assert!(from.columns == to.columns && from.blocks() == to.blocks(), "rows of one kind");
    let len = from.columns * LANES;
    threads.run(|worker| {
        for index in part(from.blocks() * rows.len(), count, worker) {
            let (block, row) = (index / rows.len(), index % rows.len());
            // SAFETY: the rows lie inside both planes, and each belongs to one worker.
            unsafe {
                let source = source.data.at(from.bordered(block, rows.start + row + 1, 0), len);
                let target = target.data.at(to.bordered(block, first + row + 1, 0), len);
                std::ptr::copy_nonoverlapping(source, target, len);
            }
        }
    });
}

struct ClearAround<'a> {
    layout: Layout,
    kept: &'a Range<usize>,
    data: ViewMut<'a, f32>,
    rows: Range<usize>,
}

impl Op for ClearAround<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let layout = self.layout;
        for row in self.rows {
            let inside = self.kept.contains(&(row % layout.rows).wrapping_sub(1));
            let right = if inside { layout.shape.width + 1 } else { 1 };
            for column in std::iter::once(0).chain(right..layout.columns) {
                // SAFETY: row and column lie inside the plane, and each row belongs to one worker.
                unsafe { s.store(self.data.at((row * layout.columns + column) * LANES, LANES), s.zero()) }
            }
        }
    }
}

/// A plane to read.
#[derive(Clone, Copy)]
pub(crate) struct Plane<'a> {
    pub(crate) layout: Layout,
    pub(crate) data: View<'a, f32>,
}

/// A plane to write, by several threads.
#[derive(Clone, Copy)]
pub(crate) struct PlaneMut<'a> {
    pub(crate) layout: Layout,
    pub(crate) data: ViewMut<'a, f32>,
}

impl<'a> Plane<'a> {
    pub(crate) fn new(layout: Layout, data: &'a [f32]) -> Self {
        Self { layout, data: View::new(&data[..layout.len()]) }
    }
}

impl<'a> PlaneMut<'a> {
    pub(crate) fn new(layout: Layout, data: &'a mut [f32]) -> Self {
        Self { layout, data: ViewMut::new(&mut data[..layout.len()]) }
    }
}

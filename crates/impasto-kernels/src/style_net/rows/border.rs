//! What lies around a feature: its continuation, or nothing.

use super::super::planes::Field;
use super::{Edge, RowKernel, Shared, run};
use crate::simd::{LANES, Simd};
use crate::{Isa, Threads};

/// Continues a feature by one row and column in the border of its layout.
pub(in crate::style_net) fn fill_border(isa: Isa, threads: &Threads, field: &mut Field, edge: Edge) {
    debug_assert_eq!(field.offset, 0);
    let (blocks, height) = (field.layout.blocks(), field.shape.height);
    let field = Shared::new(field);
    run(isa, threads, FillColumns { field, edge }, blocks, height, None);
    run(isa, threads, FillRows { field, edge }, blocks, 2, None);
}

#[derive(Clone, Copy)]
struct FillColumns<'a> {
    field: Shared<'a>,
    edge: Edge,
}

impl Shared<'_> {
    /// Column `x`, counted with the border of the layout.
    /// # Safety
    /// As for [`at`](Shared::at).
    #[inline(always)]
    unsafe fn bordered(&self, block: usize, row: usize, column: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.data.at(self.layout.bordered(block, row, column), LANES) }
    }
}

impl RowKernel for FillColumns<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, _: &mut [S::V; 2]) {
        let width = self.field.width;
        for (column, x) in [(0, -1), (width + 1, width as isize)] {
            // SAFETY: the columns exist in the border.
            unsafe {
                let source = s.load(self.field.bordered(block, y + 1, self.edge.source(x, width) + 1));
                s.store(self.field.bordered(block, y + 1, column), source);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct FillRows<'a> {
    field: Shared<'a>,
    edge: Edge,
}

impl RowKernel for FillRows<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, _: &mut [S::V; 2]) {
        let height = self.field.height;
        let (row, y) = if y == 0 { (0, -1) } else { (height + 1, height as isize) };
        let source = self.edge.source(y, height) + 1;
        for column in 0..self.field.width + 2 {
            // SAFETY: the rows exist in the border.
            unsafe {
                s.store(self.field.bordered(block, row, column), s.load(self.field.bordered(block, source, column)))
            }
        }
    }
}

/// Continues a feature by the mirror image of its rows: `pad` above and `pad` below, ring columns and all.
#[derive(Clone, Copy)]
pub(in crate::style_net) struct MirrorRows<'a> {
    pub(in crate::style_net) field: Shared<'a>,
    pub(in crate::style_net) pad: usize,
    /// Whether above (the first `pad` rows of work) and below are wanted.
    pub(in crate::style_net) wanted: [bool; 2],
}

impl RowKernel for MirrorRows<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, row: usize, _: &mut [S::V; 2]) {
        let (height, pad) = (self.field.height, self.pad as isize);
        let below = row >= self.pad;
        if !self.wanted[usize::from(below)] {
            return;
        }
        let y = if below { height as isize + row as isize - pad } else { row as isize - pad };
        let from = Edge::Reflect.source(y, height) as isize;
        for x in -pad..self.field.width as isize + pad {
            // SAFETY: the rows outside belong to this worker, those inside are only read.
            unsafe { s.store(self.field.at(block, y, x), s.load(self.field.at(block, from, x))) }
        }
    }
}

/// Writes zeros around a gradient.
pub(in crate::style_net) fn clear_ring(isa: Isa, threads: &Threads, field: &mut Field) {
    let (blocks, rows) = (field.layout.blocks(), field.layout.shape.height);
    run(isa, threads, ClearRing(Shared::new(field)), blocks, rows, None);
}

#[derive(Clone, Copy)]
struct ClearRing<'a>(Shared<'a>);

impl RowKernel for ClearRing<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, row: usize, _: &mut [S::V; 2]) {
        let Shared { layout, offset, height, width, .. } = self.0;
        let columns = layout.shape.width;
        let inside = (offset..offset + height).contains(&row);
        let (left, right) = if inside { (offset, offset + width) } else { (columns, columns) };
        for column in (0..left).chain(right..columns) {
            // SAFETY: row and column exist.
            unsafe { s.store(self.0.data.at(layout.at(block, row, column), LANES), s.zero()) }
        }
    }
}

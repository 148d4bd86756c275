//! What happens between the convolutions, a row at a time.

mod border;
mod fold;

use super::planes::{Field, Sums, SumsView, block_rows};
use super::tiles::Activate;
use crate::interrupt::Interrupt;
use crate::layout::Layout;
use crate::memory::ViewMut;
use crate::simd::{LANES, Op, Simd};
use crate::{Isa, Threads};
pub(super) use border::{MirrorRows, clear_ring, fill_border};
pub(super) use fold::{Fold, NormGradient};

/// How a feature is continued beyond its edges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// By its mirror image, the edge itself not repeated.
    Reflect,
    /// By its edge. (For what is enlarged twice and then reflected by one: rows −1 and 1 of that are row 0 here.)
    Repeat,
}

impl Edge {
    /// The row or column of `0..side` that stands at `i`.
    #[inline(always)]
    pub(super) fn source(self, i: isize, side: usize) -> usize {
        let last = side as isize - 1;
        let inside = match self {
            Self::Reflect if i < 0 => -i,
            Self::Reflect if i > last => 2 * last - i,
            _ => i,
        };
        inside.clamp(0, last) as usize
    }

    /// The rows or columns outside, up to `pad` away, that stand for row or column `i`.
    #[inline(always)]
    fn mirrors(self, i: usize, side: usize, pad: usize) -> [Option<isize>; 2] {
        let (i, last, pad) = (i as isize, side as isize - 1, pad as isize);
        match self {
            Self::Reflect => {
                [(1..=pad).contains(&i).then_some(-i), (last - pad..last).contains(&i).then_some(2 * last - i)]
            }
            Self::Repeat => [(i == 0).then_some(-1), (i == last).then_some(last + 1)],
        }
    }
}

/// A feature that several threads work on, each on its own rows.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    data: ViewMut<'a, f32>,
    layout: Layout,
    offset: usize,
    height: usize,
    width: usize,
}

impl<'a> Shared<'a> {
    pub(super) fn new(field: &'a mut Field) -> Self {
        let (layout, offset, shape) = (field.layout, field.offset, field.shape);
        Self { data: ViewMut::new(&mut field.data), layout, offset, height: shape.height, width: shape.width }
    }

    /// Of a feature that is only read.
    pub(super) fn of(field: &'a Field) -> ReadOnly<'a> {
        ReadOnly { data: crate::memory::View::new(&field.data), layout: field.layout, offset: field.offset }
    }

    /// Sixteen channels at row `y`, column `x`, which may lie as far outside as the offset.
    /// # Safety
    /// The place exists, and no other thread touches it.
    #[inline(always)]
    unsafe fn at(&self, block: usize, y: isize, x: isize) -> *mut f32 {
        let (row, column) = (y + self.offset as isize, x + self.offset as isize);
        // SAFETY: the caller's promise.
        unsafe { self.data.at(self.layout.at(block, row as usize, column as usize), LANES) }
    }
}

/// A feature that is only read.
#[derive(Clone, Copy)]
pub(super) struct ReadOnly<'a> {
    data: crate::memory::View<'a, f32>,
    layout: Layout,
    offset: usize,
}

impl ReadOnly<'_> {
    /// # Safety
    /// The place exists.
    #[inline(always)]
    unsafe fn at(&self, block: usize, y: usize, x: usize) -> *const f32 {
        // SAFETY: the caller's promise.
        unsafe { self.data.at(self.layout.at(block, y + self.offset, x + self.offset), LANES) }
    }
}

/// Work on one row of one block of channels; what it adds to the two vectors ends up in the sums of the block.
pub(super) trait RowKernel: Copy + Sync {
    /// # Safety
    /// Block and row exist, and no other thread has the same ones.
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, sums: &mut [S::V; 2]);
}

/// Runs a kernel over all rows of all blocks.
pub(super) fn run<K: RowKernel>(
    isa: Isa,
    threads: &Threads,
    kernel: K,
    blocks: usize,
    height: usize,
    sums: Option<&mut Sums>,
) {
    let count = threads.count();
    let sums = sums.map(Sums::begin);
    let interrupt = threads.interrupt();
    threads.run(|worker| isa.run(Worker { kernel, blocks, height, count, worker, sums, interrupt }));
}

struct Worker<'a, K> {
    kernel: K,
    blocks: usize,
    height: usize,
    count: usize,
    worker: usize,
    sums: Option<SumsView<'a>>,
    interrupt: &'a Interrupt,
}

impl<K: RowKernel> Op for Worker<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (block, rows) in block_rows(self.blocks, self.height, self.count, self.worker) {
            for y in rows {
                if self.interrupt.requested() {
                    return;
                }
                s.vectorise(Row { of: &self, block, y });
            }
        }
        s.fence();
    }
}

struct Row<'a, 'b, K> {
    of: &'a Worker<'b, K>,
    block: usize,
    y: usize,
}

impl<K: RowKernel> Op for Row<'_, '_, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut found = [s.zero(); 2];
        // SAFETY: rows are shared out, and each worker has its own sums.
        unsafe {
            self.of.kernel.row(s, self.block, self.y, &mut found);
            if let Some(mut sums) = self.of.sums {
                sums.worker = self.of.worker;
                sums.add(s, self.block, found[0], found[1]);
            }
        }
    }
}

/// Copies a feature into one that holds its continuation as far as its offset.
#[derive(Clone, Copy)]
pub(super) struct Padded<'a> {
    pub(super) source: ReadOnly<'a>,
    /// What normalises and activates it, if it is not copied as it is.
    pub(super) activate: Option<Activate<'a>>,
    /// Rows count from the first one outside.
    pub(super) target: Shared<'a>,
    pub(super) edge: Edge,
}

impl RowKernel for Padded<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, _: &mut [S::V; 2]) {
        let Shared { offset, height, width, .. } = self.target;
        let pad = offset as isize;
        let y = y as isize - pad;
        let from = self.edge.source(y, height);
        // SAFETY: block and row exist; columns are brought inside.
        unsafe {
            let (factor, shift, least) = match self.activate {
                Some(activate) => {
                    let (factor, shift) = activate.block(s, block);
                    (factor, shift, s.zero())
                }
                None => (s.splat(1.0), s.zero(), s.splat(f32::NEG_INFINITY)),
            };
            let source = self.source.at(block, from, 0);
            let target = self.target.at(block, y, 0);
            let large = self.target.layout.is_large();
            for x in 0..width {
                let value = s.max(s.mul_add(factor, s.load(source.add(x * LANES)), shift), least);
                if large {
                    s.stream(target.add(x * LANES), value);
                } else {
                    s.store(target.add(x * LANES), value);
                }
            }
            for x in (-pad..0).chain(width as isize..width as isize + pad) {
                let value = s.load(source.add(self.edge.source(x, width) * LANES));
                let value = s.max(s.mul_add(factor, value, shift), least);
                s.store(self.target.at(block, y, x), value);
            }
        }
    }
}

/// What a normalised feature is added to.
#[derive(Clone, Copy)]
pub(super) enum Before<'a> {
    /// Nothing: it is activated in place of that.
    Nothing,
    /// Another feature.
    Other(ReadOnly<'a>),
    /// What the target holds.
    Target,
}

/// `target = before + factor·source + offset`, or `max(factor·source + offset, 0)` where nothing is before.
#[derive(Clone, Copy)]
pub(super) struct Join<'a> {
    pub(super) before: Before<'a>,
    pub(super) source: ReadOnly<'a>,
    pub(super) activate: Activate<'a>,
    pub(super) target: Shared<'a>,
}

impl RowKernel for Join<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, _: &mut [S::V; 2]) {
        // SAFETY: block and row exist in all three.
        unsafe {
            let (factor, offset) = self.activate.block(s, block);
            let source = self.source.at(block, y, 0);
            let target = self.target.at(block, y as isize, 0);
            let before = match &self.before {
                Before::Nothing => None,
                Before::Other(before) => Some(before.at(block, y, 0)),
                Before::Target => Some(target.cast_const()),
            };
            for x in 0..self.target.width {
                let at = x * LANES;
                let value = s.mul_add(factor, s.load(source.add(at)), offset);
                let value = match before {
                    Some(before) => s.add(value, s.load(before.add(at))),
                    None => s.max(value, s.zero()),
                };
                s.store(target.add(at), value);
            }
        }
    }
}

/// Adds up `Σ x` and `Σ x²`.
#[derive(Clone, Copy)]
pub(super) struct Squares<'a> {
    pub(super) source: ReadOnly<'a>,
    /// The first row.
    pub(super) first: usize,
    pub(super) width: usize,
}

impl RowKernel for Squares<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, sums: &mut [S::V; 2]) {
        for x in 0..self.width {
            // SAFETY: the position exists.
            let value = unsafe { s.load(self.source.at(block, self.first + y, x)) };
            sums[0] = s.add(sums[0], value);
            sums[1] = s.mul_add(value, value, sums[1]);
        }
    }
}

/// Normalises and activates rows of a feature in place, and continues them by `pad` columns on both sides.
#[derive(Clone, Copy)]
pub(super) struct InPlace<'a> {
    pub(super) field: Shared<'a>,
    pub(super) activate: Activate<'a>,
    /// The first row, which may lie outside.
    pub(super) first: isize,
    pub(super) pad: usize,
}

impl RowKernel for InPlace<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, _: &mut [S::V; 2]) {
        let (width, pad) = (self.field.width, self.pad as isize);
        let y = self.first + y as isize;
        // SAFETY: the row exists and belongs to this worker; so do the columns outside.
        unsafe {
            let (factor, offset) = self.activate.block(s, block);
            let row = self.field.at(block, y, 0);
            for x in 0..width {
                let value = s.max(s.mul_add(factor, s.load(row.add(x * LANES)), offset), s.zero());
                s.store(row.add(x * LANES), value);
            }
            for x in (-pad..0).chain(width as isize..width as isize + pad) {
                let value = s.load(row.add(Edge::Reflect.source(x, width) * LANES));
                s.store(self.field.at(block, y, x), value);
            }
        }
    }
}

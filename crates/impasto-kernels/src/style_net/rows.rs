//! What happens between the convolutions, a row at a time.

use super::planes::{Field, Sums, SumsView, block_rows};
use super::tiles::Activate;
use crate::layout::Layout;
use crate::memory::ViewMut;
use crate::simd::{LANES, Op, Simd};
use crate::{Isa, Threads};

/// How a feature goes on beyond its edges.
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
    (blocks, height): (usize, usize),
    sums: Option<&mut Sums>,
) {
    let count = threads.count();
    let sums = sums.map(Sums::begin);
    threads.run(|worker| isa.run(Worker { kernel, blocks, height, count, worker, sums }));
}

struct Worker<'a, K> {
    kernel: K,
    blocks: usize,
    height: usize,
    count: usize,
    worker: usize,
    sums: Option<SumsView<'a>>,
}

impl<K: RowKernel> Op for Worker<'_, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (block, rows) in block_rows(self.blocks, self.height, self.count, self.worker) {
            for y in rows {
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

/// Continues a feature by one row and column in the border of its layout.
pub(super) fn fill_border(isa: Isa, threads: &Threads, field: &mut Field, edge: Edge) {
    debug_assert_eq!(field.offset, 0);
    let (blocks, height) = (field.layout.blocks(), field.shape.height);
    let field = Shared::new(field);
    run(isa, threads, FillColumns { field, edge }, (blocks, height), None);
    run(isa, threads, FillRows { field, edge }, (blocks, 2), None);
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

/// Normalises and activates a feature into one that holds its continuation as far as its offset.
#[derive(Clone, Copy)]
pub(super) struct Padded<'a> {
    pub(super) source: ReadOnly<'a>,
    pub(super) activate: Activate<'a>,
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
            let (factor, shift) = self.activate.block(s, block);
            let source = self.source.at(block, from, 0);
            let target = self.target.at(block, y, 0);
            let large = self.target.layout.is_large();
            for x in 0..width {
                let value = s.max(s.mul_add(factor, s.load(source.add(x * LANES)), shift), s.zero());
                if large {
                    s.stream(target.add(x * LANES), value);
                } else {
                    s.store(target.add(x * LANES), value);
                }
            }
            for x in (-pad..0).chain(width as isize..width as isize + pad) {
                let value = s.load(source.add(self.edge.source(x, width) * LANES));
                let value = s.max(s.mul_add(factor, value, shift), s.zero());
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
                Before::Nothing => std::ptr::null(),
                Before::Other(before) => before.at(block, y, 0),
                Before::Target => target.cast_const(),
            };
            for x in 0..self.target.width {
                let at = x * LANES;
                let value = s.mul_add(factor, s.load(source.add(at)), offset);
                let value =
                    if before.is_null() { s.max(value, s.zero()) } else { s.add(value, s.load(before.add(at))) };
                s.store(target.add(at), value);
            }
        }
    }
}

/// Folds what lies in the ring of a gradient back to the rows and columns it was a continuation of, adds it to the
/// stream's gradient where there is one, closes it where the ReLU was closed, and adds up `Σ g` and `Σ g·x`.
#[derive(Clone, Copy)]
pub(super) struct Fold<'a> {
    pub(super) gradient: Shared<'a>,
    /// How the feature was continued, and how far.
    pub(super) edge: (Edge, usize),
    pub(super) stream: Option<Shared<'a>>,
    /// What came out of the convolution, before its normalisation.
    pub(super) raw: ReadOnly<'a>,
    /// The normalisation in front of the ReLU, where there is one.
    pub(super) relu: Option<Activate<'a>>,
}

impl RowKernel for Fold<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, sums: &mut [S::V; 2]) {
        let (edge, pad) = self.edge;
        let Shared { height, width, .. } = self.gradient;
        // SAFETY: block and row exist; each row of the ring stands for one row inside, and is read with that one.
        unsafe {
            let row = self.gradient.at(block, y as isize, 0);
            self.fold_columns(s, row, (block, y as isize));
            for outside in edge.mirrors(y, height, pad).into_iter().flatten() {
                let more = self.gradient.at(block, outside, 0);
                self.fold_columns(s, more, (block, outside));
                for x in 0..width {
                    let at = x * LANES;
                    s.store(row.add(at), s.add(s.load(row.add(at)), s.load(more.add(at))));
                }
            }
            let target = match self.stream {
                Some(stream) => stream.at(block, y as isize, 0),
                None => row,
            };
            let raw = self.raw.at(block, y, 0);
            let (factor, offset) = match self.relu {
                Some(relu) => relu.block(s, block),
                None => (s.zero(), s.splat(1.0)),
            };
            for x in 0..width {
                let at = x * LANES;
                let value = s.load(raw.add(at));
                let mut gradient = s.load(row.add(at));
                if self.stream.is_some() {
                    gradient = s.add(gradient, s.load(target.add(at)));
                }
                gradient = s.keep(s.greater(s.mul_add(factor, value, offset), s.zero()), gradient);
                s.store(target.add(at), gradient);
                sums[0] = s.add(sums[0], gradient);
                sums[1] = s.mul_add(gradient, value, sums[1]);
            }
        }
    }
}

impl Fold<'_> {
    /// Adds the columns outside to those inside that they stand for.
    /// # Safety
    /// `row` is that row of the gradient's block.
    #[inline(always)]
    unsafe fn fold_columns<S: Simd>(&self, s: S, row: *mut f32, (block, y): (usize, isize)) {
        let (edge, pad) = self.edge;
        let width = self.gradient.width;
        let (first, last) = (-(pad as isize), (width + pad) as isize);
        for outside in (first..0).chain(width as isize..last) {
            // SAFETY: the column lies in the ring, the one it stands for inside.
            unsafe {
                let inside = row.add(edge.source(outside, width) * LANES);
                s.store(inside, s.add(s.load(inside), s.load(self.gradient.at(block, y, outside))));
            }
        }
    }
}

/// `target = gradient·g + value·x + constant` for each channel.
#[derive(Clone, Copy)]
pub(super) struct NormGradient<'a> {
    /// `g`, where it is not the target itself.
    pub(super) source: Option<ReadOnly<'a>>,
    pub(super) raw: ReadOnly<'a>,
    /// Factors of gradient and value.
    pub(super) factors: Activate<'a>,
    /// Constant twice.
    pub(super) constant: Activate<'a>,
    pub(super) target: Shared<'a>,
}

impl RowKernel for NormGradient<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, _: &mut [S::V; 2]) {
        // SAFETY: block and row exist in all.
        unsafe {
            let (gradient, value) = self.factors.block(s, block);
            let (constant, _) = self.constant.block(s, block);
            let raw = self.raw.at(block, y, 0);
            let target = self.target.at(block, y as isize, 0);
            let source = match &self.source {
                Some(source) => source.at(block, y, 0),
                None => target.cast_const(),
            };
            for x in 0..self.target.width {
                let at = x * LANES;
                let affine = s.mul_add(value, s.load(raw.add(at)), constant);
                s.store(target.add(at), s.mul_add(gradient, s.load(source.add(at)), affine));
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

/// Writes zeros around a gradient.
pub(super) fn clear_ring(isa: Isa, threads: &Threads, field: &mut Field) {
    let (blocks, rows) = (field.layout.blocks(), field.layout.shape.height);
    run(isa, threads, ClearRing(Shared::new(field)), (blocks, rows), None);
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

/// Continues a feature by the mirror image of its rows: `pad` above and `pad` below, ring columns and all.
#[derive(Clone, Copy)]
pub(super) struct MirrorRows<'a> {
    pub(super) field: Shared<'a>,
    pub(super) pad: usize,
    /// Whether above (the first `pad` rows of work) and below are wanted.
    pub(super) wanted: [bool; 2],
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

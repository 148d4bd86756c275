//! Where Winograd's convolutions of the network take their tiles from and where they put them.

use super::planes::{RING, SumsView};
use crate::layout::{Plane, PlaneMut};
use crate::memory::View;
use crate::simd::{LANES, Simd};
use crate::winograd::{Sink, Source, TILE};
use std::ops::Range;

/// One value for each channel.
#[derive(Clone, Copy)]
pub(super) struct PerChannel<'a>(View<'a, f32>);

impl<'a> PerChannel<'a> {
    pub(super) fn new(values: &'a [f32]) -> Self {
        Self(View::new(values))
    }

    /// Those of a block.
    /// # Safety
    /// The block exists.
    #[inline(always)]
    pub(super) unsafe fn block<S: Simd>(&self, s: S, block: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { s.load(self.0.at(block * LANES, LANES)) }
    }
}

/// A factor and an offset for each channel and a ReLU, applied to what is loaded.
#[derive(Clone, Copy)]
pub(super) struct Activate<'a> {
    factor: PerChannel<'a>,
    offset: PerChannel<'a>,
}

impl<'a> Activate<'a> {
    pub(super) fn new(factor: &'a [f32], offset: &'a [f32]) -> Self {
        Self { factor: PerChannel::new(factor), offset: PerChannel::new(offset) }
    }

    /// Factor and offset of a block.
    /// # Safety
    /// The block exists.
    #[inline(always)]
    pub(super) unsafe fn block<S: Simd>(&self, s: S, block: usize) -> (S::V, S::V) {
        // SAFETY: the caller's promise.
        unsafe { (self.factor.block(s, block), self.offset.block(s, block)) }
    }
}

/// A feature whose border holds its continuation.
#[derive(Clone, Copy)]
pub(super) struct Feature<'a> {
    pub(super) plane: Plane<'a>,
    /// What happens to its values before they are used.
    pub(super) activate: Option<Activate<'a>>,
}

impl Feature<'_> {
    /// `N` values of a block, those of a row `stride` apart.
    /// # Safety
    /// The block exists.
    #[inline(always)]
    unsafe fn activated<S: Simd, const N: usize>(&self, s: S, block: usize, mut values: [S::V; N]) -> [S::V; N] {
        if let Some(activate) = self.activate {
            // SAFETY: the caller's promise.
            let (factor, offset) = unsafe { activate.block(s, block) };
            for value in &mut values {
                *value = s.max(s.mul_add(factor, *value, offset), s.zero());
            }
        }
        values
    }
}

impl Source for Feature<'_> {
    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) -> [S::V; 36] {
        // SAFETY: the caller's promise.
        unsafe { self.activated(s, block, self.plane.tile(s, block, ty, tx)) }
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) {
        self.plane.prefetch(s, block, ty, tx);
    }
}

/// A feature, each value of which stands for two by two; its border repeats its edge.
#[derive(Clone, Copy)]
pub(super) struct Enlarged<'a>(pub(super) Feature<'a>);

impl Source for Enlarged<'_> {
    const ENLARGED: bool = true;

    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) -> [S::V; 36] {
        let layout = self.0.plane.layout;
        let stride = layout.columns * LANES;
        let mut small = [s.zero(); 16];
        // SAFETY: four by four values around two by two of the feature lie inside its border.
        unsafe {
            let corner = self.0.plane.data.at(layout.bordered(block, 2 * ty, 2 * tx), 3 * stride + 4 * LANES);
            for row in 0..4 {
                for column in 0..4 {
                    small[row * 4 + column] = s.load(corner.add(row * stride + column * LANES));
                }
            }
            small = self.0.activated(s, block, small);
        }
        let mut values = [s.zero(); 36];
        for row in 0..6 {
            for column in 0..6 {
                values[row * 6 + column] = small[row.div_ceil(2) * 4 + column.div_ceil(2)];
            }
        }
        values
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) {
        let layout = self.0.plane.layout;
        let corner = layout.bordered(block, 2 * ty, 2 * tx + 2);
        for row in 0..4 {
            for column in 0..2 {
                s.prefetch(self.0.plane.data.near(corner + (row * layout.columns + column) * LANES));
            }
        }
    }
}

/// Writes values as they are, and adds up `Σ x` and `Σ x²`.
#[derive(Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) plane: PlaneMut<'a>,
    /// Rows and columns to write.
    pub(super) size: (usize, usize),
    /// The row and column of the layout that they begin at.
    pub(super) corner: (usize, usize),
    pub(super) sums: SumsView<'a>,
}

impl Sink for Raw<'_> {
    const SHARES: bool = false;

    fn of_worker(mut self, worker: usize, _rows: Range<usize>) -> Self {
        self.sums.worker = worker;
        self
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize, values: [S::V; 16]) {
        let layout = self.plane.layout;
        let rows = (self.size.0 - ty * TILE).min(TILE);
        let columns = (self.size.1 - tx * TILE).min(TILE);
        let (first_y, first_x) = (self.corner.0 + ty * TILE, self.corner.1 + tx * TILE);
        let (mut sum, mut squares) = (s.zero(), s.zero());
        // SAFETY: only positions of the feature are written, and the caller alone has this tile.
        unsafe {
            for y in 0..rows {
                for x in 0..columns {
                    let value = values[y * TILE + x];
                    sum = s.add(sum, value);
                    squares = s.mul_add(value, value, squares);
                    s.store(self.plane.data.at(layout.at(block, first_y + y, first_x + x), LANES), value);
                }
            }
            self.sums.add(s, block, sum, squares);
        }
    }
}

/// Writes the gradient of a feature and the ring around it.
#[derive(Clone, Copy)]
pub(super) struct Gradient<'a>(pub(super) PlaneMut<'a>);

impl Sink for Gradient<'_> {
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize, values: [S::V; 16]) {
        let layout = self.0.layout;
        let rows = (layout.shape.height - ty * TILE).min(TILE);
        let columns = (layout.shape.width - tx * TILE).min(TILE);
        for y in 0..rows {
            for x in 0..columns {
                let at = layout.at(block, ty * TILE + y, tx * TILE + x);
                // SAFETY: the position exists, and the caller alone has this tile.
                unsafe { s.store(self.0.data.at(at, LANES), values[y * TILE + x]) }
            }
        }
    }
}

/// Writes the gradient of a feature that was enlarged: sums of two by two.
#[derive(Clone, Copy)]
pub(super) struct HalvedGradient<'a> {
    /// The gradient of what was enlarged, with its ring.
    pub(super) plane: PlaneMut<'a>,
    /// The ring of the gradient that comes in.
    pub(super) ring: usize,
}

impl Sink for HalvedGradient<'_> {
    const HALVED: bool = true;

    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize, values: [S::V; 16]) {
        let layout = self.plane.layout;
        let first = RING - self.ring / 2;
        for i in 0..4 {
            let (y, x) = (first + 2 * ty + i / 2, first + 2 * tx + i % 2);
            if y < layout.shape.height && x < layout.shape.width {
                let corner = i / 2 * 2 * TILE + i % 2 * 2;
                let upper = s.add(values[corner], values[corner + 1]);
                let lower = s.add(values[corner + TILE], values[corner + TILE + 1]);
                // SAFETY: the position exists, and the caller alone has this tile.
                unsafe { s.store(self.plane.data.at(layout.at(block, y, x), LANES), s.add(upper, lower)) }
            }
        }
    }
}

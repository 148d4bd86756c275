//! Features and gradients of the network, and the sums that instance normalisation needs of them.

use crate::Shape;
use crate::layout::{Layout, Plane, PlaneMut};
use crate::memory::{Buffer, View, ViewMut};
use crate::simd::{LANES, Simd};
use crate::threads::part;
use std::ops::Range;

/// Rows and columns around a gradient: as many as the widest padding of a 3×3 convolution reaches, twice for what is
/// enlarged afterwards.
pub(super) const RING: usize = 2;

/// A feature in blocks, `offset` rows and columns inside what its layout holds.
pub(super) struct Field {
    pub(super) layout: Layout,
    /// The feature's own shape.
    pub(super) shape: Shape,
    /// Where its first row and column lie in the layout.
    pub(super) offset: usize,
    pub(super) data: Buffer<f32>,
}

impl Field {
    /// A feature with this many rows and columns around it, all zeros.
    pub(super) fn new(shape: Shape, offset: usize) -> Self {
        let grown = Shape { height: shape.height + 2 * offset, width: shape.width + 2 * offset, ..shape };
        let layout = Layout::new(grown);
        Self { layout, shape, offset, data: Buffer::new(layout.len()) }
    }

    pub(super) fn plane(&self) -> Plane<'_> {
        Plane::new(self.layout, &self.data)
    }

    /// The feature from row `first` on, `height` rows of it; those above and below are its border.
    pub(super) fn rows_from(&self, first: usize, height: usize) -> Plane<'_> {
        let layout = Layout { shape: Shape { height, ..self.layout.shape }, ..self.layout };
        Plane { layout, data: View::new(&self.data[first * self.layout.columns * LANES..]) }
    }

    pub(super) fn plane_mut(&mut self) -> PlaneMut<'_> {
        PlaneMut::new(self.layout, &mut self.data)
    }

    /// Where row `y` begins in a block; rows of the border count from −`offset`.
    #[inline(always)]
    pub(super) fn row(&self, block: usize, y: usize) -> usize {
        self.layout.at(block, y + self.offset, self.offset)
    }
}

/// For each channel two sums over positions, by each worker.
pub(super) struct Sums {
    data: Buffer<f64>,
    channels: usize,
    workers: usize,
}

impl Sums {
    pub(super) fn new(channels: usize, workers: usize) -> Self {
        Self { data: Buffer::new(2 * channels * workers), channels, workers }
    }

    /// Zeros, and a view for the workers.
    pub(super) fn begin(&mut self) -> SumsView<'_> {
        self.data.fill(0.0);
        SumsView { data: ViewMut::new(&mut self.data), share: 2 * self.channels, worker: 0 }
    }

    /// Both sums of every channel.
    pub(super) fn totals(&self) -> Vec<(f64, f64)> {
        (0..self.channels).map(|channel| self.total(channel)).collect()
    }

    /// Both sums of a channel.
    pub(super) fn total(&self, channel: usize) -> (f64, f64) {
        let (block, lane) = (channel / LANES, channel % LANES);
        let sum = |which: usize| -> f64 {
            let at = (2 * block + which) * LANES + lane;
            (0..self.workers).map(|worker| self.data[worker * 2 * self.channels + at]).sum()
        };
        (sum(0), sum(1))
    }
}

/// Where a worker adds up.
#[derive(Clone, Copy)]
pub(super) struct SumsView<'a> {
    data: ViewMut<'a, f64>,
    share: usize,
    pub(super) worker: usize,
}

impl SumsView<'_> {
    /// Adds to both sums of a block of channels.
    /// # Safety
    /// The block exists, and no other thread uses this worker's number.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(&self, s: S, block: usize, first: S::V, second: S::V) {
        let at = self.worker * self.share + 2 * block * LANES;
        // SAFETY: the caller's promise.
        unsafe {
            let target = self.data.at(at, 2 * LANES);
            s.wide_store(target, s.wide_add(first, s.wide_load(target)));
            let target = target.add(LANES);
            s.wide_store(target, s.wide_add(second, s.wide_load(target)));
        }
    }
}

/// A worker's share of all rows of all blocks: block and rows, one after the other.
pub(super) fn block_rows(
    blocks: usize,
    height: usize,
    workers: usize,
    worker: usize,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mine = part(blocks * height, workers, worker);
    let first = mine.start / height.max(1);
    (first..blocks).map_while(move |block| {
        let rows = mine.start.max(block * height)..mine.end.min((block + 1) * height);
        (rows.start < rows.end).then(|| (block, rows.start - block * height..rows.end - block * height))
    })
}

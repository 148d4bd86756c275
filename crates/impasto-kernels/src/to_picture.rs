//! The end of the backward pass: from the gradient of the first feature to that of the picture.
//!
//! As a [`Sink`], it takes the tiles that the second convolution's backward puts out, four rows of the picture at a
//! time, adds what flows in at the tap, and carries them to the picture while they are in the cache; the gradient of
//! the first feature, the largest of all, is never written out.

use crate::direct::{COLUMNS, Direct};
use crate::layout::{Layout, Plane, PlaneMut};
use crate::memory::{View, ViewMut};
use crate::multiply::Multiply;
use crate::simd::{LANES, Op, Simd};
use crate::taps::{self, Inflow, Target};
use crate::threads::Threads;
use crate::winograd::{Sink, TILE, tile_rows};
use crate::{Border, Isa};

/// How gradients enter the picture.
#[derive(Clone, Copy)]
pub(crate) struct End {
    /// A factor for each channel of the picture.
    pub(crate) scale: [f32; 3],
    /// What lies around the picture: where that is its edge once more, its gradient is the edge's.
    pub(crate) border: Border,
}

/// The gradient of the first feature on its way to the picture.
#[derive(Clone, Copy)]
pub(crate) struct ToPicture<'a> {
    /// The first layer's weights.
    weights: &'a Direct,
    /// The first feature's layout.
    layout: Layout,
    /// Its ReLU masks.
    relu_mask: View<'a, u16>,
    /// What flows in at its tap.
    taps: &'a [Inflow<'a>],
    /// How it enters the picture.
    end: End,
    /// The gradient of the picture, planar, to be added to.
    out: ViewMut<'a, f32>,
    /// What all workers need.
    scratch: ViewMut<'a, f32>,
    /// Which worker this is, and the first row of its part and the one behind its last.
    worker: usize,
    rows: (usize, usize),
}

/// Where the parts of a worker's scratch begin.
struct Scratch {
    /// What flows into the rows above and below the worker's own: `[2][3][width]`.
    edges: usize,
    /// Four rows of the gradient.
    band: usize,
    /// `[x + 1][32]`: the products of a row with the window.
    products: usize,
    /// `[x][16]`: three of them added up.
    sums: usize,
    /// What the taps need.
    taps: usize,
    /// The end.
    len: usize,
}

impl Scratch {
    fn new(channels: usize, width: usize) -> Self {
        let edges = 0;
        let band = edges + (6 * width).next_multiple_of(LANES);
        let products = band + band_layout(channels, width).len();
        let sums = products + (width + 2) * COLUMNS;
        let taps = sums + width * LANES;
        Self { edges, band, products, sums, taps, len: taps + taps::scratch_len() }
    }
}

fn band_layout(channels: usize, width: usize) -> Layout {
    Layout::new(crate::Shape { channels, height: TILE, width })
}

/// Floats of scratch that each worker needs.
pub(crate) fn scratch_len(channels: usize, width: usize) -> usize {
    Scratch::new(channels, width).len
}

impl<'a> ToPicture<'a> {
    /// Prepares the end of a backward pass; `out` and `scratch` are overwritten.
    pub(crate) fn new(
        weights: &'a Direct,
        layout: Layout,
        relu_mask: &'a [u16],
        taps: &'a [Inflow<'a>],
        end: End,
        out: &'a mut [f32],
        scratch: &'a mut [f32],
    ) -> Self {
        out.fill(0.0);
        let places = Scratch::new(layout.shape.channels, layout.shape.width);
        for scratch in scratch.chunks_exact_mut(places.len) {
            scratch[places.edges..places.products].fill(0.0);
        }
        let (relu_mask, out, scratch) = (View::new(relu_mask), ViewMut::new(out), ViewMut::new(scratch));
        Self { weights, layout, relu_mask, taps, end, out, scratch, worker: 0, rows: (0, 0) }
    }

    /// Carries a whole plane of gradients, already masked, to the picture.
    pub(crate) fn run(self, isa: Isa, threads: &Threads, gradient: Plane<'_>) {
        let count = threads.count();
        threads.run(|worker| {
            if threads.interrupted() {
                return;
            }
            let rows = tile_rows(self.layout.shape.height, count, worker);
            isa.run(WholePlane { of: self.of_worker(worker, rows), gradient });
        });
        self.finish(count);
    }

    /// Carries what flows in at the tap to the picture where nothing comes from behind it.
    pub(crate) fn run_taps(self, isa: Isa, threads: &Threads) {
        let count = threads.count();
        threads.run(|worker| {
            if threads.interrupted() {
                return;
            }
            let rows = tile_rows(self.layout.shape.height, count, worker);
            isa.run(TapsAlone(self.of_worker(worker, rows)));
        });
        self.finish(count);
    }

    /// Adds what the workers left for each other's rows.
    pub(crate) fn finish(self, workers: usize) {
        let shape = self.layout.shape;
        for worker in 0..workers {
            let of = self.of_worker(worker, tile_rows(shape.height, workers, worker));
            let (first, end) = of.rows;
            if first == end {
                continue;
            }
            for (side, y) in [(0, first.wrapping_sub(1)), (1, end)] {
                for channel in (0..3).filter(|_| y < shape.height) {
                    // SAFETY: all workers are done; the row and the edge exist.
                    unsafe {
                        let edge = of.edge(side, channel);
                        let row = self.out.slice((channel * shape.height + y) * shape.width, shape.width);
                        row.iter_mut().zip(edge).for_each(|(value, more)| *value += *more);
                    }
                }
            }
        }
    }

    fn places(&self) -> (Scratch, usize) {
        let places = Scratch::new(self.layout.shape.channels, self.layout.shape.width);
        let start = self.worker * places.len;
        (places, start)
    }

    /// # Safety
    /// Nobody else touches this worker's scratch.
    #[inline(always)]
    unsafe fn edge(&self, side: usize, channel: usize) -> &'a mut [f32] {
        let (places, start) = self.places();
        let width = self.layout.shape.width;
        // SAFETY: the caller's promise.
        unsafe { self.scratch.slice(start + places.edges + (side * 3 + channel) * width, width) }
    }

    /// The four rows that the worker holds.
    /// # Safety
    /// Nobody else touches this worker's scratch.
    #[inline(always)]
    unsafe fn band(&self) -> PlaneMut<'a> {
        let layout = band_layout(self.layout.shape.channels, self.layout.shape.width);
        let (places, start) = self.places();
        // SAFETY: the caller's promise.
        PlaneMut::new(layout, unsafe { self.scratch.slice(start + places.band, layout.len()) })
    }

    /// Carries row `y` of the gradient, which lies in row `row` of a bordered plane, to the picture.
    /// # Safety
    /// The row exists and belongs to this worker.
    #[inline(always)]
    unsafe fn carry<S: Simd>(&self, s: S, data: View<'_, f32>, layout: Layout, row: usize, y: usize) {
        let (places, start) = self.places();
        let (columns, panel) = (layout.shape.width + 2, self.weights.panel_blocks);
        for first_block in (0..COLUMNS / LANES).step_by(panel) {
            s.vectorise(Multiply {
                input: data,
                input_start: layout.bordered(0, row, 0),
                input_stride: layout.block_len(),
                weights: View::new(&self.weights.backward),
                weights_start: first_block * LANES * self.weights.channels,
                output: self.scratch,
                output_start: start + places.products + first_block * LANES,
                output_stride: LANES,
                output_step: COLUMNS,
                depth: self.weights.channels,
                blocks: panel,
                rows: columns,
            });
        }
        // SAFETY: the scratch is the worker's own, and so are the rows of the picture that are not edges.
        unsafe {
            self.add_neighbours(s, start + places.products, start + places.sums);
            self.spread(start + places.sums, y);
        }
    }

    /// `sums[x] = Σ_kx products[x + 1 − kx][kx]`: nine values, three rows of the window by three channels.
    /// # Safety
    /// The scratch is this worker's own.
    #[inline(always)]
    unsafe fn add_neighbours<S: Simd>(&self, s: S, products: usize, sums: usize) {
        for x in 0..self.layout.shape.width {
            // SAFETY: the products of x − 1 … x + 1 lie in the scratch; those of x + 1 begin with the nine of kx = 0,
            // and what follows the nine is not used.
            unsafe {
                let at = |column: usize, kx: usize| self.scratch.at(products + column * COLUMNS + kx * 9, LANES);
                let pair = s.add(s.load(at(x + 2, 0)), s.load(at(x + 1, 1)));
                s.store(self.scratch.at(sums + x * LANES, LANES), s.add(pair, s.load(at(x, 2))));
            }
        }
        if self.end.border == Border::Replicate {
            // SAFETY: as above.
            unsafe { self.add_sides(s, products, sums) }
        }
    }

    /// Adds to the outermost columns what belongs to the border beside them.
    /// # Safety
    /// As for [`add_neighbours`](ToPicture::add_neighbours).
    #[inline(always)]
    unsafe fn add_sides<S: Simd>(&self, s: S, products: usize, sums: usize) {
        let width = self.layout.shape.width;
        for (x, column, kx) in [(0, 1, 0), (width - 1, width, 2)] {
            // SAFETY: columns 1 … width are those of the feature, the products of which lie in the scratch.
            unsafe {
                let more = s.load(self.scratch.at(products + column * COLUMNS + kx * 9, LANES));
                let sum = self.scratch.at(sums + x * LANES, LANES);
                s.store(sum, s.add(s.load(sum), more));
            }
        }
    }

    /// Adds the sums of gradient row `y` to rows `y − 1`, `y`, `y + 1` of the picture.
    /// # Safety
    /// As for [`carry`](ToPicture::carry).
    #[inline(always)]
    unsafe fn spread(&self, sums: usize, y: usize) {
        let shape = self.layout.shape;
        for ky in 0..3 {
            let row = match (self.end.border, (y + ky).wrapping_sub(1)) {
                (_, row) if row < shape.height => row,
                (Border::Replicate, _) => y,
                (Border::Zero, _) => continue,
            };
            for channel in 0..3 {
                // SAFETY: rows of other workers go to the edges.
                unsafe {
                    let target = if row < self.rows.0 {
                        self.edge(0, channel)
                    } else if row >= self.rows.1 {
                        self.edge(1, channel)
                    } else {
                        self.out.slice((channel * shape.height + row) * shape.width, shape.width)
                    };
                    let source = self.scratch.at(sums, shape.width * LANES);
                    for (x, value) in target.iter_mut().enumerate() {
                        *value += self.end.scale[channel] * *source.add(x * LANES + ky * 3 + channel);
                    }
                }
            }
        }
    }
}

impl Sink for ToPicture<'_> {
    const BY_ROWS: bool = true;

    fn of_worker(self, worker: usize, rows: std::ops::Range<usize>) -> Self {
        Self { worker, rows: (rows.start, rows.end), ..self }
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize, values: [S::V; 16]) {
        let layout = self.layout;
        let (rows, columns) = (layout.shape.height - ty * TILE, layout.shape.width - tx * TILE);
        // SAFETY: the position exists, and the band is this worker's own.
        unsafe {
            let band = self.band();
            for (i, &value) in values.iter().enumerate() {
                let (y, x) = (i / TILE, i % TILE);
                if y < rows && x < columns {
                    let x = tx * TILE + x;
                    let value = s.keep(*self.relu_mask.at(layout.mask_at(block, ty * TILE + y, x), 1), value);
                    s.store(band.data.at(band.layout.at(block, y, x), LANES), value);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn row_done<S: Simd>(&self, s: S, ty: usize) {
        let (places, start) = self.places();
        let first = ty * TILE;
        // SAFETY: the scratch is this worker's own, and so are these rows.
        unsafe {
            let band = self.band();
            for y in first..(first + TILE).min(self.layout.shape.height) {
                let target = Target { plane: band, first_row: first, add: true };
                for tap in self.taps {
                    tap.row(s, target, y, self.scratch.slice(start + places.taps, taps::scratch_len()));
                }
                let data = View::new(self.scratch.slice(start + places.band, band.layout.len()));
                self.carry(s, data, band.layout, y - first + 1, y);
            }
        }
    }
}

/// The rows of a worker of a plane that was written out.
struct WholePlane<'a> {
    of: ToPicture<'a>,
    gradient: Plane<'a>,
}

impl Op for WholePlane<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for y in self.of.rows.0..self.of.rows.1 {
            // SAFETY: the rows belong to this worker.
            unsafe { self.of.carry(s, self.gradient.data, self.gradient.layout, y + 1, y) }
        }
    }
}

/// The rows of a worker where nothing but the tap has a gradient.
struct TapsAlone<'a>(ToPicture<'a>);

impl Op for TapsAlone<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (first, end) = self.0.rows;
        let blank = [s.zero(); TILE * TILE];
        for ty in first / TILE..end.div_ceil(TILE) {
            // SAFETY: the rows of tiles belong to this worker.
            unsafe {
                for block in 0..self.0.layout.blocks() {
                    for tx in 0..self.0.layout.shape.width.div_ceil(TILE) {
                        self.0.put(s, block, ty, tx, blank);
                    }
                }
                self.0.row_done(s, ty);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_rows_are_whole_tiles() {
        for height in [1, 4, 5, 37, 512] {
            for parts in [1, 2, 3, 7] {
                let rows: Vec<_> = (0..parts).map(|index| tile_rows(height, parts, index)).collect();
                assert_eq!(rows.iter().map(ExactSizeIterator::len).sum::<usize>(), height);
                assert!(rows.windows(2).all(|pair| pair[0].end == pair[1].start));
                assert!(rows.iter().all(|rows| rows.start % TILE == 0 || rows.start == height));
            }
        }
    }
}

//! 3×3 convolution by Winograd's F(4×4, 3×3) on blocked planes.
//!
//! Tiles are taken a few dozen at a time, so that both transformed buffers stay in the second-level cache:
//! input transform → for each panel of channels out: 36 multiplies → output transform into a [`Sink`].

pub(crate) mod pack;
mod transform;

use crate::Isa;
use crate::layout::Plane;
use crate::memory::{View, ViewMut};
use crate::multiply::Multiply;
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
pub(crate) use pack::{Direction, Packed};
pub(crate) use transform::FREQUENCIES;

/// Side of a tile of the output.
pub(crate) const TILE: usize = 4;

/// Where the tiles of the input come from.
pub(crate) trait Source: Copy + Sync {
    /// The 6×6 values around tile (`ty`, `tx`) of one block of channels, row major.
    /// # Safety
    /// Block and tile exist, and nobody writes to the source meanwhile.
    unsafe fn tile<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) -> [S::V; 36];
}

/// What becomes of the tiles of the output.
pub(crate) trait Sink: Copy + Sync {
    /// Takes the 4×4 values of tile (`ty`, `tx`) of one block of channels, row major; those beyond the edge of the
    /// picture mean nothing.
    /// # Safety
    /// Block and tile exist, and no other thread puts the same ones.
    unsafe fn put<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize, values: [S::V; 16]);
}

impl Source for Plane<'_> {
    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) -> [S::V; 36] {
        let mut values = [s.zero(); 36];
        let stride = self.layout.columns * LANES;
        // SAFETY: the border of the plane fills whole tiles.
        unsafe {
            let corner = self.data.at(self.layout.bordered(block, ty * TILE, tx * TILE), 5 * stride + 6 * LANES);
            for row in 0..6 {
                for column in 0..6 {
                    values[row * 6 + column] = s.load(corner.add(row * stride + column * LANES));
                }
            }
        }
        values
    }
}

/// One convolution.
pub(crate) struct Winograd<'a, I, O> {
    /// The weights.
    pub(crate) weights: &'a Packed,
    /// Rows of the picture.
    pub(crate) height: usize,
    /// Columns of the picture.
    pub(crate) width: usize,
    /// Where the input comes from.
    pub(crate) source: I,
    /// Where the output goes.
    pub(crate) sink: O,
}

/// How many tiles a worker takes at a time: as many as keep the transformed input in the second-level cache, but for
/// deep layers, where weights come from memory and are better read seldom (measured on a Zen 5 with 1 MB of it).
pub(crate) fn tiles_at_a_time(depth: usize) -> usize {
    match depth {
        0..=64 => 56,
        65..=256 => 42,
        _ => 84,
    }
}

/// Floats of scratch that each worker needs.
pub(crate) fn scratch_len(weights: &Packed) -> usize {
    let tiles = tiles_at_a_time(weights.depth);
    FREQUENCIES * (frequency_stride(weights.depth, tiles) + frequency_stride(weights.panel_blocks() * LANES, tiles))
}

/// Floats from one frequency to the next: an odd number of cache lines, so that the 36 streams of a transform do not
/// all fall into the same set of the cache.
fn frequency_stride(channels: usize, tiles: usize) -> usize {
    let lines = channels / LANES * tiles;
    (lines | 1) * LANES
}

/// Runs a convolution; `scratch` holds [`scratch_len`] floats for each worker.
pub(crate) fn run<I: Source, O: Sink>(isa: Isa, threads: &Threads, job: &Winograd<'_, I, O>, scratch: &mut [f32]) {
    let share = scratch_len(job.weights);
    let scratch = ViewMut::new(scratch);
    let count = threads.count();
    let tiles = job.height.div_ceil(TILE) * job.width.div_ceil(TILE);
    threads.run(|worker| {
        // SAFETY: each worker has its own share.
        let scratch = unsafe { scratch.slice(worker * share, share) };
        isa.run(Worker { job, tiles: part(tiles, count, worker), scratch });
    });
}

struct Worker<'a, I, O> {
    job: &'a Winograd<'a, I, O>,
    tiles: std::ops::Range<usize>,
    scratch: &'a mut [f32],
}

impl<I: Source, O: Sink> Op for Worker<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let weights = self.job.weights;
        let most = tiles_at_a_time(weights.depth);
        let blocks = self.tiles.len().div_ceil(most);
        for block in 0..blocks {
            let part = part(self.tiles.len(), blocks, block);
            let stage = Stage::new(self.job, self.tiles.start + part.start, part.len());
            let (input, output) = self.scratch.split_at_mut(FREQUENCIES * stage.input_stride);
            s.vectorise(TransformInput { stage, input: ViewMut::new(input) });
            for panel in 0..weights.panels() {
                stage.multiply(s, panel, View::new(input), ViewMut::new(output));
                s.vectorise(TransformOutput { stage, panel, output: View::new(output) });
            }
        }
        s.fence();
    }
}

/// Some tiles of a convolution.
struct Stage<'a, I, O> {
    job: &'a Winograd<'a, I, O>,
    first: usize,
    tiles: usize,
    input_stride: usize,
    output_stride: usize,
}

impl<I, O> Clone for Stage<'_, I, O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<I, O> Copy for Stage<'_, I, O> {}

impl<'a, I: Source, O: Sink> Stage<'a, I, O> {
    fn new(job: &'a Winograd<'a, I, O>, first: usize, tiles: usize) -> Self {
        let input_stride = frequency_stride(job.weights.depth, tiles);
        let output_stride = frequency_stride(job.weights.panel_blocks() * LANES, tiles);
        Self { job, first, tiles, input_stride, output_stride }
    }

    /// Row and column of the tile.
    #[inline(always)]
    fn place(&self, tile: usize) -> (usize, usize) {
        let columns = self.job.width.div_ceil(TILE);
        ((self.first + tile) / columns, (self.first + tile) % columns)
    }

    /// The 36 multiplies of one panel.
    #[inline(always)]
    fn multiply<S: Simd>(&self, s: S, panel: usize, input: View<'_, f32>, output: ViewMut<'_, f32>) {
        let weights = self.job.weights;
        for frequency in 0..FREQUENCIES {
            s.vectorise(Multiply {
                input,
                input_start: frequency * self.input_stride,
                input_stride: self.tiles * LANES,
                weights: weights.view(),
                weights_start: weights.start(panel, frequency),
                output,
                output_start: frequency * self.output_stride,
                output_stride: self.tiles * LANES,
                depth: weights.depth,
                blocks: weights.panel(panel).len(),
                rows: self.tiles,
            });
        }
    }
}

/// Picture → `[frequency][channels in/16][tile][16]`.
struct TransformInput<'a, I, O> {
    stage: Stage<'a, I, O>,
    input: ViewMut<'a, f32>,
}

impl<I: Source, O: Sink> Op for TransformInput<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let stage = self.stage;
        for block in 0..stage.job.weights.depth / LANES {
            for tile in 0..stage.tiles {
                let (ty, tx) = stage.place(tile);
                // SAFETY: block and tile exist; the worker owns the scratch, which holds 36 frequencies of this stride.
                unsafe {
                    let values = transform::input(s, &stage.job.source.tile(s, block, ty, tx));
                    let start = (block * stage.tiles + tile) * LANES;
                    for (frequency, value) in values.into_iter().enumerate() {
                        s.store(self.input.at(start + frequency * stage.input_stride, LANES), value);
                    }
                }
            }
        }
    }
}

/// `[frequency][channels out of the panel/16][tile][16]` → sink.
struct TransformOutput<'a, I, O> {
    stage: Stage<'a, I, O>,
    panel: usize,
    output: View<'a, f32>,
}

impl<I: Source, O: Sink> Op for TransformOutput<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let stage = self.stage;
        for (index, block) in stage.job.weights.panel(self.panel).enumerate() {
            for tile in 0..stage.tiles {
                let (ty, tx) = stage.place(tile);
                let start = (index * stage.tiles + tile) * LANES;
                // SAFETY: the scratch holds 36 frequencies of this stride; this worker alone has this tile.
                unsafe {
                    let length = (FREQUENCIES - 1) * stage.output_stride + LANES;
                    let values: [S::V; 36] = s.load_many(self.output.at(start, length), stage.output_stride);
                    stage.job.sink.put(s, block, ty, tx, transform::output(s, &values));
                }
            }
        }
    }
}

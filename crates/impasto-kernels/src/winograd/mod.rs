//! 3×3 convolution by Winograd's F(4×4, 3×3) on blocked planes.
//!
//! Tiles are taken a few dozen at a time, so that both transformed buffers stay in the second-level cache:
//! input transform → for each panel of channels out: 36 multiplies → output transform into a [`Sink`].

pub(crate) mod pack;
pub(crate) mod transform;

use crate::Isa;
use crate::interrupt::Interrupt;
use crate::isa::MOST_PANEL_BLOCKS;
use crate::layout::Plane;
use crate::memory::{View, ViewMut};
use crate::multiply::Multiply;
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
pub(crate) use pack::{Direction, Packed};
use std::ops::Range;
pub(crate) use transform::FREQUENCIES;

/// Whether a frequency needs no multiply where the input is [`Source::ENLARGED`] or the output [`Sink::HALVED`]: those
/// of the point −1 in either direction. Its row of `Bᵀ` is 4(d₁ − d₂) − (d₃ − d₄), which is zero where d₁ = d₂ and
/// d₃ = d₄; its column of `Aᵀ` is 1, −1, 1, −1, which sums of two take away. 25 of 36 multiplies remain.
#[inline(always)]
pub(crate) fn vanishes(frequency: usize) -> bool {
    frequency / 6 == 2 || frequency % 6 == 2
}

/// Side of a tile of the output.
pub(crate) const TILE: usize = 4;

/// Where the tiles of the input come from.
pub(crate) trait Source: Copy + Sync {
    /// Whether every value is there twice in both directions, at even rows and columns and behind them: the
    /// frequencies of [`vanishes`] are then zero.
    const ENLARGED: bool = false;

    /// The 6×6 values around tile (`ty`, `tx`) of one block of channels, row major.
    /// # Safety
    /// Block and tile exist, and nobody writes to the source meanwhile.
    unsafe fn tile<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) -> [S::V; 36];

    /// Asks for what this tile needs and the one before it does not; it need not exist.
    fn prefetch<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize);
}

/// What becomes of the tiles of the output.
pub(crate) trait Sink: Copy + Sync {
    /// Whether each worker has whole rows of tiles, one after the other, and is told of each that is complete.
    const BY_ROWS: bool = false;

    /// Whether workers may share out channels rather than tiles; `of_worker` is not called then.
    const SHARES: bool = true;

    /// Whether values are only used in sums of two in both directions, at even rows and columns and behind them:
    /// the frequencies of [`vanishes`] then do not matter.
    const HALVED: bool = false;

    /// The sink of one worker, which has these rows of the picture.
    fn of_worker(self, _worker: usize, _rows: Range<usize>) -> Self {
        self
    }

    /// All blocks of all tiles of row `ty` have been put.
    /// # Safety
    /// It is so, and this worker put them.
    #[inline(always)]
    unsafe fn row_done<S: Simd>(&self, _s: S, _ty: usize) {}

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

    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) {
        let corner = self.layout.bordered(block, ty * TILE, tx * TILE + 2);
        for row in 0..6 {
            for column in 0..4 {
                s.prefetch(self.data.near(corner + (row * self.layout.columns + column) * LANES));
            }
        }
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

/// Floats of scratch that each worker needs at most for a layer of no more channels than this, in or out.
pub(crate) fn scratch_for(channels: usize) -> usize {
    // A panel of channels out is whole even where the layer has fewer.
    let channels = channels.max(MOST_PANEL_BLOCKS * LANES);
    let tiles = tiles_at_a_time(0).max(tiles_at_a_time(channels)).max(tiles_at_a_time(128));
    2 * FREQUENCIES * frequency_stride(channels, tiles)
}

/// Floats of scratch that each worker needs.
pub(crate) fn scratch_len(weights: &Packed) -> usize {
    scratch_of_depth(weights.depth, weights.panel_blocks())
}

/// The same for weights of this many channels in that are not packed yet.
pub(crate) fn scratch_of_depth(depth: usize, panel_blocks: usize) -> usize {
    let tiles = tiles_at_a_time(depth);
    FREQUENCIES * (frequency_stride(depth, tiles) + frequency_stride(panel_blocks * LANES, tiles))
}

/// Floats from one frequency to the next: an odd number of cache lines, so that the 36 streams of a transform do not
/// all fall into the same set of the cache.
fn frequency_stride(channels: usize, tiles: usize) -> usize {
    let lines = channels / LANES * tiles;
    (lines | 1) * LANES
}

/// The rows of a picture that a worker has where workers have whole rows of tiles.
pub(crate) fn tile_rows(height: usize, workers: usize, worker: usize) -> Range<usize> {
    let tiles = part(height.div_ceil(TILE), workers, worker);
    (tiles.start * TILE).min(height)..(tiles.end * TILE).min(height)
}

/// Runs a convolution; `scratch` holds [`scratch_len`] floats for each worker.
pub(crate) fn run<I: Source, O: Sink>(isa: Isa, threads: &Threads, job: &Winograd<'_, I, O>, scratch: &mut [f32]) {
    let count = threads.count();
    let (down, across) = (job.height.div_ceil(TILE), job.width.div_ceil(TILE));
    if !O::BY_ROWS && O::SHARES && shares_weights(job.weights, down * across, count, scratch.len()) {
        return run_shared(isa, threads, job, down * across, scratch);
    }
    let share = scratch_len(job.weights);
    let scratch = ViewMut::new(&mut scratch[..count * share]);
    threads.run(|worker| {
        let sink = job.sink.of_worker(worker, tile_rows(job.height, count, worker));
        let job = &Winograd { sink, ..*job };
        let tiles = part(if O::BY_ROWS { down } else { down * across }, count, worker);
        isa.run(Worker { job, tiles, across, scratch, start: worker * share, share, interrupt: threads.interrupt() });
    });
}

/// Whether workers share out the channels rather than the tiles: where each would have so few tiles that reading all
/// weights is most of the work.
fn shares_weights(weights: &Packed, tiles: usize, workers: usize, scratch: usize) -> bool {
    let output = frequency_stride(weights.panel_blocks() * LANES, tiles);
    let needed = FREQUENCIES * (frequency_stride(weights.depth, tiles) + workers * output);
    workers > 1 && weights.depth >= 256 && weights.panels() >= workers && tiles < 28 * workers && needed <= scratch
}

/// All workers transform the input; then each has some panels of channels out.
fn run_shared<I: Source, O: Sink>(
    isa: Isa,
    threads: &Threads,
    job: &Winograd<'_, I, O>,
    tiles: usize,
    scratch: &mut [f32],
) {
    let count = threads.count();
    let stage = Stage::new(job, 0, tiles);
    let (input, output) = scratch.split_at_mut(FREQUENCIES * stage.input_stride);
    let shared = ViewMut::new(&mut *input);
    threads.run(|worker| isa.run(TransformInput { stage, tiles: part(tiles, count, worker), input: shared }));
    let share = FREQUENCIES * stage.output_stride;
    let (input, output) = (View::new(input), ViewMut::new(output));
    threads.run(|worker| {
        // SAFETY: each worker has its own share.
        let output = unsafe { output.slice(worker * share, share) };
        isa.run(Panels { stage, panels: part(job.weights.panels(), count, worker), input, output });
    });
}

struct Worker<'a, I, O> {
    job: &'a Winograd<'a, I, O>,
    /// Tiles, or rows of tiles where the sink wants those.
    tiles: Range<usize>,
    across: usize,
    /// The scratch of all workers, and where this one's begins and how long it is.
    scratch: ViewMut<'a, f32>,
    start: usize,
    share: usize,
    interrupt: &'a Interrupt,
}

impl<I: Source, O: Sink> Op for Worker<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        if O::BY_ROWS {
            for row in self.tiles.clone() {
                self.tiles(s, row * self.across..(row + 1) * self.across);
                // SAFETY: all tiles of the row have been put by this worker.
                unsafe { self.job.sink.row_done(s, row) };
            }
        } else {
            self.tiles(s, self.tiles.clone());
        }
        s.fence();
    }
}

impl<I: Source, O: Sink> Worker<'_, I, O> {
    /// Convolves some tiles, as many at a time as is good.
    #[inline(always)]
    fn tiles<S: Simd>(&self, s: S, tiles: Range<usize>) {
        let blocks = tiles.len().div_ceil(tiles_at_a_time(self.job.weights.depth));
        for block in 0..blocks {
            if self.interrupt.requested() {
                return;
            }
            let part = part(tiles.len(), blocks, block);
            let stage = Stage::new(self.job, tiles.start + part.start, part.len());
            // SAFETY: the scratch is this worker's own, and no other slice of it is alive.
            stage.run(s, unsafe { self.scratch.slice(self.start, self.share) });
        }
    }
}

/// Some panels of channels out, of input that is already transformed.
struct Panels<'a, I, O> {
    stage: Stage<'a, I, O>,
    panels: Range<usize>,
    input: View<'a, f32>,
    output: &'a mut [f32],
}

impl<I: Source, O: Sink> Op for Panels<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.stage.panels(s, self.panels, self.input, self.output);
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
    /// Whether some frequencies vanish.
    const SPARSE: bool = I::ENLARGED || O::HALVED;

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

    /// All of the convolution of these tiles.
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, scratch: &mut [f32]) {
        let (input, output) = scratch.split_at_mut(FREQUENCIES * self.input_stride);
        s.vectorise(TransformInput { stage: *self, tiles: 0..self.tiles, input: ViewMut::new(input) });
        self.panels(s, 0..self.job.weights.panels(), View::new(input), output);
    }

    /// Multiplies and transforms back some panels.
    #[inline(always)]
    fn panels<S: Simd>(&self, s: S, panels: Range<usize>, input: View<'_, f32>, output: &mut [f32]) {
        for panel in panels {
            self.multiply(s, panel, input, ViewMut::new(output));
            s.vectorise(TransformOutput { stage: *self, panel, output: View::new(output) });
        }
    }

    /// The 36 multiplies of one panel.
    #[inline(always)]
    fn multiply<S: Simd>(&self, s: S, panel: usize, input: View<'_, f32>, output: ViewMut<'_, f32>) {
        let weights = self.job.weights;
        for frequency in (0..FREQUENCIES).filter(|&frequency| !(Self::SPARSE && vanishes(frequency))) {
            s.vectorise(Multiply {
                input,
                input_start: frequency * self.input_stride,
                input_stride: self.tiles * LANES,
                weights: weights.view(),
                weights_start: weights.start(panel, frequency),
                output,
                output_start: frequency * self.output_stride,
                output_stride: self.tiles * LANES,
                output_step: LANES,
                depth: weights.depth,
                blocks: weights.panel(panel).len(),
                rows: self.tiles,
            });
        }
    }
}

/// How many tiles ahead the input is asked for: without asking, most of the transform is waiting for memory (at 512×512
/// conv1_2 takes 16.1 ms in place of 14.3, measured on two cores of a Zen 5; 8 and 18 are no better).
const AHEAD: usize = 4;

/// Picture → `[frequency][channels in/16][tile][16]`.
struct TransformInput<'a, I, O> {
    stage: Stage<'a, I, O>,
    /// Which of the stage's tiles.
    tiles: Range<usize>,
    input: ViewMut<'a, f32>,
}

impl<I: Source, O: Sink> Op for TransformInput<'_, I, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let stage = self.stage;
        let blocks = stage.job.weights.depth / LANES;
        for block in 0..blocks {
            for tile in self.tiles.clone() {
                let (ty, tx) = stage.place(tile);
                let ahead = tile + AHEAD;
                let (later, ahead) = if ahead < self.tiles.end {
                    (block, ahead)
                } else if block + 1 < blocks {
                    (block + 1, ahead - self.tiles.len())
                } else {
                    (0, ahead)
                };
                let (next_ty, next_tx) = stage.place(ahead);
                stage.job.source.prefetch(s, later, next_ty, next_tx);
                // SAFETY: block and tile exist; the worker owns the scratch, which holds 36 frequencies of this stride.
                unsafe {
                    let values = transform::input(s, &stage.job.source.tile(s, block, ty, tx));
                    let start = (block * stage.tiles + tile) * LANES;
                    for (frequency, value) in values.into_iter().enumerate() {
                        if !(Stage::<I, O>::SPARSE && vanishes(frequency)) {
                            s.store(self.input.at(start + frequency * stage.input_stride, LANES), value);
                        }
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
                    let mut values: [S::V; 36] = s.load_many(self.output.at(start, length), stage.output_stride);
                    if Stage::<I, O>::SPARSE {
                        for (frequency, value) in values.iter_mut().enumerate() {
                            *value = if vanishes(frequency) { s.zero() } else { *value };
                        }
                    }
                    stage.job.sink.put(s, block, ty, tx, transform::output(s, &values));
                }
            }
        }
    }
}

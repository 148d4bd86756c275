//! The first layer, from three planar channels to blocked ones, by direct convolution.

use crate::layout::Layout;
use crate::memory::{Buffer, View, ViewMut};
use crate::register_rows::{GroupedRows, RowGroup};
use crate::simd::{LANES, Simd};
use crate::threads::{Threads, part};
use crate::{Convolution, Isa, Shape};

/// Values that one output sees: 3 channels × 3 × 3.
const WINDOW: usize = 27;

/// The columns of the backward multiply: the window, filled up to whole blocks.
pub(crate) const COLUMNS: usize = 2 * LANES;

/// The column of the backward multiply that a tap of the window is: `[kx][ky][channel]`.
fn column(tap: usize) -> usize {
    tap % 3 * 9 + tap / 3 % 3 * 3 + tap / 9
}

/// The weights of the first layer in both directions.
pub(crate) struct Direct {
    /// Channels out.
    pub(crate) channels: usize,
    /// Blocks of sixteen channels in a panel.
    pub(crate) panel_blocks: usize,
    /// `[panel][27][16 · blocks]`.
    forward: Buffer<f32>,
    /// `[panel][channels][16 · blocks]`, two blocks in all: three taps of each row and channel, columns first.
    pub(crate) backward: Buffer<f32>,
}

impl Direct {
    /// Packs the weights of a convolution that reads three channels.
    pub(crate) fn new(isa: Isa, convolution: &Convolution) -> Self {
        let channels = convolution.out_channels;
        let panel_blocks = isa.panel_blocks();
        let mut forward = Buffer::new(WINDOW * channels);
        let mut backward = Buffer::new(COLUMNS * channels);
        for channel in 0..channels {
            for tap in 0..WINDOW {
                let weight = convolution.weight[channel * WINDOW + tap];
                forward[packed_at(panel_blocks, WINDOW, channels, tap, channel)] = weight;
                backward[packed_at(panel_blocks, channels, COLUMNS, channel, column(tap))] = weight;
            }
        }
        Self { channels, panel_blocks, forward, backward }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.forward) + size_of_val(&*self.backward)
    }
}

/// Where row `k`, column `c` of a `depth × columns` matrix lies when packed in panels.
pub(crate) fn packed_at(panel_blocks: usize, depth: usize, columns: usize, k: usize, c: usize) -> usize {
    let first = c / (panel_blocks * LANES) * panel_blocks * LANES;
    let width = (panel_blocks * LANES).min(columns - first);
    first * depth + k * width + c - first
}

/// A picture ready for the first layer: planar, three channels, one pixel of zeros around.
#[derive(Clone, Copy)]
pub(crate) struct Padded<'a> {
    pub(crate) data: View<'a, f32>,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Padded<'_> {
    /// Floats of a padded picture.
    pub(crate) fn len(height: usize, width: usize) -> usize {
        3 * (height + 2) * (width + 2)
    }

    /// Where row and column of a channel lie, counted from the border.
    #[inline(always)]
    pub(crate) fn at(&self, channel: usize, row: usize, column: usize) -> usize {
        (channel * (self.height + 2) + row) * (self.width + 2) + column
    }
}

/// Picture → feature and ReLU masks.
#[derive(Clone, Copy)]
pub(crate) struct Forward<'a> {
    pub(crate) weights: &'a Direct,
    pub(crate) bias: View<'a, f32>,
    pub(crate) picture: Padded<'a>,
    pub(crate) layout: Layout,
    pub(crate) feature: ViewMut<'a, f32>,
    pub(crate) relu_mask: Option<ViewMut<'a, u16>>,
}

impl Forward<'_> {
    /// Runs the layer.
    pub(crate) fn run(self, isa: Isa, threads: &Threads) {
        let count = threads.count();
        let Shape { height, width, .. } = self.layout.shape;
        let blocks = self.layout.blocks();
        threads.run(|worker| {
            let (rows, interrupt) = (part(height, count, worker), threads.interrupt());
            isa.run(GroupedRows { kernel: self, rows, width, blocks, interrupt });
        });
    }
}

impl RowGroup for Forward<'_> {
    #[inline(always)]
    unsafe fn group<S: Simd, const R: usize, const V: usize>(&self, s: S, first_block: usize, y: usize, x: usize) {
        let panel_start = first_block * LANES * WINDOW;
        // SAFETY: the positions exist, the picture has a border, the blocks exist, and the worker alone has this row.
        unsafe {
            let weights = View::new(&self.weights.forward).at(panel_start, WINDOW * V * LANES);
            let bias: [S::V; V] = s.load_many(self.bias.at(first_block * LANES, V * LANES), LANES);
            let mut sums = [bias; R];
            for tap in 0..WINDOW {
                let at = self.picture.at(tap / 9, y + tap / 3 % 3, x + tap % 3);
                let input = self.picture.data.at(at, R);
                let columns: [S::V; V] = s.load_many(weights.add(tap * V * LANES), LANES);
                for (r, sums) in sums.iter_mut().enumerate() {
                    let value = s.splat(*input.add(r));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = s.mul_add(value, column, *sum);
                    }
                }
            }
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    let value = s.max(sum, s.zero());
                    let target = self.feature.at(self.layout.at(first_block + v, y, x + r), LANES);
                    if self.layout.is_large() {
                        s.stream(target, value);
                    } else {
                        s.store(target, value);
                    }
                    if let Some(relu_mask) = self.relu_mask {
                        let at = self.layout.mask_at(first_block + v, y, x + r);
                        *relu_mask.at(at, 1) = s.greater(value, s.zero());
                    }
                }
            }
        }
    }
}

//! What flows into the trunk at a tap: the gradients of the moments, of the content distance and of the feature itself.

use crate::direct::packed_at;
use crate::layout::{Plane, PlaneMut};
use crate::memory::{View, ViewMut};
use crate::multiply::Multiply;
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use crate::{Isa, MomentGradient};
use std::ops::Range;

/// Positions of a row that are taken at a time.
const SEGMENT: usize = 112;

/// The gradient of the moments, ready to be multiplied: `(second + secondᵀ) / weight` in panels and `mean / weight`.
pub(crate) struct PackedMoments<'a> {
    panel_blocks: usize,
    second: Vec<f32>,
    mean: Vec<f32>,
    weights: Option<&'a [f32]>,
}

impl<'a> PackedMoments<'a> {
    /// Packs a gradient for a feature of this many channels.
    pub(crate) fn new(isa: Isa, threads: &Threads, channels: usize, gradient: &MomentGradient<'a>) -> Self {
        let panel_blocks = isa.panel_blocks();
        let factor = if gradient.weight == 0.0 { 0.0 } else { (1.0 / gradient.weight) as f32 };
        let mut second = vec![0.0; channels * channels];
        let (count, target) = (threads.count(), ViewMut::new(&mut second));
        threads.run(|worker| {
            for row_block in part(channels / LANES, count, worker) {
                for column in (0..channels).step_by(LANES) {
                    for row in row_block * LANES..(row_block + 1) * LANES {
                        let at = packed_at(panel_blocks, channels, channels, row, column);
                        // SAFETY: sixteen columns of a row lie together; the rows belong to this worker.
                        let target = unsafe { target.slice(at, LANES) };
                        let across = &gradient.second[row * channels + column..][..LANES];
                        for (i, target) in target.iter_mut().enumerate() {
                            *target = (across[i] + gradient.second[(column + i) * channels + row]) * factor;
                        }
                    }
                }
            }
        });
        let mean = gradient.mean.iter().map(|value| value * factor).collect();
        Self { panel_blocks, second, mean, weights: gradient.weights }
    }
}

/// The gradient of the content distance: `scale · w[p] · (F − target)`.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    /// The whole feature of the content picture.
    pub(crate) target: Plane<'a>,
    /// The row of it that is the feature's first.
    pub(crate) first_row: usize,
    pub(crate) scale: f32,
    /// One for each position of the feature.
    pub(crate) weights: Option<View<'a, f32>>,
}

/// The gradient of the feature itself: `scale · gradient`.
#[derive(Clone, Copy)]
pub(crate) struct OfFeature<'a> {
    /// The gradient of the whole feature.
    pub(crate) gradient: Plane<'a>,
    /// The row of it that belongs to the feature's first.
    pub(crate) first_row: usize,
    pub(crate) scale: f32,
}

/// Everything that flows in at one tap.
#[derive(Clone, Copy)]
pub(crate) struct Inflow<'a> {
    /// The feature.
    pub(crate) feature: Plane<'a>,
    /// Its ReLU masks.
    pub(crate) relu_mask: View<'a, u16>,
    /// Its first row that takes part, and the one behind the last.
    pub(crate) rows: (usize, usize),
    /// The gradient of the moments.
    pub(crate) moments: Option<&'a PackedMoments<'a>>,
    /// The gradient of the content distance.
    pub(crate) content: Option<Content<'a>>,
    /// The gradient of the feature itself.
    pub(crate) of_feature: Option<OfFeature<'a>>,
}

/// Where it flows to.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The gradient behind the ReLU's mask, or some rows of it.
    pub(crate) plane: PlaneMut<'a>,
    /// The row of the feature that is the plane's first.
    pub(crate) first_row: usize,
    /// Whether to add to what is there.
    pub(crate) add: bool,
}

/// Floats of scratch that each worker needs.
pub(crate) fn scratch_len() -> usize {
    2 * SEGMENT * LANES
}

impl Inflow<'_> {
    /// Adds the gradients of the rows that take part, masked by the ReLU.
    pub(crate) fn run(self, isa: Isa, threads: &Threads, target: Target<'_>, scratch: &mut [f32]) {
        let shape = self.feature.layout.shape;
        let segments = shape.width.div_ceil(SEGMENT);
        let count = threads.count();
        let scratch = ViewMut::new(&mut scratch[..count * scratch_len()]);
        threads.run(|worker| {
            if threads.interrupted() {
                return;
            }
            // SAFETY: each worker has its own share.
            let scratch = unsafe { scratch.slice(worker * scratch_len(), scratch_len()) };
            let (first, end) = self.rows;
            let mine = part((end - first) * segments, count, worker);
            let mine = mine.start + first * segments..mine.end + first * segments;
            isa.run(Segments { of: self, target, segments, mine, scratch });
        });
    }

    /// The same for one row, if it takes part; `scratch` holds [`scratch_len`] floats.
    #[inline(always)]
    pub(crate) fn row<S: Simd>(self, s: S, target: Target<'_>, y: usize, scratch: &mut [f32]) {
        if y < self.rows.0 || y >= self.rows.1 {
            return;
        }
        let segments = self.feature.layout.shape.width.div_ceil(SEGMENT);
        Segments { of: self, target, segments, mine: y * segments..(y + 1) * segments, scratch }.run(s);
    }
}

struct Segments<'a> {
    of: Inflow<'a>,
    target: Target<'a>,
    segments: usize,
    mine: Range<usize>,
    scratch: &'a mut [f32],
}

impl Op for Segments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let layout = self.of.feature.layout;
        for index in self.mine {
            let y = index / self.segments;
            let xs = part(layout.shape.width, self.segments, index % self.segments);
            for first_block in (0..layout.blocks()).step_by(S::VECTORS) {
                let blocks = S::VECTORS.min(layout.blocks() - first_block);
                if let Some(moments) = self.of.moments {
                    multiply(s, &self.of, moments, y, &xs, first_block..first_block + blocks, self.scratch);
                }
                for block in 0..blocks {
                    let products = &self.scratch[block * xs.len() * LANES..][..xs.len() * LANES];
                    let (of, target, xs, products) = (self.of, self.target, xs.clone(), View::new(products));
                    s.vectorise(Combine { of, target, y, xs, block: first_block + block, products });
                }
            }
        }
    }
}

/// `second · F` for a panel of channels of a segment.
#[inline(always)]
fn multiply<S: Simd>(
    s: S,
    of: &Inflow<'_>,
    moments: &PackedMoments<'_>,
    y: usize,
    xs: &Range<usize>,
    blocks: Range<usize>,
    scratch: &mut [f32],
) {
    debug_assert_eq!(moments.panel_blocks, S::VECTORS);
    let layout = of.feature.layout;
    let channels = layout.shape.channels;
    s.vectorise(Multiply {
        input: of.feature.data,
        input_start: layout.at(0, y, xs.start),
        input_stride: layout.block_len(),
        weights: View::new(&moments.second),
        weights_start: blocks.start * LANES * channels,
        output: ViewMut::new(scratch),
        output_start: 0,
        output_stride: xs.len() * LANES,
        output_step: LANES,
        depth: channels,
        blocks: blocks.len(),
        rows: xs.len(),
    });
}

/// Adds up what flows into one block of channels of a segment.
struct Combine<'a> {
    of: Inflow<'a>,
    target: Target<'a>,
    y: usize,
    xs: Range<usize>,
    block: usize,
    products: View<'a, f32>,
}

impl Op for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Inflow { feature, relu_mask, moments, content, of_feature, .. } = self.of;
        let Target { plane: target, first_row, add } = self.target;
        let (layout, block) = (feature.layout, self.block);
        for x in self.xs.clone() {
            let position = self.y * layout.shape.width + x;
            let at = layout.at(block, self.y, x);
            let target_at = target.layout.at(block, self.y - first_row, x);
            // SAFETY: block and position exist in all planes; the worker alone has this segment.
            unsafe {
                let mut gradient = s.zero();
                if let Some(moments) = moments {
                    let product = s.load(self.products.at((x - self.xs.start) * LANES, LANES));
                    let weight = moments.weights.map_or(1.0, |weights| weights[position]);
                    let mean = s.load(View::new(&moments.mean).at(block * LANES, LANES));
                    gradient = s.mul(s.splat(weight), s.add(product, mean));
                }
                if let Some(content) = content {
                    let weight = content.scale * content.weights.map_or(1.0, |weights| *weights.at(position, 1));
                    let value = s.load(feature.data.at(at, LANES));
                    let target_at = content.target.layout.at(block, self.y + content.first_row, x);
                    let difference = s.sub(value, s.load(content.target.data.at(target_at, LANES)));
                    gradient = s.mul_add(s.splat(weight), difference, gradient);
                }
                if let Some(OfFeature { gradient: plane, first_row, scale }) = of_feature {
                    let value = s.load(plane.data.at(plane.layout.at(block, self.y + first_row, x), LANES));
                    gradient = s.mul_add(s.splat(scale), value, gradient);
                }
                gradient = s.keep(*relu_mask.at(layout.mask_at(block, self.y, x), 1), gradient);
                if add {
                    gradient = s.add(gradient, s.load(target.data.at(target_at, LANES)));
                }
                s.store(target.data.at(target_at, LANES), gradient);
            }
        }
    }
}

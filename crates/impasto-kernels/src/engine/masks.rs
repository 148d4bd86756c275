//! Which way gradients go through the last convolutions of a stretch that runs in bands, kept of the whole picture.
//!
//! Going back through a convolution needs the ReLU masks of its feature, and through a pooling the places of the largest
//! values, but the feature itself only where something flows in from a tap. So what lies behind the deepest tap need
//! not be made once more on the way back: of VGG19's shallow part that is conv2_2, two fifths of the work.

use super::job::Job;
use super::plan::{Layer, Plan, Scope, shapes};
use super::window::Window;
use crate::memory::{Buffer, Number};
use crate::pool::pooled_shape;
use crate::simd::LANES;
use crate::{Pooling, Shape};

/// Masks of the convolutions behind the deepest tap of a stretch that reads the picture.
#[derive(Default)]
pub(super) struct Masks {
    /// The deepest convolution that has to be made once more.
    pub(super) deepest: usize,
    layers: Vec<LayerMasks>,
}

/// Those of one convolution.
struct LayerMasks {
    convolution: usize,
    relu_mask: Rows<u16>,
    /// Where the pooling behind it looks for the largest value.
    argmax: Option<Rows<u32>>,
}

/// Masks of sixteen channels each: `[channels/16][height][width]`.
struct Rows<T: Number> {
    height: usize,
    width: usize,
    data: Buffer<T>,
}

/// The deepest convolution that has to be made once more, and for each one behind it the shapes of its ReLU masks and of its
/// places.
fn plan(job: &Job, scope: &Scope, picture: Shape) -> (usize, Vec<(usize, Shape, Option<Shape>)>) {
    let last = scope.convolutions.end - 1;
    // This pooling divides by what it put out, so it needs the features before it.
    let deepest = match job.pooling {
        Pooling::L2 => last,
        Pooling::Average | Pooling::Max => scope.taps.last().copied().unwrap_or(scope.convolutions.start),
    };
    let shapes = shapes(&job.trunk, picture.height, picture.width);
    let masks = |convolution: usize| {
        let pool = job.pooling == Pooling::Max && job.trunk.convolutions[convolution].pool;
        (convolution, shapes[convolution], pool.then(|| pooled_shape(shapes[convolution])))
    };
    (deepest, (deepest + 1..=last).map(masks).collect())
}

/// How many masks a feature has.
fn len(shape: Shape) -> usize {
    shape.len() / LANES
}

impl Masks {
    /// Bytes that they would take.
    pub(super) fn planned_bytes(job: &Job, scope: &Scope, picture: Shape) -> usize {
        let bytes = |(_, relu_mask, argmax): (usize, Shape, Option<Shape>)| {
            size_of::<u16>() * len(relu_mask) + size_of::<u32>() * argmax.map_or(0, len)
        };
        plan(job, scope, picture).1.into_iter().map(bytes).sum()
    }

    /// Room for those of a picture of this shape.
    pub(super) fn new(job: &Job, scope: &Scope, picture: Shape) -> Self {
        let (deepest, layers) = plan(job, scope, picture);
        let layer = |(convolution, relu_mask, argmax): (usize, Shape, Option<Shape>)| LayerMasks {
            convolution,
            relu_mask: Rows::new(relu_mask),
            argmax: argmax.map(Rows::new),
        };
        Self { deepest, layers: layers.into_iter().map(layer).collect() }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let argmax = |layer: &LayerMasks| layer.argmax.as_ref().map_or(0, |argmax| size_of_val(&*argmax.data));
        self.layers.iter().map(|layer| size_of_val(&*layer.relu_mask.data) + argmax(layer)).sum()
    }

    /// Takes over those of what counts of a window, which has all of them.
    pub(super) fn save(&mut self, plan: &Plan, window: &Window) {
        for LayerMasks { convolution, relu_mask, argmax } in &mut self.layers {
            let index = *convolution - plan.first;
            let Layer { level, layout, pooled, .. } = plan.layers[index];
            relu_mask.save(&plan.relu_masks[index], layout.shape.height, level, window);
            if let (Some(argmax), Some(found), Some((pooled, _))) = (argmax, &plan.argmax[index], pooled) {
                argmax.save(found, pooled.shape.height, level + 1, window);
            }
        }
    }

    /// Gives a window those of all of its rows.
    pub(super) fn load(&self, plan: &mut Plan, window: &Window) {
        for LayerMasks { convolution, relu_mask, argmax } in &self.layers {
            let index = convolution - plan.first;
            let Layer { level, layout, pooled, .. } = plan.layers[index];
            relu_mask.load(&mut plan.relu_masks[index], layout.shape.height, level, window);
            if let (Some(argmax), Some(target), Some((pooled, _))) = (argmax, &mut plan.argmax[index], pooled) {
                argmax.load(target, pooled.shape.height, level + 1, window);
            }
        }
    }
}

impl<T: Number> Rows<T> {
    fn new(shape: Shape) -> Self {
        Self { height: shape.height, width: shape.width, data: Buffer::new(len(shape)) }
    }

    /// From a window whose feature has this height behind this many poolings.
    fn save(&mut self, window_masks: &[T], height: usize, level: u32, window: &Window) {
        let (rows, first) = (window.interior(level, height), window.first_row(level));
        let (from, to) = (window_masks.chunks_exact(height * self.width), self.height * self.width);
        for (source, target) in from.zip(self.data.chunks_exact_mut(to)) {
            let source = &source[rows.start * self.width..rows.end * self.width];
            target[(first + rows.start) * self.width..][..source.len()].copy_from_slice(source);
        }
    }

    /// To such a window.
    fn load(&self, window_masks: &mut [T], height: usize, level: u32, window: &Window) {
        let start = window.first_row(level) * self.width;
        let (from, to) = (self.data.chunks_exact(self.height * self.width), height * self.width);
        for (source, target) in from.zip(window_masks.chunks_exact_mut(to)) {
            target.copy_from_slice(&source[start..][..to]);
        }
    }
}

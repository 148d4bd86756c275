//! The forward pass.

use super::job::Job;
use super::plan::{Layer, Plan};
use crate::direct::{self, Direct, Padded};
use crate::layout::{Plane, PlaneMut, clear_border};
use crate::memory::{View, ViewMut};
use crate::pool::{Pool, PoolTarget, pool};
use crate::sinks::Activation;
use crate::threads::part;
use crate::trunk::{PackedConvolution, Weights};
use crate::winograd::{self, Direction, Winograd};
use crate::{Border, Shape};

/// Makes a remade first feature once more, where nothing else lies at that time.
pub(super) fn remake(plan: &mut Plan, job: &Job) {
    if plan.layers[0].remade {
        Pass { job, keep: false }.run(plan, 0);
    }
}

/// `x = (p − mean) · scale` of the rows of a picture of height `whole` from `first` on, with its border around.
pub(super) fn prepare(plan: &mut Plan, job: &Job, picture: &[f32], whole: usize, first: usize) {
    let Shape { height, width, .. } = plan.input;
    let (mean, scale, count) = (job.mean, job.scale, job.threads.count());
    let target = ViewMut::new(&mut plan.picture);
    job.threads.run(|worker| {
        for row in part(3 * (height + 2), count, worker) {
            let (channel, y) = (row / (height + 2), row % (height + 2));
            // SAFETY: the row lies inside the padded picture and belongs to this worker.
            let target = unsafe { target.slice(row * (width + 2), width + 2) };
            if job.border == Border::Zero && (y == 0 || y == height + 1) {
                target.fill(0.0);
                continue;
            }
            let inside = y.clamp(1, height) - 1;
            let source = &picture[(channel * whole + first + inside) * width..][..width];
            for (target, value) in target[1..].iter_mut().zip(source) {
                *target = (value - mean[channel]) * scale[channel];
            }
            let (left, right) = match job.border {
                Border::Zero => (0.0, 0.0),
                Border::Replicate => (target[1], target[width]),
            };
            (target[0], target[width + 1]) = (left, right);
        }
    });
}

/// What all layers share.
pub(super) struct Pass<'a> {
    pub(super) job: &'a Job,
    /// Whether to keep what going back needs.
    pub(super) keep: bool,
}

impl Pass<'_> {
    fn pool(&self) -> Pool {
        Pool { pooling: self.job.pooling, scale: self.job.pooling_scale }
    }

    /// Runs a layer.
    pub(super) fn run(&self, plan: &mut Plan, index: usize) {
        let number = plan.first + index;
        let convolution = &self.job.trunk.convolutions[number];
        self.clear_borders(plan, index);
        match &convolution.weights {
            Weights::Direct(weights) => self.first(plan, convolution, weights),
            Weights::Winograd { .. } | Weights::Plain(_) => self.layer(plan, index, number),
        }
    }

    fn clear_borders(&self, plan: &mut Plan, index: usize) {
        let Layer { layout, feature, pooled, .. } = plan.layers[index];
        for (layout, plane) in feature.map(|plane| (layout, plane)).into_iter().chain(pooled) {
            clear_border(self.job.isa(), &self.job.threads, layout, plan.planes.plane_mut(plane));
        }
    }

    /// The first layer, by direct convolution.
    fn first(&self, plan: &mut Plan, convolution: &PackedConvolution, weights: &Direct) {
        let Layer { layout, feature, pooled, .. } = plan.layers[0];
        let Some(feature) = feature else { unreachable!("the first layer writes its feature") };
        let job = direct::Forward {
            weights,
            bias: View::new(&convolution.bias),
            picture: Padded { data: View::new(&plan.picture), height: plan.input.height, width: plan.input.width },
            layout,
            feature: ViewMut::new(plan.planes.plane_mut(feature)),
            relu_mask: self.keep.then(|| ViewMut::new(&mut plan.relu_masks[0])),
        };
        job.run(self.job.isa(), &self.job.threads);
        if let Some((pooled, plane)) = pooled {
            let [source, target] = plan.planes.several([Some(feature), Some(plane)]);
            let argmax = plan.argmax[0].as_deref_mut().filter(|_| self.keep).map(ViewMut::new);
            let target = PoolTarget { plane: PlaneMut::new(pooled, target), pool: self.pool(), argmax };
            pool(self.job.isa(), &self.job.threads, Plane::new(layout, source), target);
        }
    }

    /// Any other layer, by Winograd's convolution.
    fn layer(&self, plan: &mut Plan, index: usize, number: usize) {
        let convolution = &self.job.trunk.convolutions[number];
        let weights = plan.room.weights(self.job, number, Direction::Forward);
        let (input_layout, input) = match (index.checked_sub(1), plan.source) {
            (Some(before), _) => plan.layers[before].output(),
            (None, Some(source)) => (source.layout, source.plane),
            (None, None) => unreachable!("the first layer of all is direct"),
        };
        let Layer { layout, feature, pooled, .. } = plan.layers[index];
        let written = pooled.map(|(_, plane)| plane);
        let [input, feature_plane, pooled_plane] = plan.planes.several([Some(input), feature, written]);
        let argmax = plan.argmax[index].as_deref_mut().filter(|_| self.keep).map(ViewMut::new);
        let sink = Activation {
            layout,
            bias: View::new(&convolution.bias),
            feature: feature.map(|_| ViewMut::new(feature_plane)),
            relu_mask: self.keep.then(|| ViewMut::new(&mut plan.relu_masks[index])),
            pooled: pooled.map(|(layout, _)| PoolTarget {
                plane: PlaneMut::new(layout, pooled_plane),
                pool: self.pool(),
                argmax,
            }),
        };
        let source = Plane::new(input_layout, input);
        let job = Winograd { weights, height: layout.shape.height, width: layout.shape.width, source, sink };
        winograd::run(self.job.isa(), &self.job.threads, &job, &mut plan.scratch);
    }
}

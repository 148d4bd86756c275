//! The forward pass.

use super::Engine;
use super::plan::{Layer, Plan};
use crate::direct::{self, Direct, Padded};
use crate::layout::{Layout, Plane, PlaneMut, clear_border};
use crate::memory::{View, ViewMut};
use crate::pool::{PoolTarget, pool};
use crate::profile::Part;
use crate::sinks::Activation;
use crate::threads::{Threads, part};
use crate::trunk::{PackedConvolution, Weights};
use crate::winograd::{self, Packed, Winograd};
use crate::{Isa, Pooling};

impl Engine {
    /// Runs every layer of the plan.
    pub(super) fn run_forward(&mut self, picture: &[f32]) {
        let Some(plan) = &mut self.plan else { return };
        prepare(plan, &self.threads, picture, self.mean, self.scale);
        let pass = Pass { isa: self.trunk.isa(), threads: &self.threads, pooling: self.pooling, keep: self.kept };
        self.profile.0.clear();
        for index in 0..plan.layers.len() {
            let convolution = &self.trunk.convolutions[index];
            self.profile.time(Part::Forward, index, || {
                pass.clear_borders(plan, index);
                match &convolution.weights {
                    Weights::Direct(weights) => pass.first(plan, convolution, weights),
                    Weights::Winograd { forward, .. } => pass.layer(plan, index, convolution, forward),
                }
            });
        }
    }
}

/// `x = (p − mean) · scale`, inside a border of zeros.
fn prepare(plan: &mut Plan, threads: &Threads, picture: &[f32], mean: [f32; 3], scale: [f32; 3]) {
    let (height, width, count) = (plan.height, plan.width, threads.count());
    let target = ViewMut::new(&mut plan.picture);
    threads.run(|worker| {
        for row in part(3 * height, count, worker) {
            let (channel, y) = (row / height, row % height);
            let start = (channel * (height + 2) + y + 1) * (width + 2) + 1;
            // SAFETY: the row lies inside the padded picture and belongs to this worker.
            let target = unsafe { target.slice(start, width) };
            for (target, value) in target.iter_mut().zip(&picture[row * width..]) {
                *target = (value - mean[channel]) * scale[channel];
            }
        }
    });
}

/// What all layers share.
struct Pass<'a> {
    isa: Isa,
    threads: &'a Threads,
    pooling: Pooling,
    keep: bool,
}

impl Pass<'_> {
    fn clear_borders(&self, plan: &mut Plan, index: usize) {
        let Layer { layout, feature, pooled, .. } = plan.layers[index];
        for (layout, plane) in feature.map(|plane| (layout, plane)).into_iter().chain(pooled) {
            clear_border(self.isa, self.threads, layout, &mut plan.planes[plane]);
        }
    }

    /// The first layer, by direct convolution.
    fn first(&self, plan: &mut Plan, convolution: &PackedConvolution, weights: &Direct) {
        let Layer { layout, feature, pooled, .. } = plan.layers[0];
        let Some(feature) = feature else { unreachable!("the first layer writes its feature") };
        let job = direct::Forward {
            weights,
            bias: View::new(&convolution.bias),
            picture: Padded { data: View::new(&plan.picture), height: plan.height, width: plan.width },
            layout,
            feature: ViewMut::new(&mut plan.planes[feature]),
            signs: self.keep.then(|| ViewMut::new(&mut plan.signs[0])),
        };
        job.run(self.isa, self.threads);
        if let Some((pooled, plane)) = pooled {
            let Ok([source, target]) = plan.planes.get_disjoint_mut([feature, plane]) else {
                unreachable!("a plane is pooled into another one")
            };
            let places = plan.places[0].as_deref_mut().filter(|_| self.keep).map(ViewMut::new);
            let target = PoolTarget { plane: PlaneMut::new(pooled, target), pooling: self.pooling, places };
            pool(self.isa, self.threads, Plane::new(layout, source), target);
        }
    }

    /// Any other layer, by Winograd's convolution.
    fn layer(&self, plan: &mut Plan, index: usize, convolution: &PackedConvolution, weights: &Packed) {
        let (input_layout, input) = plan.layers[index - 1].output();
        let Layer { layout, feature, pooled, .. } = plan.layers[index];
        let Planes { input, feature, pooled } = borrow(&mut plan.planes, input, feature, pooled);
        let places = plan.places[index].as_deref_mut().filter(|_| self.keep).map(ViewMut::new);
        let sink = Activation {
            layout,
            bias: View::new(&convolution.bias),
            feature: feature.map(ViewMut::new),
            signs: self.keep.then(|| ViewMut::new(&mut plan.signs[index])),
            pooled: pooled.map(|(layout, plane)| PoolTarget {
                plane: PlaneMut::new(layout, plane),
                pooling: self.pooling,
                places,
            }),
        };
        let source = Plane::new(input_layout, input);
        let job = Winograd { weights, height: layout.shape.height, width: layout.shape.width, source, sink };
        winograd::run(self.isa, self.threads, &job, &mut plan.scratch);
    }
}

/// The planes of one layer.
struct Planes<'a> {
    input: &'a [f32],
    feature: Option<&'a mut [f32]>,
    pooled: Option<(Layout, &'a mut [f32])>,
}

/// Borrows the planes of one layer, which are never the same.
fn borrow(
    planes: &mut [crate::memory::Buffer<f32>],
    input: usize,
    feature: Option<usize>,
    pooled: Option<(Layout, usize)>,
) -> Planes<'_> {
    let mut found = Planes { input: &[], feature: None, pooled: None };
    for (index, plane) in planes.iter_mut().enumerate() {
        if index == input {
            found.input = plane;
        } else if Some(index) == feature {
            found.feature = Some(plane);
        } else if let Some((layout, _)) = pooled.filter(|&(_, place)| place == index) {
            found.pooled = Some((layout, plane));
        }
    }
    found
}

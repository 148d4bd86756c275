//! The backward pass, from the taps to the picture.

use super::plan::{ARENAS, Plan};
use super::{Engine, check_weights};
use crate::direct::Backward;
use crate::layout::{Layout, Plane, PlaneMut, clear_border};
use crate::memory::{Buffer, View, ViewMut};
use crate::pool::{Unpool, unpool};
use crate::profile::Part;
use crate::sinks::Masked;
use crate::taps::{Content, PackedMoments, Tap};
use crate::threads::Threads;
use crate::trunk::Weights;
use crate::winograd::{self, Packed, Winograd};
use crate::{Isa, Pooling, TapGradient};

/// What has arrived at a layer from the one behind it, and the arena it lies in.
#[derive(Clone, Copy)]
enum Incoming {
    /// Nothing yet.
    Nothing,
    /// The gradient of the feature, masked by its ReLU.
    Feature(usize),
    /// The gradient of the pooled feature.
    Pooled(usize),
}

impl Engine {
    /// Runs every layer of the plan backwards.
    pub(super) fn run_backward(&mut self, gradients: &[TapGradient<'_>], out: &mut [f32]) {
        self.check_gradients(gradients, out);
        let Some(plan) = &mut self.plan else { return };
        let pass = Pass { isa: self.trunk.isa(), threads: &self.threads, pooling: self.pooling };
        let mut incoming = Incoming::Nothing;
        let profile = &mut self.profile;
        profile.0.retain(|timing| timing.part == Part::Forward);
        for index in (0..plan.layers.len()).rev() {
            if let Incoming::Pooled(arena) = incoming {
                incoming = Incoming::Feature(profile.time(Part::Unpool, index, || pass.unpool(plan, index, arena)));
            }
            for gradient in gradients.iter().filter(|gradient| gradient.tap == index) {
                incoming = Incoming::Feature(profile.time(Part::Tap, index, || pass.tap(plan, gradient, incoming)));
            }
            let Incoming::Feature(arena) = incoming else { continue };
            match &self.trunk.convolutions[index].weights {
                Weights::Winograd { backward, .. } => {
                    incoming = profile.time(Part::Backward, index, || pass.layer(plan, index, backward, arena));
                }
                Weights::Direct(weights) => {
                    let Plan { layers, planes, scratch, .. } = plan;
                    let gradient = Plane::new(layers[0].layout, &planes[arena]);
                    let job = Backward { weights, gradient, scale: self.scale, out: ViewMut::new(out) };
                    profile.time(Part::Backward, 0, || job.run(pass.isa, pass.threads, scratch));
                }
            }
        }
        if matches!(incoming, Incoming::Nothing) {
            out.fill(0.0);
        }
    }

    fn check_gradients(&self, gradients: &[TapGradient<'_>], out: &[f32]) {
        let Some(plan) = &self.plan else { panic!("no picture has passed through the trunk yet") };
        assert_eq!(out.len(), 3 * plan.height * plan.width, "the gradient has the size of the picture");
        for gradient in gradients {
            let (layout, _) = self.feature(gradient.tap);
            if let Some(moments) = &gradient.moments {
                let channels = layout.shape.channels;
                assert_eq!(moments.second.len(), channels * channels, "the second moment is channels × channels");
                assert_eq!(moments.mean.len(), channels, "the mean has one value for each channel");
                check_weights(moments.weights, layout.shape);
            }
            if let Some(content) = &gradient.content {
                assert_eq!(content.target.shape, layout.shape, "the target has the shape of the feature");
                assert_eq!(content.target.data.len(), layout.len(), "the target was captured from an engine");
                check_weights(content.weights, layout.shape);
            }
        }
    }
}

/// What all layers share.
struct Pass<'a> {
    isa: Isa,
    threads: &'a Threads,
    pooling: Pooling,
}

impl Pass<'_> {
    /// Carries the gradient of a pooled feature to the feature; the arena it then lies in.
    fn unpool(&self, plan: &mut Plan, index: usize, arena: usize) -> usize {
        let layer = &plan.layers[index];
        let Some((pooled, _)) = layer.pooled else { unreachable!("this layer is followed by a pooling") };
        let (arenas, kept) = plan.planes.split_at_mut(ARENAS);
        let (source, target) = pair(arenas, arena);
        clear_border(self.isa, self.threads, layer.layout, target);
        let feature = layer.feature.filter(|_| self.pooling == Pooling::L2);
        let job = Unpool {
            gradient: Plane::new(pooled, source),
            pooling: self.pooling,
            places: plan.places[index].as_deref().map(View::new),
            feature: feature.map(|plane| Plane::new(layer.layout, &kept[plane - ARENAS])),
            layout: layer.layout,
            signs: View::new(&plan.signs[index]),
        };
        unpool(self.isa, self.threads, job, PlaneMut::new(layer.layout, target));
        1 - arena
    }

    /// Adds what flows in at a tap; the arena where the gradient of the feature lies.
    fn tap(&self, plan: &mut Plan, gradient: &TapGradient<'_>, incoming: Incoming) -> usize {
        let layout = plan.layers[gradient.tap].layout;
        let Some(feature) = plan.layers[gradient.tap].feature else { unreachable!("the feature of a tap is kept") };
        let (arenas, kept) = plan.planes.split_at_mut(ARENAS);
        let (arena, add) = match incoming {
            Incoming::Feature(arena) => (arena, true),
            _ => (0, false),
        };
        if !add {
            clear_border(self.isa, self.threads, layout, &mut arenas[arena]);
        }
        let moments = gradient.moments.map(|moments| PackedMoments::new(self.isa, layout.shape.channels, &moments));
        let content = gradient.content.map(|content| Content {
            target: Plane::new(layout, &content.target.data),
            scale: content.scale,
            weights: content.weights.map(View::new),
        });
        let job = Tap {
            feature: Plane::new(layout, &kept[feature - ARENAS]),
            signs: View::new(&plan.signs[gradient.tap]),
            moments: moments.as_ref(),
            content,
            target: PlaneMut::new(layout, &mut arenas[arena]),
            add,
        };
        job.run(self.isa, self.threads, &mut plan.scratch);
        arena
    }

    /// From the gradient of a layer's feature to that of its input.
    fn layer(&self, plan: &mut Plan, index: usize, weights: &Packed, arena: usize) -> Incoming {
        let Plan { layers, planes, signs, scratch, .. } = plan;
        let before = &layers[index - 1];
        let (target_layout, signs): (Layout, _) = match before.pooled {
            Some((pooled, _)) => (pooled, None),
            None => (before.layout, Some(View::new(&signs[index - 1]))),
        };
        let (source, target) = pair(&mut planes[..ARENAS], arena);
        clear_border(self.isa, self.threads, target_layout, target);
        let sink = Masked { plane: PlaneMut::new(target_layout, target), signs };
        let source = Plane::new(layers[index].layout, source);
        let shape = target_layout.shape;
        let job = Winograd { weights, height: shape.height, width: shape.width, source, sink };
        winograd::run(self.isa, self.threads, &job, scratch);
        if before.pooled.is_some() { Incoming::Pooled(1 - arena) } else { Incoming::Feature(1 - arena) }
    }
}

/// The arena a gradient lies in, and the other one.
fn pair(arenas: &mut [Buffer<f32>], arena: usize) -> (&[f32], &mut [f32]) {
    let [first, second] = arenas else { unreachable!("there are two arenas") };
    if arena == 0 { (first, second) } else { (second, first) }
}

//! The backward pass, from the taps to the picture.

use super::plan::{ARENAS, Layer, Plan};
use super::{Engine, check_weights};
use crate::direct::Backward;
use crate::layout::{Layout, Plane, PlaneMut, clear_border};
use crate::memory::{Buffer, View, ViewMut};
use crate::profile::Part;
use crate::sinks::Masked;
use crate::taps::{Content, PackedMoments, Tap};
use crate::threads::Threads;
use crate::trunk::Weights;
use crate::unpool::{Unpool, unpool};
use crate::winograd::{self, Packed, Source, Winograd};
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
            let here = || gradients.iter().filter(|gradient| gradient.tap == index);
            if let Incoming::Pooled(arena) = incoming
                && (index == 0 || here().next().is_some())
            {
                incoming = Incoming::Feature(profile.time(Part::Unpool, index, || pass.unpool(plan, index, arena)));
            }
            for gradient in here() {
                incoming = Incoming::Feature(profile.time(Part::Tap, index, || pass.tap(plan, gradient, incoming)));
            }
            incoming = match (&self.trunk.convolutions[index].weights, incoming) {
                (_, Incoming::Nothing) => continue,
                (Weights::Winograd { backward, .. }, _) => {
                    profile.time(Part::Backward, index, || pass.layer(plan, index, backward, incoming))
                }
                (Weights::Direct(weights), Incoming::Feature(arena) | Incoming::Pooled(arena)) => {
                    let Plan { layers, planes, scratch, .. } = plan;
                    let gradient = Plane::new(layers[0].layout, &planes[arena]);
                    let job = Backward { weights, gradient, scale: self.scale, out: ViewMut::new(out) };
                    profile.time(Part::Backward, 0, || job.run(pass.isa, pass.threads, scratch));
                    incoming
                }
            };
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
        let layout = plan.layers[index].layout;
        let (arenas, kept) = plan.planes.split_at_mut(ARENAS);
        let (source, target) = pair(arenas, arena);
        clear_border(self.isa, self.threads, layout, target);
        let job = self.unpooled(&plan.layers[index], source, kept, &plan.signs[index], plan.places[index].as_deref());
        unpool(self.isa, self.threads, job, PlaneMut::new(layout, target));
        1 - arena
    }

    /// The gradient of a feature whose pooled gradient is `source`.
    fn unpooled<'a>(
        &self,
        layer: &Layer,
        source: &'a [f32],
        kept: &'a [Buffer<f32>],
        signs: &'a [u16],
        places: Option<&'a [u32]>,
    ) -> Unpool<'a> {
        let Some((pooled, _)) = layer.pooled else { unreachable!("this layer is followed by a pooling") };
        let feature = layer.feature.filter(|_| self.pooling == Pooling::L2);
        Unpool {
            gradient: Plane::new(pooled, source),
            pooling: self.pooling,
            places: places.map(View::new),
            feature: feature.map(|plane| Plane::new(layer.layout, &kept[plane - ARENAS])),
            layout: layer.layout,
            signs: View::new(signs),
        }
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
        let moments =
            gradient.moments.map(|moments| PackedMoments::new(self.isa, self.threads, layout.shape.channels, &moments));
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

    /// From the gradient of a layer's feature, or of that pooled, to that of its input.
    fn layer(&self, plan: &mut Plan, index: usize, weights: &Packed, incoming: Incoming) -> Incoming {
        let Plan { layers, planes, signs, places, scratch, .. } = plan;
        let (Incoming::Feature(arena) | Incoming::Pooled(arena)) = incoming else { return Incoming::Nothing };
        let (before, layer) = (&layers[index - 1], &layers[index]);
        let (target_layout, mask): (Layout, _) = match before.pooled {
            Some((pooled, _)) => (pooled, None),
            None => (before.layout, Some(View::new(&signs[index - 1]))),
        };
        let (arenas, kept) = planes.split_at_mut(ARENAS);
        let (source, target) = pair(arenas, arena);
        clear_border(self.isa, self.threads, target_layout, target);
        let sink = Masked { plane: PlaneMut::new(target_layout, target), signs: mask };
        if let Incoming::Feature(_) = incoming {
            self.convolve(weights, Plane::new(layer.layout, source), sink, scratch);
        } else {
            let source = self.unpooled(layer, source, kept, &signs[index], places[index].as_deref());
            self.convolve(weights, source, sink, scratch);
        }
        if before.pooled.is_some() { Incoming::Pooled(1 - arena) } else { Incoming::Feature(1 - arena) }
    }

    fn convolve<I: Source>(&self, weights: &Packed, source: I, sink: Masked<'_>, scratch: &mut [f32]) {
        let shape = sink.plane.layout.shape;
        let job = Winograd { weights, height: shape.height, width: shape.width, source, sink };
        winograd::run(self.isa, self.threads, &job, scratch);
    }
}

/// The arena a gradient lies in, and the other one.
fn pair(arenas: &mut [Buffer<f32>], arena: usize) -> (&[f32], &mut [f32]) {
    let [first, second] = arenas else { unreachable!("there are two arenas") };
    if arena == 0 { (first, second) } else { (second, first) }
}

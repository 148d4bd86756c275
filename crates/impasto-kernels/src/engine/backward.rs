//! The backward pass, from the taps to the picture.

use super::plan::{ARENAS, Layer, Plan};
use super::{Engine, check_weights};
use crate::direct::Direct;
use crate::layout::{Layout, Plane, PlaneMut, clear_border};
use crate::memory::{Buffer, View};
use crate::profile::Part;
use crate::sinks::Masked;
use crate::taps::{Content, Inflow, PackedMoments, Target};
use crate::threads::Threads;
use crate::to_picture::ToPicture;
use crate::trunk::{PackedConvolution, Weights};
use crate::unpool::{Unpool, unpool};
use crate::winograd::{self, Packed, Sink, Source, Winograd};
use crate::{Isa, MomentGradient, Pooling, TapGradient};

/// What has arrived at a layer.
#[derive(Clone, Copy, PartialEq)]
enum Arrived {
    /// Nothing yet.
    Nothing,
    /// The gradient of the feature, masked by its ReLU.
    Feature,
    /// The gradient of the pooled feature.
    Pooled,
    /// The picture's has been reached.
    Picture,
}

impl Engine {
    /// Runs every layer of the plan backwards.
    pub(super) fn run_backward(&mut self, gradients: &[TapGradient<'_>], out: &mut [f32]) {
        self.check_gradients(gradients, out);
        let Some(plan) = &mut self.plan else { return };
        let pass = Pass {
            isa: self.trunk.isa(),
            threads: &self.threads,
            pooling: self.pooling,
            convolutions: &self.trunk.convolutions,
            scale: self.scale,
        };
        let profile = &mut self.profile;
        profile.0.retain(|timing| timing.part == Part::Forward);
        let mut arrived = Arrived::Nothing;
        for index in (0..plan.layers.len()).rev() {
            let here = || gradients.iter().filter(|gradient| gradient.tap == index);
            let written = plan.layers[index].gradient.is_some();
            if arrived == Arrived::Pooled && written {
                profile.time(Part::Unpool, index, || pass.unpool(plan, index));
                arrived = Arrived::Feature;
            }
            for gradient in here().filter(|_| written) {
                profile.time(Part::Tap, index, || pass.tap(plan, gradient, arrived == Arrived::Feature));
                arrived = Arrived::Feature;
            }
            arrived = match (arrived, index) {
                (Arrived::Picture, _) => break,
                (Arrived::Nothing, 1..) => continue,
                (Arrived::Nothing, 0) if here().next().is_none() => continue,
                (Arrived::Nothing | Arrived::Feature, 0) => {
                    profile.time(Part::Backward, 0, || pass.first(plan, gradients, arrived, out))
                }
                _ => profile.time(Part::Backward, index, || pass.layer(plan, index, arrived, gradients, out)),
            };
        }
        if arrived == Arrived::Nothing {
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
    convolutions: &'a [PackedConvolution],
    scale: [f32; 3],
}

impl Pass<'_> {
    /// Carries the gradient of a pooled feature to the feature, and writes it out.
    fn unpool(&self, plan: &mut Plan, index: usize) {
        let layer = plan.layers[index];
        let (arenas, kept) = plan.planes.split_at_mut(ARENAS);
        let (source, target) = pair(arenas, layer.pooled_gradient);
        clear_border(self.isa, self.threads, layer.layout, target);
        let job = self.unpooled(&layer, source, kept, &plan.signs[index], plan.places[index].as_deref());
        unpool(self.isa, self.threads, job, PlaneMut::new(layer.layout, target));
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

    /// Adds what flows in at a tap to the gradient of its feature, or begins it.
    fn tap(&self, plan: &mut Plan, gradient: &TapGradient<'_>, add: bool) {
        let layer = plan.layers[gradient.tap];
        let Some(arena) = layer.gradient else { unreachable!("this gradient is written out") };
        let (arenas, kept) = plan.planes.split_at_mut(ARENAS);
        if !add {
            clear_border(self.isa, self.threads, layer.layout, &mut arenas[arena]);
        }
        let packed = self.packed(&layer, std::iter::once(gradient));
        let inflow = inflow(&layer, kept, &plan.signs[gradient.tap], gradient, &packed[0]);
        let target = Target { plane: PlaneMut::new(layer.layout, &mut arenas[arena]), first_row: 0, add };
        inflow.run(self.isa, self.threads, target, &mut plan.scratch);
    }

    /// The packed gradients of the moments of some taps of a layer.
    fn packed<'a, 'g: 'a>(
        &self,
        layer: &Layer,
        taps: impl Iterator<Item = &'a TapGradient<'g>>,
    ) -> Vec<Option<PackedMoments<'g>>> {
        let channels = layer.layout.shape.channels;
        let pack = |moments: MomentGradient<'g>| PackedMoments::new(self.isa, self.threads, channels, &moments);
        taps.map(|tap| tap.moments.map(pack)).collect()
    }

    /// From the gradient of a layer's feature, or of that pooled, to that of its input, or through the first layer to
    /// the picture.
    fn layer(
        &self,
        plan: &mut Plan,
        index: usize,
        arrived: Arrived,
        gradients: &[TapGradient<'_>],
        out: &mut [f32],
    ) -> Arrived {
        let Plan { layers, planes, signs, places, scratch, to_picture, .. } = plan;
        let (before, layer) = (layers[index - 1], layers[index]);
        let (arenas, kept) = planes.split_at_mut(ARENAS);
        let arena = if arrived == Arrived::Pooled { layer.pooled_gradient } else { layer.gradient };
        let (source, target) = pair(arenas, arena);
        let source = match arrived {
            Arrived::Pooled => {
                Input::Pooled(self.unpooled(&layer, source, kept, &signs[index], places[index].as_deref()))
            }
            _ => Input::Feature(Plane::new(layer.layout, source)),
        };
        let (layout, mask) = (before.layout, &*signs[index - 1]);
        if let (1, None, Weights::Direct(first)) = (index, before.pooled, &self.convolutions[0].weights) {
            let here = || gradients.iter().filter(|gradient| gradient.tap == 0);
            let packed = self.packed(&before, here());
            let taps: Vec<_> =
                here().zip(&packed).map(|(tap, packed)| inflow(&before, kept, mask, tap, packed)).collect();
            let sink = ToPicture::new(first, (layout, mask), &taps, self.scale, out, to_picture);
            self.convolve(index, layout, source, sink, scratch);
            sink.finish(self.threads.count());
            return Arrived::Picture;
        }
        let (layout, signs, becomes) = match before.pooled {
            Some((pooled, _)) => (pooled, None, Arrived::Pooled),
            None => (layout, Some(View::new(mask)), Arrived::Feature),
        };
        clear_border(self.isa, self.threads, layout, target);
        self.convolve(index, layout, source, Masked { plane: PlaneMut::new(layout, target), signs }, scratch);
        becomes
    }

    fn convolve<O: Sink>(&self, index: usize, layout: Layout, source: Input<'_>, sink: O, scratch: &mut [f32]) {
        let Weights::Winograd { backward, .. } = &self.convolutions[index].weights else {
            unreachable!("only the first layer is direct")
        };
        match source {
            Input::Feature(source) => self.winograd(backward, layout, source, sink, scratch),
            Input::Pooled(source) => self.winograd(backward, layout, source, sink, scratch),
        }
    }

    fn winograd<I: Source, O: Sink>(&self, weights: &Packed, layout: Layout, source: I, sink: O, scratch: &mut [f32]) {
        let job = Winograd { weights, height: layout.shape.height, width: layout.shape.width, source, sink };
        winograd::run(self.isa, self.threads, &job, scratch);
    }

    /// From the gradient of the first feature, where it was written out or comes from its tap alone, to the picture.
    fn first(&self, plan: &mut Plan, gradients: &[TapGradient<'_>], arrived: Arrived, out: &mut [f32]) -> Arrived {
        let Plan { layers, planes, signs, to_picture, .. } = plan;
        let layer = layers[0];
        let weights: &Direct = match &self.convolutions[0].weights {
            Weights::Direct(weights) => weights,
            Weights::Winograd { .. } => unreachable!("the first layer is direct"),
        };
        let (arenas, kept) = planes.split_at_mut(ARENAS);
        let feature = (layer.layout, &*signs[0]);
        if arrived == Arrived::Feature {
            let (gradient, _) = pair(arenas, layer.gradient);
            let end = ToPicture::new(weights, feature, &[], self.scale, out, to_picture);
            end.run(self.isa, self.threads, Plane::new(layer.layout, gradient));
        } else {
            let here = || gradients.iter().filter(|gradient| gradient.tap == 0);
            let packed = self.packed(&layer, here());
            let inflow = |(tap, packed)| inflow(&layer, kept, &signs[0], tap, packed);
            let taps: Vec<_> = here().zip(&packed).map(inflow).collect();
            let end = ToPicture::new(weights, feature, &taps, self.scale, out, to_picture);
            end.run_taps(self.isa, self.threads);
        }
        Arrived::Picture
    }
}

/// Where a convolution's backward reads from.
enum Input<'a> {
    /// The gradient of its feature.
    Feature(Plane<'a>),
    /// The gradient of its pooled feature.
    Pooled(Unpool<'a>),
}

/// What flows in at a tap.
fn inflow<'a>(
    layer: &Layer,
    kept: &'a [Buffer<f32>],
    signs: &'a [u16],
    gradient: &TapGradient<'a>,
    moments: &'a Option<PackedMoments<'a>>,
) -> Inflow<'a> {
    let Some(feature) = layer.feature else { unreachable!("the feature of a tap is kept") };
    let content = gradient.content.map(|content| Content {
        target: Plane::new(layer.layout, &content.target.data),
        scale: content.scale,
        weights: content.weights.map(View::new),
    });
    let feature = Plane::new(layer.layout, &kept[feature - ARENAS]);
    Inflow { feature, signs: View::new(signs), moments: moments.as_ref(), content }
}

/// The arena a gradient lies in, and the other one.
fn pair(arenas: &mut [Buffer<f32>], arena: Option<usize>) -> (&[f32], &mut [f32]) {
    let [first, second] = arenas else { unreachable!("there are two arenas") };
    match arena {
        Some(0) => (first, second),
        Some(_) => (second, first),
        None => unreachable!("this gradient is written out"),
    }
}

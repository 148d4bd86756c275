//! The backward pass, from the taps to the picture.

use super::forward::remake;
use super::job::Job;
use super::plan::{Layer, Plan};
use super::stretch::{Held, Stretch};
use super::window::Window;
use crate::direct::Direct;
use crate::layout::{Layout, Plane, PlaneMut, clear_around, clear_border, copy_rows};
use crate::memory::View;
use crate::pool::Pool;
use crate::profile::{Part, Profile};
use crate::sinks::Masked;
use crate::taps::{Content, Inflow, OfFeature, PackedMoments, Target};
use crate::to_picture::{End, ToPicture};
use crate::trunk::Weights;
use crate::unpool::{Unpool, unpool};
use crate::winograd::{self, Direction, Packed, Sink, Source, Winograd};
use crate::{MomentGradient, Pooling, TapGradient};

/// What has arrived at a layer.
#[derive(Clone, Copy, PartialEq)]
enum Arrived {
    /// Nothing yet.
    Nothing,
    /// The gradient of the feature, masked by its ReLU.
    Feature,
    /// The gradient of the pooled feature.
    Pooled,
    /// The gradient of what the stretch reads.
    Input,
}

/// Gradients on their way to some rows of the picture.
#[derive(Clone, Copy)]
pub(super) struct Flow<'a> {
    /// What flows in at taps, of this stretch and of others.
    pub(super) gradients: &'a [TapGradient<'a>],
    /// Which rows the stretch has, and which of them something flows in at.
    pub(super) window: &'a Window,
    /// The gradient of the whole feature behind the stretch's last pooling.
    pub(super) pooled: Option<Plane<'a>>,
}

impl Stretch {
    /// Runs every layer backwards; whether anything has arrived. The gradient of the picture goes to `out`, that of a
    /// source plane to its own.
    pub(super) fn backward(&mut self, job: &Job, flow: Flow<'_>, profile: &mut Profile, out: &mut [f32]) -> bool {
        let Flow { gradients, window, pooled } = flow;
        self.renew(job);
        self.held = Held::Nothing;
        let plan = &mut self.plan;
        let pass = Pass { job, gradients, window, first: plan.first };
        // Of the very first feature the next convolution's gradient goes straight on to the picture.
        let remade = usize::from(plan.source.is_none());
        let mut arrived = Arrived::Nothing;
        if let Some(pooled) = pooled {
            pass.inject(plan, pooled);
            arrived = Arrived::Pooled;
        }
        for index in (0..plan.layers.len()).rev() {
            let number = plan.first + index;
            let written = plan.layers[index].gradient.is_some();
            if arrived == Arrived::Pooled && written {
                profile.time(Part::Unpool, number, || pass.unpool(plan, index));
                arrived = Arrived::Feature;
            }
            if index == remade && plan.layers[0].remade && pass.at(0).next().is_some() {
                profile.time(Part::Again, plan.first, || remake(plan, job));
            }
            for gradient in pass.at(index).filter(|_| written) {
                profile.time(Part::Tap, number, || pass.tap(plan, index, gradient, arrived == Arrived::Feature));
                arrived = Arrived::Feature;
            }
            let to_picture = index == 0 && plan.source.is_none();
            arrived = match arrived {
                Arrived::Input => break,
                Arrived::Nothing if !to_picture || pass.at(0).next().is_none() => continue,
                Arrived::Nothing | Arrived::Feature if to_picture => {
                    profile.time(Part::Backward, number, || pass.first(plan, arrived, out))
                }
                _ => profile.time(Part::Backward, number, || pass.layer(plan, index, arrived, out)),
            };
        }
        arrived == Arrived::Input
    }
}

/// What all layers share.
struct Pass<'a> {
    job: &'a Job,
    gradients: &'a [TapGradient<'a>],
    window: &'a Window,
    /// The first layer's convolution.
    first: usize,
}

impl<'g> Pass<'g> {
    /// What flows in at a layer.
    fn at(&self, index: usize) -> impl Iterator<Item = &'g TapGradient<'g>> + use<'g> {
        let tap = self.first + index;
        self.gradients.iter().filter(move |gradient| gradient.tap == tap)
    }

    /// Takes over the gradient of what counts of the pooled feature behind the last layer, zero elsewhere.
    fn inject(&self, plan: &mut Plan, whole: Plane<'_>) {
        let Some(layer) = plan.layers.last() else { unreachable!("a stretch has layers") };
        let (Some((layout, _)), Some(gradient)) = (layer.pooled, layer.pooled_gradient) else {
            unreachable!("the stretch ends behind a pooling")
        };
        let level = layer.level + 1;
        let rows = self.window.interior(level, layout.shape.height);
        let target = plan.planes.plane_mut(gradient);
        clear_around(self.job.isa(), &self.job.threads, layout, &rows, target);
        let (first, target) = (self.window.first_row(level), PlaneMut::new(layout, target));
        let from = rows.start + first..rows.end + first;
        copy_rows(&self.job.threads, whole, from, target, rows.start);
    }

    /// Carries the gradient of a pooled feature to the feature, and writes it out.
    fn unpool(&self, plan: &mut Plan, index: usize) {
        let layer = plan.layers[index];
        let [source, target, feature] =
            plan.planes.several([layer.pooled_gradient, layer.gradient, self.divided_by(&layer)]);
        clear_border(self.job.isa(), &self.job.threads, layer.layout, target);
        let job = self.unpooled(&layer, source, feature, &plan.relu_masks[index], plan.argmax[index].as_deref());
        unpool(self.job.isa(), &self.job.threads, job, PlaneMut::new(layer.layout, target));
    }

    /// The plane of a feature that its pooling divides by on the way back.
    fn divided_by(&self, layer: &Layer) -> Option<usize> {
        layer.feature.filter(|_| layer.pooled.is_some() && self.job.pooling == Pooling::L2)
    }

    /// The gradient of a feature whose pooled gradient is `source`.
    fn unpooled<'a>(
        &self,
        layer: &Layer,
        source: &'a [f32],
        feature: &'a [f32],
        relu_mask: &'a [u16],
        argmax: Option<&'a [u32]>,
    ) -> Unpool<'a> {
        let Some((pooled, _)) = layer.pooled else { unreachable!("this layer is followed by a pooling") };
        Unpool {
            gradient: Plane::new(pooled, source),
            pool: Pool { pooling: self.job.pooling, scale: self.job.pooling_scale },
            argmax: argmax.map(View::new),
            feature: self.divided_by(layer).map(|_| Plane::new(layer.layout, feature)),
            layout: layer.layout,
            relu_mask: View::new(relu_mask),
        }
    }

    /// Adds what flows in at a tap to the gradient of its feature, or begins it.
    fn tap(&self, plan: &mut Plan, index: usize, gradient: &TapGradient<'_>, add: bool) {
        let layer = plan.layers[index];
        let [target, feature] = plan.planes.several([layer.gradient, layer.feature]);
        if !add {
            let rows = self.window.of_layer(&layer);
            clear_around(self.job.isa(), &self.job.threads, layer.layout, &rows, target);
        }
        let packed = self.packed(&layer, gradient);
        let inflow = self.inflow(&layer, feature, &plan.relu_masks[index], gradient, &packed);
        let target = Target { plane: PlaneMut::new(layer.layout, target), first_row: 0, add };
        inflow.run(self.job.isa(), &self.job.threads, target, &mut plan.scratch);
    }

    /// The packed gradient of the moments of a layer, with the weights of the window.
    fn packed<'t>(&self, layer: &Layer, gradient: &TapGradient<'t>) -> Option<PackedMoments<'t>> {
        let shape = layer.layout.shape;
        let skip = self.window.first_row(layer.level) * shape.width;
        let moments = gradient.moments?;
        let moments = MomentGradient { weights: moments.weights.map(|weights| &weights[skip..]), ..moments };
        Some(PackedMoments::new(self.job.isa(), &self.job.threads, shape.channels, &moments))
    }

    /// What flows in at a tap.
    fn inflow<'a>(
        &self,
        layer: &Layer,
        feature: &'a [f32],
        relu_mask: &'a [u16],
        gradient: &TapGradient<'a>,
        moments: &'a Option<PackedMoments<'a>>,
    ) -> Inflow<'a> {
        let first_row = self.window.first_row(layer.level);
        let content = gradient.content.map(|content| Content {
            target: Plane::new(Layout::new(content.target.shape), &content.target.data),
            first_row,
            scale: content.scale,
            weights: content.weights.map(|weights| View::new(&weights[first_row * layer.layout.shape.width..])),
        });
        let of_feature = gradient.features.map(|features| OfFeature {
            gradient: Plane::new(Layout::new(features.gradient.shape), &features.gradient.data),
            first_row,
            scale: features.scale,
        });
        let rows = self.window.of_layer(layer);
        let feature = Plane::new(layer.layout, feature);
        let (rows, relu_mask) = ((rows.start, rows.end), View::new(relu_mask));
        Inflow { feature, relu_mask, rows, moments: moments.as_ref(), content, of_feature }
    }

    /// From the gradient of a layer's feature, or of that pooled, to that of its input, or through the first layer to
    /// the picture.
    fn layer(&self, plan: &mut Plan, index: usize, arrived: Arrived, out: &mut [f32]) -> Arrived {
        let Plan { layers, planes, relu_masks, argmax, scratch, to_picture, source, room, .. } = plan;
        let weights = room.weights(self.job, self.first + index, Direction::Backward);
        let layer = layers[index];
        let before = index.checked_sub(1).map(|before| (layers[before], &*relu_masks[before]));
        let arrives = if arrived == Arrived::Pooled { layer.pooled_gradient } else { layer.gradient };
        // The plane the gradient goes to, its layout, the ReLU it passes, and what it is there.
        let leaves = match (before, *source) {
            (Some((Layer { pooled: Some((layout, _)), pooled_gradient, .. }, _)), _) => {
                pooled_gradient.map(|plane| (plane, layout, None, Arrived::Pooled))
            }
            (Some((Layer { layout, gradient, .. }, mask)), _) => {
                gradient.map(|plane| (plane, layout, Some(View::new(mask)), Arrived::Feature))
            }
            (None, source) => source.map(|source| (source.gradient, source.layout, None, Arrived::Input)),
        };
        // The first feature of all, where something flows in on the way to the picture.
        let first = layers[0].feature.filter(|_| leaves.is_none() && self.at(0).next().is_some());
        let target = leaves.map(|(plane, ..)| plane);
        let [gradient, target, feature, first] = planes.several([arrives, target, self.divided_by(&layer), first]);
        let input = match arrived {
            Arrived::Pooled => {
                Input::Pooled(self.unpooled(&layer, gradient, feature, &relu_masks[index], argmax[index].as_deref()))
            }
            _ => Input::Feature(Plane::new(layer.layout, gradient)),
        };
        let Some((_, layout, relu_mask, becomes)) = leaves else {
            let (before, mask) = (layers[0], &*relu_masks[0]);
            let packed: Vec<_> = self.at(0).map(|tap| self.packed(&before, tap)).collect();
            let inflow = |(tap, packed)| self.inflow(&before, first, mask, tap, packed);
            let taps: Vec<_> = self.at(0).zip(&packed).map(inflow).collect();
            let sink = ToPicture::new(self.direct(), before.layout, mask, &taps, self.end(), out, to_picture);
            self.convolve(weights, before.layout, input, sink, scratch);
            sink.finish(self.job.threads.count());
            return Arrived::Input;
        };
        clear_border(self.job.isa(), &self.job.threads, layout, target);
        self.convolve(weights, layout, input, Masked { plane: PlaneMut::new(layout, target), relu_mask }, scratch);
        becomes
    }

    /// The first convolution of all.
    fn direct(&self) -> &Direct {
        match &self.job.trunk.convolutions[0].weights {
            Weights::Direct(weights) => weights,
            Weights::Winograd { .. } | Weights::Plain(_) => unreachable!("the first layer of all is direct"),
        }
    }

    /// How gradients enter the picture.
    fn end(&self) -> End {
        End { scale: self.job.scale, border: self.job.border }
    }

    fn convolve<O: Sink>(&self, weights: &Packed, layout: Layout, source: Input<'_>, sink: O, scratch: &mut [f32]) {
        match source {
            Input::Feature(source) => self.winograd(weights, layout, source, sink, scratch),
            Input::Pooled(source) => self.winograd(weights, layout, source, sink, scratch),
        }
    }

    fn winograd<I: Source, O: Sink>(&self, weights: &Packed, layout: Layout, source: I, sink: O, scratch: &mut [f32]) {
        let job = Winograd { weights, height: layout.shape.height, width: layout.shape.width, source, sink };
        winograd::run(self.job.isa(), &self.job.threads, &job, scratch);
    }

    /// From the gradient of the first feature, where it was written out or comes from its tap alone, to the picture.
    fn first(&self, plan: &mut Plan, arrived: Arrived, out: &mut [f32]) -> Arrived {
        let Plan { layers, planes, relu_masks, to_picture, .. } = plan;
        let layer = layers[0];
        let (weights, layout, mask) = (self.direct(), layer.layout, &*relu_masks[0]);
        if arrived == Arrived::Feature {
            let [gradient] = planes.several([layer.gradient]);
            let end = ToPicture::new(weights, layout, mask, &[], self.end(), out, to_picture);
            end.run(self.job.isa(), &self.job.threads, Plane::new(layer.layout, gradient));
        } else {
            let packed: Vec<_> = self.at(0).map(|tap| self.packed(&layer, tap)).collect();
            let [feature] = planes.several([layer.feature]);
            let inflow = |(tap, packed)| self.inflow(&layer, feature, &relu_masks[0], tap, packed);
            let taps: Vec<_> = self.at(0).zip(&packed).map(inflow).collect();
            let end = ToPicture::new(weights, layout, mask, &taps, self.end(), out, to_picture);
            end.run_taps(self.job.isa(), &self.job.threads);
        }
        Arrived::Input
    }
}

/// Where a convolution's backward reads from.
enum Input<'a> {
    /// The gradient of its feature.
    Feature(Plane<'a>),
    /// The gradient of its pooled feature.
    Pooled(Unpool<'a>),
}

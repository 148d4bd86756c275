//! A stretch of a network with its buffers, and what can be asked of it between its passes.

use super::forward::{Pass, prepare, remake};
use super::job::Job;
use super::plan::{Blueprint, Plan, Scope};
use super::window::Window;
use crate::layout::{Layout, Plane, PlaneMut, clear_around, copy_rows};

use crate::moments;
use crate::profile::{Part, Profile};
use crate::{Features, Moments, Shape};
use std::ops::Range;

/// A tap and the weights of its positions.
pub(super) type Wanted<'a> = (usize, Option<&'a [f32]>);

/// Some consecutive convolutions and everything they need for one size of their input, of which a window may be run at
/// a time.
pub(super) struct Stretch {
    pub(super) scope: Scope,
    pub(super) plan: Plan,
    /// The moments without weights that the first feature had, if it is remade.
    passed: Option<Moments>,
    pub(super) held: Held,
}

/// Which of the features that are kept or remade are there, between the passes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Held {
    /// Those that are kept.
    Kept,
    /// The very first, which was made once more in the place of others.
    First,
    /// None: going back has taken their places.
    Nothing,
}

impl Stretch {
    /// Makes the buffers for an input of this shape.
    pub(super) fn new(job: &Job, scope: Scope, input: Shape) -> Self {
        let plan = Plan::new(job.isa(), Blueprint::new(job, &scope, input));
        Self { scope, plan, passed: None, held: Held::Nothing }
    }

    /// Whether it has this tap.
    pub(super) fn has(&self, tap: usize) -> bool {
        self.scope.taps.contains(&tap)
    }

    /// The plane that the stretch reads, to be written, borders left and right included.
    pub(super) fn source_mut(&mut self) -> PlaneMut<'_> {
        let Some(source) = self.plan.source else { unreachable!("this stretch reads a plane") };
        PlaneMut::new(source.layout, self.plan.planes.plane_mut(source.plane))
    }

    /// The gradient of that plane after a backward pass.
    pub(super) fn source_gradient(&self) -> Plane<'_> {
        let Some(source) = self.plan.source else { unreachable!("this stretch reads a plane") };
        Plane::new(source.layout, self.plan.planes.plane(source.gradient))
    }

    /// Takes some rows of a picture of this height, as many as the stretch is planned for.
    pub(super) fn load(&mut self, job: &Job, picture: &[f32], height: usize, rows: &Range<usize>) {
        prepare(&mut self.plan, job, picture, height, rows.start);
    }

    /// Runs layers on what was loaded or lies in the source plane. `on_layer` is called as soon as each feature is made.
    pub(super) fn forward(
        &mut self,
        job: &Job,
        Run { deepest, keep }: Run,
        profile: &mut Profile,
        part: Part,
        on_layer: OnLayer<'_>,
    ) {
        self.held = Held::Kept;
        let plan = &mut self.plan;
        if let Some(source) = plan.source {
            let rows = 0..source.layout.shape.height;
            clear_around(job.isa(), &job.threads, source.layout, &rows, plan.planes.plane_mut(source.plane));
        }
        let pass = Pass { job, keep };
        for number in plan.first..=deepest {
            let plan = &mut self.plan;
            let index = number - plan.first;
            profile.time(part, number, || pass.run(plan, index));
            on_layer(self, number);
        }
    }

    /// Runs all layers. The moments that are wanted; those of a first feature that is remade are taken as it passes.
    pub(super) fn forward_with_moments(
        &mut self,
        job: &Job,
        keep: bool,
        profile: &mut Profile,
        wanted: &[Wanted<'_>],
    ) -> Vec<Moments> {
        let (first, deepest) = (self.plan.first, self.scope.convolutions.end - 1);
        let remade = self.plan.layers[0].remade;
        let mut passed = Vec::new();
        self.forward(job, Run { deepest, keep }, profile, Part::Forward, &mut |stretch, made| {
            if made == first && remade {
                stretch.passed = Some(stretch.moments_there(job, (first, None)));
                let weighted = wanted.iter().filter(|(tap, weights)| *tap == first && weights.is_some());
                passed = weighted.map(|wanted| stretch.moments_there(job, *wanted)).collect();
            }
        });
        let mut passed = passed.into_iter();
        let one = |wanted: &Wanted<'_>| match wanted {
            (tap, Some(_)) if *tap == first && remade => passed.next(),
            _ => Some(self.moments(job, *wanted)),
        };
        wanted.iter().filter_map(one).collect()
    }

    /// Makes the feature of a tap anew if it is not there, between the passes.
    pub(super) fn ensure_feature(&mut self, job: &Job, tap: usize) {
        let remade = self.plan.layers[tap - self.plan.first].remade;
        if remade && self.plan.source.is_none() {
            if self.held != Held::First {
                remake(&mut self.plan, job);
                self.held = Held::First;
            }
            return;
        }
        self.renew(job);
        if remade {
            remake(&mut self.plan, job);
        }
    }

    /// Runs it again where the features that are kept are gone.
    pub(super) fn renew(&mut self, job: &Job) {
        if self.held != Held::Kept {
            self.forward_with_moments(job, true, &mut Profile::default(), &[]);
        }
    }

    /// The feature of a tap that is there, and how many poolings of the stretch come before it.
    pub(super) fn feature(&self, tap: usize) -> (Plane<'_>, u32) {
        let layer = &self.plan.layers[tap - self.plan.first];
        (Plane::new(layer.layout, self.data(tap)), layer.level)
    }

    /// The feature of a tap that is there, as it lies.
    pub(super) fn data(&self, tap: usize) -> &[f32] {
        let layer = &self.plan.layers[tap - self.plan.first];
        let Some(plane) = layer.feature else { unreachable!("the feature of a tap is kept") };
        self.plan.planes.plane(plane)
    }

    /// The moments of a tap over all of its positions, between the passes.
    pub(super) fn moments(&mut self, job: &Job, (tap, weights): Wanted<'_>) -> Moments {
        if let (true, None, Some(passed)) = (self.plan.layers[tap - self.plan.first].remade, weights, &self.passed) {
            return passed.clone();
        }
        self.ensure_feature(job, tap);
        self.moments_there(job, (tap, weights))
    }

    /// The same of a feature that is there.
    fn moments_there(&mut self, job: &Job, (tap, weights): Wanted<'_>) -> Moments {
        let Plan { layers, planes, sums, first, .. } = &mut self.plan;
        let layer = &layers[tap - *first];
        let Some(plane) = layer.feature else { unreachable!("the feature of a tap is kept") };
        let feature = Plane::new(layer.layout, planes.plane(plane));
        moments::moments(job.isa(), &job.threads, feature, weights, sums)
    }

    /// Adds what counts of a window to sums for the moments of a tap; `weights` are the whole feature's.
    pub(super) fn add_moments(&self, job: &Job, window: &Window, (tap, weights): Wanted<'_>, sums: &mut [f64]) {
        let (feature, level) = self.feature(tap);
        let Shape { height, width, .. } = feature.layout.shape;
        let weights = weights.map(|weights| &weights[window.first_row(level) * width..]);
        let rows = window.interior(level, height);
        moments::sum(job.isa(), &job.threads, feature, rows, weights, sums, true);
    }

    /// `Σ w[p] · (F − target)²` over what counts of a window; target and weights are the whole feature's.
    pub(super) fn squared_distance(
        &self,
        job: &Job,
        window: &Window,
        tap: usize,
        target: &Features,
        weights: Option<&[f32]>,
    ) -> f64 {
        let (feature, level) = self.feature(tap);
        let Shape { height, width, .. } = feature.layout.shape;
        let first_row = window.first_row(level);
        let weights = weights.map(|weights| &weights[first_row * width..]);
        let target = Plane::new(Layout::new(target.shape), &target.data);
        let rows = window.interior(level, height);
        moments::squared_distance(job.isa(), &job.threads, feature, rows, target, first_row, weights)
    }

    /// Copies what counts of a window to where it belongs in the whole feature.
    pub(super) fn copy_feature(&self, job: &Job, window: &Window, tap: usize, whole: PlaneMut<'_>) {
        let (feature, level) = self.feature(tap);
        let rows = window.interior(level, feature.layout.shape.height);
        let first = window.first_row(level) + rows.start;
        copy_rows(&job.threads, feature, rows, whole, first);
    }
}

/// How far a forward pass runs.
#[derive(Clone, Copy)]
pub(super) struct Run {
    /// The last convolution.
    pub(super) deepest: usize,
    /// Whether to keep what the backward pass needs.
    pub(super) keep: bool,
}

/// Called after each convolution of a pass, with the stretch and the number of the convolution.
pub(super) type OnLayer<'a> = &'a mut dyn FnMut(&mut Stretch, usize);

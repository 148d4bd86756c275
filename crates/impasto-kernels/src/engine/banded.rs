//! The shallow stretch of a network in bands of rows.
//!
//! Features in front of the second pooling are large and cheap to make. They are made a band at a time; of each band,
//! what the deep stretch reads is copied to where that finds it, moments at taps are added up, and nothing else is kept
//! but masks behind the deepest tap. On the way back each band is made once more up to that tap, the gradients of what
//! counts of it flow in, and what arrives at its rows of the picture, halo included, is added to the gradient of the
//! picture. All that is not in the interior of a band is in that of another, so the sum is the gradient of the whole
//! picture.

use super::backward::Flow;
use super::job::Job;
use super::masks::Masks;
use super::plan::{Blueprint, Scope};
use super::stretch::{OnLayer, Run, Stretch, Wanted};
use super::window::{Window, Windows};
use crate::layout::{Layout, Plane, PlaneMut, copy_rows};
use crate::memory::{Buffer, ViewMut};
use crate::moments;
use crate::profile::{Part, Profile};
use crate::threads::part;
use crate::{Features, Moments, Shape, TapGradient};

/// The shallow stretch, a window of the picture at a time.
pub(super) struct Banded {
    stretch: Stretch,
    windows: Windows,
    /// The picture's shape.
    shape: Shape,
    /// The picture of the last forward pass.
    picture: Buffer<f32>,
    /// The gradient of a window of it.
    gradient: Buffer<f32>,
    /// What going back needs of the convolutions that are not made once more.
    masks: Masks,
    /// Moments of all taps, without weights, and what they were added up in.
    moments: Vec<(usize, Moments)>,
    /// The window that the stretch holds with all that going back needs.
    held: Option<usize>,
}

impl Banded {
    /// Bytes that it would hold.
    pub(super) fn planned_bytes(job: &Job, scope: &Scope, windows: &Windows, shape: Shape) -> usize {
        let window = Shape { height: windows.window, ..shape };
        let masks = Masks::planned_bytes(job, scope, shape);
        Blueprint::new(job, scope, window).bytes() + size_of::<f32>() * (shape.len() + window.len()) + masks
    }

    /// Makes the buffers for a picture of this shape.
    pub(super) fn new(job: &Job, scope: Scope, windows: Windows, shape: Shape) -> Self {
        let window = Shape { height: windows.window, ..shape };
        Self {
            masks: Masks::new(job, &scope, shape),
            stretch: Stretch::new(job, scope, window),
            windows,
            shape,
            picture: Buffer::new(shape.len()),
            gradient: Buffer::new(window.len()),
            moments: Vec::new(),
            held: None,
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let own = size_of_val(&*self.picture) + size_of_val(&*self.gradient);
        self.stretch.plan.bytes() + own + self.masks.bytes()
    }

    /// Whether it has this tap.
    pub(super) fn has(&self, tap: usize) -> bool {
        self.stretch.has(tap)
    }

    /// Runs a picture; the pooled feature goes to `target`. The moments that are wanted.
    pub(super) fn forward(
        &mut self,
        job: &Job,
        picture: &[f32],
        target: PlaneMut<'_>,
        keep: bool,
        wanted: &[Wanted<'_>],
        profile: &mut Profile,
    ) -> Vec<Moments> {
        self.picture.copy_from_slice(picture);
        let taps = self.stretch.scope.taps.clone();
        let unweighted = taps.iter().map(|&tap| (tap, None));
        let weighted = wanted.iter().copied().filter(|(_, weights)| weights.is_some());
        let all: Vec<Wanted<'_>> = unweighted.chain(weighted).collect();
        let mut sums = self.sums(job, &all);
        let deepest = self.stretch.scope.convolutions.end - 1;
        let mut masks = std::mem::take(&mut self.masks);
        self.sweep(job, Run { deepest, keep }, profile, |stretch, window, made| {
            add_moments(job, stretch, window, made, &all, &mut sums);
            if made != deepest {
                return;
            }
            if keep {
                masks.save(&stretch.plan, window);
            }
            let layer = &stretch.plan.layers[stretch.plan.layers.len() - 1];
            let ((layout, plane), level) = (layer.output(), layer.level + 1);
            let rows = window.interior(level, layout.shape.height);
            let first = window.first_row(level) + rows.start;
            copy_rows(&job.threads, Plane::new(layout, stretch.plan.planes.plane(plane)), rows, target, first);
        });
        self.masks = masks;
        let mut found = self.finish(job, &all, &sums).into_iter();
        self.moments = taps.into_iter().zip(found.by_ref()).collect();
        wanted.iter().filter_map(|(tap, weights)| weights.map_or(self.unweighted(*tap), |_| found.next())).collect()
    }

    /// The moments of a tap without weights.
    fn unweighted(&self, tap: usize) -> Option<Moments> {
        self.moments.iter().find(|(known, _)| *known == tap).map(|(_, moments)| moments.clone())
    }

    /// The moments of a tap after the forward pass: those without weights are known.
    pub(super) fn moments(&mut self, job: &Job, wanted: Wanted<'_>) -> Moments {
        if let (None, Some(known)) = (wanted.1, self.unweighted(wanted.0)) {
            return known;
        }
        let mut sums = self.sums(job, &[wanted]);
        self.sweep(job, Run { deepest: wanted.0, keep: false }, &mut Profile::default(), |stretch, window, made| {
            add_moments(job, stretch, window, made, &[wanted], &mut sums);
        });
        let Some(found) = self.finish(job, &[wanted], &sums).pop() else { unreachable!("one was asked for") };
        found
    }

    /// The whole feature of a tap.
    pub(super) fn capture(&mut self, job: &Job, tap: usize, shape: Shape) -> Features {
        let layout = Layout::new(shape);
        let mut data = vec![0.0; layout.len()];
        let whole = PlaneMut::new(layout, &mut data);
        self.sweep(job, Run { deepest: tap, keep: false }, &mut Profile::default(), |stretch, window, made| {
            if made == tap {
                stretch.copy_feature(job, window, tap, whole);
            }
        });
        Features { shape, data }
    }

    /// `Σ w[p] · (F − target)²`
    pub(super) fn squared_distance(
        &mut self,
        job: &Job,
        tap: usize,
        target: &Features,
        weights: Option<&[f32]>,
    ) -> f64 {
        let mut sum = 0.0;
        self.sweep(job, Run { deepest: tap, keep: false }, &mut Profile::default(), |stretch, window, made| {
            if made == tap {
                sum += stretch.squared_distance(job, window, tap, target, weights);
            }
        });
        sum
    }

    /// Carries gradients at taps and that of the whole pooled feature to the picture; `out` is overwritten.
    pub(super) fn backward(
        &mut self,
        job: &Job,
        gradients: &[TapGradient<'_>],
        pooled: Option<Plane<'_>>,
        profile: &mut Profile,
        out: &mut [f32],
    ) {
        out.fill(0.0);
        if pooled.is_none() && !gradients.iter().any(|gradient| self.has(gradient.tap)) {
            return;
        }
        // Backwards, as the last window may still be there.
        for index in (0..self.windows.count).rev() {
            let window = self.windows.get(index);
            if self.held != Some(index) {
                let run = Run { deepest: self.masks.deepest, keep: true };
                self.run(job, &window, run, profile, Part::Again, &mut |_, _| ());
                self.masks.load(&mut self.stretch.plan, &window);
            }
            let flow = Flow { gradients, window: &window, pooled };
            self.stretch.backward(job, flow, profile, &mut self.gradient);
            self.held = None;
            self.add_gradient(job, &window, out);
        }
    }

    /// Runs all windows, and shows each convolution's feature as soon as it is made.
    fn sweep(&mut self, job: &Job, run: Run, profile: &mut Profile, mut see: impl FnMut(&Stretch, &Window, usize)) {
        self.held = None;
        for index in 0..self.windows.count {
            let window = self.windows.get(index);
            let look = &mut |stretch: &mut Stretch, made| see(stretch, &window, made);
            self.run(job, &window, run, profile, Part::Forward, look);
            self.held = run.keep.then_some(index);
        }
    }

    /// Runs a window.
    fn run(&mut self, job: &Job, window: &Window, run: Run, profile: &mut Profile, part: Part, on_layer: OnLayer<'_>) {
        self.stretch.load(job, &self.picture, self.shape.height, &window.rows);
        self.stretch.forward(job, run, profile, part, on_layer);
    }

    /// Zeros to add up moments in.
    fn sums(&self, job: &Job, wanted: &[Wanted<'_>]) -> Vec<Vec<f64>> {
        let len = |tap| moments::scratch_len(self.stretch.feature(tap).0.layout.shape.channels);
        wanted.iter().map(|&(tap, _)| vec![0.0; job.threads.count() * len(tap)]).collect()
    }

    /// The moments that sums over all windows make.
    fn finish(&self, job: &Job, wanted: &[Wanted<'_>], sums: &[Vec<f64>]) -> Vec<Moments> {
        let moments = |(&(tap, weights), sums): (&Wanted<'_>, &Vec<f64>)| {
            let (feature, level) = self.stretch.feature(tap);
            let shape = feature.layout.shape;
            let weight = moments::total(weights, (self.shape.height >> level) * shape.width);
            moments::finish(&job.threads, shape.channels, weight, sums)
        };
        wanted.iter().zip(sums).map(moments).collect()
    }

    /// Adds the gradient of a window to that of the picture.
    fn add_gradient(&self, job: &Job, window: &Window, out: &mut [f32]) {
        let (Shape { height, width, .. }, rows, count) = (self.shape, window.rows.len(), job.threads.count());
        let out = ViewMut::new(out);
        job.threads.run(|worker| {
            for row in part(3 * rows, count, worker) {
                let at = row / rows * height + window.rows.start + row % rows;
                // SAFETY: the row lies inside the picture and belongs to this worker.
                let target = unsafe { out.slice(at * width, width) };
                target.iter_mut().zip(&self.gradient[row * width..]).for_each(|(sum, value)| *sum += value);
            }
        });
    }
}

/// Adds what counts of a window at the tap that was just made to its sums.
fn add_moments(
    job: &Job,
    stretch: &Stretch,
    window: &Window,
    made: usize,
    wanted: &[Wanted<'_>],
    sums: &mut [Vec<f64>],
) {
    for (&wanted, sums) in wanted.iter().zip(sums).filter(|((tap, _), _)| *tap == made) {
        stretch.add_moments(job, window, wanted, sums);
    }
}

//! The run itself: size after size, step after step, until it is over.

use std::time::Instant;

use impasto_nn::vgg::Preprocessing;

use super::checkpoint::{Keeper, Kept};
use super::state::{Average, State};
use super::{PaintError, Painting, Scale, Scene, start};
use crate::device::{Cpu, Machine};
use crate::memory::Plan;
use crate::objective::{Losses, Objective, Protected, Weights};
use crate::optimizer::{self, Optimizer, Outcome};
use crate::picture::Picture;
use crate::progress::{End, Event, Flow, Observer};
use crate::settings::Settings;

/// A painting between its first and its last step.
pub(super) struct Run<'a> {
    scene: Scene,
    settings: &'a Settings,
    scales: Vec<Scale>,
    /// How each size passes through the network.
    plans: Vec<Plan>,
    objective: Objective,
    optimizer: Box<dyn Optimizer>,
    cpu: Cpu,
    state: State,
    clock: Clock,
    device: String,
    keeper: Option<Keeper>,
    observer: &'a mut dyn Observer,
}

/// Where a run is kept, and where it was.
#[derive(Default)]
pub(super) struct Keeping {
    pub(super) keeper: Option<Keeper>,
    pub(super) kept: Option<Kept>,
}

/// What computes.
pub(super) struct Computing {
    /// An objective that has not looked at anything yet.
    pub(super) objective: Objective,
    pub(super) cpu: Cpu,
    pub(super) device: String,
}

impl Computing {
    /// On a machine, under these weights.
    pub(super) fn new(machine: Machine, weights: &Weights) -> Self {
        let (cpu, device) = (machine.cpu.clone(), machine.device.clone());
        Self { objective: Objective::blank(machine, weights), cpu, device }
    }
}

impl<'a> Run<'a> {
    /// A run from its start, or from where it was kept.
    pub(super) fn new(
        scene: Scene,
        settings: &'a Settings,
        (scales, plans): (Vec<Scale>, Vec<Plan>),
        Computing { objective, cpu, device }: Computing,
        preprocessing: &Preprocessing,
        Keeping { keeper, kept }: Keeping,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, PaintError> {
        let mut optimizer = optimizer::optimizer(settings, cpu.clone());
        let (state, elapsed) = match kept {
            Some(kept) => kept.state(optimizer.as_mut())?,
            None => {
                let first = scene.at(scales[0], settings.style_scale);
                (State::new(start(&first, settings, preprocessing).into_data()), 0.0)
            }
        };
        let clock = Clock::new(elapsed);
        Ok(Self { scene, settings, scales, plans, objective, optimizer, cpu, state, clock, device, keeper, observer })
    }

    /// Paints to the end.
    pub(super) fn run(mut self) -> Result<Painting, PaintError> {
        self.keep(true);
        loop {
            let (now, last) = (self.scale(), self.state.scale + 1 == self.scales.len());
            self.look(now, last);
            let end = self.paint_scale()?;
            if last || end == End::Stopped {
                return Ok(self.finish(end));
            }
            self.grow();
        }
    }

    /// Looks at content and styles at a size; at the last one nothing else needs the scene any more.
    fn look(&mut self, now: Scale, last: bool) {
        let style_scale = self.settings.style_scale;
        let scene = if last { self.scene.at_last(now, style_scale) } else { self.scene.at(now, style_scale) };
        let regions = self.scene.masks.regions(&scene.content);
        self.objective.look_at(self.plans[self.state.scale].layout, &scene.content, &scene.styles, regions);
    }

    /// The picture as it would be left now, with what is protected in its place.
    fn shown(&self) -> Picture {
        let now = self.scale();
        let mut picture = self.state.shown((now.height, now.width), self.optimizer.as_ref());
        self.objective.show(picture.data_mut());
        picture
    }

    fn scale(&self) -> Scale {
        self.scales[self.state.scale]
    }

    /// The steps at one size.
    fn paint_scale(&mut self) -> Result<End, PaintError> {
        let Scale { height, width, iterations } = self.scale();
        let (scale, scales) = (self.state.scale + 1, self.scales.len());
        self.observer.event(&Event::Scale { scale, scales, width, height, iterations });
        self.clock.begin_scale(self.state.iteration);
        let mut gradient = vec![0.0; self.state.picture.len()];
        while self.state.iteration < iterations {
            let losses = self.objective.value_and_gradient(&self.state.picture, &mut gradient);
            if self.state.history.is_empty() && !optimizer::is_finite(&self.cpu, losses.loss, &gradient) {
                return Err(PaintError::NotFinite);
            }
            let outcome = self.optimizer.tell(&mut self.state.picture, losses.loss, &gradient);
            if self.optimizer.keeps_best() {
                self.state.remember_best(losses, self.optimizer.as_ref());
            }
            self.average();
            self.state.iteration += 1;
            let flow = self.tell_step(losses);
            let converged = self.report(outcome);
            if converged.is_some() {
                return Ok(converged.unwrap_or(End::Complete));
            }
            let over = scale == scales && self.state.iteration == iterations;
            if flow == Flow::Stop && !over {
                self.keep(true);
                return Ok(End::Stopped);
            }
            self.show(over);
            self.keep(false);
        }
        Ok(End::Complete)
    }

    /// Takes the picture as it stands into the average, where one is wanted.
    fn average(&mut self) {
        let decay = self.settings.average;
        if decay > 0.0 && !self.optimizer.keeps_best() {
            let average = self.state.average.get_or_insert_with(|| Average::new(self.state.picture.len()));
            average.add(&self.state.picture, decay, &self.cpu);
        }
    }

    /// Counts a step and tells of it.
    fn tell_step(&mut self, losses: Losses) -> Flow {
        let elapsed = self.clock.elapsed();
        self.state.history.push((elapsed, losses));
        let now = self.scale();
        let ahead = &self.scales[self.state.scale + 1..];
        let here = (now.height * now.width) as f64;
        let made: f64 = self.scales[..self.state.scale].iter().map(Scale::work).sum();
        let made = made + here * self.state.iteration as f64;
        let to_come =
            ahead.iter().map(Scale::work).sum::<f64>() + here * (now.iterations - self.state.iteration) as f64;
        let iteration = self.state.history.len();
        let to_make = ahead.iter().map(|scale| scale.iterations).sum::<usize>() + now.iterations - self.state.iteration;
        self.observer.event(&Event::Step {
            iteration,
            iterations: iteration + to_make,
            scale: self.state.scale + 1,
            scales: self.scales.len(),
            width: now.width,
            height: now.height,
            elapsed,
            left: to_come / here * self.clock.step(self.state.iteration),
            done: made / (made + to_come),
            losses,
        })
    }

    /// Writes the checkpoint if it is time, or now; where that fails the one before it stays, and the run goes on.
    fn keep(&mut self, now: bool) {
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| now || keeper.due()) else { return };
        let clock = (self.device.as_str(), self.clock.elapsed());
        let written = keeper.keep(&self.state, self.optimizer.as_ref(), (&self.scales, &self.plans), clock);
        let event = match written {
            Ok(()) => Event::Checkpoint { iteration: self.state.history.len(), path: keeper.path().into() },
            Err(error) => Event::Warning { message: error.to_string() },
        };
        self.observer.event(&event);
    }

    /// Shows the picture on the way, every so many steps.
    fn show(&mut self, over: bool) {
        let iteration = self.state.history.len();
        if !over && self.settings.save_every.is_some_and(|every| iteration.is_multiple_of(every)) {
            self.observer.picture(iteration, &self.shown());
        }
    }

    /// Tells what the optimiser said; the end of this size, if it has nothing left to do.
    fn report(&mut self, outcome: Outcome) -> Option<End> {
        let iteration = self.state.history.len();
        match outcome {
            Outcome::Moved => {}
            Outcome::RolledBack(reason) => {
                self.observer.event(&Event::RolledBack { iteration, reason });
            }
            Outcome::Restarted(reason) => {
                self.observer.event(&Event::Restarted { iteration, reason });
            }
            Outcome::Converged(reason) => return Some(End::Converged(reason)),
        }
        None
    }

    /// Takes the picture, and what the optimiser learnt, to the next size. What the photograph has too fine to be seen
    /// at this size is added: the painting is what it changed of it. That starts at about half the loss, and saves a
    /// tenth of the iterations.
    fn grow(&mut self) {
        self.objective.forget();
        let (now, next) = (self.scale(), self.scales[self.state.scale + 1]);
        let (from, to) = ((now.height, now.width), (next.height, next.width));
        let mut picture = self.state.shown(from, self.optimizer.as_ref()).resized(to.0, to.1).into_data();
        if self.settings.content_weight > 0.0 {
            let content = &self.scene.content;
            let small = content.resized(from.0, from.1).resized(to.0, to.1);
            let large = content.resized(to.0, to.1);
            let lost = large.data().iter().zip(small.data()).map(|(large, small)| large - small);
            picture.iter_mut().zip(lost).for_each(|(value, lost)| *value += lost);
        }
        self.optimizer.enlarge(from, to);
        self.state.grow(picture);
    }

    /// The best picture there is: that of the line search; or the average, where its loss is lower than that of the last.
    fn finish(mut self, end: End) -> Painting {
        let now = self.scale();
        let size = (now.height, now.width);
        let mut picture = self.state.shown(size, self.optimizer.as_ref());
        let losses = match self.state.best {
            Some(losses) => losses,
            None => {
                let losses = self.objective.value(picture.data());
                let last = self.state.average.is_some().then(|| self.objective.value(&self.state.picture));
                match last.filter(|last| last.loss < losses.loss) {
                    Some(last) => {
                        picture = Picture::from_planar(size.0, size.1, std::mem::take(&mut self.state.picture));
                        last
                    }
                    None => losses,
                }
            }
        };
        if self.state.scale + 1 == self.scales.len() {
            self.objective.show(picture.data_mut());
            self.objective.forget();
        } else {
            self.objective.forget();
            picture = self.enlarged(&picture);
        }
        let (iteration, elapsed) = (self.state.history.len(), self.clock.elapsed());
        self.observer.event(&Event::Finished { iteration, elapsed, end: end.clone(), losses });
        Painting { picture, losses, history: self.state.history, begun: self.state.begun, end }
    }
}

impl Run<'_> {
    /// The picture of a run that was stopped at a smaller size, at the size of the whole run. What is protected is the
    /// content at that size, not enlarged from the smaller one.
    fn enlarged(&self, picture: &Picture) -> Picture {
        let Scale { height, width, .. } = self.scales[self.scales.len() - 1];
        let mut picture = picture.resized(height, width);
        let content = self.scene.content.resized(height, width);
        if let Some(stays) = self.scene.masks.regions(&content).protect {
            Protected::new(&content, stays).lay_over(picture.data_mut());
        }
        picture
    }
}

/// The time of a run.
struct Clock {
    begun: Instant,
    /// Seconds before the run was taken up again.
    before: f64,
    /// When the size began, in seconds, and the iterations made there before.
    scale: (f64, usize),
}

impl Clock {
    fn new(before: f64) -> Self {
        Self { begun: Instant::now(), before, scale: (before, 0) }
    }

    fn elapsed(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }

    fn begin_scale(&mut self, iteration: usize) {
        self.scale = (self.elapsed(), iteration);
    }

    /// Seconds of a step at this size, after so many.
    fn step(&self, iteration: usize) -> f64 {
        (self.elapsed() - self.scale.0) / (iteration - self.scale.1).max(1) as f64
    }
}

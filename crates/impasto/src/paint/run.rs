//! The run itself: size after size, step after step, until it is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use impasto_nn::backend::{Backend, Tensor};
use impasto_nn::vgg::Preprocessing;

use super::checkpoint::{Keeper, Kept, Snapshot};
use super::finish::Finish;
use super::last_checkpoint::Writing;
use super::state::{Average, State};
use super::{PaintError, PaintEvent, Painting, Scale, Scene, start};
use crate::device::Machine;
use crate::job::{Context, Control, ControlState, End, Interruption, OnRelease, Stopped};
use crate::memory::Plan;
use crate::objective::{Losses, Objective, Weights};
use crate::optimizer::{self, Growth, Optimizer, Outcome};
use crate::picture::Picture;
use crate::settings::Settings;

/// A painting between its first and its last step.
pub(super) struct Run<'a> {
    pub(super) scene: Scene,
    settings: &'a Settings,
    pub(super) scales: Vec<Scale>,
    /// How each size passes through the network.
    pub(super) plans: Vec<Plan>,
    pub(super) objective: Objective,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) state: State,
    pub(super) clock: Clock,
    pub(super) keeper: Option<Keeper>,
    save_snapshot: Option<SaveSnapshot<'a>>,
    finish: Arc<Finish>,
    pub(super) interruption: Interruption,
    pub(super) context: &'a Context<'a>,
}

/// Writes the picture after this many iterations.
pub(super) type SaveSnapshot<'a> = &'a dyn Fn(usize, &Picture);

/// Where a run is kept, and where it was.
#[derive(Default)]
pub(super) struct Keeping<'a> {
    pub(super) keeper: Option<Keeper>,
    pub(super) kept: Option<Kept>,
    /// Called every [`Settings::save_every`] iterations.
    pub(super) save_snapshot: Option<SaveSnapshot<'a>>,
}

/// All that a run begins with.
pub(super) struct Setup<'a> {
    pub(super) scene: Scene,
    pub(super) settings: &'a Settings,
    pub(super) scales: Vec<Scale>,
    /// How each size passes through the network.
    pub(super) plans: Vec<Plan>,
    pub(super) computing: Computing,
    pub(super) preprocessing: Preprocessing,
    pub(super) keeping: Keeping<'a>,
    /// What makes of the painting what is shown.
    pub(super) finish: Arc<Finish>,
}

/// How a run came to its end.
pub(super) enum Ran {
    /// With a picture; of a run that was stopped, with the checkpoint that is being written.
    Painted(Painting, Option<Writing>),
    /// It gave its memory back; the checkpoint holds all of it.
    Released,
}

/// Why a run must not compute now.
enum Halt {
    Stop,
    Release,
}

/// How the steps at one size ended.
enum ScaleEnd {
    Complete,
    Converged(String),
    Halted(Halt),
}

/// What computes.
pub(super) struct Computing {
    /// An objective without targets yet.
    pub(super) objective: Objective,
    pub(super) backend: Arc<dyn Backend>,
}

impl Computing {
    /// On a machine, under these weights.
    pub(super) fn new(machine: Machine, weights: &Weights) -> Self {
        let backend = machine.backend.clone();
        Self { objective: Objective::blank(machine, weights), backend }
    }
}

impl<'a> Run<'a> {
    /// A run from its start, or from where it was kept.
    pub(super) fn new(setup: Setup<'a>, context: &'a Context<'a>) -> Result<Self, PaintError> {
        let Setup { scene, settings, scales, plans, computing, preprocessing, keeping, finish } = setup;
        let Computing { objective, backend } = computing;
        let Keeping { keeper, kept, save_snapshot } = keeping;
        let mut optimizer = optimizer::optimizer(settings, backend.clone());
        let (state, elapsed) = match kept {
            Some(kept) => kept.state(optimizer.as_mut(), &*backend)?,
            None => {
                let first = scene.at(scales[0], settings.style_scale);
                let start = start(&first, settings, &preprocessing);
                (State::new(backend.upload(start.into_data())), 0.0)
            }
        };
        let clock = Clock::new(elapsed, context.control());
        let on_release = if keeper.is_some() { OnRelease::Abandon } else { OnRelease::Wait };
        let interruption = Interruption::new(backend.host().threads(), context.control(), on_release);
        Ok(Self {
            scene,
            settings,
            scales,
            plans,
            objective,
            optimizer,
            backend,
            state,
            clock,
            keeper,
            save_snapshot,
            finish,
            interruption,
            context,
        })
    }

    /// Paints to the end.
    pub(super) fn run(mut self) -> Result<Ran, PaintError> {
        self.keep(true);
        loop {
            let (now, last) = (self.scale(), self.state.scale + 1 == self.scales.len());
            self.prepare(now, last);
            // The scene may be gone: a release that is over already still needs all to be read again.
            let abandoned = self.interruption.take().then_some(Halt::Release);
            let end = match self.halt().or(abandoned) {
                Some(halt) => ScaleEnd::Halted(halt),
                None => self.paint_scale()?,
            };
            match end {
                ScaleEnd::Halted(Halt::Release) => {
                    self.keep(true);
                    return Ok(Ran::Released);
                }
                ScaleEnd::Halted(Halt::Stop) if self.state.history.is_empty() => return Err(Stopped.into()),
                ScaleEnd::Halted(Halt::Stop) => return Ok(self.end(End::Stopped)),
                ScaleEnd::Complete if last => return Ok(self.end(End::Complete)),
                ScaleEnd::Converged(reason) if last => return Ok(self.end(End::Converged(reason))),
                ScaleEnd::Complete | ScaleEnd::Converged(_) => self.grow(),
            }
        }
    }

    /// Waits while the run is paused; whether it must end or give its memory back.
    fn halt(&self) -> Option<Halt> {
        let waits = |state| match state {
            ControlState::Paused => true,
            ControlState::Released => self.keeper.is_none(),
            ControlState::Running | ControlState::Stopped => false,
        };
        match self.context.control().wait_while(waits) {
            ControlState::Stopped => Some(Halt::Stop),
            ControlState::Released => Some(Halt::Release),
            ControlState::Running | ControlState::Paused => None,
        }
    }

    /// Runs content and styles through the network at a size; at the last one nothing else needs the scene any more.
    fn prepare(&mut self, now: Scale, last: bool) {
        let style_scale = self.settings.style_scale;
        let scene = if last { self.scene.at_last(now, style_scale) } else { self.scene.at(now, style_scale) };
        let regions = self.scene.masks.regions(&scene.content);
        self.objective.prepare(self.plans[self.state.scale].layout, &scene.content, &scene.styles, regions);
    }

    /// The picture as it would be left now, with what is protected in its place.
    fn shown(&self) -> Picture {
        let mut picture = self.state.shown(self.optimizer.as_ref(), &*self.backend);
        self.objective.show(&mut picture);
        self.picture(picture)
    }

    /// A picture of the size that is painted at, from the device.
    fn picture(&self, picture: Tensor) -> Picture {
        let now = self.scale();
        Picture::from_planar(now.height, now.width, self.backend.take(picture))
    }

    fn scale(&self) -> Scale {
        self.scales[self.state.scale]
    }

    /// The steps at one size.
    fn paint_scale(&mut self) -> Result<ScaleEnd, PaintError> {
        let Scale { height, width, iterations } = self.scale();
        let (scale, scales) = (self.state.scale + 1, self.scales.len());
        self.context.tell(PaintEvent::Scale { scale, scales, width, height, iterations });
        self.clock.begin_scale(self.state.iteration);
        let mut gradient = self.backend.zeros(self.state.picture.len());
        while self.state.iteration < iterations {
            if let Some(halt) = self.halt() {
                return Ok(ScaleEnd::Halted(halt));
            }
            let losses = self.objective.value_and_gradient_of(&self.state.picture, &mut gradient);
            if self.interruption.take() {
                continue;
            }
            if self.state.history.is_empty() && !optimizer::is_finite(&*self.backend, losses.loss, &gradient) {
                return Err(PaintError::NotFinite);
            }
            let outcome = self.optimizer.tell(&mut self.state.picture, losses.loss, &gradient);
            if self.optimizer.keeps_best() {
                self.state.remember_best(losses, self.optimizer.as_ref());
            }
            self.average();
            self.state.iteration += 1;
            self.tell_step(losses);
            if let Some(reason) = self.report(outcome) {
                return Ok(ScaleEnd::Converged(reason));
            }
            let over = scale == scales && self.state.iteration == iterations;
            self.show(over);
            self.keep(false);
        }
        Ok(ScaleEnd::Complete)
    }

    /// Takes the picture as it stands into the average, where one is wanted.
    fn average(&mut self) {
        let decay = self.settings.average;
        if decay > 0.0 && !self.optimizer.keeps_best() {
            let (backend, len) = (&*self.backend, self.state.picture.len());
            let average = self.state.average.get_or_insert_with(|| Average::new(len, backend));
            average.add(&self.state.picture, decay, backend);
        }
    }

    /// Counts a step and tells of it.
    fn tell_step(&mut self, losses: Losses) {
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
        self.context.tell(PaintEvent::Step {
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
        });
    }

    /// Writes the checkpoint if it is time, or now; where that fails the one before it stays, and the run continues.
    fn keep(&mut self, now: bool) {
        let Some(keeper) = self.keeper.as_mut().filter(|keeper| now || keeper.due()) else { return };
        let now = Snapshot {
            state: &self.state,
            optimizer: self.optimizer.as_ref(),
            scales: &self.scales,
            plans: &self.plans,
            backend: &*self.backend,
            elapsed: self.clock.elapsed(),
        };
        let event = keeper.keep(now);
        self.context.tell(event);
    }

    /// Saves the picture on the way, every this many steps, and gives a preview if it is time.
    fn show(&self, over: bool) {
        let iteration = self.state.history.len();
        let every = self.settings.save_every.filter(|every| !over && iteration.is_multiple_of(*every));
        if let Some(save) = self.save_snapshot.filter(|_| every.is_some()) {
            save(iteration, &self.finish.picture(self.shown()));
        }
        if let Some(previews) = self.context.due_previews() {
            let (picture, finish) = (self.shown(), self.finish.clone());
            previews.offer(iteration, move || finish.picture(picture));
        }
    }

    /// Tells what the optimiser said; why this size is over, if there is nothing left to do.
    fn report(&mut self, outcome: Outcome) -> Option<String> {
        let iteration = self.state.history.len();
        match outcome {
            Outcome::Moved => {}
            Outcome::RolledBack(reason) => {
                self.context.tell(PaintEvent::RolledBack { iteration, reason });
            }
            Outcome::Restarted(reason) => {
                self.context.tell(PaintEvent::Restarted { iteration, reason });
            }
            Outcome::Converged(reason) => return Some(reason),
        }
        None
    }

    /// Takes the picture, and what the optimiser learnt, to the next size. What the photograph has too fine to be seen
    /// at this size is added: the painting is what it changed of it. That starts at about half the loss, and saves a
    /// tenth of the iterations.
    fn grow(&mut self) {
        self.objective.release();
        let (now, next) = (self.scale(), self.scales[self.state.scale + 1]);
        let (from, to) = ((now.height, now.width), (next.height, next.width));
        let shown = self.state.shown(self.optimizer.as_ref(), &*self.backend);
        let mut picture = self.picture(shown).resized(to.0, to.1).into_data();
        if self.settings.content_weight > 0.0 {
            let content = &self.scene.content;
            let small = content.resized(from.0, from.1).resized(to.0, to.1);
            let large = content.resized(to.0, to.1);
            let lost = large.data().iter().zip(small.data()).map(|(large, small)| large - small);
            picture.iter_mut().zip(lost).for_each(|(value, lost)| *value += lost);
        }
        self.optimizer.enlarge(Growth { from, to });
        self.state.grow(self.backend.upload(picture));
    }
}

/// The time of a run, without its pauses.
pub(super) struct Clock {
    begun: Instant,
    control: Control,
    /// The time that the job had been paused when the run began.
    paused: Duration,
    /// Seconds before the run was resumed.
    before: f64,
    /// When the size began, in seconds, and the iterations made there before.
    scale: (f64, usize),
}

impl Clock {
    fn new(before: f64, control: &Control) -> Self {
        let (control, paused) = (control.clone(), control.paused());
        Self { begun: Instant::now(), control, paused, before, scale: (before, 0) }
    }

    pub(super) fn elapsed(&self) -> f64 {
        let paused = self.control.paused().saturating_sub(self.paused);
        self.before + self.begun.elapsed().saturating_sub(paused).as_secs_f64()
    }

    fn begin_scale(&mut self, iteration: usize) {
        self.scale = (self.elapsed(), iteration);
    }

    /// Seconds of a step at this size, after this many.
    fn step(&self, iteration: usize) -> f64 {
        (self.elapsed() - self.scale.0) / (iteration - self.scale.1).max(1) as f64
    }
}

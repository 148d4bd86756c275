//! The run itself: step after step, now and then a look at itself, until it is over.

use std::collections::VecDeque;
use std::time::Instant;

use super::TrainError;
use super::checkpoint::{State, checkpoint_path};
use super::events::{TrainEnd, TrainEvent};
use super::job::TrainJob;
use super::learner::{Learner, Moments};
use super::overrides::TrainOverrides;
use super::pace::{Measured, Pace};
use super::samples::Samples;
use super::schedule;
use super::settings::Every;
use super::shares::Turns;
use super::validation::Validation;
use crate::objective::Losses;
use crate::progress::Flow;

/// So often in a row a run goes back before it gives up.
const MOST_SETBACKS: u32 = 5;

/// After so many good steps earlier setbacks no longer count.
const WELL_AGAIN: u32 = 100;

/// The speed that is shown is that of so many steps.
const SPEED_OVER: usize = 20;

/// Whoever watches a training; the answer may stop it.
pub(super) type Watcher<'a> = &'a mut dyn FnMut(&TrainEvent) -> Flow;

/// A run between its first and its last step.
pub(super) struct Run<'a> {
    pub(super) job: &'a TrainJob,
    pub(super) settings: TrainOverrides,
    pub(super) learner: Learner,
    pub(super) samples: Samples,
    pub(super) turns: Turns,
    pub(super) validation: Validation,
    pub(super) state: State,
    pub(super) clock: Clock,
    pub(super) observer: Watcher<'a>,
}

/// The time of a run.
pub(super) struct Clock {
    begun: Instant,
    /// Seconds of the sessions before this one.
    before: f64,
    /// Seconds of the last validation.
    look: f64,
    /// When the last checkpoint was written, in seconds.
    saved: f64,
    /// Seconds that the last steps took.
    steps: VecDeque<f64>,
    /// Steps of this session but its first, and their seconds.
    measured: Option<(usize, f64)>,
}

impl Clock {
    /// A clock that goes on from `before` seconds.
    pub(super) fn new(before: f64) -> Self {
        Self { begun: Instant::now(), before, look: 0.0, saved: before, steps: VecDeque::new(), measured: None }
    }

    fn elapsed(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }

    /// Seconds of a step, as the last ones were.
    fn step(&self) -> f64 {
        self.steps.iter().sum::<f64>() / self.steps.len().max(1) as f64
    }

    fn remember_step(&mut self, seconds: f64) {
        self.measured = Some(self.measured.map_or((0, 0.0), |(steps, sum)| (steps + 1, sum + seconds)));
        self.steps.push_back(seconds);
        if self.steps.len() > SPEED_OVER {
            self.steps.pop_front();
        }
    }
}

impl Run<'_> {
    /// Trains to the end and leaves the best network in the state.
    pub(super) fn run(&mut self) -> Result<TrainEnd, TrainError> {
        let mut end = None;
        if self.state.validations.is_empty() {
            self.look()?;
        }
        while end.is_none() {
            end = self.over();
            if end.is_none() && self.step()? == Flow::Stop {
                end = Some(TrainEnd::Stopped);
            }
            if end.is_none() && self.due() && !self.seen() {
                self.look()?;
            } else if self.save_due() {
                self.save();
            }
        }
        let end = end.unwrap_or(TrainEnd::Stopped);
        self.end(end)?;
        Ok(end)
    }

    /// The last validation and the last checkpoint. A run that was stopped is saved as it stands: the validation of
    /// where it happened to stop is for the model alone, since a run that is not stopped makes none there.
    fn end(&mut self, end: TrainEnd) -> Result<(), TrainError> {
        let stopped = end == TrainEnd::Stopped;
        self.state.progress.finished = !stopped;
        if stopped || self.seen() {
            self.save();
        }
        if self.seen() {
            return Ok(());
        }
        self.validate()?;
        if !stopped {
            self.save();
        }
        Ok(())
    }

    /// Whether the network as it stands was looked at: a step may fail and leave it as it was.
    fn seen(&self) -> bool {
        self.state.validations.last().is_some_and(|(step, ..)| *step == self.state.progress.step)
    }

    fn over(&self) -> Option<TrainEnd> {
        let step = self.state.progress.step;
        if step >= self.job.settings.steps {
            Some(TrainEnd::Complete)
        } else {
            (step >= self.steps()).then_some(TrainEnd::TimeUp)
        }
    }

    /// The steps of the whole run, as far as they are known.
    fn steps(&self) -> usize {
        self.state.progress.pace.map_or(self.job.settings.steps, |pace| pace.steps)
    }

    /// Whether it is time for a look.
    fn due(&self) -> bool {
        let every = match (self.state.progress.pace, self.job.settings.validate_every) {
            (Some(pace), _) => pace.validate_every,
            (None, Every::Steps(steps)) => steps,
            (None, Every::Minutes(_)) => return false,
        };
        self.state.progress.step.is_multiple_of(every)
    }

    /// Whether the last checkpoint is as old as the time between two validations should be: steps may have become
    /// slower since they were measured.
    fn save_due(&self) -> bool {
        match self.job.settings.validate_every {
            Every::Minutes(minutes) => self.clock.elapsed() - self.clock.saved >= minutes * 60.0,
            Every::Steps(_) => false,
        }
    }

    /// Fixes the length of the run once its speed is known.
    fn set_pace(&mut self) {
        let (settings, clock) = (&self.job.settings, &self.clock);
        let Some((steps, seconds)) = clock.measured.filter(|_| self.state.progress.pace.is_none()) else { return };
        if Pace::is_measured(settings, steps, seconds) {
            let measured = Measured {
                step: self.state.progress.step,
                elapsed: clock.elapsed(),
                step_seconds: seconds / steps as f64,
                validation_seconds: clock.look,
            };
            self.state.progress.pace = Some(Pace::measured(settings, measured));
        }
    }

    /// One batch, and the step that it leads to.
    fn step(&mut self) -> Result<Flow, TrainError> {
        let begun = Instant::now();
        let batch = self.job.settings.batch;
        let mut losses = Losses::default();
        let progress = self.progress();
        let share = schedule::style_share(progress, self.job.from.is_none());
        for _ in 0..batch {
            let photo = self.next_photo()?;
            let style = self.turns.style(self.state.progress.sample);
            losses += self.learner.look(&photo, style, share) * (1.0 / batch as f64);
            self.state.progress.sample += 1;
        }
        let norm = self.learner.end_batch(batch);
        if !(losses.loss.is_finite() && norm.is_finite()) {
            return self.go_back();
        }
        let learning_rate = self.learning_rate(progress);
        self.state.good.copy_from_slice(&self.state.parameters);
        self.learner.step(learning_rate, &mut self.state.parameters, &mut self.state.moments)?;
        self.clock.remember_step(begun.elapsed().as_secs_f64());
        Ok(self.tell_step(losses, learning_rate, norm))
    }

    fn next_photo(&mut self) -> Result<crate::Picture, TrainError> {
        let (photo, skipped) = self.samples.next()?;
        for skipped in skipped {
            if !self.state.progress.skipped.contains(&skipped) {
                (self.observer)(&TrainEvent::Skipped(skipped.clone()));
                self.state.progress.skipped.push(skipped);
            }
        }
        Ok(photo)
    }

    /// How far the run is, from 0 to 1; 0 while its minutes are not yet turned into steps.
    fn progress(&self) -> f64 {
        let (settings, step) = (&self.job.settings, self.state.progress.step);
        match self.state.progress.pace {
            Some(pace) => pace.progress(step),
            None if settings.minutes.is_some() => 0.0,
            None => (step as f64 / settings.steps as f64).min(1.0),
        }
    }

    fn learning_rate(&self, progress: f64) -> f64 {
        let (settings, step) = (&self.job.settings, self.state.progress.step);
        schedule::learning_rate(settings, step, progress) * 0.5f64.powi(self.state.progress.halvings as i32)
    }

    /// Counts a good step and tells of it.
    fn tell_step(&mut self, losses: Losses, learning_rate: f64, gradient_norm: f64) -> Flow {
        let progress = &mut self.state.progress;
        progress.step += 1;
        progress.good_steps += 1;
        if progress.good_steps >= WELL_AGAIN {
            progress.setbacks = 0;
        }
        self.set_pace();
        let settings = &self.job.settings;
        let (step, steps, elapsed) = (self.state.progress.step, self.steps(), self.clock.elapsed());
        self.state.history.push((elapsed, losses));
        let by_steps = steps.saturating_sub(step) as f64 * self.clock.step();
        let minutes = settings.minutes.filter(|_| self.state.progress.pace.is_none());
        let left = minutes.map_or(by_steps, |minutes| by_steps.min((minutes * 60.0 - elapsed).max(0.0)));
        let images_per_second = settings.batch as f64 / self.clock.step().max(1e-9);
        (self.observer)(&TrainEvent::Step {
            step,
            steps,
            elapsed,
            left,
            images_per_second,
            learning_rate,
            gradient_norm,
            losses,
        })
    }

    /// Back to the last parameters whose loss was finite, with half the learning rate.
    fn go_back(&mut self) -> Result<Flow, TrainError> {
        let (state, settings) = (&mut self.state, &self.job.settings);
        let progress = &mut state.progress;
        if progress.setbacks == MOST_SETBACKS {
            let (step, times, learning_rate) = (progress.step + 1, MOST_SETBACKS, settings.learning_rate);
            return Err(TrainError::NotFinite { step, times, learning_rate });
        }
        progress.setbacks += 1;
        progress.halvings += 1;
        progress.good_steps = 0;
        state.parameters.copy_from_slice(&state.good);
        state.moments = Moments::new(state.parameters.len());
        self.learner.set_parameters(&state.parameters)?;
        let rate = settings.learning_rate * 0.5f64.powi(progress.halvings as i32);
        let (step, reason) = (progress.step + 1, format!("the learning rate is at most {rate} from here on"));
        Ok((self.observer)(&TrainEvent::RolledBack { step, reason }))
    }

    /// Looks at the photographs held out, draws the sheet, and writes the checkpoint. The training does not notice.
    fn look(&mut self) -> Result<(), TrainError> {
        let begun = Instant::now();
        self.validate()?;
        self.save();
        self.clock.look = begun.elapsed().as_secs_f64();
        Ok(())
    }

    /// The same without the checkpoint.
    fn validate(&mut self) -> Result<(), TrainError> {
        let (losses, styles) = self.validation.losses(&mut self.learner);
        let (step, elapsed) = (self.state.progress.step, self.clock.elapsed());
        let best = losses.loss.is_finite() && self.state.best_losses().is_none_or(|best| losses.loss < best.loss);
        if step == 0 && !best {
            return Err(TrainError::NotFiniteStart);
        }
        if best {
            self.state.best.copy_from_slice(&self.state.parameters);
            self.state.progress.best_step = step;
        }
        self.state.validations.push((step, elapsed, losses));
        (self.observer)(&TrainEvent::Validated { step, elapsed, best, losses, styles });
        let written = self.validation.write_preview(&mut self.learner, &self.job.preview);
        self.tell_written(written, self.job.preview.clone());
        Ok(())
    }

    /// Writes the checkpoint; where that fails the one before it stays, and the run goes on.
    fn save(&mut self) {
        self.state.elapsed = self.clock.elapsed();
        self.clock.saved = self.state.elapsed;
        let path = checkpoint_path(&self.job.output);
        let written = self.state.save(&path, &self.settings);
        self.tell_written(written, path);
    }

    fn tell_written<E: std::fmt::Display>(&mut self, written: Result<(), E>, path: std::path::PathBuf) {
        let step = self.state.progress.step;
        (self.observer)(&match written {
            Ok(()) => TrainEvent::Saved { step, path },
            Err(error) => TrainEvent::Warning { message: error.to_string() },
        });
    }
}

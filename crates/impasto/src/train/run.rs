//! The run itself: step after step, now and then a validation, until it is over.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::TrainError;
use super::checkpoint::{State, checkpoint_path};
use super::events::{Skipped, TrainEvent};
use super::job::TrainJob;
use super::learner::{Learner, Moments};
use super::pace::{Measured, Pace};
use super::samples::Samples;
use super::schedule;
use super::settings::TrainOverrides;
use super::shares::Turns;
use super::validation::{Validation, WRITTEN_BY_TRAINING};
use super::values::{Every, TrainFrom};
use crate::job::{Context, Control, End, Interruption, Stopped};
use crate::objective::Losses;

/// So often in a row a run goes back before it gives up.
const MOST_SETBACKS: u32 = 5;

/// After this number of good steps, earlier setbacks no longer count.
const WELL_AGAIN: u32 = 100;

/// The speed that is shown is that of this many steps.
const SPEED_OVER: usize = 20;

/// Whether a pass over some photographs was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Whole,
    /// The run was stopped meanwhile; nothing of the pass counts.
    Abandoned,
}

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
    pub(super) interruption: Interruption,
    pub(super) context: &'a Context<'a>,
}

/// The time of a run, without its pauses.
pub(super) struct Clock {
    begun: Instant,
    control: Control,
    /// The time that the job had been paused when the run began.
    paused: Duration,
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
    /// A clock that continues from `before` seconds.
    pub(super) fn new(before: f64, control: &Control) -> Self {
        let (control, paused) = (control.clone(), control.paused());
        let (begun, steps) = (Instant::now(), VecDeque::new());
        Self { begun, control, paused, before, look: 0.0, saved: before, steps, measured: None }
    }

    fn elapsed(&self) -> f64 {
        let paused = self.control.paused().saturating_sub(self.paused);
        self.before + self.begun.elapsed().saturating_sub(paused).as_secs_f64()
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
    /// Trains to the end and leaves the best network in the state; where it is stopped, see
    /// [`State::leave_latest`].
    pub(super) fn run(&mut self) -> Result<End, TrainError> {
        if self.state.validations.is_empty() && self.look()? == Pass::Abandoned {
            return Err(Stopped.into());
        }
        loop {
            if self.due() && !self.seen() {
                if self.look()? == Pass::Abandoned {
                    return self.end(End::Stopped);
                }
            } else if self.save_due() {
                self.save();
            }
            if let Some(end) = self.over() {
                return self.end(end);
            }
            if self.context.control().wait().is_err() || self.step()? == Pass::Abandoned {
                return self.end(End::Stopped);
            }
        }
    }

    /// The last validation and the last checkpoint. A run that was stopped is saved as it stands, without a validation.
    fn end(&mut self, end: End) -> Result<End, TrainError> {
        let abandoned = end != End::Stopped && !self.seen() && self.validate()? == Pass::Abandoned;
        let end = if abandoned { End::Stopped } else { end };
        self.state.progress.finished = end != End::Stopped;
        self.save();
        if end == End::Stopped {
            self.state.leave_latest();
        }
        Ok(end)
    }

    /// Whether the network as it stands was validated: a step may fail and leave it as it was.
    fn seen(&self) -> bool {
        self.state.validations.last().is_some_and(|(step, ..)| *step == self.state.progress.step)
    }

    fn over(&self) -> Option<End> {
        let step = self.state.progress.step;
        if step >= self.job.settings.steps {
            Some(End::Complete)
        } else {
            (step >= self.steps()).then_some(End::TimeUp)
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
    fn step(&mut self) -> Result<Pass, TrainError> {
        let begun = Instant::now();
        let (batch, first_sample) = (self.job.settings.batch, self.state.progress.sample);
        let mut losses = Losses::default();
        let progress = self.progress();
        let share = schedule::style_share(progress, self.job.from == TrainFrom::Nothing);
        for _ in 0..batch {
            let photo = self.next_photo()?;
            let style = self.turns.style(self.state.progress.sample);
            if let Some(photo) = photo {
                losses += self.learner.evaluate(&photo, style, share) * (1.0 / batch as f64);
                let skipped = self.learner.take_skipped();
                self.tell_skipped(skipped);
            }
            if self.interruption.take() || self.context.control().is_stopped() {
                self.state.progress.sample = first_sample;
                return Ok(Pass::Abandoned);
            }
            self.state.progress.sample += 1;
        }
        let norm = self.learner.end_batch(batch);
        if !(losses.loss.is_finite() && norm.is_finite()) {
            self.go_back()?;
            return Ok(Pass::Whole);
        }
        let learning_rate = self.learning_rate(progress);
        self.state.backend.copy(&self.state.parameters, &mut self.state.good);
        self.learner.step(learning_rate, &mut self.state.parameters, &mut self.state.moments)?;
        self.clock.remember_step(begun.elapsed().as_secs_f64());
        self.tell_step(losses, learning_rate, norm);
        self.preview();
        Ok(Pass::Whole)
    }

    /// The next photograph; nothing if the run is stopped.
    fn next_photo(&mut self) -> Result<Option<crate::Picture>, TrainError> {
        let Some((photo, skipped)) = self.samples.next(self.context.control())? else { return Ok(None) };
        self.tell_skipped(skipped);
        Ok(Some(photo))
    }

    /// Tells of files that cannot be used, of each once.
    fn tell_skipped(&mut self, skipped: Vec<Skipped>) {
        for skipped in skipped {
            if !self.state.progress.skipped.contains(&skipped) {
                self.context.tell(TrainEvent::Skipped(skipped.clone()));
                self.state.progress.skipped.push(skipped);
            }
        }
    }

    /// Shows the first photograph held out in the style of the next sample, if it is time for a preview.
    fn preview(&self) {
        let Some(previews) = self.context.due_previews() else { return };
        let style = self.turns.style(self.state.progress.sample);
        let (photo, paint) = (self.validation.first_photo().clone(), self.learner.painter(&self.state.parameters));
        previews.offer(self.state.progress.step, move || paint(&photo, style).unwrap_or(photo));
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
    fn tell_step(&mut self, losses: Losses, learning_rate: f64, gradient_norm: f64) {
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
        self.context.tell(TrainEvent::Step {
            step,
            steps,
            elapsed,
            left,
            images_per_second,
            learning_rate,
            gradient_norm,
            losses,
        });
    }

    /// Back to the last parameters whose loss was finite, with half the learning rate.
    fn go_back(&mut self) -> Result<(), TrainError> {
        let (state, settings) = (&mut self.state, &self.job.settings);
        let progress = &mut state.progress;
        if progress.setbacks == MOST_SETBACKS {
            let (step, times, learning_rate) = (progress.step + 1, MOST_SETBACKS, settings.learning_rate);
            return Err(TrainError::NotFinite { step, times, learning_rate });
        }
        progress.setbacks += 1;
        progress.halvings += 1;
        progress.good_steps = 0;
        state.backend.copy(&state.good, &mut state.parameters);
        state.moments = Moments::new(state.parameters.len(), &*state.backend);
        self.learner.set_parameters(&state.parameters)?;
        let rate = settings.learning_rate * 0.5f64.powi(progress.halvings as i32);
        let (step, reason) = (progress.step + 1, format!("the learning rate is at most {rate} from here on"));
        self.context.tell(TrainEvent::RolledBack { step, reason });
        Ok(())
    }

    /// Validates on the photographs held out, draws the sheet, and writes the checkpoint. The training does not notice.
    fn look(&mut self) -> Result<Pass, TrainError> {
        let begun = Instant::now();
        if self.validate()? == Pass::Abandoned {
            return Ok(Pass::Abandoned);
        }
        self.save();
        self.clock.look = begun.elapsed().as_secs_f64();
        Ok(Pass::Whole)
    }

    /// The same without the checkpoint.
    fn validate(&mut self) -> Result<Pass, TrainError> {
        let (losses, styles) = self.validation.losses(&mut self.learner);
        let sheet = self.validation.sheet(&mut self.learner);
        if self.interruption.take() {
            return Ok(Pass::Abandoned);
        }
        let (step, elapsed) = (self.state.progress.step, self.clock.elapsed());
        let best = losses.loss.is_finite() && self.state.best_losses().is_none_or(|best| losses.loss < best.loss);
        if step == 0 && !best {
            return Err(TrainError::NotFiniteStart);
        }
        if best {
            self.state.backend.copy(&self.state.parameters, &mut self.state.best);
            self.state.progress.best_step = step;
        }
        self.state.validations.push((step, elapsed, losses));
        self.context.tell(TrainEvent::Validated { step, elapsed, best, losses, styles });
        let written = sheet.write(&self.job.preview, Some(WRITTEN_BY_TRAINING));
        self.tell_written(written, self.job.preview.clone());
        Ok(Pass::Whole)
    }

    /// Writes the checkpoint; where that fails the one before it stays, and the run continues.
    fn save(&mut self) {
        self.state.elapsed = self.clock.elapsed();
        self.clock.saved = self.state.elapsed;
        let path = checkpoint_path(&self.job.output);
        let written = self.state.save(&path, &self.settings);
        self.tell_written(written, path);
    }

    fn tell_written<E: std::fmt::Display>(&mut self, written: Result<(), E>, path: std::path::PathBuf) {
        let step = self.state.progress.step;
        self.context.tell(match written {
            Ok(()) => TrainEvent::Saved { step, path },
            Err(error) => TrainEvent::Warning { message: error.to_string() },
        });
    }
}

//! How many steps a run makes and when it validates, counted in steps and not in seconds.
//!
//! Minutes are turned into steps once, by the speed of the first steps, and the numbers stay in the checkpoint. From
//! there on the schedule does not depend on the clock, so a run that was interrupted makes the same steps as one that
//! was not.

use serde::{Deserialize, Serialize};

use super::settings::TrainSettings;
use super::values::Every;

/// The speed is that of at least this many steps, the first of a session apart, which also fills the caches.
const MEASURED_STEPS: usize = 20;

/// Measuring takes at least the first and at most the second share of the minutes.
const MEASURED_SHARE: (f64, f64) = (0.02, 0.1);

/// The last validation may take longer than those before by this factor.
const LAST_VALIDATION: f64 = 1.25;

/// The length of a run, in steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pace {
    /// The step at which the schedule begins; before it the progress is 0.
    pub(super) begins: usize,
    /// The step at which the run ends.
    pub(super) steps: usize,
    /// Steps from one validation to the next.
    pub(super) validate_every: usize,
}

/// What is known of a run when its pace is fixed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Steps made.
    pub(super) step: usize,
    /// Seconds of the run so far.
    pub(super) elapsed: f64,
    /// Seconds of a step.
    pub(super) step_seconds: f64,
    /// Seconds of a validation.
    pub(super) validation_seconds: f64,
}

impl Pace {
    /// The pace of a run whose settings count steps alone.
    pub(super) fn of_steps(settings: &TrainSettings) -> Option<Self> {
        match (settings.minutes, settings.validate_every) {
            (None, Every::Steps(validate_every)) => Some(Self { begins: 0, steps: settings.steps, validate_every }),
            _ => None,
        }
    }

    /// The pace at which the minutes of the settings will be used up.
    pub(super) fn measured(settings: &TrainSettings, measured: Measured) -> Self {
        let Measured { step, elapsed, step_seconds, validation_seconds } = measured;
        let step_seconds = step_seconds.max(1e-6);
        let validate_every = match settings.validate_every {
            Every::Steps(steps) => steps,
            Every::Minutes(minutes) => ((minutes * 60.0 / step_seconds).round() as usize).max(1),
        };
        let Some(minutes) = settings.minutes else {
            return Self { begins: 0, steps: settings.steps, validate_every };
        };
        let left = minutes * 60.0 - elapsed - LAST_VALIDATION * validation_seconds;
        let each = step_seconds + validation_seconds / validate_every as f64;
        let more = (left / each).max(0.0) as usize;
        Self { begins: step, steps: step.saturating_add(more).min(settings.steps), validate_every }
    }

    /// Whether the steps of a session, without its first, are enough to know the speed.
    pub(super) fn is_measured(settings: &TrainSettings, steps: usize, seconds: f64) -> bool {
        let budget = settings.minutes.map_or(0.0, |minutes| minutes * 60.0);
        let (least, most) = MEASURED_SHARE;
        let enough = steps >= MEASURED_STEPS && seconds >= least * budget;
        enough || (budget > 0.0 && steps > 0 && seconds >= most * budget)
    }

    /// How far a run is after this many steps, from 0 to 1.
    pub(super) fn progress(&self, step: usize) -> f64 {
        let made = step.saturating_sub(self.begins) as f64;
        (made / self.steps.saturating_sub(self.begins).max(1) as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> TrainSettings {
        TrainSettings { steps: 8000, minutes: Some(10.0), ..TrainSettings::default() }
    }

    const MEASURED: Measured = Measured { step: 30, elapsed: 20.0, step_seconds: 0.5, validation_seconds: 8.0 };

    #[test]
    fn minutes_become_steps() {
        // 570 of 600 seconds are left with the last validation; a validation in 600 steps adds 8/600 s to each.
        let pace = Pace::measured(&settings(), MEASURED);
        assert_eq!(pace, Pace { begins: 30, steps: 30 + 1110, validate_every: 600 });
        assert_eq!(
            [pace.progress(0), pace.progress(30), pace.progress(585), pace.progress(1140)],
            [0.0, 0.0, 0.5, 1.0]
        );
        assert_eq!(Pace::measured(&TrainSettings { steps: 100, ..settings() }, MEASURED).steps, 100);
        let late = Measured { elapsed: 1e4, ..MEASURED };
        assert_eq!(Pace::measured(&settings(), late).steps, 30, "the minutes are over");
    }

    #[test]
    fn steps_alone_need_no_clock() {
        let steps = TrainSettings { minutes: None, validate_every: Every::Steps(7), ..settings() };
        assert_eq!(Pace::of_steps(&steps), Some(Pace { begins: 0, steps: 8000, validate_every: 7 }));
        assert_eq!(Pace::of_steps(&settings()), None);
        let by_minutes = TrainSettings { minutes: None, ..settings() };
        let pace = Pace::measured(&by_minutes, MEASURED);
        assert_eq!(pace, Pace { begins: 0, steps: 8000, validate_every: 600 });
        assert_eq!(pace.progress(4000), 0.5);
    }

    #[test]
    fn measuring_takes_some_steps_and_a_small_share_of_the_time() {
        let measured = |steps, seconds| Pace::is_measured(&settings(), steps, seconds);
        assert!(!measured(19, 50.0) && measured(20, 12.0) && !measured(20, 11.0) && measured(1, 60.0));
        let by_steps = TrainSettings { minutes: None, ..settings() };
        assert!(!Pace::is_measured(&by_steps, 19, 1e9) && Pace::is_measured(&by_steps, 20, 0.1));
    }
}

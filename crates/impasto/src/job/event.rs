//! What jobs tell.

use serde::{Deserialize, Serialize};

use crate::eval::EvalEvent;
use crate::models::PullEvent;
use crate::paint::PaintEvent;
use crate::stylize::StylizeEvent;
use crate::train::TrainEvent;

/// Something happened in a job. As JSON, an object with the kind of job under `job` and the name of the event under
/// `event`; it reads back as it was written, except that paths that are not Unicode are replaced by the nearest that are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// In a painting.
    Paint(PaintEvent),
    /// In a batch of pictures that are stylised.
    Stylize(StylizeEvent),
    /// In a training.
    Train(TrainEvent),
    /// In an evaluation.
    Eval(EvalEvent),
    /// In a download.
    Pull(PullEvent),
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// The share of the work that is done, from 0 to 1.
    pub done: f64,
    /// Seconds left, about, where that is known.
    pub left: Option<f64>,
}

impl Event {
    /// How far the job is, if the event tells.
    pub fn progress(&self) -> Option<Progress> {
        match *self {
            Self::Paint(PaintEvent::Step { done, left, .. }) => Some(Progress { done, left: Some(left) }),
            Self::Train(TrainEvent::Step { step, steps, left, .. }) => {
                Some(Progress { done: step as f64 / steps.max(1) as f64, left: Some(left) })
            }
            Self::Pull(PullEvent::Progress { bytes, total, rate }) => {
                let left = (rate > 0.0).then(|| total.saturating_sub(bytes) as f64 / rate);
                Some(Progress { done: bytes as f64 / total.max(1) as f64, left })
            }
            _ => None,
        }
    }

    /// Something that went wrong and does not end the job, in one sentence.
    pub fn warning(&self) -> Option<&str> {
        match self {
            Self::Paint(PaintEvent::Warning { message })
            | Self::Stylize(StylizeEvent::Warning { message, .. })
            | Self::Train(TrainEvent::Warning { message }) => Some(message),
            _ => None,
        }
    }
}

macro_rules! from_events {
    ($($kind:ident($event:ident)),* $(,)?) => {
        $(impl From<$event> for Event {
            fn from(event: $event) -> Self {
                Self::$kind(event)
            }
        })*
    };
}

from_events!(Paint(PaintEvent), Stylize(StylizeEvent), Train(TrainEvent), Eval(EvalEvent), Pull(PullEvent));

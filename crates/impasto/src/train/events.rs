//! What a training tells.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::job::{End, lossy_path};
use crate::objective::Losses;

/// A photograph that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file; bytes of its name that are no text are replaced.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl Skipped {
    pub(super) fn new(path: &Path, reason: impl ToString) -> Self {
        Self { path: path.to_string_lossy().into_owned().into(), reason: reason.to_string() }
    }
}

/// The validation losses of one style.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StyleLosses {
    /// The style.
    pub name: String,
    /// The mean over its photographs.
    #[serde(flatten)]
    pub losses: Losses,
}

/// Something happened in a training. As JSON, an object with the name of the event under `event`.
///
/// All seconds are counted from the beginning of the run, over all its sessions, less what a kill threw away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrainEvent {
    /// Everything is read, the first step begins.
    Started {
        /// Photographs to train on.
        photographs: usize,
        /// Photographs held out for validation, which chooses the best network.
        held_out: usize,
        /// Photographs held out for reports, which choose nothing.
        report: usize,
        /// The styles, in the network's order.
        styles: Vec<String>,
        /// Side of the crops.
        image_size: usize,
        /// Photographs in a step.
        batch: usize,
        /// The step that the run resumes from, 0 for a new one.
        step: usize,
        /// How many are wanted.
        steps: usize,
        /// How many minutes are wanted, if they may end the run.
        minutes: Option<f64>,
        /// Parameters of the network that is trained.
        parameters: usize,
        /// The network of the losses.
        network: String,
        /// What computes, such as `cpu, avx512, 2 threads`.
        device: String,
    },
    /// One step.
    Step {
        /// From 1.
        step: usize,
        /// How many will be made; the minutes of a run become steps after the first ones.
        steps: usize,
        /// Seconds of the run.
        elapsed: f64,
        /// Seconds that are left.
        left: f64,
        /// Photographs a second, over the last steps.
        images_per_second: f64,
        /// Adam's step size.
        learning_rate: f64,
        /// The Euclidean norm of the gradient.
        gradient_norm: f64,
        /// The mean over the batch, of the network before the step.
        #[serde(flatten)]
        losses: Losses,
    },
    /// The photographs held out were evaluated.
    Validated {
        /// Steps behind the network.
        step: usize,
        /// Seconds of the run.
        elapsed: f64,
        /// Whether no network of this run was better.
        best: bool,
        /// The mean over all styles.
        #[serde(flatten)]
        losses: Losses,
        /// Each style's.
        styles: Vec<StyleLosses>,
    },
    /// A photograph could not be used.
    Skipped(Skipped),
    /// A loss or a gradient was not finite: the run went back and shortened its steps.
    RolledBack {
        /// The step that failed.
        step: usize,
        /// What it does now.
        reason: String,
    },
    /// Something went wrong that does not stop the run.
    Warning {
        /// What.
        message: String,
    },
    /// A file was written.
    Saved {
        /// Steps behind it.
        step: usize,
        /// The file.
        #[serde(serialize_with = "lossy_path")]
        path: PathBuf,
    },
    /// The run is over.
    Finished {
        /// Steps that were made.
        step: usize,
        /// Seconds of the run.
        elapsed: f64,
        /// Why it ended.
        end: End,
        /// The steps behind the best network, which is the one that is kept.
        best_step: usize,
        /// Its validation losses.
        #[serde(flatten)]
        losses: Losses,
        /// All photographs that could not be used.
        skipped: Vec<Skipped>,
    },
}

//! What a painting tells.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::{End, lossy_path};
use crate::objective::Losses;

/// Something happened in a painting. As JSON, an object with the name of the event under `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PaintEvent {
    /// The pictures are read, the network is ready, the first step begins.
    Started {
        /// Columns of the picture that is painted.
        width: usize,
        /// Rows of it.
        height: usize,
        /// How many iterations are wanted at all sizes together.
        iterations: usize,
        /// The network.
        network: String,
        /// What computes, such as `cpu, avx512, 2 threads`.
        device: String,
    },
    /// A painting of a sheet begins.
    Cell {
        /// From 1.
        cell: usize,
        /// How many there are.
        cells: usize,
        /// What is particular to it.
        label: String,
    },
    /// The painting continues at this size, the first or a larger one.
    Scale {
        /// From 1.
        scale: usize,
        /// How many sizes there are.
        scales: usize,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// How many iterations are wanted at this size.
        iterations: usize,
    },
    /// One evaluation of loss and gradient, and the step made of it.
    Step {
        /// From 1.
        iteration: usize,
        /// How many are wanted at all sizes together.
        iterations: usize,
        /// The size that is painted at, from 1.
        scale: usize,
        /// How many sizes there are.
        scales: usize,
        /// Columns of the picture at this size.
        width: usize,
        /// Rows of it.
        height: usize,
        /// Seconds since the first step began.
        elapsed: f64,
        /// Seconds left, about: a step costs as much as it has pixels.
        left: f64,
        /// How much of the work is done, from 0 to 1.
        done: f64,
        /// The losses of the picture before the step.
        #[serde(flatten)]
        losses: Losses,
    },
    /// The optimiser dropped what it knew and continues.
    Restarted {
        /// The iteration after which it did.
        iteration: usize,
        /// Why.
        reason: String,
    },
    /// A loss was not finite: the run went back and shortened its step.
    RolledBack {
        /// The iteration that failed.
        iteration: usize,
        /// What it does now.
        reason: String,
    },
    /// Something went wrong that does not stop the run.
    Warning {
        /// What.
        message: String,
    },
    /// The run was written to its checkpoint.
    Checkpoint {
        /// The iterations behind it.
        iteration: usize,
        /// The file.
        #[serde(serialize_with = "lossy_path")]
        path: PathBuf,
    },
    /// A picture was written.
    Saved {
        /// The iterations behind it.
        iteration: usize,
        /// The file.
        #[serde(serialize_with = "lossy_path")]
        path: PathBuf,
    },
    /// The run is over.
    Finished {
        /// The iterations that were made.
        iteration: usize,
        /// Seconds since the first step began.
        elapsed: f64,
        /// Why it ended.
        end: End,
        /// The losses of the picture that it leaves; of a run that was stopped before they were known, those of its last
        /// step.
        #[serde(flatten)]
        losses: Losses,
    },
}

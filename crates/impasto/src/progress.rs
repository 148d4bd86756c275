//! What a run tells to whoever watches: a bar, a web page, a log, a test.

use serde::Serialize;

use crate::objective::Losses;
use crate::picture::Picture;

/// What the watcher wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop after this step, and keep what there is.
    Stop,
}

/// Something happened. As JSON, an object with the name of the event under `event`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
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
    /// The painting goes on at this size, the first or a larger one.
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
    /// The optimiser forgot what it knew and goes on.
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
        path: std::path::PathBuf,
    },
    /// A picture was written.
    Saved {
        /// The iterations behind it.
        iteration: usize,
        /// The file.
        path: std::path::PathBuf,
    },
    /// The run is over.
    Finished {
        /// The iterations that were made.
        iteration: usize,
        /// Seconds since the first step began.
        elapsed: f64,
        /// Why it ended.
        end: End,
        /// The losses of the picture that it leaves.
        #[serde(flatten)]
        losses: Losses,
    },
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All iterations were made.
    Complete,
    /// The watcher said so.
    Stopped,
    /// No step lowers the loss any more, for this reason.
    Converged(String),
}

/// Whoever watches a run. Any `FnMut(&Event) -> Flow` is one.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: &Event) -> Flow;

    /// The picture as it stands, every so many iterations as the settings want.
    fn picture(&mut self, iteration: usize, picture: &Picture) {
        let _ = (iteration, picture);
    }
}

impl<F: FnMut(&Event) -> Flow> Observer for F {
    fn event(&mut self, event: &Event) -> Flow {
        self(event)
    }
}

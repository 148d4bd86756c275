//! What an evaluation tells.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Evaluation;
use crate::job::lossy_path;

/// Something happened in an evaluation. As JSON, an object with the name of the event under `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EvalEvent {
    /// The pictures are read, the network is ready.
    Started {
        /// How many paintings there are.
        paintings: usize,
    },
    /// A painting was measured.
    Done {
        /// The painting.
        #[serde(serialize_with = "lossy_path")]
        path: PathBuf,
        /// Its distances and flaws.
        evaluation: Box<Evaluation>,
    },
    /// All paintings were measured.
    Finished {
        /// How many.
        paintings: usize,
        /// Seconds from beginning to end.
        elapsed: f64,
    },
}

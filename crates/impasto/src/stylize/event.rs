//! What a batch of pictures that are stylised tells.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::{End, lossy_path};

/// Something happened in a batch. As JSON, an object with the name of the event under `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum StylizeEvent {
    /// The inputs are found and the network is ready.
    Started {
        /// How many pictures there are, those among them that cannot be painted.
        pictures: usize,
        /// The styles, joined by hyphens.
        style: String,
        /// What computes, such as `cpu, avx512, 2 threads`.
        device: String,
    },
    /// A picture is about to pass through the network.
    Painting {
        /// The file, or `-`.
        #[serde(serialize_with = "lossy_path")]
        input: PathBuf,
        /// Columns of the result.
        width: usize,
        /// Rows of it.
        height: usize,
    },
    /// A picture was written.
    Done {
        /// The file it was made from, or `-`.
        #[serde(serialize_with = "lossy_path")]
        input: PathBuf,
        /// The file it is in, or `-`.
        #[serde(serialize_with = "lossy_path")]
        output: PathBuf,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Seconds of the network's pass alone.
        network_seconds: f64,
        /// Seconds from opening the file to having written the other, without waiting for the passes of others.
        seconds: f64,
        /// Bytes of memory that the pass took beside the pictures.
        network_bytes: usize,
    },
    /// Something to know of a picture that was written.
    Warning {
        /// The file it was made from, or `-`.
        #[serde(serialize_with = "lossy_path")]
        input: PathBuf,
        /// What: one sentence.
        message: String,
    },
    /// The output was already there.
    Skipped {
        /// The file, or `-`.
        #[serde(serialize_with = "lossy_path")]
        input: PathBuf,
        /// What was there.
        #[serde(serialize_with = "lossy_path")]
        output: PathBuf,
    },
    /// A picture was not made.
    Failed {
        /// What was named: a file, a folder, a pattern, or `-`.
        #[serde(serialize_with = "lossy_path")]
        input: PathBuf,
        /// Why: one sentence.
        error: String,
    },
    /// The batch is over.
    Finished {
        /// Pictures written.
        done: usize,
        /// Pictures passed over because their output was there.
        skipped: usize,
        /// Pictures that were not made.
        failed: usize,
        /// Seconds from beginning to end.
        elapsed: f64,
        /// Complete or stopped.
        end: End,
    },
}

impl StylizeEvent {
    /// Whether it ends the work on a picture.
    pub fn ends_a_picture(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Skipped { .. } | Self::Failed { .. })
    }
}

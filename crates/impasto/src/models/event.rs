//! What a download tells.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::lossy_path;

/// Something happened in a download. As JSON, an object with the name of the event under `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum PullEvent {
    /// An address is asked for the first time.
    Started {
        /// The address.
        url: String,
        /// Bytes there already from an earlier pull.
        have: u64,
        /// Bytes in all.
        total: u64,
    },
    /// More has arrived. Comes at most ten times a second, and once at the end of the download.
    Progress {
        /// Bytes there now; fewer than before where a server cannot resume.
        bytes: u64,
        /// Bytes in all.
        total: u64,
        /// Bytes per second over the last seconds.
        rate: f64,
    },
    /// An attempt failed and will be repeated.
    Retrying {
        /// What went wrong, in one sentence.
        reason: String,
        /// Failures in a row so far, from 1.
        failures: u32,
        /// Seconds before the next attempt.
        pause: f64,
    },
    /// An address was given up and the next one is tried.
    Elsewhere {
        /// What went wrong, in one sentence.
        reason: String,
    },
    /// A file that is there already is being compared with the checksum.
    Checking {
        /// The file.
        #[serde(serialize_with = "lossy_path")]
        path: PathBuf,
    },
    /// The file is there and its checksum is right.
    Done {
        /// The file.
        #[serde(serialize_with = "lossy_path")]
        path: PathBuf,
        /// Whether it was there before, so that nothing was downloaded.
        already: bool,
    },
}

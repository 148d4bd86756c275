//! What the events of all jobs have in common.

use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

/// Why a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All of it was done.
    Complete,
    /// The time that it was given was over.
    TimeUp,
    /// No step lowers the loss any more, for this reason.
    Converged(String),
    /// It was told to stop.
    Stopped,
}

/// A path as text; what is not Unicode is replaced rather than refused.
pub(crate) fn lossy_path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

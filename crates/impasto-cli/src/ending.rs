//! How a command ended.

use impasto::job::Stopped;

use crate::output;

/// How a command ended when nothing was wrong.
pub(crate) enum Ending {
    Done,
    Interrupted,
    /// Something was wrong, and it was said.
    Refused,
}

impl Ending {
    /// Of a job that was stopped before there was anything to keep.
    pub(crate) fn stopped(stopped: Stopped) -> Self {
        output::complain(&stopped);
        Self::Interrupted
    }
}

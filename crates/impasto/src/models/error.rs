//! Why a pull failed.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::job::Stopped;

/// Why a [`PullJob`](super::PullJob) gave up. Each message is one sentence for the person at the keyboard.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PullError {
    /// The server does not have the file, or does not give it.
    #[error("{url} answers with status {status}, not with the file")]
    Status {
        /// The address asked.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// No connection.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The answer is not HTTP, or not one that can be understood.
    #[error("{url} does not answer as a web server should: {reason}")]
    Nonsense {
        /// The address asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// Nothing arrived for a while, several times in a row.
    #[error("{url} sent nothing for {seconds} s; {have} of {size} bytes are kept for the next attempt")]
    Stalled {
        /// The address asked.
        url: String,
        /// How long each wait was.
        seconds: f32,
        /// Bytes that have arrived.
        have: u64,
        /// Bytes that there are.
        size: u64,
    },
    /// The connection broke, several times in a row.
    #[error("the connection to {url} broke off; {have} of {size} bytes are kept for the next attempt")]
    BrokenOff {
        /// The address asked.
        url: String,
        /// Bytes that have arrived.
        have: u64,
        /// Bytes that there are.
        size: u64,
    },
    /// The server announces a file of another size.
    #[error("{url} has a file of {stated} bytes where {expected} were expected, so it is not that file")]
    Size {
        /// The address asked.
        url: String,
        /// The size it gives.
        stated: u64,
        /// The size in the manifest.
        expected: u64,
    },
    /// The server sends more than the file.
    #[error("{url} sends more than the expected {expected} bytes, so it is not that file")]
    TooLong {
        /// The address asked.
        url: String,
        /// The size in the manifest.
        expected: u64,
    },
    /// All bytes are there, but they are not the right ones.
    #[error("what {url} sent has the wrong checksum and was thrown away: SHA-256 is {found}, expected {expected}")]
    Checksum {
        /// The address asked.
        url: String,
        /// SHA-256 of what arrived.
        found: String,
        /// SHA-256 in the manifest.
        expected: String,
    },
    /// Another file has the name.
    #[error("`{path}` is already there and is another file; move it away and pull again")]
    Occupied {
        /// The name that the file would get.
        path: PathBuf,
    },
    /// Another pull of the same file is running.
    #[error("`{path}` is being pulled by another program; wait for it to finish")]
    Busy {
        /// The part file, locked by the other.
        path: PathBuf,
    },
    /// The folder cannot be used.
    #[error("cannot keep models in `{path}`: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The disk is full.
    #[error("the disk is full; free some space and pull again to resume `{path}`")]
    DiskFull {
        /// The part file, which is kept.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("cannot read or write `{path}`: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The job was stopped.
    #[error("the download was stopped: run the same command again to resume it")]
    Stopped,
}

impl From<Stopped> for PullError {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl PullError {
    pub(super) fn file(path: &std::path::Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::File { path, source },
        }
    }
}

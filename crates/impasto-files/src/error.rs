//! Why a file was not written.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file was not written. A file that was there before is as it was, and no temporary file is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The folder is not there.
    #[error("the folder `{}` does not exist: make it first", .0.display())]
    NoFolder(PathBuf),
    /// The path is a folder.
    #[error("`{}` is a folder: name a file in it", .0.display())]
    IsFolder(PathBuf),
    /// The folder does not take a file.
    #[error("cannot write into the folder `{}`: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file system does not take the name.
    #[error("the file name in `{}` is too long, or has characters that its folder does not take: choose another name", .0.display())]
    Name(PathBuf),
    /// There is no space left.
    #[error("cannot write `{}`: the disk is full: free some space, or name a file on another disk", .0.display())]
    DiskFull(PathBuf),
    /// The file could not be written.
    #[error("cannot write `{}`: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl FileError {
    /// The error of a file that could not be written.
    pub fn of(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            kind if is_full(kind) => Self::DiskFull(path.into()),
            io::ErrorKind::InvalidFilename => Self::Name(path.into()),
            _ => Self::Write { path: path.into(), error },
        }
    }
}

/// Whether this is what a full disk, or a used-up quota, says.
pub(crate) fn is_full(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

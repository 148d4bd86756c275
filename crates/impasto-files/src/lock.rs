//! Locks: one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::identity::behind_links;
use crate::names;

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process, or another run of this one, has it.
    #[error("`{}` is in use by another run: wait for it to end, or name another file", .0.display())]
    Busy(PathBuf),
    /// The file of the lock cannot be made or locked.
    #[error("cannot lock `{}`: {error}: name a file in another folder", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Keeps a file for one process while this lives. The lock is on `FILE.lock` beside it, since the file itself is replaced
/// each time it is written. The system releases it however the process ends; a clean end removes `FILE.lock` as well.
#[derive(Debug)]
pub struct Lock {
    /// Holds the lock while it is open.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of a file, which need not exist.
    ///
    /// # Errors
    /// If another process has it, or it cannot be taken.
    pub fn of(file: &Path) -> Result<Self, LockError> {
        // The same lock for every spelling of the name.
        let path = names::beside(&behind_links(file), ".lock");
        match open_locked(&path) {
            Ok(locked) => Ok(Self { _file: locked, path }),
            Err(LockError::Busy(_)) => Err(LockError::Busy(file.into())),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While the lock is held, so that nobody else can have taken a lock on this file.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Opens a file, which is made if it is not there, and locks it until it is closed. A file system without locks gives it
/// without.
///
/// # Errors
/// If another process has the lock, or the file cannot be opened.
pub fn open_locked(path: &Path) -> Result<File, LockError> {
    let failed = |error| LockError::File { path: path.into(), error };
    loop {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Busy(path.into())),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Between opening and locking, another process may have removed or renamed the file: then the lock is on a file
        // that has another name or none, and is worth nothing.
        let locked = file.try_clone().and_then(same_file::Handle::from_file).map_err(failed)?;
        if same_file::Handle::from_path(path).is_ok_and(|current| current == locked) {
            return Ok(file);
        }
    }
}

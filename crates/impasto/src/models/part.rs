//! The part file: what has arrived so far, locked, and hashed as it grows.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use impasto_files::{LockError, open_locked, rename_durably};
use sha2::{Digest, Sha256};

use crate::bytes::hexadecimal;

use super::error::PullError;

/// `<target>.part`, held under an exclusive lock until this is dropped.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    target: PathBuf,
    hash: Sha256,
    len: u64,
}

impl Part {
    /// Opens or makes the part file of `target`, takes its lock, and hashes what is in it.
    ///
    /// More than `size` bytes cannot be the beginning of the file, so such a part starts over.
    pub(super) fn open(target: &Path, size: u64) -> Result<Self, PullError> {
        let path = beside(target, ".part");
        let file = open_locked(&path).map_err(|error| match error {
            LockError::File { path, error } => PullError::file(&path, error),
            _ => PullError::Busy { path: path.clone() },
        })?;
        let mut part = Self { file, path, target: target.to_owned(), hash: Sha256::new(), len: 0 };
        let len = part.file.metadata().map_err(|e| PullError::file(&part.path, e))?.len();
        if len > size {
            part.restart()?;
        } else {
            (part.len, part.hash) = digest_so_far(&mut part.file).map_err(|e| PullError::file(&part.path, e))?;
        }
        Ok(part)
    }

    /// The part file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that have arrived.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Adds to the end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), PullError> {
        self.file.write_all(bytes).map_err(|e| {
            // What a failed write left behind is not in the hash: cut it off again.
            let _ = self.file.set_len(self.len);
            PullError::file(&self.path, e)
        })?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what has arrived.
    pub(super) fn restart(&mut self) -> Result<(), PullError> {
        let reset = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        reset.map_err(|e| PullError::file(&self.path, e))?;
        (self.len, self.hash) = (0, Sha256::new());
        Ok(())
    }

    /// SHA-256 of what has arrived, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        hexadecimal(&self.hash.clone().finalize())
    }

    /// Gives the file its name, once it is safe on the disk.
    pub(super) fn finish(self) -> Result<(), PullError> {
        rename_durably(&self.file, &self.path, &self.target).map_err(|e| PullError::file(&self.target, e))
    }

    /// Removes the part file.
    pub(super) fn discard(self) {
        // Where the system refuses, the next pull starts over from what is left: nothing depends on the removal.
        let _ = fs::remove_file(&self.path);
    }
}

/// `path` with `ending` added to its file name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// SHA-256 of the file at `path`, in hexadecimal.
pub(super) fn digest_of(path: &Path) -> io::Result<String> {
    Ok(hexadecimal(&digest_so_far(&mut File::open(path)?)?.1.finalize()))
}

fn digest_so_far(file: &mut File) -> io::Result<(u64, Sha256)> {
    let (mut len, mut hash, mut buffer) = (0, Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((len, hash)),
            n => {
                hash.update(&buffer[..n]);
                len += n as u64;
            }
        }
    }
}

//! The files that a painting depends on. Each is read once, so that its hash is that of the bytes that were decoded and
//! a pipe can be an input.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::checkpoint;
use crate::picture::{Picture, PictureFile, ReadError, load};

/// A file, and the SHA-256 of what was read from it.
pub(super) type InputHash = (PathBuf, String);

/// Reads inputs and keeps their hashes in the order of reading.
#[derive(Default)]
pub(super) struct InputReader {
    hashes: Vec<InputHash>,
    /// The bytes of pipes and devices, which cannot be read a second time.
    pipes: HashMap<PathBuf, Vec<u8>>,
}

impl InputReader {
    /// A picture with its metadata.
    pub(super) fn file(&mut self, path: &Path) -> Result<PictureFile, ReadError> {
        PictureFile::from_bytes(&self.load(path)?, path)
    }

    /// A picture.
    pub(super) fn picture(&mut self, path: &Path) -> Result<Picture, ReadError> {
        Picture::from_file_bytes(&self.load(path)?, path)
    }

    /// Adds the hash of a network, if it is a file; one that cannot be read is reported when it is loaded.
    pub(super) fn add_network(&mut self, network: &str) {
        let path = PathBuf::from(network);
        if path.is_file() {
            let hash = checkpoint::hash(&path).unwrap_or_default();
            self.hashes.push((path, hash));
        }
    }

    /// All files that were read.
    pub(super) fn into_hashes(self) -> Vec<InputHash> {
        self.hashes
    }

    fn load(&mut self, path: &Path) -> Result<Vec<u8>, ReadError> {
        let bytes = match self.pipes.get(path) {
            Some(bytes) => bytes.clone(),
            None => load(path)?,
        };
        if !path.is_file() {
            self.pipes.insert(path.into(), bytes.clone());
        }
        self.hashes.push((path.into(), checkpoint::hex(&Sha256::digest(&bytes))));
        Ok(bytes)
    }
}

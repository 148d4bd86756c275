//! The files that a painting depends on. Each is read once, so that its hash is that of the bytes that were decoded and
//! a pipe can be an input.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::checkpoint;
use crate::bytes::hexadecimal;
use crate::memory::PROGRAM;
use crate::picture::{Picture, PictureFile, ReadError, ReadLimits, load};
use crate::settings::Settings;

/// A file, and the SHA-256 of what was read from it.
pub(super) type InputHash = (PathBuf, String);

/// What a painting may take for the pictures that it is made of, beside the program.
pub(super) fn read_limits(settings: &Settings) -> ReadLimits {
    ReadLimits::new(settings.max_pixels, settings.memory.map(|memory| memory.0)).less(PROGRAM)
}

/// Reads inputs and keeps their hashes in the order of reading.
pub(super) struct InputReader {
    /// What reading the next picture may take: those that were read stay in memory.
    limits: ReadLimits,
    hashes: Vec<InputHash>,
    /// The bytes of pipes and devices, which cannot be read a second time.
    pipes: HashMap<PathBuf, Vec<u8>>,
}

impl InputReader {
    /// A reader of pictures that may take so much all together.
    pub(super) fn new(limits: ReadLimits) -> Self {
        Self { limits, hashes: Vec::new(), pipes: HashMap::new() }
    }

    /// Begins with the pictures of another painting: those that were read are released, except the bytes of pipes.
    pub(super) fn begin(&mut self, limits: ReadLimits) {
        self.limits = limits.less(self.pipes.values().map(|bytes| bytes.len() as u64).sum());
    }

    /// A picture with its metadata.
    pub(super) fn file(&mut self, path: &Path) -> Result<PictureFile, ReadError> {
        let file = PictureFile::from_bytes_within(&self.load(path)?, path, &self.limits)?;
        self.limits = self.limits.less(file.picture.bytes());
        Ok(file)
    }

    /// A picture.
    pub(super) fn picture(&mut self, path: &Path) -> Result<Picture, ReadError> {
        let picture = Picture::from_file_bytes_within(&self.load(path)?, path, &self.limits)?;
        self.limits = self.limits.less(picture.bytes());
        Ok(picture)
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
            None => load(path, &self.limits)?,
        };
        if !path.is_file() && !self.pipes.contains_key(path) {
            self.limits = self.limits.less(bytes.len() as u64);
            self.pipes.insert(path.into(), bytes.clone());
        }
        self.hashes.push((path.into(), hexadecimal(&Sha256::digest(&bytes))));
        Ok(bytes)
    }
}

//! All files of a run, so that none is written over another.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::identity::{Identity, ignores_case};

/// Two files of a run that are the same file, where at least one of them is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// What is written, such as `` `--curve` ``.
    pub output: String,
    /// Where, as it was named.
    pub path: PathBuf,
    /// What is the same file.
    pub other: String,
    /// Its path, as it was named.
    pub other_path: PathBuf,
    /// Whether that is written as well.
    pub both_written: bool,
}

impl fmt::Display for Clash {
    /// One sentence that names both.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { output, path, other, other_path, both_written } = self;
        let (path, other_path) = (path.display(), other_path.display());
        if *both_written {
            write!(f, "{other} and {output} would both be written to `{path}`: choose different names")
        } else {
            write!(f, "{output} would overwrite {other} `{other_path}`: choose another name than `{path}`")
        }
    }
}

impl std::error::Error for Clash {}

/// The files that a run reads and writes, told apart by what they are and not by how they are spelled: links, detours
/// and, where the folder does not tell them apart, capital letters make no difference.
#[derive(Debug, Default)]
pub struct Places {
    files: Vec<Entry>,
    /// The files of each identity, capital letters aside.
    known: HashMap<Identity, Vec<usize>>,
}

#[derive(Debug)]
struct Entry {
    label: String,
    path: PathBuf,
    identity: Identity,
    written: bool,
}

impl Places {
    /// Adds a file that is read.
    ///
    /// # Errors
    /// If it is written as well.
    pub fn input(&mut self, label: impl Into<String>, path: &Path) -> Result<(), Clash> {
        self.add(label.into(), path, false)
    }

    /// Adds a file that is written.
    ///
    /// # Errors
    /// If it is read, or written by something else.
    pub fn output(&mut self, label: impl Into<String>, path: &Path) -> Result<(), Clash> {
        self.add(label.into(), path, true)
    }

    fn add(&mut self, label: String, path: &Path, written: bool) -> Result<(), Clash> {
        let Some(identity) = Identity::of(path) else { return Ok(()) };
        let alike = self.known.entry(identity.clone().without_case()).or_default();
        for other in alike.iter().map(|i| &self.files[*i]) {
            if (written || other.written) && (other.identity == identity || ignores_case(path)) {
                let both_written = written && other.written;
                let (label, path) = (label.clone(), path.to_path_buf());
                let (other, other_path) = (other.label.clone(), other.path.clone());
                return Err(if written {
                    Clash { output: label, path, other, other_path, both_written }
                } else {
                    Clash { output: other, path: other_path, other: label, other_path: path, both_written }
                });
            }
        }
        alike.push(self.files.len());
        self.files.push(Entry { label, path: path.into(), identity, written });
        Ok(())
    }
}

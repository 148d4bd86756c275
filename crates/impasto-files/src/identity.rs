//! Which file a path means, however it is spelled.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// What tells existing files apart: device and inode.
#[cfg(unix)]
pub(crate) type Node = (u64, u64);
/// What tells existing files apart: the path without links or detours.
#[cfg(not(unix))]
pub(crate) type Node = PathBuf;

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// One that exists.
    Existing(Node),
    /// One that does not exist yet: the nearest folder that does, and the names below it.
    New {
        /// The folder.
        folder: Node,
        /// The names.
        names: PathBuf,
    },
}

impl Identity {
    /// The file that a path means; nothing for devices, pipes, and where there is no such place.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let path = behind_links(path);
        if let Ok(metadata) = path.metadata() {
            return (metadata.is_file() || metadata.is_dir()).then(|| node(&path)).flatten().map(Self::Existing);
        }
        let mut names = Vec::<OsString>::new();
        let mut folder = path.as_path();
        while node(folder).is_none() {
            match folder.components().next_back() {
                Some(Component::Normal(name)) => names.push(name.to_owned()),
                Some(Component::CurDir) => {}
                _ => return None,
            }
            folder = folder_of(folder);
        }
        Some(Self::New { folder: node(folder)?, names: names.iter().rev().collect() })
    }

    /// The same with the names in lower case, to find those that may mean one file where case does not count.
    pub(crate) fn without_case(mut self) -> Self {
        if let Self::New { names, .. } = &mut self {
            *names = names.to_string_lossy().to_lowercase().into();
        }
        self
    }
}

/// The folder that a file lies in, `.` where none is named.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path that a symbolic link stands for, whether or not there is a file.
pub(crate) fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_path_buf();
    for _ in 0..40 {
        match std::fs::read_link(&path) {
            Ok(link) => path = folder_of(&path).join(link),
            Err(_) => break,
        }
    }
    path
}

#[cfg(unix)]
fn node(path: &Path) -> Option<Node> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn node(path: &Path) -> Option<Node> {
    path.canonicalize().ok()
}

/// Whether the folder that a new file will lie in takes `A` and `a` for the same name: found out with a file.
pub(crate) fn ignores_case(path: &Path) -> bool {
    let mut folder = folder_of(path);
    while !folder.is_dir() && folder != Path::new(".") {
        folder = folder_of(folder);
    }
    let Ok(probe) = tempfile::Builder::new().prefix(".impasto-").suffix(".tmp").tempfile_in(folder) else {
        return false;
    };
    let name = probe.path().file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    probe.path().with_file_name(name).exists()
}

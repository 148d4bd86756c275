//! Files that a picture or a checkpoint names: it may come from anybody, so it has names and no paths, and what it
//! names is looked for in its own folder only.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::models;
use crate::settings::Init;

/// Files that a record names and that are neither given nor beside it.
#[derive(Debug, thiserror::Error)]
#[error("`{}` was made with {}, not found beside it: give {them}, such as `impasto {command}`", record.display(), Listed(missing), them = if missing.len() == 1 { "it" } else { "them" })]
pub struct MissingFiles {
    record: PathBuf,
    missing: Vec<String>,
    command: String,
}

struct Listed<'a>(&'a [String]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            let before = match i {
                0 => "",
                _ if i + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{before}`{name}`")?;
        }
        Ok(())
    }
}

/// The last part of a path.
pub(crate) fn file_name(path: &Path) -> PathBuf {
    path.file_name().map(PathBuf::from).unwrap_or_default()
}

/// A network, whose file is named without its folder if it is one.
pub(crate) fn network_name(network: &str) -> String {
    file_name(Path::new(network)).to_string_lossy().into_owned()
}

/// A path that does not depend on the folder that the program runs in, as short as it may be.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The same of a network that is a file.
pub(crate) fn absolute_network(network: &str) -> Option<String> {
    let path = Path::new(network);
    path.is_file().then(|| absolute(path).to_string_lossy().into_owned())
}

/// A path from the folder that the program runs in, if it lies below that.
pub(crate) fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// The first setting that is given and differs from what a record was made with, as its flag is called, and what it was;
/// those in `free` may differ. Both are TOML.
pub(crate) fn first_other(given: &str, made: &str, free: &[&str]) -> Option<(String, String)> {
    let table = |text: &str| text.parse::<toml::Table>().unwrap_or_default();
    let (given, made) = (table(given), table(made));
    let (key, _) =
        given.iter().find(|(key, value)| !free.contains(&key.as_str()) && made.get(key.as_str()) != Some(value))?;
    Some((key.replace('_', "-"), made.get(key).map_or_else(|| "none".into(), toml::Value::to_string)))
}

/// Looks for what a record names.
pub(crate) struct Finder<'a> {
    record: &'a Path,
    /// Names, and how to give them.
    missing: Vec<(String, String)>,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(record: &'a Path) -> Self {
        Self { record, missing: Vec::new() }
    }

    /// Where the output of a record belongs: beside it.
    pub(crate) fn place(&self, named: &Path) -> PathBuf {
        self.record.with_file_name(file_name(named))
    }

    /// A file of this name beside the record; else it is missing, and can be given behind `flag`.
    pub(crate) fn find(&mut self, named: &Path, flag: &str) -> PathBuf {
        let name = file_name(named);
        let beside = self.place(named);
        if name.as_os_str().is_empty() || !beside.is_file() {
            let name = name.display().to_string();
            let argument = if flag.is_empty() { name.clone() } else { format!("{flag} {name}") };
            self.missing.push((name, argument));
        }
        beside
    }

    /// A folder of this name beside the record.
    pub(crate) fn find_folder(&mut self, named: &Path, flag: &str) -> PathBuf {
        let beside = self.place(named);
        if beside.is_dir() { beside } else { self.find(named, flag) }
    }

    /// A start that may be a file.
    pub(crate) fn find_init(&mut self, init: Init) -> Init {
        match init {
            Init::File(path) => Init::File(self.find(&path, "--init")),
            init => init,
        }
    }

    /// A network that is known by its name, or a file.
    pub(crate) fn find_network(&mut self, network: &str) -> String {
        if ["vgg19", "vgg16"].contains(&network) {
            return network.into();
        }
        // A pulled network is named by its path, since a file of its name in another folder would be taken first.
        let name = network_name(network);
        let pulled = models::find(&name).filter(|_| !self.place(Path::new(network)).is_file());
        let path = pulled.unwrap_or_else(|| self.find(Path::new(network), "--network"));
        path.to_string_lossy().into_owned()
    }

    /// That something is missing, and the command that would give it: `first` arguments, what is missing, and `last`
    /// ones.
    pub(crate) fn check(self, first: &str, last: &str) -> Result<(), MissingFiles> {
        if self.missing.is_empty() {
            return Ok(());
        }
        let (missing, arguments): (Vec<String>, Vec<String>) = self.missing.into_iter().unzip();
        let command = [&[first.to_owned()], &arguments[..], &[last.to_owned()]].concat().join(" ");
        Err(MissingFiles { record: self.record.to_owned(), missing, command })
    }
}

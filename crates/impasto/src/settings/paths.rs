//! The files that settings name: with and without their folders.

use std::path::{Path, PathBuf};

use super::{Init, Overrides, StyleFile};
use crate::paint::NO_MASK;
use crate::recorded::{self, Finder};

impl Overrides {
    /// The same with every file named without its folder: what may stand in a file that is given away.
    #[must_use]
    pub fn with_file_names(self) -> Self {
        let network = self.network.as_deref().map(recorded::network_name);
        Self { network, ..self.map_paths(recorded::file_name) }
    }

    /// The files alone, by paths that do not depend on the folder that the program runs in.
    pub(crate) fn absolute_paths(&self) -> Self {
        let files = Self {
            content: self.content.clone(),
            style: self.style.clone(),
            mask: self.mask.clone(),
            protect: self.protect.clone(),
            output: self.output.clone(),
            curve: self.curve.clone(),
            init: self.init.clone().filter(|init| matches!(init, Init::File(_))),
            network: self.network.as_deref().and_then(recorded::absolute_network),
            ..Self::default()
        };
        files.map_paths(recorded::absolute)
    }

    /// The same with paths from the folder that the program runs in, for files below it.
    pub(crate) fn shown_paths(self) -> Self {
        self.map_paths(recorded::shown)
    }

    /// Files that a record names and that are not given, beside the record.
    pub(crate) fn found_beside(self, finder: &mut Finder<'_>, given: &Self) -> Self {
        let mut find = |named: PathBuf, flag: &str| finder.find(&named, flag);
        let content = self.content.filter(|_| given.content.is_none()).map(|path| find(path, ""));
        let styles = self.style.into_iter().filter(|_| given.style.is_empty());
        let style = styles.map(|style| StyleFile { path: find(style.path, "--style"), ..style }).collect();
        let masks = self.mask.into_iter().filter(|_| given.mask.is_empty());
        let mask = masks.map(|path| if path == Path::new(NO_MASK) { path } else { find(path, "--mask") }).collect();
        let protect = self.protect.filter(|_| given.protect.is_none()).map(|path| find(path, "--protect"));
        let init = self.init.filter(|_| given.init.is_none()).map(|init| finder.find_init(init));
        let network = self.network.filter(|_| given.network.is_none()).map(|network| finder.find_network(&network));
        Self { content, style, mask, protect, init, network, ..self }
    }

    fn map_paths(self, to: impl Fn(&Path) -> PathBuf) -> Self {
        let map = |path: Option<PathBuf>| path.map(|path| to(&path));
        let mask = |path: PathBuf| if path == Path::new(NO_MASK) { path } else { to(&path) };
        Self {
            content: map(self.content),
            style: self.style.into_iter().map(|style| StyleFile { path: to(&style.path), ..style }).collect(),
            mask: self.mask.into_iter().map(mask).collect(),
            protect: map(self.protect),
            output: map(self.output),
            curve: map(self.curve),
            checkpoint: map(self.checkpoint),
            init: self.init.map(|init| match init {
                Init::File(path) => Init::File(to(&path)),
                init => init,
            }),
            ..self
        }
    }
}

//! The files that the settings of a training name: with and without their folders.

use std::path::{Path, PathBuf};

use super::settings::TrainOverrides;
use super::values::TrainStyle;
use crate::recorded::{self, Finder};

impl TrainOverrides {
    /// The same with every file and folder named without the folder that it lies in.
    #[must_use]
    pub fn with_file_names(self) -> Self {
        let network = self.network.as_deref().map(recorded::network_name);
        Self { network, ..self.map_paths(recorded::file_name) }
    }

    /// The files alone, by paths that do not depend on the folder that the program runs in.
    pub(super) fn absolute_paths(&self) -> Self {
        let files = Self {
            style: self.style.clone(),
            photos: self.photos.clone(),
            styles: self.styles.clone(),
            output: self.output.clone(),
            from: self.from.clone(),
            preview: self.preview.clone(),
            curve: self.curve.clone(),
            network: self.network.as_deref().and_then(recorded::absolute_network),
            ..Self::default()
        };
        files.map_paths(recorded::absolute)
    }

    /// The same with paths from the folder that the program runs in, for files below it.
    pub(super) fn shown_paths(self) -> Self {
        self.map_paths(recorded::shown)
    }

    /// Files that a checkpoint names and that are not given, beside the checkpoint; the preview and the curve have the
    /// places that they have by default.
    pub(super) fn found_beside(self, finder: &mut Finder<'_>, given: &Self) -> Self {
        let style = self.style.into_iter().filter(|_| given.style.is_empty());
        let style = style.map(|style| TrainStyle { path: finder.find(&style.path, "--style"), ..style }).collect();
        let photos = self.photos.into_iter().filter(|_| given.photos.is_empty());
        let photos = photos.map(|folder| finder.find_folder(&folder, "--photos")).collect();
        let styles = self.styles.into_iter().filter(|_| given.styles.is_empty());
        let styles = styles.map(|folder| finder.find_folder(&folder, "--styles")).collect();
        let network = self.network.filter(|_| given.network.is_none()).map(|network| finder.find_network(&network));
        Self { style, photos, styles, network, output: None, preview: None, curve: None, max_pixels: None, ..self }
    }

    fn map_paths(self, to: impl Fn(&Path) -> PathBuf) -> Self {
        let map = |path: Option<PathBuf>| path.map(|path| to(&path));
        Self {
            style: self.style.into_iter().map(|style| TrainStyle { path: to(&style.path), ..style }).collect(),
            photos: self.photos.iter().map(|folder| to(folder)).collect(),
            styles: self.styles.iter().map(|folder| to(folder)).collect(),
            output: map(self.output),
            from: self.from.map(|from| from.map_path(&to)),
            preview: map(self.preview),
            curve: map(self.curve),
            ..self
        }
    }
}

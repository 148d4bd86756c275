//! The settings in a picture, and the picture again.

use std::path::{Path, PathBuf};

use crate::picture::settings_of;
use crate::recorded::{Finder, MissingFiles};
use crate::settings::{Overrides, SettingsError};

/// Why a picture cannot be painted again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgainError {
    /// There is no file of this name.
    #[error("there is no file `{}`", .0.display())]
    Missing(PathBuf),
    /// It has no settings in it.
    #[error("`{}` has no settings in it: only a picture has that impasto painted", .0.display())]
    NoSettings(PathBuf),
    /// It has others than those of a painting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// It names files that are not there.
    #[error(transparent)]
    MissingFiles(#[from] MissingFiles),
}

/// The settings that a picture was made with, as TOML.
///
/// # Errors
/// If there is no such file, or none in it.
pub fn shown(picture: &Path) -> Result<String, AgainError> {
    if !picture.exists() {
        return Err(AgainError::Missing(picture.into()));
    }
    settings_of(picture).ok_or_else(|| AgainError::NoSettings(picture.into()))
}

/// What makes a painting again, under another name: `out.png` becomes `out-again.png`. Files that the picture names and
/// that are not `given` are looked for beside it only, whatever paths are in it; what it says of this machine does not
/// count.
///
/// # Errors
/// As [`shown`], if the settings are not those of a painting, and if a file is missing.
pub fn again(picture: &Path, given: &Overrides) -> Result<Overrides, AgainError> {
    let settings = Overrides::from_toml(&shown(picture)?, picture)?.with_recorded_loss_scale();
    let mut finder = Finder::new(picture);
    let settings = settings.found_beside(&mut finder, given);
    finder.check("paint", &format!("--again {}", picture.display()))?;
    let stem = picture.file_stem().unwrap_or_default().to_string_lossy();
    let output = Some(PathBuf::from(format!("{stem}-again.png")));
    Ok(Overrides {
        output,
        curve: None,
        checkpoint: None,
        save_every: None,
        memory: None,
        max_pixels: None,
        ..settings
    })
}

//! Where pulled files are kept.

use std::env;
use std::path::PathBuf;

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use thiserror::Error;

/// Environment variable that names the folder of pulled models, in place of the platform's cache folder.
pub const FOLDER_VARIABLE: &str = "IMPASTO_MODELS";

/// The folder of pulled models; it need not exist yet.
///
/// `$IMPASTO_MODELS` where that is set; else `impasto/models` in the platform's cache folder: `$XDG_CACHE_HOME` or
/// `~/.cache` on Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
pub fn default_dir() -> Result<PathBuf, NoFolder> {
    match env::var_os(FOLDER_VARIABLE) {
        Some(dir) if !dir.is_empty() => Ok(PathBuf::from(dir)),
        _ => Ok(choose_native_strategy().map_err(|_| NoFolder)?.cache_dir().join("impasto").join("models")),
    }
}

/// There is no home folder to keep models in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("cannot tell where to keep models; set {FOLDER_VARIABLE} to a folder, or name one with --dir")]
pub struct NoFolder;

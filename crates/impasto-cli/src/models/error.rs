//! Why a `models` command failed.

use std::io;

use impasto::models::{ConvertError, ManifestError, NoFolder, PullError, ShowError};
use thiserror::Error;

/// Why a `models` command failed: one sentence each.
#[derive(Debug, Error)]
pub(crate) enum ModelsError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Folder(#[from] NoFolder),
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Show(#[from] ShowError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error("`{0}` is built in, so there is nothing to pull")]
    BuiltIn(String),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

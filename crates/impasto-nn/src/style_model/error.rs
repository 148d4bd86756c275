//! Why a style model could not be read or written.

use std::path::PathBuf;

use impasto_files::FileError;

use super::FORMAT_VERSION;
use crate::formats::LoadError;

/// Why a style model could not be read or written: each message says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StyleModelError {
    /// The file cannot be read, is cut short, or is damaged.
    #[error(transparent)]
    File(LoadError),
    /// A file of another kind.
    #[error(
        "`{path}` is {what}, not a style model: \
         give the name of a built-in style, or a file from `impasto train` or `impasto models import`"
    )]
    NotAStyleModel {
        /// The file.
        path: PathBuf,
        /// What it is instead, as `a JPEG picture`.
        what: String,
    },
    /// An image transformation network that another program wrote.
    #[error("`{path}` holds a style network of another program: convert it with `impasto models import` first")]
    OtherProgram {
        /// The file.
        path: PathBuf,
    },
    /// A file to be imported that impasto wrote itself.
    #[error("`{path}` is a style model of impasto already: use it as it is")]
    AlreadyOwn {
        /// The file.
        path: PathBuf,
    },
    /// A file to be imported that is something else.
    #[error(
        "`{path}` is {what}, which cannot be imported: give a checkpoint of pytorch/examples' fast_neural_style, \
         or an ONNX file of that network"
    )]
    NotImportable {
        /// The file.
        path: PathBuf,
        /// What it is instead, as `a JPEG picture`.
        what: String,
    },
    /// A file to be imported with another network, or a changed one.
    #[error(
        "`{path}` cannot be imported because {detail}: give an unchanged network of pytorch/examples' fast_neural_style"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The first difference.
        detail: String,
    },
    /// A file of a later impasto.
    #[error(
        "`{path}` is a style model of format version {found}, and this impasto reads version {FORMAT_VERSION}: \
         update impasto"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A file of a version that is no longer read.
    #[error(
        "`{path}` is a style model of format version {found}, which this impasto no longer reads: \
         get it in version {FORMAT_VERSION}, or convert it with the impasto that wrote it"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A style model with another network inside.
    #[error(
        "`{path}` holds a network of another architecture (`{tensor}` is {found}, not {expected}): \
         it cannot be run by this impasto"
    )]
    Architecture {
        /// The file.
        path: PathBuf,
        /// The first tensor that differs.
        tensor: String,
        /// Its shape, or that it is missing.
        found: String,
        /// What belongs there.
        expected: String,
    },
    /// The description is damaged or does not fit the network.
    #[error("`{path}` has a damaged description ({detail}): fetch or train it again")]
    Card {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A model in memory that is not one.
    #[error("the style model cannot be written because {detail}")]
    Unwritable {
        /// Why.
        detail: String,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(FileError),
}

impl StyleModelError {
    /// The same error in the words of one who imports.
    pub(super) fn from_import(error: LoadError) -> Self {
        match error {
            LoadError::NotAModel { path, what } => Self::NotImportable { path, what: what.into() },
            LoadError::Unsupported { path, what, .. } => Self::NotImportable { path, what },
            error => Self::File(error),
        }
    }

    /// The same error in the words of one who wants a style model.
    pub(super) fn from_load(error: LoadError) -> Self {
        match error {
            LoadError::NotAModel { path, what } => Self::NotAStyleModel { path, what: what.into() },
            LoadError::Unsupported { path, what, .. } => Self::NotAStyleModel { path, what },
            error => Self::File(error),
        }
    }
}

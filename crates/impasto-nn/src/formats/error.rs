//! Why a weight file could not be read.

use std::{io, path::PathBuf};

use super::Format;

/// Why a weight file could not be read: each message names the file, says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Nothing is there.
    #[error("`{path}` does not exist: check the path")]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// A directory, a device, a pipe.
    #[error("`{path}` is {what}, not a file: give the path of one weight file")]
    NotAFile {
        /// What was given.
        path: PathBuf,
        /// `a directory` or `not a regular file`.
        what: &'static str,
    },
    /// The operating system said no.
    #[error("`{path}` cannot be read ({source}): check its permissions and the disk")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Zero bytes.
    #[error("`{path}` is empty: fetch it again")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Something else altogether.
    #[error("`{path}` is {what}, not a weight file: give a MatConvNet .mat, a PyTorch .pth or a safetensors file")]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What it seems to be, as `a JPEG picture`.
        what: &'static str,
    },
    /// A weight file of a kind that is not read.
    #[error("`{path}` is {what}, which is not supported: {advice}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The file ends before its contents do.
    #[error("`{path}` ends too early for a {format} ({detail}): it is truncated, fetch it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What it begins as.
        format: Format,
        /// What is missing.
        detail: String,
    },
    /// The file contradicts its own format.
    #[error("`{path}` is a damaged {format} ({detail}): fetch it again")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it begins as.
        format: Format,
        /// The contradiction.
        detail: String,
    },
    /// A pickle that asks for something other than tensors; nothing of it was called.
    #[error(
        "`{path}` asks for the Python object `{global}`, which impasto does not run: \
         store the tensors alone with `torch.save(model.state_dict(), …)`"
    )]
    ForbiddenGlobal {
        /// The file.
        path: PathBuf,
        /// `module.name` as the file has it.
        global: String,
    },
    /// A sound file with another network inside.
    #[error("`{path}` holds another network ({found}): give the weights of VGG16 or VGG19")]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// What was found in it.
        found: String,
    },
    /// A layer is not there.
    #[error("`{path}` holds a {network} without `{tensor}`: give a file with all its convolutions")]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The network that it seems to hold.
        network: &'static str,
        /// The missing tensor.
        tensor: String,
    },
    /// A layer has the wrong size.
    #[error("`{path}` has `{tensor}` of shape {found} where {network} has {expected}: give an unchanged {network}")]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// The network that it seems to hold.
        network: &'static str,
        /// The tensor.
        tensor: String,
        /// Its shape, as `64×3×3×3`.
        found: String,
        /// The shape that belongs there.
        expected: String,
    },
    /// A tensor holds something that is not a number of use here.
    #[error("`{path}` has `{tensor}` stored as {dtype}, which weights never are: give f16, bf16, f32 or f64 weights")]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its type.
        dtype: String,
    },
    /// NaN or infinity among the weights.
    #[error("`{path}` has a value in `{tensor}` that is not finite: the weights are spoilt, fetch the file again")]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
}

//! The containers of weight files.

use std::fmt;

use serde::Serialize;

/// The container that tensors travel in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A safetensors file.
    Safetensors,
    /// What `torch.save` writes since PyTorch 1.6: a zip archive with a pickle in it.
    PytorchZip,
    /// What `torch.save` wrote before: pickles, then raw numbers.
    PytorchLegacy,
    /// A MATLAB 5 file, as MatConvNet stores its networks.
    Matlab,
    /// An ONNX file: the initialisers of its graph.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Safetensors => "safetensors file",
            Self::PytorchZip | Self::PytorchLegacy => "PyTorch file",
            Self::Matlab => "MATLAB file",
            Self::Onnx => "ONNX file",
        })
    }
}

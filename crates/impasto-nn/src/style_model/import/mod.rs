//! Networks that were trained by other programs.
//!
//! What is read is the network of pytorch/examples' `fast_neural_style` (Johnson et al. 2016 with instance
//! normalisation, reflection padding and nearest-neighbour upsampling) of any width and number of residual blocks:
//!
//! - its checkpoints, new and old, as PyTorch or safetensors files, by the names of their tensors (`torch`);
//! - ONNX files of it, such as the ONNX model zoo's, by following the graph (`onnx`).
//!
//! Theirs takes and gives pictures of 0–255, ours of 0–1: see [`assemble`].

mod assemble;
mod onnx;
mod torch;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use impasto_kernels::StyleNetShape;

use self::assemble::assemble;
pub(super) use self::torch::layer_names;
use super::{ModelCard, StyleCard, StyleModel, StyleModelError, read};
use crate::formats::{Format, TensorFile};

impl StyleModel {
    /// Reads a network that another program trained: a checkpoint of pytorch/examples' `fast_neural_style`, or an ONNX
    /// file of that network. Its one style is called after the file.
    ///
    /// # Errors
    /// If the file is something else or damaged; each case says what to do.
    pub fn import(path: &Path) -> Result<Self, StyleModelError> {
        import(&mut TensorFile::open(path).map_err(StyleModelError::from_import)?)
    }

    /// As [`import`](Self::import), from bytes; `name` is what error messages call them.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub fn import_bytes(
        name: impl Into<PathBuf>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, StyleModelError> {
        import(&mut TensorFile::from_bytes(name, bytes).map_err(StyleModelError::from_import)?)
    }
}

fn import(file: &mut TensorFile) -> Result<StyleModel, StyleModelError> {
    let path = file.path().to_path_buf();
    if read::is_own(file) {
        return Err(StyleModelError::AlreadyOwn { path });
    }
    let (layers, downsamplings) = match file.format() {
        Format::Onnx => onnx::layers(file)?,
        _ => (torch::layers(file)?, StyleNetShape::JOHNSON.downsamplings),
    };
    let (shape, parameters) =
        assemble(layers, downsamplings).map_err(|detail| StyleModelError::Foreign { path: path.clone(), detail })?;
    Ok(StyleModel { shape, parameters, predictor: None, card: card(&path) })
}

/// What the file's name tells.
fn card(path: &Path) -> ModelCard {
    let lossy = |name: Option<&std::ffi::OsStr>| name.map(|name| name.to_string_lossy().into_owned());
    let name = lossy(path.file_stem()).unwrap_or_else(|| "imported".into());
    let source = lossy(path.file_name()).map(|file| format!("imported from {file}"));
    let styles = vec![StyleCard { name: name.clone(), ..StyleCard::default() }];
    ModelCard { name, source, styles, ..ModelCard::default() }
}

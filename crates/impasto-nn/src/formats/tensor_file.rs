//! An open weight file of any container.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use super::contents::{Contents, TensorInfo};
use super::source::Source;
use super::{Dtype, Format, LoadError, detect, matlab, onnx, safetensors, torch};

/// The most elements of a tensor that is read. The largest filters are those of a style network of width 256,
/// 1024×1024×3×3; VGG's have a quarter of that.
const MOST_ELEMENTS: usize = 1 << 24;

/// An open weight file of any container: named tensors, read one at a time.
///
/// Opening reads the description alone; memory is taken for the tensors that are asked for.
pub struct TensorFile {
    path: PathBuf,
    bytes: u64,
    format: Format,
    contents: Contents,
}

impl TensorFile {
    /// Opens a file, whatever its name ends in.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Self::from_source(Source::open(path)?)
    }

    /// Opens bytes in memory; `name` is what error messages call them.
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, LoadError> {
        Self::from_source(Source::from_bytes(name.into(), bytes.into())?)
    }

    fn from_source(mut source: Source) -> Result<Self, LoadError> {
        let format = detect::detect(&mut source)?;
        source.set_format(format);
        let (path, bytes) = (source.path().to_path_buf(), source.len());
        let contents = match format {
            Format::Safetensors => safetensors::open(source)?,
            Format::PytorchZip => torch::open_zip(source)?,
            Format::PytorchLegacy => torch::open_legacy(source)?,
            Format::Matlab => matlab::open(source)?,
            Format::Onnx => onnx::open(source)?,
        };
        Ok(Self { path, bytes, format, contents })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its container.
    pub fn format(&self) -> Format {
        self.format
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.contents.tensors
    }

    /// What the file says about itself in words.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.contents.metadata
    }

    /// The row-major values of tensor number `index` of [`tensors`](Self::tensors), rounded to f32.
    ///
    /// Reading in the order of the list is fastest: a compressed file is unpacked once.
    ///
    /// # Panics
    /// If there is no tensor of that number.
    pub fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError> {
        let info = &self.contents.tensors[index];
        if info.dtype == Dtype::Other {
            let (path, tensor) = (self.path.clone(), info.name.clone());
            return Err(LoadError::WrongType { path, tensor, dtype: "a type that impasto does not know".into() });
        }
        let count = info.shape.iter().try_fold(1_usize, |count, &side| count.checked_mul(side));
        if count.is_none_or(|count| count > MOST_ELEMENTS) {
            let detail = format!("`{}` has {} values, more than any layer", info.name, info.shape_text());
            return Err(LoadError::Malformed { path: self.path.clone(), format: self.format, detail });
        }
        self.contents.values.read(index)
    }

    /// What the network does, where the container tells.
    pub(crate) fn graph(&self) -> Option<&onnx::graph::Graph> {
        self.contents.values.graph()
    }

    /// The number of the tensor with this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.contents.tensors.iter().position(|t| t.name == name)
    }
}

impl fmt::Debug for TensorFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TensorFile");
        debug.field("path", &self.path).field("format", &self.format).field("tensors", &self.contents.tensors);
        debug.finish_non_exhaustive()
    }
}

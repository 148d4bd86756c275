//! Weight files: MatConvNet `.mat`, PyTorch `.pth`, safetensors, ONNX, each recognised by what is in it.
//!
//! ```text
//! bytes ─▶ detect ─▶ one reader per container ─▶ TensorFile: named tensors ─▶ network: which VGG, its layers
//!                    safetensors, torch, matlab, onnx                       └▶ input: what its first layer expects
//! ```
//!
//! Nothing in a file is trusted: every length is checked against what is there before memory is taken for it, and
//! unpickling builds plain values only.

mod describe;
mod detect;
mod dtype;
mod error;
mod input;
mod matlab;
mod network;
pub(crate) mod onnx;
mod safetensors;
mod source;
mod strided;
mod torch;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

pub(crate) use self::input::swapped as swap_red_and_blue;
pub(crate) use self::safetensors::LONGEST_HEADER;
use self::source::Source;
pub use self::{
    describe::{Description, ModelKind, describe},
    dtype::Dtype,
    error::LoadError,
};
use crate::vgg::Vgg;

/// Where a reader puts the mean colour that a file states apart from its weights, as `r,g,b`.
const MEAN_KEY: &str = "averageImage";

/// The most elements of a tensor that is read. The largest filters are those of a style network of width 256,
/// 1024×1024×3×3; VGG's have a quarter of that.
const MOST_ELEMENTS: usize = 1 << 24;

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

/// A tensor as a file lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name; nested dictionaries are joined by dots.
    pub name: String,
    /// How its elements are stored.
    pub dtype: Dtype,
    /// Its shape, slowest axis first. Filters are `out × in × height × width` whatever the file's own order.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// Its shape for people: `64×3×3×3`, or `a single number`.
    pub fn shape_text(&self) -> String {
        shape_text(&self.shape)
    }
}

pub(crate) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [] => "a single number".into(),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×"),
    }
}

/// An open weight file of any container: named tensors, read one at a time.
///
/// Opening reads the description alone; memory is taken for the tensors that are asked for.
pub struct TensorFile {
    path: PathBuf,
    bytes: u64,
    format: Format,
    contents: Contents,
}

/// What a container's reader found.
struct Contents {
    tensors: Vec<TensorInfo>,
    metadata: BTreeMap<String, String>,
    values: Box<dyn Values>,
}

/// Reads the values of the tensors that a container lists.
trait Values: Send {
    /// Row-major values of tensor number `index` of the list, rounded to f32.
    fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError>;

    /// What the network does, where the container tells.
    fn graph(&self) -> Option<&onnx::Graph> {
        None
    }
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
    pub(crate) fn graph(&self) -> Option<&onnx::Graph> {
        self.contents.values.graph()
    }

    /// Builds the VGG that the file holds; see [`Vgg::load`].
    pub fn vgg(&mut self) -> Result<Vgg, LoadError> {
        network::load(self)
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

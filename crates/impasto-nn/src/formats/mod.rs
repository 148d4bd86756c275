//! Weight files: MatConvNet `.mat`, PyTorch `.pth`, safetensors, ONNX, each recognised by what is in it.
//!
//! ```text
//! bytes ─▶ detect ─▶ one reader per container ─▶ TensorFile: named tensors ─▶ network: which VGG, its layers
//!                    safetensors, torch, matlab, onnx                       └▶ input: what its first layer expects
//! ```
//!
//! Nothing in a file is trusted: every length is checked against what is there before memory is taken for it, and
//! unpickling builds plain values only.

mod contents;
mod describe;
mod detect;
mod dtype;
mod error;
mod format;
mod input;
mod matlab;
mod network;
pub(crate) mod onnx;
mod safetensors;
mod safetensors_writer;
mod source;
mod strided;
mod tensor_file;
mod torch;

pub(crate) use self::contents::shape_text;
pub(crate) use self::input::swapped as swap_red_and_blue;
pub use self::{
    contents::TensorInfo,
    describe::{Description, ModelKind, describe},
    dtype::Dtype,
    error::LoadError,
    format::Format,
    safetensors::LONGEST_HEADER,
    safetensors_writer::{NamedTensor, TensorValues, write_safetensors},
    tensor_file::TensorFile,
};

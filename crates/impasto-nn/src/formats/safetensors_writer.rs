//! Writing safetensors, one tensor after another, so that no memory is taken for the whole of a file.
//!
//! By hand, because the crate gives metadata in another order each time, and the same tensors should be the same file.
//!
//! <https://github.com/huggingface/safetensors#format>

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use half::f16;
use serde_json::{Value, json};

use super::LONGEST_HEADER;

/// This many bytes are written at a time, which a processor's cache holds.
const CHUNK_BYTES: usize = 1 << 18;

/// A tensor to write.
#[derive(Clone, Debug)]
pub struct NamedTensor<'a> {
    /// Unique in its file.
    pub name: Cow<'a, str>,
    /// Its product is the number of values.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: TensorValues<'a>,
}

/// Numbers as they are stored.
#[derive(Clone, Debug)]
pub enum TensorValues<'a> {
    /// 16-bit floats (IEEE half).
    F16(Cow<'a, [f16]>),
    /// 32-bit floats.
    F32(Cow<'a, [f32]>),
    /// 64-bit floats.
    F64(Cow<'a, [f64]>),
}

impl<'a> NamedTensor<'a> {
    /// A tensor of one dimension.
    pub fn flat(name: impl Into<Cow<'a, str>>, values: TensorValues<'a>) -> Self {
        Self { name: name.into(), shape: vec![values.len()], values }
    }
}

impl TensorValues<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F16(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// The name of the type in the header, and the bytes of one number.
    fn dtype(&self) -> (&'static str, usize) {
        match self {
            Self::F16(_) => ("F16", 2),
            Self::F32(_) => ("F32", 4),
            Self::F64(_) => ("F64", 8),
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::F16(values) => write_all(values, |v| v.to_le_bytes(), out),
            Self::F32(values) => write_all(values, |v| v.to_le_bytes(), out),
            Self::F64(values) => write_all(values, |v| v.to_le_bytes(), out),
        }
    }
}

fn write_all<T: Copy, const N: usize>(values: &[T], bytes: fn(T) -> [u8; N], out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = vec![[0; N]; values.len().min(CHUNK_BYTES / N)];
    for values in values.chunks(CHUNK_BYTES / N) {
        let buffer = &mut buffer[..values.len()];
        buffer.iter_mut().zip(values).for_each(|(to, value)| *to = bytes(*value));
        out.write_all(buffer.as_flattened())?;
    }
    Ok(())
}

/// Writes a safetensors file with these tensors in this order.
///
/// # Errors
/// If `out` cannot be written to; or, before anything is written, if names, shapes and metadata take more than 16 MiB,
/// which no reader takes.
pub fn write_safetensors(
    out: &mut dyn Write,
    metadata: &BTreeMap<&str, String>,
    tensors: &[NamedTensor<'_>],
) -> io::Result<()> {
    let header = header(metadata, tensors);
    if header.len() as u64 > LONGEST_HEADER {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its header is longer than 16 MiB"));
    }
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    tensors.iter().try_for_each(|tensor| tensor.values.write(out))
}

fn header(metadata: &BTreeMap<&str, String>, tensors: &[NamedTensor<'_>]) -> Vec<u8> {
    let mut entries = BTreeMap::<&str, Value>::new();
    entries.insert("__metadata__", json!(metadata));
    let mut end = 0;
    for NamedTensor { name, shape, values } in tensors {
        let (dtype, size) = values.dtype();
        let begin = end;
        end += values.len() * size;
        entries.insert(name, json!({"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}));
    }
    let mut header = json!(entries).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    header
}

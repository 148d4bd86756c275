//! PyTorch files: a pickle that describes tensors, and the storages that they are windows on.
//!
//! Two containers carry the same pickle. Since version 1.6 it is a zip archive with `data.pkl` and one entry for each
//! storage (<https://pytorch.org/docs/stable/notes/serialization.html>); before, the pickles and the storages followed
//! each other (`_legacy_save` in `torch/serialization.py`). Both end in a list of [`Window`]s.

mod globals;
mod legacy;
mod pickle;
mod zip;

use std::collections::BTreeMap;

use self::pickle::{Id, Pickle, Tensor, Value};
pub(super) use self::{legacy::open as open_legacy, zip::open as open_zip};
use super::{Dtype, LoadError, TensorInfo, source::Label, strided};

/// How deep dictionaries may lie in each other: `state_dict`, `module`, a few more.
const DEEPEST: usize = 8;

/// The most tensors and other leaves that are listed.
const MOST_LEAVES: usize = 100_000;

/// A tensor that repeats its storage (by strides of 0) may have this many elements.
const MOST_REPEATED: u64 = 1 << 16;

/// What a pickle lists: tensors by name, and the plain values beside them.
#[derive(Debug, Default)]
struct Listing {
    names: Vec<String>,
    tensors: Vec<Tensor>,
    metadata: BTreeMap<String, String>,
    visited: usize,
}

impl Listing {
    fn of(pickle: &Pickle, label: &Label) -> Result<Self, LoadError> {
        let mut listing = Self::default();
        listing.visit(pickle, pickle.root(), "", 0, label)?;
        Ok(listing)
    }

    /// Adds all tensors below a value; names are joined by dots.
    fn visit(&mut self, pickle: &Pickle, id: Id, name: &str, depth: usize, label: &Label) -> Result<(), LoadError> {
        self.visited += 1;
        if self.visited > MOST_LEAVES {
            return Err(label.malformed("its pickle lists more than any network has"));
        }
        let joined = |key: &str| if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
        match pickle.get(id) {
            Value::Tensor(tensor) => {
                self.names.push(if name.is_empty() { "tensor".into() } else { name.into() });
                self.tensors.push(tensor.as_ref().clone());
            }
            Value::Dict(items) if depth < DEEPEST => {
                for &(key, value) in items {
                    if let Some(key) = key_text(pickle, key) {
                        self.visit(pickle, value, &joined(&key), depth + 1, label)?;
                    }
                }
            }
            Value::List(items) | Value::Tuple(items) if depth < DEEPEST => {
                for (number, &value) in items.iter().enumerate() {
                    self.visit(pickle, value, &joined(&number.to_string()), depth + 1, label)?;
                }
            }
            plain if depth == 1 => self.metadata.extend(plain_text(plain).map(|text| (name.to_string(), text))),
            _ => {}
        }
        Ok(())
    }
}

fn key_text(pickle: &Pickle, key: Id) -> Option<String> {
    match pickle.get(key) {
        Value::Text(text) if text.len() <= 500 => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) if text.len() <= 1000 => Some(text.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Where the elements of a tensor are in the bytes of its storage.
#[derive(Debug)]
struct Window {
    dtype: Dtype,
    /// First byte within the storage.
    first: u64,
    /// Number of bytes from there to the last element's end.
    extent: u64,
    size: Vec<usize>,
    /// In elements.
    stride: Vec<usize>,
}

impl Window {
    /// Checks that the tensor lies inside a storage of `bytes` bytes.
    fn new(name: &str, tensor: &Tensor, bytes: u64, label: &Label) -> Result<Self, LoadError> {
        let inside = Self::checked(tensor, bytes.min(storage_end(tensor).unwrap_or(0)));
        inside.ok_or_else(|| label.malformed(format!("`{name}` reaches beyond its storage")))
    }

    fn checked(tensor: &Tensor, bytes: u64) -> Option<Self> {
        let element = tensor.dtype.size() as u64;
        let product = |a: u64, &b: &u64| a.checked_mul(b);
        let count = tensor.size.iter().try_fold(1, product)?;
        let last = |at: u64, (&n, &s): (&u64, &u64)| at.checked_add(n.saturating_sub(1).checked_mul(s)?);
        let last = tensor.size.iter().zip(&tensor.stride).try_fold(0, last)?;
        let begin = tensor.storage.begin.checked_mul(tensor.storage.width)?;
        let (first, extent) = match count {
            // Nothing is nowhere, whatever its offset says.
            0 => (0, 0),
            _ => (tensor.offset.checked_mul(element)?.checked_add(begin)?, last.checked_add(1)?.checked_mul(element)?),
        };
        let inside = first.checked_add(extent)? <= bytes;
        // A storage may be announced longer than it is: what counts is how much of it the tensor covers.
        let repeats = element > 0 && count > MOST_REPEATED && count > extent / element;
        let whole = |values: &[u64]| values.iter().map(|&v| usize::try_from(v).ok()).collect::<Option<Vec<_>>>();
        let (size, stride) = (whole(&tensor.size)?, whole(&tensor.stride)?);
        (inside && !repeats).then_some(Self { dtype: tensor.dtype, first, extent, size, stride })
    }

    fn info(&self, name: String) -> TensorInfo {
        TensorInfo { name, dtype: self.dtype, shape: self.size.clone() }
    }

    /// The elements in row-major order, from the bytes of the window.
    fn gather(&self, bytes: &[u8], big_endian: bool) -> Vec<f32> {
        strided::gather(self.dtype.decode(bytes, big_endian), &self.size, &self.stride)
    }
}

/// One past the last byte that the storage of a tensor claims, counted from the start of the bytes of its key.
fn storage_end(tensor: &Tensor) -> Option<u64> {
    let storage = &tensor.storage;
    storage.begin.checked_add(storage.count)?.checked_mul(storage.width)
}

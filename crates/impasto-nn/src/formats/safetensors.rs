//! safetensors: a JSON header with names, types, shapes and offsets, then the numbers, little-endian and row-major.
//!
//! <https://github.com/huggingface/safetensors#format>

use std::collections::BTreeMap;

use safetensors::tensor::{Metadata, TensorInfo as Listed};

use super::contents::{Contents, TensorInfo, Values};
use super::{Dtype, LoadError, source::Source};

/// The longest header of a safetensors file that is read or written, in bytes; a VGG has 5 kB, a style model its
/// thumbnails too.
pub const LONGEST_HEADER: u64 = 16 << 20;

/// Reads the header.
pub(super) fn open(mut source: Source) -> Result<Contents, LoadError> {
    if source.len() < 8 {
        return Err(source.label().truncated("there is no header"));
    }
    let length = source.read_at(0, 8, "the header")?;
    let length = length.first_chunk().map_or(0, |c| u64::from_le_bytes(*c));
    if length > LONGEST_HEADER {
        return Err(source.label().malformed(format!("it announces a header of {length} bytes")));
    }
    let header = source.read_at(8, length, "the header")?;
    // Metadata checks itself: shapes against sizes, and that the tensors lie end to end.
    let header: Metadata = serde_json::from_slice(&header).map_err(|e| source.label().malformed(e.to_string()))?;

    let mut listed: Vec<_> = header.tensors().into_iter().collect();
    listed.sort_by(|a, b| (a.1.data_offsets, &a.0).cmp(&(b.1.data_offsets, &b.0)));
    let data = 8 + length;
    let end = listed.iter().map(|(_, info)| info.data_offsets.1 as u64).max().unwrap_or(0);
    if data.checked_add(end).is_none_or(|end| end > source.len()) {
        return Err(source.label().truncated(format!("its tensors should reach to byte {}", data.saturating_add(end))));
    }
    let metadata: BTreeMap<_, _> = header.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let place =
        |i: &Listed| (dtype(i.dtype), data + i.data_offsets.0 as u64, (i.data_offsets.1 - i.data_offsets.0) as u64);
    let places = listed.iter().map(|(_, info)| place(info)).collect();
    let info = |(name, i): (String, &Listed)| TensorInfo { name, dtype: dtype(i.dtype), shape: i.shape.clone() };
    let tensors = listed.into_iter().map(info).collect();
    Ok(Contents { tensors, metadata, values: Box::new(Reader { source, places }) })
}

struct Reader {
    source: Source,
    /// Type, first byte, number of bytes.
    places: Vec<(Dtype, u64, u64)>,
}

impl Values for Reader {
    fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError> {
        let (dtype, offset, length) = self.places[index];
        let bytes = self.source.read_at(offset, length, "a tensor")?;
        Ok(dtype.decode(&bytes, false))
    }
}

fn dtype(of: safetensors::Dtype) -> Dtype {
    use safetensors::Dtype as Theirs;
    match of {
        Theirs::F64 => Dtype::F64,
        Theirs::F32 => Dtype::F32,
        Theirs::F16 => Dtype::F16,
        Theirs::BF16 => Dtype::Bf16,
        Theirs::I64 => Dtype::I64,
        Theirs::I32 => Dtype::I32,
        Theirs::I16 => Dtype::I16,
        Theirs::I8 => Dtype::I8,
        Theirs::U64 => Dtype::U64,
        Theirs::U32 => Dtype::U32,
        Theirs::U16 => Dtype::U16,
        Theirs::U8 => Dtype::U8,
        Theirs::BOOL => Dtype::Bool,
        _ => Dtype::Other,
    }
}

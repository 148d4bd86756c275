//! Writing impasto's own format.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use half::f16;
use serde_json::{Value, json};

use super::{CARD_KEY, FORMAT, FORMAT_KEY, FORMAT_VERSION, StyleDtype, StyleModel, StyleModelError, VERSION_KEY};
use crate::formats::LONGEST_HEADER;

/// The file as bytes.
pub(super) fn to_bytes(model: &StyleModel, dtype: StyleDtype) -> Result<Vec<u8>, StyleModelError> {
    check(model)?;
    let card = serde_json::to_string(&model.card).map_err(|e| unwritable(format!("its card is no JSON: {e}")))?;
    let metadata = [(FORMAT_KEY, FORMAT.to_owned()), (VERSION_KEY, FORMAT_VERSION.to_string()), (CARD_KEY, card)];
    let tensor = |p: impasto_kernels::Parameter| Tensor {
        values: model.parameters[p.range].into(),
        name: p.name,
        shape: p.shape,
    };
    let tensors: Vec<_> = model.shape.parameters().into_iter().map(tensor).collect();
    safetensors(&tensors, dtype, metadata)
}

/// That the model is one: as many finite parameters as its shape has, and a card that fits.
pub(super) fn check(model: &StyleModel) -> Result<(), StyleModelError> {
    let (found, expected) = (model.parameters.len(), model.shape.parameter_count());
    if found != expected {
        return Err(unwritable(format!("it has {found} parameters where its shape has {expected}")));
    }
    model.card.problem(model.shape.styles).map_or(Ok(()), |problem| Err(unwritable(format!("of its card: {problem}"))))
}

fn unwritable(detail: String) -> StyleModelError {
    StyleModelError::Unwritable { detail }
}

/// A tensor to be written.
pub(super) struct Tensor<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Cow<'a, [f32]>,
}

/// A safetensors file with these tensors in this order. Written by hand, because the crate gives metadata in another
/// order each time, and the same model should be the same file.
///
/// <https://github.com/huggingface/safetensors#format>
pub(super) fn safetensors<const N: usize>(
    tensors: &[Tensor<'_>],
    dtype: StyleDtype,
    metadata: [(&str, String); N],
) -> Result<Vec<u8>, StyleModelError> {
    let (name, size) = match dtype {
        StyleDtype::F32 => ("F32", 4),
        StyleDtype::F16 => ("F16", 2),
    };
    let mut header = BTreeMap::<&str, Value>::new();
    header.insert("__metadata__", json!(BTreeMap::from(metadata)));
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += tensor.values.len() * size;
        header.insert(&tensor.name, json!({"dtype": name, "shape": tensor.shape, "data_offsets": [start, end]}));
    }
    let mut header = json!(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() as u64 > LONGEST_HEADER {
        return Err(unwritable("its description is longer than 16 MB: give smaller thumbnails".into()));
    }
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    for tensor in tensors {
        encode(tensor, dtype, &mut bytes)?;
    }
    Ok(bytes)
}

fn encode(tensor: &Tensor<'_>, dtype: StyleDtype, bytes: &mut Vec<u8>) -> Result<(), StyleModelError> {
    let name = &tensor.name;
    if !tensor.values.iter().all(|value| value.is_finite()) {
        return Err(unwritable(format!("`{name}` has a value that is not finite")));
    }
    match dtype {
        StyleDtype::F32 => bytes.extend(tensor.values.iter().flat_map(|value| value.to_le_bytes())),
        StyleDtype::F16 => {
            for &value in &*tensor.values {
                let half = f16::from_f32(value);
                if !half.is_finite() {
                    return Err(unwritable(format!("`{name}` has a value of {value}, too large for f16: use f32")));
                }
                bytes.extend(half.to_le_bytes());
            }
        }
    }
    Ok(())
}

/// Writes the bytes of a model to a file, durably.
///
/// # Errors
/// If the folder cannot be written to or the disk is full; nothing is left behind then.
pub(super) fn save(path: &Path, bytes: &[u8]) -> Result<(), StyleModelError> {
    impasto_files::write(path, |out| out.write_all(bytes)).map_err(StyleModelError::Write)
}

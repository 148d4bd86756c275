//! Writing impasto's own format.

use std::{borrow::Cow, collections::BTreeMap, path::Path};

use half::f16;
use impasto_kernels::Parameter;

use super::{CARD_KEY, FORMAT, FORMAT_KEY, FORMAT_VERSION, StyleDtype, StyleModel, StyleModelError, VERSION_KEY};
use crate::formats::{NamedTensor, TensorValues, write_safetensors};
use crate::style_predictor::StylePredictor;

/// The file as bytes.
pub(super) fn to_bytes(model: &StyleModel, dtype: StyleDtype) -> Result<Vec<u8>, StyleModelError> {
    check(model)?;
    let card = serde_json::to_string(&model.card).map_err(|e| unwritable(format!("its card is no JSON: {e}")))?;
    let metadata = [(FORMAT_KEY, FORMAT.to_owned()), (VERSION_KEY, FORMAT_VERSION.to_string()), (CARD_KEY, card)];
    let mut tensors = named(model.shape.parameters(), &model.parameters, dtype)?;
    if let Some(StylePredictor { shape, parameters }) = &model.predictor {
        tensors.extend(named(shape.parameters(), parameters, dtype)?);
    }
    safetensors(&tensors, &metadata.into())
}

/// Parameters as they are stored.
fn named<'a>(
    parameters: Vec<Parameter>,
    values: &'a [f32],
    dtype: StyleDtype,
) -> Result<Vec<NamedTensor<'a>>, StyleModelError> {
    let tensor = |p: Parameter| {
        let values = stored(&p.name, &values[p.range], dtype)?;
        Ok(NamedTensor { name: p.name.into(), shape: p.shape, values })
    };
    parameters.into_iter().map(tensor).collect()
}

/// That the model is one: as many finite parameters as its shape has, and a card that fits.
pub(super) fn check(model: &StyleModel) -> Result<(), StyleModelError> {
    let (found, expected) = (model.parameters.len(), model.shape.parameter_count());
    if found != expected {
        return Err(unwritable(format!("it has {found} parameters where its shape has {expected}")));
    }
    if let Some(StylePredictor { shape, parameters }) = &model.predictor {
        let (found, expected) = (parameters.len(), shape.parameter_count());
        if found != expected {
            return Err(unwritable(format!("its predictor has {found} parameters where its shape has {expected}")));
        }
        let (found, expected) = (shape.outputs, model.shape.normalisation_len());
        if found != expected {
            return Err(unwritable(format!("its predictor predicts {found} scales and shifts of {expected}")));
        }
    }
    model.card.problem(model.shape.styles).map_or(Ok(()), |problem| Err(unwritable(format!("of its card: {problem}"))))
}

fn unwritable(detail: String) -> StyleModelError {
    StyleModelError::Unwritable { detail }
}

/// A safetensors file with these tensors in this order.
pub(super) fn safetensors(
    tensors: &[NamedTensor<'_>],
    metadata: &BTreeMap<&str, String>,
) -> Result<Vec<u8>, StyleModelError> {
    let mut bytes = Vec::new();
    write_safetensors(&mut bytes, metadata, tensors)
        .map_err(|_| unwritable("its description is longer than 16 MB: give smaller thumbnails".into()))?;
    Ok(bytes)
}

/// Values as they are stored, if each is finite as such; `name` is what error messages call them.
pub(super) fn stored<'a>(
    name: &str,
    values: impl Into<Cow<'a, [f32]>>,
    dtype: StyleDtype,
) -> Result<TensorValues<'a>, StyleModelError> {
    let values = values.into();
    if !values.iter().all(|value| value.is_finite()) {
        return Err(unwritable(format!("`{name}` has a value that is not finite")));
    }
    if dtype == StyleDtype::F32 {
        return Ok(TensorValues::F32(values));
    }
    let halves: Vec<_> = values.iter().map(|value| f16::from_f32(*value)).collect();
    match halves.iter().position(|half| !half.is_finite()) {
        None => Ok(TensorValues::F16(halves.into())),
        Some(i) => Err(unwritable(format!("`{name}` has a value of {}, too large for f16: use f32", values[i]))),
    }
}

/// Writes the bytes of a model to a file, durably.
///
/// # Errors
/// If the folder cannot be written to or the disk is full; nothing is left behind then.
pub(super) fn save(path: &Path, bytes: &[u8]) -> Result<(), StyleModelError> {
    impasto_files::write(path, |out| out.write_all(bytes)).map_err(StyleModelError::Write)
}

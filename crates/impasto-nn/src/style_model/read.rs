//! Reading impasto's own format.

use std::path::Path;

use impasto_kernels::{Parameter, StyleNetShape};

use super::{CARD_KEY, FORMAT, FORMAT_KEY, FORMAT_VERSION, ModelCard, StyleModel, StyleModelError, VERSION_KEY};
use crate::formats::{Format, LoadError, ModelKind, TensorFile, shape_text};
use crate::style_predictor::{PredictorShape, StylePredictor};

/// Bounds of what is taken for a network: far beyond any that would be of use, and small enough that no product of them
/// overflows.
pub(super) const WIDEST: usize = 1024;
pub(super) const MOST_BLOCKS: usize = 256;
pub(super) const MOST_DOWNSAMPLINGS: usize = 2;
pub(super) const MOST_STYLES: usize = 1 << 16;
const MOST_HIDDEN: usize = 1 << 14;

/// How much of a model is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// All but the predictor, which is more than half of a network of any style.
    WithoutPredictor,
}

/// Reads the model that a file holds.
pub(super) fn read(file: &mut TensorFile, extent: Extent) -> Result<StyleModel, StyleModelError> {
    check_version(file)?;
    let shape = shape(file)?;
    let predictor_shape = predictor_shape(file, shape)?;
    let of_predictor = predictor_shape.map_or_else(Vec::new, |shape| shape.parameters());
    let of_network = shape.parameters();
    let network = of_network.len();
    let mut numbers = find_all(file, &[of_network, of_predictor].concat())?;
    let card = card(file, shape)?;
    let of_predictor = numbers.split_off(network);
    let mut read = |numbers: Vec<usize>| {
        let mut values = Vec::new();
        for number in numbers {
            values.extend(finite(file, number)?);
        }
        Ok::<_, StyleModelError>(values)
    };
    let parameters = read(numbers)?;
    let predictor_shape = predictor_shape.filter(|_| extent == Extent::Whole);
    let predictor = predictor_shape
        .map(|shape| Ok::<_, StyleModelError>(StylePredictor { shape, parameters: read(of_predictor)? }));
    Ok(StyleModel { shape, parameters, predictor: predictor.transpose()?, card })
}

/// The shape of the predictor, if there is one, by the tensor that decides it.
fn predictor_shape(file: &TensorFile, shape: StyleNetShape) -> Result<Option<PredictorShape>, StyleModelError> {
    const DECIDES: &str = "predictor.output.weight";
    let outputs = shape.normalisation_len();
    match file.find(DECIDES).map(|number| file.tensors()[number].shape.as_slice()) {
        None => Ok(None),
        Some(&[found, hidden @ 1..=MOST_HIDDEN]) if found == outputs => Ok(Some(PredictorShape { hidden, outputs })),
        Some(found) => Err(StyleModelError::Architecture {
            path: file.path().to_path_buf(),
            tensor: DECIDES.into(),
            found: shape_text(found),
            expected: format!("{outputs}×H"),
        }),
    }
}

/// Whether a file says that it is of impasto's own format, whatever the version.
pub(crate) fn is_own(file: &TensorFile) -> bool {
    file.format() == Format::Safetensors && file.metadata().get(FORMAT_KEY).is_some_and(|format| format == FORMAT)
}

fn check_version(file: &mut TensorFile) -> Result<(), StyleModelError> {
    let path = file.path().to_path_buf();
    if !is_own(file) {
        return Err(other_file(file));
    }
    let version = file.metadata().get(VERSION_KEY).map(|version| version.parse::<u64>());
    match version {
        Some(Ok(FORMAT_VERSION)) => Ok(()),
        Some(Ok(found)) if found > FORMAT_VERSION => Err(StyleModelError::Newer { path, found }),
        Some(Ok(found)) => Err(StyleModelError::Older { path, found }),
        _ => Err(StyleModelError::Card { path, detail: "its format version is missing".into() }),
    }
}

/// What a sound weight file is that is no style model of ours.
fn other_file(file: &mut TensorFile) -> StyleModelError {
    let path = file.path().to_path_buf();
    match file.describe() {
        Ok(description) if description.kind == ModelKind::Style => StyleModelError::OtherProgram { path },
        Ok(description) => {
            let network = description.network.map(|network| format!("a {network} weight file"));
            let what = network.unwrap_or_else(|| format!("a {} of another kind", file.format()));
            StyleModelError::NotAStyleModel { path, what }
        }
        Err(error) => StyleModelError::from_load(error),
    }
}

/// The shape by the tensors that decide it.
fn shape(file: &TensorFile) -> Result<StyleNetShape, StyleModelError> {
    let found = |name: &str| file.find(name).map(|number| file.tensors()[number].shape.as_slice());
    let wrong = |tensor: &str, expected: &str| StyleModelError::Architecture {
        path: file.path().to_path_buf(),
        tensor: tensor.into(),
        found: found(tensor).map_or("missing".into(), shape_text),
        expected: expected.into(),
    };
    let (width, edge_kernel) = match found("down1.weight") {
        Some(&[width @ 16..=WIDEST, 3, k @ (3 | 9), same]) if width.is_multiple_of(16) && k == same => (width, k),
        _ => return Err(wrong("down1.weight", "W×3×9×9 or W×3×3×3 with W a multiple of 16")),
    };
    let styles = match found("down1.scale") {
        Some(&[styles @ 1..=MOST_STYLES, channels]) if channels == width => styles,
        _ => return Err(wrong("down1.scale", &format!("S×{width}"))),
    };
    let is_there = |block: &usize| file.find(&format!("residual{block}.conv1.weight")).is_some();
    let residual_blocks = (1..=MOST_BLOCKS).take_while(is_there).count();
    let halves = |halving: &usize| file.find(&format!("down{}.weight", halving + 1)).is_some();
    let downsamplings = (1..=MOST_DOWNSAMPLINGS).take_while(halves).count();
    Ok(StyleNetShape { width, downsamplings, residual_blocks, edge_kernel, styles })
}

/// The number of every tensor, all of which are there and of the right shape, with none beside them.
fn find_all(file: &TensorFile, parameters: &[Parameter]) -> Result<Vec<usize>, StyleModelError> {
    let wrong = |tensor: &str, found: String, expected: String| {
        let (path, tensor) = (file.path().to_path_buf(), tensor.to_owned());
        Err(StyleModelError::Architecture { path, tensor, found, expected })
    };
    let mut numbers = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let expected = shape_text(&parameter.shape);
        let Some(number) = file.find(&parameter.name) else {
            return wrong(&parameter.name, "missing".into(), expected);
        };
        let found = &file.tensors()[number].shape;
        if *found != parameter.shape {
            return wrong(&parameter.name, shape_text(found), expected);
        }
        numbers.push(number);
    }
    let strange = (0..file.tensors().len()).find(|number| !numbers.contains(number));
    match strange.map(|number| &file.tensors()[number]) {
        Some(tensor) => wrong(&tensor.name, shape_text(&tensor.shape), "part of the network".into()),
        None => Ok(numbers),
    }
}

fn card(file: &TensorFile, shape: StyleNetShape) -> Result<ModelCard, StyleModelError> {
    let wrong = |detail: String| StyleModelError::Card { path: file.path().to_path_buf(), detail };
    let text = file.metadata().get(CARD_KEY).ok_or_else(|| wrong("it is missing".into()))?;
    let card: ModelCard = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    card.problem(shape.styles).map_or(Ok(card), |problem| Err(wrong(problem)))
}

/// The values of a tensor that must be fractions and finite.
pub(super) fn finite(file: &mut TensorFile, number: usize) -> Result<Vec<f32>, StyleModelError> {
    let info = &file.tensors()[number];
    let (path, tensor, dtype): (&Path, _, _) = (file.path(), info.name.clone(), info.dtype);
    let path = path.to_path_buf();
    if !dtype.is_float() {
        return Err(StyleModelError::File(LoadError::WrongType { path, tensor, dtype: dtype.name().into() }));
    }
    let values = file.read(number).map_err(StyleModelError::from_load)?;
    if values.iter().all(|value| value.is_finite()) {
        return Ok(values);
    }
    Err(StyleModelError::File(LoadError::NonFinite { path, tensor }))
}

//! What a model holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use impasto_nn::formats::ModelKind;
use impasto_nn::formats::{Description, LoadError, TensorFile};
use impasto_nn::style_model::{FORMAT_VERSION, OWN_KEYS, StyleCard, StyleModel, StyleModelError};
use impasto_nn::vgg::{Preprocessing, Vgg, VggKind};
use serde::Serialize;
use thiserror::Error;

use super::catalogue::{BUILT_IN, Listed, State, find_in, list_in};
use super::folder::default_dir;
use super::open::{Opened, open_built_in};
use crate::styles;

/// One array of numbers in a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// How its elements are stored, as `f32`.
    pub dtype: String,
    /// Its shape; filters are `out × in × height × width`.
    pub shape: Vec<usize>,
}

/// What a style model says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownStyleModel {
    /// What it is called.
    pub name: String,
    /// The version of its format.
    pub format_version: u64,
    /// Channels of its widest-resolution layers.
    pub width: usize,
    /// Its residual blocks.
    pub residual_blocks: usize,
    /// Whether it takes any picture as a style.
    pub any_style: bool,
    /// Who made it.
    pub author: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// Its styles.
    pub styles: Vec<ShownStyle>,
    /// The settings that it was trained with.
    pub training: Option<serde_json::Value>,
}

/// A style of a style model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownStyle {
    /// What it is asked for by.
    pub name: String,
    /// Painter and painting.
    pub title: Option<String>,
    /// SHA-256 of the painting's file.
    pub picture_sha256: Option<String>,
    /// Size of the small painting in the file, in bytes.
    pub thumbnail_bytes: Option<usize>,
}

/// What a model or file holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// The name or path that was asked for.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Where it is, for a model of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The file, unless it is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Size in bytes.
    pub size: u64,
    /// The container, in words.
    pub format: String,
    /// Which network, where it is one.
    pub network: Option<VggKind>,
    /// What the network expects of a picture.
    pub preprocessing: Option<Preprocessing>,
    /// What it says of itself, where it is a style model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style_model: Option<ShownStyleModel>,
    /// Why it cannot be painted with, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Who made it, for a model of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The terms it comes under, for a model of the list and a style model that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Numbers in all tensors together.
    pub parameters: u64,
    /// All tensors in the order of the file.
    pub tensors: Vec<Tensor>,
    /// What the file says about itself.
    pub metadata: BTreeMap<String, String>,
}

/// Why there is nothing to show.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShowError {
    /// A model of the list that is not here.
    #[error("`{name}` is not here yet; fetch it with `impasto models pull {name}`")]
    NotPulled {
        /// What was asked for.
        name: String,
    },
    /// Neither.
    #[error("`{name}` is neither a model of `impasto models list` nor a file")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file is no model.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Says what the model called `name_or_path` holds: built in, pulled, or any weight file.
pub fn show(name_or_path: &str) -> Result<Shown, ShowError> {
    show_in(name_or_path, default_dir().ok().as_deref())
}

/// As [`show`], with the pulled files of the folder `dir`.
pub fn show_in(name_or_path: &str, dir: Option<&Path>) -> Result<Shown, ShowError> {
    if name_or_path == BUILT_IN {
        return Ok(built_in());
    }
    if let Some(opened) = open_built_in(name_or_path) {
        return Ok(built_in_style(name_or_path, opened));
    }
    let name = name_or_path.to_owned();
    if let Some(path) = dir.and_then(|dir| find_in(&name, dir)) {
        let listed = list_in(dir).into_iter().find(|model| model.path.as_ref() == Some(&path));
        return Ok(file(name, path, listed)?);
    }
    let path = PathBuf::from(name_or_path);
    if path.exists() {
        return Ok(file(name, path, None)?);
    }
    let listed = list_in(dir).iter().any(|model| model.name == name);
    Err(if listed { ShowError::NotPulled { name } } else { ShowError::Unknown { name } })
}

fn file(name: String, path: PathBuf, listed: Option<Listed>) -> Result<Shown, LoadError> {
    let mut file = TensorFile::open(&path)?;
    let mut description = file.describe()?;
    let style = if description.network.is_none() { style(&mut file, &mut description) } else { None };
    let own_licence = style.as_ref().and_then(|model| model.card.license.clone());
    let tensors: Vec<_> = (description.tensors.into_iter())
        .map(|tensor| Tensor { name: tensor.name, dtype: tensor.dtype.name().to_owned(), shape: tensor.shape })
        .collect();
    Ok(Shown {
        name,
        kind: description.kind,
        state: listed.as_ref().map(|model| model.state),
        path: Some(path),
        size: description.bytes,
        format: description.format.to_string(),
        network: description.network,
        preprocessing: description.preprocessing,
        style_model: style.map(style_model),
        problem: description.problem,
        origin: listed.as_ref().map(|model| model.origin.clone()),
        licence: own_licence.or(listed.map(|model| model.licence)),
        parameters: count(&tensors),
        tensors,
        metadata: description.metadata,
    })
}

/// Reads the style model of a file that holds no VGG, and corrects what was said of it.
fn style(file: &mut TensorFile, description: &mut Description) -> Option<StyleModel> {
    match StyleModel::from_file(file) {
        Ok(model) => {
            description.kind = ModelKind::Style;
            description.problem = None;
            // What it holds is told in words.
            description.metadata.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
            Some(model)
        }
        Err(StyleModelError::NotAStyleModel { .. }) => None,
        Err(error) => {
            description.kind = ModelKind::Style;
            description.problem = Some(error.to_string());
            None
        }
    }
}

fn style_model(model: StyleModel) -> ShownStyleModel {
    let card = model.card;
    let style = |style: StyleCard| ShownStyle {
        name: style.name,
        title: style.title,
        picture_sha256: style.picture_sha256,
        thumbnail_bytes: style.thumbnail.map(|thumbnail| thumbnail.len()),
    };
    ShownStyleModel {
        name: card.name,
        format_version: FORMAT_VERSION,
        width: model.shape.width,
        residual_blocks: model.shape.residual_blocks,
        any_style: model.predictor.is_some(),
        author: card.author,
        source: card.source,
        styles: card.styles.into_iter().map(style).collect(),
        training: card.training,
    }
}

fn built_in() -> Shown {
    let (vgg, listed) = (Vgg::builtin(), Listed::built_in());
    let layers = vgg.kind.layer_names().into_iter().zip(&vgg.convolutions);
    let tensors: Vec<_> = layers
        .flat_map(|(layer, convolution)| {
            let shape = vec![convolution.out_channels, convolution.in_channels, 3, 3];
            let weight = Tensor { name: format!("{layer}.weight"), dtype: "8-bit codebook".into(), shape };
            let shape = vec![convolution.out_channels];
            [weight, Tensor { name: format!("{layer}.bias"), dtype: "f32".into(), shape }]
        })
        .collect();
    Shown {
        name: listed.name,
        kind: ModelKind::Network,
        state: Some(listed.state),
        path: None,
        size: listed.size,
        format: "safetensors file inside the program".to_owned(),
        network: Some(vgg.kind),
        preprocessing: Some(vgg.preprocessing),
        style_model: None,
        problem: None,
        origin: Some(listed.origin),
        licence: Some(listed.licence),
        parameters: count(&tensors),
        tensors,
        metadata: BTreeMap::new(),
    }
}

/// A built-in style alone, all of them, or the network of any style.
fn built_in_style(name: &str, opened: Opened) -> Shown {
    let Opened { model, style, .. } = opened;
    let size = styles::size_inside(&model);
    let model = match style.and_then(|style| model.style(&style)) {
        Some(number) => {
            let mut shares = vec![0.0; model.shape.styles];
            shares[number] = 1.0;
            model.blend(&shares)
        }
        None => model.into_owned(),
    };
    let of_predictor = model.predictor.iter().flat_map(|predictor| predictor.shape.parameters());
    let parameters = model.shape.parameters().into_iter().chain(of_predictor);
    let tensors: Vec<_> =
        parameters.map(|p| Tensor { name: p.name, dtype: "f16".to_owned(), shape: p.shape }).collect();
    Shown {
        name: name.to_owned(),
        kind: ModelKind::Style,
        state: Some(State::BuiltIn),
        path: None,
        size,
        format: "safetensors file inside the program".to_owned(),
        network: None,
        preprocessing: None,
        problem: None,
        origin: None,
        licence: model.card.license.clone(),
        style_model: Some(style_model(model)),
        parameters: count(&tensors),
        tensors,
        metadata: BTreeMap::new(),
    }
}

fn count(tensors: &[Tensor]) -> u64 {
    tensors.iter().map(|tensor| tensor.shape.iter().map(|&n| n as u64).product::<u64>()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{BUILT_IN_ANY, BUILT_IN_STYLES};
    use super::*;

    #[test]
    fn the_built_in_network_is_vgg19_without_its_classifier() {
        let shown = show_in("vgg19", None).unwrap();
        assert_eq!(shown.network, Some(VggKind::Vgg19));
        assert_eq!(shown.tensors.len(), 32);
        // Simonyan & Zisserman 2014, table 2: 144 million with the classifier, whose three layers have 123,642,856.
        assert_eq!(shown.parameters, 143_667_240 - 123_642_856);
        assert_eq!(shown.tensors[0].shape, [64, 3, 3, 3]);
    }

    #[test]
    fn a_file_is_shown_by_its_contents() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../impasto-nn/weights/vgg19-codebook8.safetensors");
        let shown = show_in(path, None).unwrap();
        assert_eq!((shown.network, shown.kind, shown.state), (Some(VggKind::Vgg19), ModelKind::Network, None));
        assert_eq!(shown.size, 20_061_664);
    }

    #[test]
    fn a_style_model_is_shown_by_its_card() {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../impasto-nn/tests/styles/narrow-old.pth");
        let foreign = show_in(fixture, None).unwrap();
        assert_eq!((foreign.kind, &foreign.style_model), (ModelKind::Style, &None));
        assert!(foreign.problem.unwrap().contains("impasto models import"));

        let mut model = StyleModel::import(fixture.as_ref()).unwrap();
        model.card.license = Some("CC0-1.0".into());
        model.card.training = Some(serde_json::json!({"steps": 2}));
        model.card.styles[0].thumbnail = Some(vec![7; 1000]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        model.save(&path, Default::default()).unwrap();
        let shown = show_in(path.to_str().unwrap(), None).unwrap();
        assert_eq!((shown.kind, &shown.problem, shown.metadata.len()), (ModelKind::Style, &None, 0));
        assert_eq!(shown.parameters, model.shape.parameter_count() as u64);
        assert_eq!(shown.licence.as_deref(), Some("CC0-1.0"));
        let style = shown.style_model.unwrap();
        assert_eq!((style.format_version, style.width, style.residual_blocks), (1, 16, 2));
        assert_eq!((style.training, style.styles[0].thumbnail_bytes), (model.card.training, Some(1000)));

        let bytes = std::fs::read(&path).unwrap();
        let newer = String::from_utf8_lossy(&bytes[..3000]).find(r#"format_version":"1""#).unwrap();
        let mut bytes = bytes;
        bytes[newer + 17] = b'7';
        std::fs::write(&path, bytes).unwrap();
        let shown = show_in(path.to_str().unwrap(), None).unwrap();
        assert!(shown.kind == ModelKind::Style && shown.problem.unwrap().contains("update impasto"));
    }

    #[test]
    fn a_built_in_style_is_shown_alone_or_with_all() {
        let one = styles::names()[0];
        let shown = show_in(one, None).unwrap();
        assert_eq!((shown.name.as_str(), shown.kind, shown.state), (one, ModelKind::Style, Some(State::BuiltIn)));
        assert_eq!(shown.style_model.unwrap().styles[0].name, one);
        let all = show_in(BUILT_IN_STYLES, None).unwrap();
        assert_eq!(all.style_model.unwrap().styles.len(), styles::names().len());
        let any = show_in(BUILT_IN_ANY, None).unwrap();
        assert!(any.name == "any" && any.style_model.unwrap().any_style);
        assert_eq!(all.parameters, styles::built_in().shape.parameter_count() as u64);
        assert!((2 * any.parameters..3 * any.parameters).contains(&any.size), "f16, as is said of the tensors");
    }

    #[test]
    fn what_is_not_there_says_what_to_do() {
        let say = |name: &str| show_in(name, None).unwrap_err().to_string();
        assert!(say("vgg16-torchvision").contains("impasto models pull vgg16-torchvision"));
        assert!(say("monet").contains("neither a model"));
        let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pictures/chelsea.png");
        assert!(say(picture).contains("picture"), "{}", say(picture));
    }
}

//! What a model holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use impasto_nn::formats::ModelKind;
use impasto_nn::formats::{LoadError, TensorFile};
use impasto_nn::vgg::{Preprocessing, Vgg, VggKind};
use serde::Serialize;
use thiserror::Error;

use super::catalogue::{BUILT_IN, Listed, State, find_in, list_in};
use super::folder::default_dir;

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
    /// Why it cannot be painted with, where it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Who made it, for a model of the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The terms it comes under, for a model of the list.
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
    let description = TensorFile::open(&path)?.describe()?;
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
        problem: description.problem,
        origin: listed.as_ref().map(|model| model.origin.clone()),
        licence: listed.map(|model| model.licence),
        parameters: count(&tensors),
        tensors,
        metadata: description.metadata,
    })
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
        problem: None,
        origin: Some(listed.origin),
        licence: Some(listed.licence),
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
    fn what_is_not_there_says_what_to_do() {
        let say = |name: &str| show_in(name, None).unwrap_err().to_string();
        assert!(say("vgg16-torchvision").contains("impasto models pull vgg16-torchvision"));
        assert!(say("monet").contains("neither a model"));
        let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pictures/chelsea.png");
        assert!(say(picture).contains("picture"), "{}", say(picture));
    }
}

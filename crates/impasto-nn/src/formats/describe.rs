//! What a file holds, for people who ask before they use it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{Format, LoadError, TensorFile, TensorInfo, network};
use crate::vgg::{Preprocessing, VggKind};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// A classifier's convolutions, to paint with.
    Network,
    /// A network that turns a picture into a stylised one.
    Style,
    /// Neither.
    Unknown,
}

/// What a weight file holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its container.
    pub format: Format,
    /// What it is for.
    pub kind: ModelKind,
    /// Which network, where it is one.
    pub network: Option<VggKind>,
    /// What the network expects of a picture.
    pub preprocessing: Option<Preprocessing>,
    /// Why it cannot be painted with, where it cannot: one sentence.
    pub problem: Option<String>,
    /// All tensors in the order of the file, also those that are never used.
    pub tensors: Vec<TensorInfo>,
    /// What the file says about itself.
    pub metadata: BTreeMap<String, String>,
}

/// Says what a file holds. A sound file of another network is described too; an error is a file that is no model.
pub fn describe(path: &Path) -> Result<Description, LoadError> {
    TensorFile::open(path)?.describe()
}

impl TensorFile {
    /// Says what the file holds; see [`describe`].
    pub fn describe(&mut self) -> Result<Description, LoadError> {
        let mut description = Description {
            path: self.path().to_path_buf(),
            bytes: self.bytes(),
            format: self.format(),
            kind: ModelKind::Unknown,
            network: None,
            preprocessing: None,
            problem: None,
            tensors: self.tensors().to_vec(),
            metadata: self.metadata().clone(),
        };
        match network::find(self) {
            Ok(found) => {
                description.kind = ModelKind::Network;
                description.network = Some(found.kind);
                description.preprocessing = Some(network::input(self, &found)?.preprocessing);
            }
            Err(problem) => {
                if network::is_style(self.tensors()) {
                    description.kind = ModelKind::Style;
                }
                description.problem = Some(problem.to_string());
            }
        }
        Ok(description)
    }
}

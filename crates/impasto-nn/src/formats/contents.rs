//! What the readers of containers give: a list of tensors, and their values when they are asked for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dtype::Dtype;
use super::error::LoadError;
use super::onnx::graph::Graph;

/// Where a reader puts the mean colour that a file states apart from its weights, as `r,g,b`.
pub(super) const MEAN_KEY: &str = "averageImage";

/// A tensor as a file lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorInfo {
    /// Its name; nested dictionaries are joined by dots.
    pub name: String,
    /// How its elements are stored.
    pub dtype: Dtype,
    /// Its shape, slowest axis first. Filters are `out × in × height × width` whatever the file's own order.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// Its shape for people: `64×3×3×3`, or `a single number`.
    pub fn shape_text(&self) -> String {
        shape_text(&self.shape)
    }
}

pub(crate) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [] => "a single number".into(),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×"),
    }
}

/// What a container's reader found.
pub(super) struct Contents {
    pub(super) tensors: Vec<TensorInfo>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) values: Box<dyn Values>,
}

/// Reads the values of the tensors that a container lists.
pub(super) trait Values: Send {
    /// Row-major values of tensor number `index` of the list, rounded to f32.
    fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError>;

    /// What the network does, where the container tells.
    fn graph(&self) -> Option<&Graph> {
        None
    }
}

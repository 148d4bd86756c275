//! The graph of an ONNX file.

use std::collections::{HashMap, hash_map::Entry};

use super::super::dtype::Dtype;
use super::super::error::LoadError;
use super::super::source::Label;
use super::proto::{Attribute, Node, Tensor};
use prost::Message;

/// What a network does, in the order in which it does it, and the tensors that are known before it runs.
#[derive(Debug)]
pub(crate) struct Graph {
    /// Names of what it takes that no initialiser gives.
    pub(crate) inputs: Vec<String>,
    /// Its operations, each behind those that it depends on.
    pub(crate) nodes: Vec<Node>,
    pub(super) tensors: Vec<Tensor>,
    /// Which of the tensors a name stands for.
    pub(super) names: HashMap<String, usize>,
    pub(super) label: Label,
}

impl Graph {
    /// The shape of the tensor that a name stands for, where it is known before the network runs.
    pub(crate) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        shape(&self.tensors[*self.names.get(name)?]).ok()
    }

    /// The values of the tensor that a name stands for, rounded to f32, as many as its shape has.
    pub(crate) fn values(&self, name: &str) -> Result<Vec<f32>, LoadError> {
        let number = self.names.get(name).ok_or_else(|| self.label.malformed(format!("`{name}` is missing")))?;
        values(&self.tensors[*number], &self.label)
    }
}

impl Node {
    /// One of its settings.
    pub(crate) fn attribute(&self, name: &str) -> Option<Attribute> {
        self.attribute.iter().filter_map(|a| Attribute::decode(a.clone()).ok()).find(|a| a.name == name)
    }
}

impl Graph {
    /// Notes which tensors the names stand for: initialisers, the values of `Constant` operations, and what `Identity`
    /// makes of both, since exporters store equal tensors once and hand them on so.
    pub(super) fn name_tensors(&mut self) -> Result<(), LoadError> {
        for (number, tensor) in self.tensors.iter().enumerate() {
            if self.names.insert(tensor.name.clone(), number).is_some() {
                return Err(self.label.malformed(format!("two tensors are called `{}`", tensor.name)));
            }
        }
        for node in &self.nodes {
            let Some(Entry::Vacant(name)) = node.output.first().map(|output| self.names.entry(output.clone())) else {
                continue;
            };
            match (node.op_type.as_str(), node.input.first()) {
                ("Constant", None) => {
                    if let Some(value) = node.attribute("value").and_then(|value| value.t) {
                        name.insert(self.tensors.len());
                        self.tensors.push(value);
                    }
                }
                ("Identity", Some(input)) => {
                    if let Some(&number) = self.names.get(input) {
                        self.names.insert(node.output[0].clone(), number);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Element types by their numbers in `TensorProto.DataType`.
pub(super) fn dtype(tensor: &Tensor) -> Dtype {
    match tensor.data_type {
        Some(1) => Dtype::F32,
        Some(2) => Dtype::U8,
        Some(3) => Dtype::I8,
        Some(4) => Dtype::U16,
        Some(5) => Dtype::I16,
        Some(6) => Dtype::I32,
        Some(7) => Dtype::I64,
        Some(9) => Dtype::Bool,
        Some(10) => Dtype::F16,
        Some(11) => Dtype::F64,
        Some(12) => Dtype::U32,
        Some(13) => Dtype::U64,
        Some(16) => Dtype::Bf16,
        _ => Dtype::Other,
    }
}

/// The shape, or nothing where a side is negative.
fn shape(tensor: &Tensor) -> Result<Vec<usize>, std::num::TryFromIntError> {
    tensor.dims.iter().map(|&side| usize::try_from(side)).collect()
}

/// The shape.
pub(super) fn checked_shape(tensor: &Tensor, label: &Label) -> Result<Vec<usize>, LoadError> {
    shape(tensor).map_err(|_| label.malformed(format!("`{}` has a negative side", tensor.name)))
}

pub(super) fn values(tensor: &Tensor, label: &Label) -> Result<Vec<f32>, LoadError> {
    let (name, dtype, shape) = (&tensor.name, dtype(tensor), checked_shape(tensor, label)?);
    if tensor.data_location == Some(1) {
        let what = format!("an ONNX file that keeps `{name}` in another file");
        return Err(label.unsupported(what, "store all tensors in the ONNX file itself"));
    }
    let values = match (&tensor.raw_data, dtype) {
        (Some(raw), dtype) => dtype.decode(raw, false),
        (None, Dtype::F32) => tensor.float_data.clone(),
        (None, Dtype::F64) => tensor.double_data.iter().map(|&v| v as f32).collect(),
        (None, Dtype::I64) => tensor.int64_data.iter().map(|&v| v as f32).collect(),
        (None, dtype) => {
            let what = format!("an ONNX file whose `{name}` lists its {} values one by one", dtype.name());
            return Err(label.unsupported(what, "store its tensors as raw data"));
        }
    };
    let count = shape.iter().try_fold(1_usize, |count, &side| count.checked_mul(side));
    if count == Some(values.len()) {
        return Ok(values);
    }
    Err(label.malformed(format!(
        "`{name}` has {} values for a shape of {}",
        values.len(),
        shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
    )))
}

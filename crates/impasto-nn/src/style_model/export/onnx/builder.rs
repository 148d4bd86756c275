//! A graph as it grows: operations, and tensors that they read.

use prost::{Message, bytes::Bytes};

use crate::formats::onnx::proto::{Attribute, Node, Tensor};

/// Numbers of element and attribute types in `onnx.proto`.
pub(super) const FLOAT: i32 = 1;
const INT64: i32 = 7;
const KIND_FLOAT: i32 = 1;
const KIND_INT: i32 = 2;
const KIND_TEXT: i32 = 3;
const KIND_INTS: i32 = 7;

/// Nodes and tensors as they are added, packed.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) nodes: Vec<Bytes>,
    pub(super) tensors: Vec<Bytes>,
}

impl Builder {
    /// Adds an operation with one output, and gives that back.
    pub(super) fn node(&mut self, op_type: &str, output: &str, input: &[&str], attributes: Vec<Attribute>) -> String {
        self.node_to(op_type, vec![output.to_owned()], input, attributes);
        output.to_owned()
    }

    /// Adds an operation with several outputs, and calls it after the first of them.
    pub(super) fn node_to(&mut self, op_type: &str, output: Vec<String>, input: &[&str], attributes: Vec<Attribute>) {
        let node = Node {
            input: input.iter().map(|&name| name.to_owned()).collect(),
            name: output.first().cloned(),
            output,
            op_type: op_type.to_owned(),
            attribute: attributes.iter().map(|a| a.encode_to_vec().into()).collect(),
        };
        self.nodes.push(node.encode_to_vec().into());
    }

    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: impl Iterator<Item = f32>) {
        let dims = shape.iter().map(|&side| side as i64).collect();
        self.tensor(name, dims, FLOAT, values.flat_map(f32::to_le_bytes).collect());
    }

    pub(super) fn integers(&mut self, name: &str, values: &[i64]) {
        let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, vec![values.len() as i64], INT64, raw);
    }

    fn tensor(&mut self, name: &str, dims: Vec<i64>, data_type: i32, raw: Vec<u8>) {
        let tensor = Tensor {
            name: name.to_owned(),
            dims,
            data_type: Some(data_type),
            raw_data: Some(raw.into()),
            ..Tensor::default()
        };
        self.tensors.push(tensor.encode_to_vec().into());
    }
}

fn attribute(name: &str, kind: i32) -> Attribute {
    Attribute { name: name.to_owned(), kind: Some(kind), ..Attribute::default() }
}

pub(super) fn float(name: &str, value: f32) -> Attribute {
    Attribute { f: Some(value), ..attribute(name, KIND_FLOAT) }
}

pub(super) fn integer(name: &str, value: i64) -> Attribute {
    Attribute { i: Some(value), ..attribute(name, KIND_INT) }
}

pub(super) fn integers(name: &str, values: &[i64]) -> Attribute {
    Attribute { ints: values.to_vec(), ..attribute(name, KIND_INTS) }
}

pub(super) fn text(name: &str, value: &str) -> Attribute {
    Attribute { s: Some(value.as_bytes().to_vec().into()), ..attribute(name, KIND_TEXT) }
}

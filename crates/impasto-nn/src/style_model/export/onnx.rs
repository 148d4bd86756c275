//! The network as ONNX, for pictures of every size.
//!
//! Sides that are no multiple of 4 are continued by reflection before the network and cut off again behind it, by sizes
//! that are computed from the picture:
//!
//! ```text
//! picture ─▶ Shape ─▶ Slice ─▶ size ─▶ Mod 4, Sub, Mod 4 ─▶ Concat ─▶ pads
//! picture ─▶ Pad(pads) ─▶ Pad, Conv, InstanceNormalization, Relu … Pad, Conv ─▶ Slice(size) ─▶ painting
//! ```
//!
//! The operators are described at <https://onnx.ai/onnx/operators/>.

use impasto_kernels::LayerRole;
use prost::{Message, bytes::Bytes};

use super::factor;
use crate::{
    formats::onnx::proto::{
        Attribute, Dimension, Entry, Graph, Model, Node, OperatorSet, Tensor, TensorShape, TensorType, Type, ValueInfo,
    },
    style_model::StyleModel,
};

/// The version of the operators: the first in which all of these are as they are today but for what is not used here.
const OPSET: i64 = 13;

/// The version of the file format that came with it.
const IR_VERSION: i64 = 7;

/// Numbers of element and attribute types in `onnx.proto`.
const FLOAT: i32 = 1;
const INT64: i32 = 7;
const KIND_FLOAT: i32 = 1;
const KIND_INT: i32 = 2;
const KIND_TEXT: i32 = 3;
const KIND_INTS: i32 = 7;

const INPUT: &str = "picture";
const OUTPUT: &str = "painting";

/// ε of instance normalisation.
const EPSILON: f32 = 1e-5;

/// The file as bytes, of a model of one style.
pub(super) fn to_bytes(model: &StyleModel) -> Vec<u8> {
    let mut builder = Builder::default();
    builder.network(model);
    let entry = |(key, value): (&str, String)| Entry { key: Some(key.into()), value: Some(value) };
    let packed = Model {
        ir_version: Some(IR_VERSION),
        producer_name: Some("impasto".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(description(model)),
        graph: Some(Graph {
            node: builder.nodes,
            name: Some(model.card.name.clone()),
            initializer: builder.tensors,
            input: vec![picture(INPUT)],
            output: vec![picture(OUTPUT)],
        }),
        opset_import: vec![OperatorSet { domain: Some(String::new()), version: Some(OPSET) }],
        metadata: metadata(model).into_iter().map(entry).collect(),
    };
    packed.encode_to_vec()
}

fn description(model: &StyleModel) -> String {
    let style = model.card.styles.first().map_or("", |style| style.title.as_deref().unwrap_or(&style.name));
    format!("Paints a picture in the style of {style}. {INPUT} and {OUTPUT} are RGB, 0–255, of any size from 16×16 up.")
}

/// What the card says, as far as ONNX has room for it.
fn metadata(model: &StyleModel) -> Vec<(&'static str, String)> {
    let card = &model.card;
    let style = card.styles.first();
    let lines = [
        ("name", Some(card.name.clone())),
        ("style", style.map(|style| style.name.clone())),
        ("title", style.and_then(|style| style.title.clone())),
        ("picture_sha256", style.and_then(|style| style.picture_sha256.clone())),
        ("author", card.author.clone()),
        ("license", card.license.clone()),
        ("source", card.source.clone()),
        ("training", card.training.as_ref().map(|training| training.to_string())),
    ];
    lines.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// `1 × 3 × height × width`.
fn picture(name: &str) -> ValueInfo {
    let side = |value: i64| Dimension { value: Some(value), parameter: None };
    let free = |name: &str| Dimension { value: None, parameter: Some(name.into()) };
    let shape = TensorShape { dim: vec![side(1), side(3), free("height"), free("width")] };
    let tensor = TensorType { element: Some(FLOAT), shape: Some(shape) };
    ValueInfo { name: name.into(), kind: Some(Type { tensor: Some(tensor) }) }
}

/// Nodes and tensors as they are added, packed.
#[derive(Default)]
struct Builder {
    nodes: Vec<Bytes>,
    tensors: Vec<Bytes>,
}

impl Builder {
    /// Everything between the picture and the painting.
    fn network(&mut self, model: &StyleModel) {
        self.constants();
        self.sizes();
        let reflect = || vec![text("mode", "reflect")];
        let mut x = self.node("Pad", "whole", &[INPUT, "missing"], reflect());
        let mut parameters = model.shape.parameters().into_iter();
        let mut block = String::new();
        for layer in model.shape.layers() {
            let name = &layer.name;
            let mut parameter = |builder: &mut Self, factor: f32| {
                let parameter = parameters.next().map(|p| (p.name, p.shape, p.range));
                let (name, shape, range) = parameter.unwrap_or_default();
                // One style: `1 × channels` is `channels`.
                let shape = if shape.len() == 2 { &shape[1..] } else { &shape[..] };
                builder.floats(&name, shape, model.parameters[range].iter().map(|value| value * factor));
                name
            };
            if layer.role == LayerRole::ResidualFirst {
                block.clone_from(&x);
            }
            if layer.role.upsamples() {
                x = self.node("Resize", &format!("{name}.enlarged"), &[&x, "", "twice"], enlarging());
            }
            let pads = format!("pads{}", layer.kernel);
            x = self.node("Pad", &format!("{name}.padded"), &[&x, &pads], reflect());
            let factor = factor(layer.role);
            let weight = parameter(self, factor);
            if !layer.role.is_normalised() {
                let bias = parameter(self, factor);
                x = self.node("Conv", &format!("{name}.convolved"), &[&x, &weight, &bias], convolution(&layer));
                continue;
            }
            x = self.node("Conv", &format!("{name}.convolved"), &[&x, &weight], convolution(&layer));
            let (scale, shift) = (parameter(self, 1.0), parameter(self, 1.0));
            let epsilon = vec![Attribute { f: Some(EPSILON), ..attribute("epsilon", KIND_FLOAT) }];
            x = self.node("InstanceNormalization", &format!("{name}.normalised"), &[&x, &scale, &shift], epsilon);
            x = match layer.role {
                LayerRole::ResidualSecond => self.node("Add", &format!("{name}.added"), &[&block, &x], vec![]),
                _ => self.node("Relu", &format!("{name}.positive"), &[&x], vec![]),
            };
        }
        self.node("Slice", OUTPUT, &[&x, "zeros", "size", "sides"], vec![]);
    }

    fn constants(&mut self) {
        self.integers("four", &[4]);
        self.integers("zeros", &[0, 0]);
        self.integers("sides", &[2, 3]);
        self.integers("before", &[0; 6]);
        self.integers("first side", &[2]);
        self.integers("end", &[4]);
        for (kernel, p) in [(3, 1), (9, 4)] {
            self.integers(&format!("pads{kernel}"), &[0, 0, p, p, 0, 0, p, p]);
        }
        self.floats("twice", &[4], [1.0, 1.0, 2.0, 2.0].into_iter());
    }

    /// `size`, the picture's height and width, and `missing`, the padding that makes both multiples of 4.
    fn sizes(&mut self) {
        self.node("Shape", "shape", &[INPUT], vec![]);
        self.node("Slice", "size", &["shape", "first side", "end"], vec![]);
        self.node("Mod", "rest", &["size", "four"], vec![]);
        self.node("Sub", "to four", &["four", "rest"], vec![]);
        self.node("Mod", "to go", &["to four", "four"], vec![]);
        let axis = Attribute { i: Some(0), ..attribute("axis", KIND_INT) };
        self.node("Concat", "missing", &["before", "to go"], vec![axis]);
    }

    /// Adds an operation with one output, and gives that back.
    fn node(&mut self, op_type: &str, output: &str, input: &[&str], attributes: Vec<Attribute>) -> String {
        let node = Node {
            input: input.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: Some(output.to_owned()),
            op_type: op_type.to_owned(),
            attribute: attributes.iter().map(|a| a.encode_to_vec().into()).collect(),
        };
        self.nodes.push(node.encode_to_vec().into());
        output.to_owned()
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: impl Iterator<Item = f32>) {
        let dims = shape.iter().map(|&side| side as i64).collect();
        self.tensor(name, dims, FLOAT, values.flat_map(f32::to_le_bytes).collect());
    }

    fn integers(&mut self, name: &str, values: &[i64]) {
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

fn text(name: &str, value: &str) -> Attribute {
    Attribute { s: Some(value.as_bytes().to_vec().into()), ..attribute(name, KIND_TEXT) }
}

fn convolution(layer: &impasto_kernels::StyleNetLayer) -> Vec<Attribute> {
    let ints = |name: &str, value: usize| Attribute { ints: vec![value as i64; 2], ..attribute(name, KIND_INTS) };
    vec![ints("kernel_shape", layer.kernel), ints("strides", layer.role.stride())]
}

/// Every pixel twice in each direction.
fn enlarging() -> Vec<Attribute> {
    vec![text("mode", "nearest"), text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")]
}

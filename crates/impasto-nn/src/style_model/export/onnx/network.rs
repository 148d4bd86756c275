//! The image transformation network.
//!
//! Sides that are no multiple of 4 are continued by reflection before the network and cut off again behind it, by sizes
//! that are computed from the picture:
//!
//! ```text
//! picture ─▶ Shape ─▶ Slice ─▶ size ─▶ Mod 4, Sub, Mod 4 ─▶ Concat ─▶ pads
//! picture ─▶ Pad(pads) ─▶ Pad, Conv, InstanceNormalization, Relu … Pad, Conv ─▶ Slice(size) ─▶ painting
//! ```

use impasto_kernels::{LayerRole, Parameter, StyleNetLayer};

use super::super::factor;
use super::builder::{Builder, float, integer, integers, text};
use super::{INPUT, OUTPUT};
use crate::formats::onnx::proto::Attribute;
use crate::style_model::StyleModel;

/// ε of instance normalisation.
const EPSILON: f32 = 1e-5;

/// Where the scales and shifts of the normalisations come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Normalisations {
    /// They are those of the model's one style.
    Stored,
    /// The graph has them already, under their names.
    Computed,
}

/// Everything between the picture and the painting.
pub(super) fn add(builder: &mut Builder, model: &StyleModel, normalisations: Normalisations) {
    constants(builder);
    parameters(builder, model, normalisations);
    sizes(builder);
    let mut x = builder.node("Pad", "whole", &[INPUT, "missing"], reflecting());
    let mut block = String::new();
    for layer in model.shape.layers() {
        let name = &layer.name;
        if layer.role == LayerRole::ResidualFirst {
            block.clone_from(&x);
        }
        if layer.role.upsamples() {
            x = builder.node("Resize", &format!("{name}.enlarged"), &[&x, "", "twice"], enlarging());
        }
        let pads = format!("pads{}", layer.kernel);
        x = builder.node("Pad", &format!("{name}.padded"), &[&x, &pads], reflecting());
        let [weight, scale, shift, bias] = ["weight", "scale", "shift", "bias"].map(|what| format!("{name}.{what}"));
        let convolved = format!("{name}.convolved");
        if !layer.role.is_normalised() {
            x = builder.node("Conv", &convolved, &[&x, &weight, &bias], convolution(&layer));
            continue;
        }
        x = builder.node("Conv", &convolved, &[&x, &weight], convolution(&layer));
        let epsilon = vec![float("epsilon", EPSILON)];
        x = builder.node("InstanceNormalization", &format!("{name}.normalised"), &[&x, &scale, &shift], epsilon);
        x = match layer.role {
            LayerRole::ResidualSecond => builder.node("Add", &format!("{name}.added"), &[&block, &x], vec![]),
            _ => builder.node("Relu", &format!("{name}.positive"), &[&x], vec![]),
        };
    }
    builder.node("Slice", OUTPUT, &[&x, "zeros", "size", "sides"], vec![]);
}

fn constants(builder: &mut Builder) {
    builder.integers("four", &[4]);
    builder.integers("zeros", &[0, 0]);
    builder.integers("sides", &[2, 3]);
    builder.integers("before", &[0; 6]);
    builder.integers("first side", &[2]);
    builder.integers("end", &[4]);
    for (kernel, p) in [(3, 1), (9, 4)] {
        builder.integers(&format!("pads{kernel}"), &[0, 0, p, p, 0, 0, p, p]);
    }
    builder.floats("twice", &[4], [1.0, 1.0, 2.0, 2.0].into_iter());
}

/// The model's parameters under their names, for pictures of 0–255.
fn parameters(builder: &mut Builder, model: &StyleModel, normalisations: Normalisations) {
    let mut parameters = model.shape.parameters().into_iter();
    for layer in model.shape.layers() {
        let count = if layer.role.is_normalised() { 3 } else { 2 };
        for Parameter { name, shape, range } in parameters.by_ref().take(count) {
            let values = model.parameters[range].iter();
            match (&shape[..], normalisations) {
                // One style: `1 × channels` is `channels`.
                ([_, _], Normalisations::Stored) => builder.floats(&name, &shape[1..], values.copied()),
                ([_, _], Normalisations::Computed) => {}
                _ => builder.floats(&name, &shape, values.map(|value| value * factor(layer.role))),
            }
        }
    }
}

/// `size`, the picture's height and width, and `missing`, the padding that makes both multiples of 4.
fn sizes(builder: &mut Builder) {
    builder.node("Shape", "shape", &[INPUT], vec![]);
    builder.node("Slice", "size", &["shape", "first side", "end"], vec![]);
    builder.node("Mod", "rest", &["size", "four"], vec![]);
    builder.node("Sub", "to four", &["four", "rest"], vec![]);
    builder.node("Mod", "to go", &["to four", "four"], vec![]);
    builder.node("Concat", "missing", &["before", "to go"], vec![integer("axis", 0)]);
}

fn reflecting() -> Vec<Attribute> {
    vec![text("mode", "reflect")]
}

fn convolution(layer: &StyleNetLayer) -> Vec<Attribute> {
    let both = |name: &str, value: usize| integers(name, &[value as i64; 2]);
    vec![both("kernel_shape", layer.kernel), both("strides", layer.role.stride())]
}

/// Every pixel twice in each direction.
fn enlarging() -> Vec<Attribute> {
    vec![text("mode", "nearest"), text("coordinate_transformation_mode", "asymmetric"), text("nearest_mode", "floor")]
}

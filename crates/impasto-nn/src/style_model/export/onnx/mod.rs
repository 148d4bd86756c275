//! Networks as ONNX, for pictures of every size.
//!
//! `network` is the image transformation network, `style` is what a network of any style puts before it. The operators are
//! described at <https://onnx.ai/onnx/operators/>.

mod builder;
mod network;
mod style;

use prost::Message;

use self::builder::{Builder, FLOAT};
use self::network::Normalisations;
use crate::{
    formats::onnx::proto::{Dimension, Entry, Graph, Model, OperatorSet, TensorShape, TensorType, Type, ValueInfo},
    style_model::StyleModel,
    style_predictor::StylePredictor,
    vgg::Vgg,
};

/// The version of the operators: the first in which all of these are as they are today but for what is not used here.
const OPSET: i64 = 13;

/// The version of the file format that came with it.
const IR_VERSION: i64 = 7;

const INPUT: &str = "picture";
const STYLE: &str = "style";
const OUTPUT: &str = "painting";

/// The file of a model of one style.
pub(super) fn of_one_style(model: &StyleModel) -> Vec<u8> {
    let mut builder = Builder::default();
    network::add(&mut builder, model, Normalisations::Stored);
    let style = model.card.styles.first();
    let title = style.map_or("", |style| style.title.as_deref().unwrap_or(&style.name));
    let about = About {
        inputs: vec![picture(INPUT, ["height", "width"])],
        description: format!(
            "Paints a picture in the style of {title}. {INPUT} and {OUTPUT} are RGB, 0–255, of any size from 16×16 up."
        ),
        lines: vec![
            ("style", style.map(|style| style.name.clone())),
            ("title", style.and_then(|style| style.title.clone())),
            ("picture_sha256", style.and_then(|style| style.picture_sha256.clone())),
        ],
    };
    packed(builder, model, about)
}

/// The file of a model of any style, with the layers of the built-in VGG19 that its predictor reads.
pub(super) fn of_any_style(model: &StyleModel, predictor: &StylePredictor, vgg: &Vgg) -> Vec<u8> {
    let mut builder = Builder::default();
    style::add(&mut builder, model.shape, predictor, vgg);
    network::add(&mut builder, model, Normalisations::Computed);
    let size = model.card.style_size();
    let about = About {
        inputs: vec![picture(INPUT, ["height", "width"]), picture(STYLE, ["style_height", "style_width"])],
        description: format!(
            "Paints a picture in the style of another. {INPUT}, {STYLE} and {OUTPUT} are RGB, 0–255; {INPUT} is of any \
             size from 16×16 up, the longer side of {STYLE} is to be {size}, the shorter 8 or more."
        ),
        lines: vec![
            ("style_size", Some(size.to_string())),
            ("vgg19", Some("layers up to conv4_1; Simonyan & Zisserman 2014, CC BY 4.0".into())),
        ],
    };
    packed(builder, model, about)
}

/// What a file says of its graph.
struct About {
    inputs: Vec<ValueInfo>,
    description: String,
    /// Metadata beside what the card says of every model.
    lines: Vec<(&'static str, Option<String>)>,
}

fn packed(builder: Builder, model: &StyleModel, about: About) -> Vec<u8> {
    let lines = card_lines(model).into_iter().chain(about.lines);
    let entry = |(key, value): (&str, Option<String>)| Some(Entry { key: Some(key.into()), value: Some(value?) });
    let packed = Model {
        ir_version: Some(IR_VERSION),
        producer_name: Some("impasto".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        doc_string: Some(about.description),
        graph: Some(Graph {
            node: builder.nodes,
            name: Some(model.card.name.clone()),
            initializer: builder.tensors,
            input: about.inputs,
            output: vec![picture(OUTPUT, ["height", "width"])],
        }),
        opset_import: vec![OperatorSet { domain: Some(String::new()), version: Some(OPSET) }],
        metadata: lines.filter_map(entry).collect(),
    };
    packed.encode_to_vec()
}

/// What the card says of the model, as far as ONNX has room for it.
fn card_lines(model: &StyleModel) -> Vec<(&'static str, Option<String>)> {
    let card = &model.card;
    vec![
        ("name", Some(card.name.clone())),
        ("author", card.author.clone()),
        ("license", card.license.clone()),
        ("source", card.source.clone()),
        ("training", card.training.as_ref().map(|training| training.to_string())),
    ]
}

/// `1 × 3 × height × width`, with these names for the sides.
fn picture(name: &str, sides: [&str; 2]) -> ValueInfo {
    let fixed = |value: i64| Dimension { value: Some(value), parameter: None };
    let free = |name: &str| Dimension { value: None, parameter: Some(name.into()) };
    let shape = TensorShape { dim: vec![fixed(1), fixed(3), free(sides[0]), free(sides[1])] };
    let tensor = TensorType { element: Some(FLOAT), shape: Some(shape) };
    ValueInfo { name: name.into(), kind: Some(Type { tensor: Some(tensor) }) }
}

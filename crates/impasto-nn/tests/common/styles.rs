//! Style models made without training.

use std::path::Path;

use impasto_nn::{
    formats::TensorFile,
    kernels::{Isa, Normalisation, StyleNet, StyleNetShape, Threads},
    style_model::{ModelCard, StyleCard, StyleModel},
    style_predictor::{PredictorShape, StylePredictor},
};

/// A model whose numbers differ from each other: weights that keep features at about the same size, scales around 1.
pub(crate) fn model(shape: StyleNetShape) -> StyleModel {
    let mut parameters = vec![0.0; shape.parameter_count()];
    for parameter in shape.parameters() {
        let inputs: usize = parameter.shape[1..].iter().product();
        let (middle, spread) = match parameter.name.rsplit('.').next() {
            Some("weight") => (0.0, (12.0 / inputs as f32).sqrt()),
            Some("scale") => (1.0, 0.5),
            _ => (0.0, 0.5),
        };
        for i in parameter.range {
            // Multiples of the golden ratio, modulo 1: evenly spread, and never the same.
            let even = (i as f64 * 0.618_033_988_749_894_9).fract() as f32;
            parameters[i] = middle + spread * (even - 0.5);
        }
    }
    StyleModel { shape, parameters, predictor: None, card: card(shape.styles) }
}

/// The same as a network of any style, whose predictor gives each painting scales and shifts around those of the first
/// style.
pub(crate) fn any_style_model(shape: StyleNetShape) -> StyleModel {
    let model = model(shape);
    let predictor = PredictorShape { hidden: 24, outputs: shape.normalisation_len() };
    let mut parameters = vec![0.0; predictor.parameter_count()];
    for part in predictor.parameters() {
        let (middle, spread) = match &*part.name {
            "predictor.mean" => (3.0, 2.0),
            "predictor.factor" => (0.02, 0.01),
            "predictor.hidden.weight" => (0.0, 5.0),
            "predictor.output.weight" => (0.0, 0.1),
            _ => (0.0, 1.0),
        };
        for i in part.range {
            let even = (i as f64 * 0.618_033_988_749_894_9).fract() as f32;
            parameters[i] = middle + spread * (even - 0.5);
        }
    }
    parameters[predictor.output_bias()].copy_from_slice(&shape.normalisation_of(0, &model.parameters));
    StyleModel { predictor: Some(StylePredictor { shape: predictor, parameters }), ..model }
}

/// A card that fills every field.
pub(crate) fn card(styles: usize) -> ModelCard {
    let names = ["the-scream", "great-wave", "starry-night"];
    let style = |number: usize| StyleCard {
        name: names.get(number).map_or_else(|| format!("style-{number}"), |name| (*name).to_owned()),
        title: Some(format!("A painter: “A painting, № {number}”")),
        picture_sha256: Some("5e".repeat(32)),
        thumbnail: Some(b"\xff\xd8\xff a picture".repeat(number)),
    };
    ModelCard {
        name: "paintings".into(),
        author: Some("nobody".into()),
        license: Some("CC0-1.0".into()),
        source: None,
        styles: (0..styles).map(style).collect(),
        training: Some(serde_json::json!({"steps": 2000, "style_weight": 1e5, "seed": 7})),
    }
}

/// A picture and what a network of `tests/styles` makes of it, both planar RGB 0–255.
pub(crate) struct Expected {
    pub(crate) picture: Vec<f32>,
    pub(crate) output: Vec<f32>,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Expected {
    pub(crate) fn read(path: &Path) -> Self {
        let mut file = TensorFile::open(path).unwrap();
        let numbers = ["picture", "output"].map(|name| file.find(name).unwrap());
        let [height, width] = file.tensors()[numbers[0]].shape[1..] else { panic!("a picture has three sides") };
        let [picture, output] = numbers.map(|number| file.read(number).unwrap());
        Self { picture, output, height, width }
    }
}

/// Paints a picture with the kernels.
pub(crate) fn paint(model: &StyleModel, picture: &[f32], height: usize, width: usize, styles: &[f32]) -> Vec<f32> {
    paint_with(model, picture, (height, width), Normalisation::Blend(styles))
}

/// The same with any scales and shifts.
pub(crate) fn paint_with(
    model: &StyleModel,
    picture: &[f32],
    (height, width): (usize, usize),
    normalisation: Normalisation<'_>,
) -> Vec<f32> {
    let net = StyleNet::new(Isa::best(), Threads::new(2), model.shape, &model.parameters).unwrap();
    let mut out = vec![0.0; picture.len()];
    net.run(picture, height, width, normalisation, 1 << 30, &mut out).unwrap();
    out
}

/// The largest difference.
pub(crate) fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

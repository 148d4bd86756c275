//! Style models made without training.

use impasto_nn::{
    kernels::StyleNetShape,
    style_model::{ModelCard, StyleCard, StyleModel},
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
    StyleModel { shape, parameters, card: card(shape.styles) }
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

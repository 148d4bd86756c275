//! impasto's own format of style models: what goes in comes out, and every other file is told from it.

mod common;

use std::{fs, path::Path};

use common::styles::{card, model};
use impasto_nn::{
    kernels::StyleNetShape,
    style_model::{StyleCard, StyleDtype, StyleModel, StyleModelError},
    style_predictor::{PredictorShape, StylePredictor},
};

const SHAPE: StyleNetShape = StyleNetShape { width: 16, residual_blocks: 2, styles: 3, ..StyleNetShape::JOHNSON };

#[test]
fn a_model_comes_back_as_it_was() {
    let (folder, model) = (tempfile::tempdir().unwrap(), model(SHAPE));
    let path = folder.path().join("model.safetensors");
    model.save(&path, StyleDtype::F32).unwrap();
    assert_eq!(StyleModel::load(&path).unwrap(), model);
    assert_eq!(fs::read(&path).unwrap(), model.to_bytes(StyleDtype::F32).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");

    model.save(&path, StyleDtype::F16).unwrap();
    let half = StyleModel::load(&path).unwrap();
    assert_eq!((half.shape, &half.card), (model.shape, &model.card));
    // Half precision keeps 11 bits; below 6e-5 its steps are 6e-8.
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= a.abs() / 2048.0 + 3e-8;
    assert!(model.parameters.iter().zip(&half.parameters).all(near));
    assert!(half.parameters != model.parameters);
}

#[test]
fn a_predictor_comes_back_with_its_model_and_must_fit_it() {
    let folder = tempfile::tempdir().unwrap();
    let shape = PredictorShape { hidden: 3, outputs: SHAPE.normalisation_len() };
    let parameters = (0..shape.parameter_count()).map(|i| (i as f32 * 0.1).sin()).collect();
    let any = StyleModel { predictor: Some(StylePredictor { shape, parameters }), ..model(SHAPE) };
    let path = folder.path().join("any.safetensors");
    any.save(&path, StyleDtype::F32).unwrap();
    assert_eq!(StyleModel::load(&path).unwrap(), any);

    let of = |change: fn(&mut StylePredictor)| {
        let mut wrong = any.clone();
        change(wrong.predictor.as_mut().unwrap());
        wrong.to_bytes(StyleDtype::F32).unwrap_err().to_string()
    };
    assert!(of(|p| p.parameters.truncate(9)).contains("its predictor has 9 parameters"));
    let other = of(|p| {
        p.shape.outputs -= 1;
        p.parameters.truncate(p.shape.parameter_count());
    });
    assert!(other.contains("scales and shifts"), "{other}");
    let bytes = any.to_bytes(StyleDtype::F32).unwrap();
    let renamed = replace(&bytes, "predictor.hidden.bias", "predictor.hidden.bean");
    assert!(read(renamed).unwrap_err().to_string().contains("predictor.hidden.bias"));
}

#[test]
fn styles_from_outside_take_the_place_of_its_own() {
    let own = model(SHAPE);
    let rows = [2, 0].map(|style| SHAPE.normalisation_of(style, &own.parameters));
    let cards = ["third", "first"].map(|name| StyleCard { name: name.into(), ..StyleCard::default() });
    let other = own.with_styles(cards.into_iter().zip(rows.clone()).collect());
    assert_eq!((other.shape.styles, other.card.styles[0].name.as_str()), (2, "third"));
    for (style, row) in rows.iter().enumerate() {
        assert_eq!(&other.shape.normalisation_of(style, &other.parameters), row);
    }
    let weight = |model: &StyleModel| {
        let out = model.shape.parameters().into_iter().find(|p| p.name == "out.weight").unwrap();
        model.parameters[out.range].to_vec()
    };
    assert_eq!(weight(&other), weight(&own));
}

/// Other programs read it: the crate that defines the format finds every tensor where it belongs.
#[test]
fn a_model_is_a_sound_safetensors_file() {
    let model = model(SHAPE);
    let bytes = model.to_bytes(StyleDtype::F32).unwrap();
    let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let parameters = SHAPE.parameters();
    assert_eq!(read.len(), parameters.len());
    for parameter in parameters {
        let tensor = read.tensor(&parameter.name).unwrap();
        let values: Vec<_> = tensor.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        assert_eq!((tensor.shape(), &values[..]), (&parameter.shape[..], &model.parameters[parameter.range]));
    }
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let refused = |change: &dyn Fn(&mut StyleModel), dtype, part: &str| {
        let mut model = model(SHAPE);
        change(&mut model);
        let message = model.save(&path, dtype).unwrap_err().to_string();
        assert!(message.contains(part), "{message} should say: {part}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    refused(&|m| m.parameters[100] = f32::NAN, StyleDtype::F32, "`down1.weight` has a value that is not finite");
    refused(&|m| *m.parameters.last_mut().unwrap() = f32::INFINITY, StyleDtype::F16, "`out.bias`");
    refused(&|m| m.parameters[0] = 1e5, StyleDtype::F16, "too large for f16");
    refused(&|m| m.parameters.truncate(9), StyleDtype::F32, "parameters where its shape has");
    refused(&|m| drop(m.card.styles.pop()), StyleDtype::F32, "it describes 2 of 3 styles");
    refused(&|m| m.card.styles[0].name.clear(), StyleDtype::F32, "a style has no name");
    refused(&|m| m.card.styles[0].name = m.card.styles[2].name.clone(), StyleDtype::F32, "two styles are called");
    refused(&|m| m.card.styles[0].thumbnail = Some(vec![0; 14 << 20]), StyleDtype::F32, "smaller thumbnails");
    let missing = folder.path().join("missing/model.safetensors");
    let error = model(SHAPE).save(&missing, StyleDtype::F32).unwrap_err();
    assert!(matches!(error, StyleModelError::Write { .. }), "{error}");
}

#[test]
fn other_files_are_told_apart() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, part) in [
        ("weights/vgg19-codebook8.safetensors", "is a VGG19 weight file, not a style model"),
        ("../../examples/pictures/chelsea.png", "is a PNG picture, not a style model"),
        ("tests/fixtures/kinds.safetensors", "not a style model"),
        ("tests/fixtures/torch-zip.pth", "not a style model"),
        ("tests/fixtures/torch-tar.pth", "is a tar archive"),
        ("Cargo.toml", "is a text, not a style model"),
        ("src", "a directory"),
        ("missing.safetensors", "does not exist"),
    ] {
        let message = StyleModel::load(&folder.join(path)).unwrap_err().to_string();
        assert!(message.contains(part) && message.contains(path), "{message} should say: {part}");
    }
}

#[test]
fn versions_are_told_apart() {
    let bytes = model(SHAPE).to_bytes(StyleDtype::F32).unwrap();
    let version = |to: &str| read(replace(&bytes, r#""format_version":"1""#, &format!(r#""format_version":"{to}""#)));
    assert!(matches!(version("2").unwrap_err(), StyleModelError::Newer { found: 2, .. }));
    assert!(matches!(version("0").unwrap_err(), StyleModelError::Older { found: 0, .. }));
    assert!(matches!(version("x").unwrap_err(), StyleModelError::Card { .. }));
    let message = version("2").unwrap_err().to_string();
    assert!(message.contains("format version 2") && message.contains("update impasto"), "{message}");
    let foreign = read(replace(&bytes, "impasto-style-net", "impasto-style-nut")).unwrap_err();
    assert!(matches!(foreign, StyleModelError::OtherProgram { .. }), "{foreign}");
}

#[test]
fn another_architecture_names_the_first_tensor_that_differs() {
    let bytes = model(SHAPE).to_bytes(StyleDtype::F32).unwrap();
    for (from, to, part) in [
        ("residual2.conv2.shift", "residual2.conv2.shaft", "`residual2.conv2.shift` is missing, not 3×64"),
        ("[64,32,3,3]", "[32,64,3,3]", "`down3.weight` is 32×64×3×3, not 64×32×3×3"),
        ("[16,3,9,9]", "[3,16,9,9]", "`down1.weight` is 3×16×9×9, not W×3×9×9"),
        (r#""out.bias":{"data_offsets""#, r#""out.bios":{"data_offsets""#, "`out.bias` is missing, not 3"),
        ("residual2.conv1.weight", "residual3.conv1.weight", "`residual3.conv1.weight` is 64×64×3×3, not part"),
    ] {
        let message = read(replace(&bytes, from, to)).unwrap_err().to_string();
        assert!(message.contains(part), "{message} should say: {part}");
    }
}

#[test]
fn damage_is_told() {
    let model = model(SHAPE);
    let bytes = model.to_bytes(StyleDtype::F32).unwrap();
    for end in [1, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        let message = read(bytes[..end].to_vec()).unwrap_err().to_string();
        assert!(message.contains("truncated") || message.contains("not a style model"), "{end}: {message}");
    }
    let mut spoilt = bytes.clone();
    let last = spoilt.len() - 4;
    spoilt[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(read(spoilt).unwrap_err().to_string().contains("`out.bias` that is not finite"));
    let integers = replace(&bytes, r#""F32""#, r#""I32""#);
    assert!(read(integers).unwrap_err().to_string().contains("stored as i32"));
    for (from, to) in [(r#"\"styles\":"#, r#"\"stiles\":"#), (r#"great-wave"#, r#"the-scream"#)] {
        let message = read(replace(&bytes, from, to)).unwrap_err().to_string();
        assert!(message.contains("damaged description"), "{message}");
    }
    assert_eq!(card(3), model.card);
}

fn read(bytes: Vec<u8>) -> Result<StyleModel, StyleModelError> {
    StyleModel::from_bytes("model", bytes)
}

/// The first place of a text in the file replaced by one of the same length.
#[track_caller]
fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap_or_else(|| panic!("no {from}"));
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

//! Networks for other programs: what they read back is the same network, and what ONNX Runtime paints with it is what
//! the kernels paint.

mod common;

use std::{fs, path::Path, process::Command};

use common::{
    python,
    styles::{any_style_model, card, furthest, model, paint, paint_with},
};
use impasto_nn::{
    describe,
    formats::{Format, ModelKind, TensorFile},
    kernels::{Normalisation, StyleNetShape},
    style_model::{StyleModel, StyleModelError},
    style_predictor::{STYLE_TAPS, statistics},
    trunk::{CpuTrunk, Packing, Pooling, Trunk},
    vgg::{Vgg, VggKind},
};

const SMALL: StyleNetShape = StyleNetShape { width: 16, residual_blocks: 1, styles: 3, ..StyleNetShape::JOHNSON };

/// Sizes that leave every rest modulo 4 in each direction, from the least size up.
const SIZES: [(usize, usize); 7] = [(16, 16), (17, 18), (19, 17), (18, 31), (46, 33), (64, 48), (93, 70)];

/// One test, so that ONNX Runtime is started for one network after the other.
#[test]
fn onnx_runtime_paints_what_the_kernels_paint() {
    let Some(interpreter) = python::interpreter_with(&["onnx", "onnxruntime"]) else { return };
    let shares = [0.25, 0.0, 0.75];
    check_onnx(interpreter, &model(SMALL), &shares, &SIZES);
    check_onnx(interpreter, &model(StyleNetShape::johnson(1)), &[1.0], &SIZES[5..]);
}

/// Exports a blend, and paints crops of a real picture with it both ways.
fn check_onnx(interpreter: &Path, model: &StyleModel, shares: &[f32], sizes: &[(usize, usize)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    model.blend(shares).save_onnx(&path).unwrap();
    for &(h, w) in sizes {
        write(&folder.path().join(format!("{h}x{w}.f32")), &crop(h, w));
    }
    python::run(Command::new(interpreter).arg(python::tool("run_onnx.py")).arg(&path).arg(folder.path())).unwrap();
    for &(h, w) in sizes {
        let theirs = read(&folder.path().join(format!("{h}x{w}.out")));
        let ours = paint(model, &crop(h, w), h, w, shares);
        // Of 0–255; rounding alone gives some 1e-3.
        let error = furthest(&ours, &theirs);
        assert!(error < 0.02, "{error} of 255 at {w}×{h}");
    }
}

#[test]
fn onnx_runtime_paints_in_any_style_what_the_kernels_paint() {
    let Some(interpreter) = python::interpreter_with(&["onnx", "onnxruntime"]) else { return };
    let (model, vgg) = (any_style_model(SMALL), Vgg::builtin());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any.onnx");
    model.save_onnx_of_any_style(&vgg, &path).unwrap();
    let (sizes, style_sizes) = ([(17, 18), (64, 48)], [(93, 70), (8, 41)]);
    for (h, w) in sizes {
        write(&folder.path().join(format!("{h}x{w}.f32")), &crop(h, w));
    }
    for (h, w) in style_sizes {
        write(&folder.path().join(format!("{h}x{w}.style")), &negative(h, w));
    }
    python::run(Command::new(interpreter).arg(python::tool("run_onnx.py")).arg(&path).arg(folder.path())).unwrap();
    for (h, w) in sizes {
        let [one, other] = style_sizes.map(|(style_h, style_w)| {
            let theirs = read(&folder.path().join(format!("{h}x{w}-{style_h}x{style_w}.out")));
            let predicted = predicted(&model, &vgg, &negative(style_h, style_w), style_h, style_w);
            let ours = paint_with(&model, &crop(h, w), (h, w), Normalisation::Given(&predicted));
            let error = furthest(&ours, &theirs);
            assert!(error < 0.02, "{error} of 255 at {w}×{h} in a style of {style_w}×{style_h}");
            ours
        });
        assert!(furthest(&one, &other) > 10.0, "two styles");
    }
}

/// Scales and shifts for a style, by the kernels.
fn predicted(model: &StyleModel, vgg: &Vgg, style: &[f32], height: usize, width: usize) -> Vec<f32> {
    let names = vgg.kind.layer_names();
    let tap = |relu: &str| names.iter().position(|name| name.replace("conv", "relu") == relu).unwrap();
    let taps = STYLE_TAPS.map(tap);
    let mut trunk = CpuTrunk::new(vgg, Pooling::Average, &taps, 2, None, Packing::Sparing).unwrap();
    let moments = trunk.forward_with_moments(style, height, width, false, &taps.map(|tap| (tap, None)));
    model.predictor.as_ref().unwrap().predict(&statistics(&moments))
}

fn write(path: &Path, values: &[f32]) {
    fs::write(path, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()).unwrap();
}

fn read(path: &Path) -> Vec<f32> {
    fs::read(path).unwrap().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// The upper left corner of the photograph.
fn crop(h: usize, w: usize) -> Vec<f32> {
    let (picture, height, width) = photograph();
    let rows = (0..3 * height).filter(|row| row % height < h);
    rows.flat_map(|row| picture[row * width..][..w].to_vec()).collect()
}

fn negative(h: usize, w: usize) -> Vec<f32> {
    crop(h, w).iter().map(|value| 255.0 - value).collect()
}

/// A photograph, planar RGB 0–255, its height and width.
fn photograph() -> (Vec<f32>, usize, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/vgg19-93x70.safetensors");
    let mut file = TensorFile::open(&path).unwrap();
    let content = file.find("content").unwrap();
    (file.read(content).unwrap(), 93, 70)
}

#[test]
fn an_exported_network_comes_back() {
    for (shape, torch) in [(SMALL, false), (StyleNetShape::johnson(2), true)] {
        let mut shares = vec![0.0; shape.styles];
        shares[1] = 1.0;
        let alone = model(shape).blend(&shares);
        let onnx = alone.to_onnx().unwrap();
        check_return(&alone, StyleModel::import_bytes("model.onnx", onnx).unwrap());
        if torch {
            let pytorch = alone.to_pytorch().unwrap();
            check_return(&alone, StyleModel::import_bytes("model.safetensors", pytorch).unwrap());
        }
    }
}

fn check_return(model: &StyleModel, back: StyleModel) {
    assert_eq!(back.shape, model.shape);
    // Divided by 255 and multiplied again.
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= a.abs() * 2e-7;
    assert!(model.parameters.iter().zip(&back.parameters).all(near));
}

#[test]
fn exported_files_are_described() {
    let folder = tempfile::tempdir().unwrap();
    let alone = model(SMALL).blend(&[0.0, 1.0, 0.0]);
    let path = folder.path().join("model.onnx");
    alone.save_onnx(&path).unwrap();
    let described = describe(&path).unwrap();
    assert_eq!((described.format, described.kind), (Format::Onnx, ModelKind::Style));
    assert_eq!(described.metadata["style"], "great-wave");
    assert_eq!(described.metadata["license"], "CC0-1.0");
    assert_eq!(described.metadata["picture_sha256"], "5e".repeat(32));

    let path = folder.path().join("any.onnx");
    let mut any = any_style_model(SMALL);
    any.card.training = Some(serde_json::json!({"settings": {"style_size": 192}}));
    any.save_onnx_of_any_style(&Vgg::builtin(), &path).unwrap();
    let described = describe(&path).unwrap().metadata;
    assert_eq!((described["style_size"].as_str(), described.get("style")), ("192", None));
    let error = StyleModel::import(&path).unwrap_err().to_string();
    assert!(error.contains("it takes 2 inputs, not one picture"), "{error}");
}

#[test]
fn a_blend_is_what_the_network_paints_with_these_shares() {
    let many = model(SMALL);
    let (picture, _, _) = photograph();
    let picture = &picture[..3 * 20 * 24];
    for shares in [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.25, 0.25]] {
        let blend = many.blend(&shares);
        assert_eq!(blend.shape.styles, 1);
        let error = furthest(&paint(&blend, picture, 20, 24, &[1.0]), &paint(&many, picture, 20, 24, &shares));
        assert!(error < 0.01, "{error} of 255");
    }
    let styles = card(3).styles;
    assert_eq!(many.blend(&[0.0, 0.0, 1.0]).card.styles, styles[2..]);
    assert_eq!(many.blend(&[0.5, 0.0, 0.5]).card.styles[0].name, "the-scream:0.5+starry-night:0.5");
    assert_eq!((many.style("great-wave"), many.style("waves")), (Some(1), None));
}

#[test]
fn what_cannot_be_exported_says_why() {
    let several = model(SMALL);
    let alone = several.blend(&[1.0, 0.0, 0.0]);
    let mut spoilt = alone.clone();
    spoilt.parameters[0] = f32::NAN;
    let mut spoilt_predictor = any_style_model(SMALL);
    spoilt_predictor.predictor.as_mut().unwrap().parameters[0] = f32::NAN;
    let vgg19 = Vgg::builtin();
    let vgg16 = Vgg { kind: VggKind::Vgg16, ..vgg19.clone() };
    for (result, part) in [
        (several.to_onnx(), "ONNX holds one style and it has 3: choose or blend them"),
        (several.to_pytorch(), "holds one style and it has 3"),
        (alone.to_pytorch(), "32 channels wide with 5 residual blocks, not 16 with 1"),
        (spoilt.to_onnx(), "a value that is not finite"),
        (several.to_onnx_of_any_style(&vgg19), "it takes no picture as a style"),
        (any_style_model(SMALL).to_onnx_of_any_style(&vgg16), "through VGG19, not VGG16"),
        (spoilt_predictor.to_onnx_of_any_style(&vgg19), "a value that is not finite"),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, StyleModelError::Unwritable { .. }) && error.to_string().contains(part), "{error}");
    }
}

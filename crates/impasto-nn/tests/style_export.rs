//! Networks for other programs: what they read back is the same network, and what ONNX Runtime paints with it is what
//! the kernels paint.

mod common;

use std::{fs, path::Path, process::Command};

use common::{
    python,
    styles::{card, furthest, model, paint},
};
use impasto_nn::{
    describe,
    formats::{Format, ModelKind, TensorFile},
    kernels::StyleNetShape,
    style_model::{StyleModel, StyleModelError},
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
    let (picture, height, width) = photograph();
    let crop = |h: usize, w: usize| -> Vec<f32> {
        let rows = (0..3 * height).filter(|row| row % height < h);
        rows.flat_map(|row| picture[row * width..][..w].to_vec()).collect()
    };
    for &(h, w) in sizes {
        let bytes: Vec<u8> = crop(h, w).iter().flat_map(|v| v.to_le_bytes()).collect();
        fs::write(folder.path().join(format!("{h}x{w}.f32")), bytes).unwrap();
    }
    python::run(Command::new(interpreter).arg(python::tool("run_onnx.py")).arg(&path).arg(folder.path())).unwrap();
    for &(h, w) in sizes {
        let theirs = fs::read(folder.path().join(format!("{h}x{w}.out"))).unwrap();
        let theirs: Vec<_> = theirs.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let ours = paint(model, &crop(h, w), h, w, shares);
        // Of 0–255; rounding alone gives some 1e-3.
        let error = furthest(&ours, &theirs);
        assert!(error < 0.02, "{error} of 255 at {w}×{h}");
    }
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
    for (result, part) in [
        (several.to_onnx(), "ONNX holds one style and it has 3: choose or blend them"),
        (several.to_pytorch(), "holds one style and it has 3"),
        (alone.to_pytorch(), "32 channels wide with 5 residual blocks, not 16 with 1"),
        (spoilt.to_onnx(), "a value that is not finite"),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, StyleModelError::Unwritable { .. }) && error.to_string().contains(part), "{error}");
    }
}

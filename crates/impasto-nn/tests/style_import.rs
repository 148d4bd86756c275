//! Networks of other programs: every file that holds the same one gives the same model, which paints what PyTorch paints.
//!
//! `tests/styles` is made by `tools/make_style_fixtures.py`, where ONNX Runtime agrees with PyTorch on each ONNX file.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::styles::{Expected, furthest, paint};
use impasto_nn::{
    describe,
    formats::{Format, ModelKind},
    kernels::StyleNetShape,
    style_model::{StyleDtype, StyleModel, StyleModelError},
};

/// All files that hold the network, but for what it paints.
const FILES: [(&str, Format); 8] = [
    ("narrow-current.pth", Format::PytorchZip),
    ("narrow-module.pth", Format::PytorchZip),
    ("narrow-old.pth", Format::PytorchLegacy),
    ("narrow-oldest.pth", Format::PytorchLegacy),
    ("narrow.safetensors", Format::Safetensors),
    ("narrow-9.onnx", Format::Onnx),
    ("narrow-11.onnx", Format::Onnx),
    ("narrow-17-numbers.onnx", Format::Onnx),
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/styles").join(name)
}

#[test]
fn an_imported_network_paints_what_pytorch_paints() {
    let model = StyleModel::import(&path("narrow-current.pth")).unwrap();
    // Filled up from 4 channels.
    assert_eq!(model.shape, StyleNetShape { width: 16, residual_blocks: 2, styles: 1, ..StyleNetShape::JOHNSON });
    assert_eq!((model.card.name.as_str(), model.card.styles[0].name.as_str()), ("narrow-current", "narrow-current"));
    assert_eq!(model.card.source.as_deref(), Some("imported from narrow-current.pth"));
    let expected = Expected::read(&path("narrow.expected.safetensors"));
    let painted = paint(&model, &expected.picture, expected.height, expected.width, &[1.0]);
    // Single precision goes this far in PyTorch too (6e-4); a wrong padding or a bias lost goes to tens.
    let error = furthest(&painted, &expected.output);
    assert!(error < 0.01, "{error} of 255");
}

#[test]
fn every_file_of_a_network_gives_the_same_model() {
    let first = StyleModel::import(&path(FILES[0].0)).unwrap();
    for (name, format) in FILES {
        let described = describe(&path(name)).unwrap();
        assert_eq!((described.format, described.kind), (format, ModelKind::Style), "{name}");
        let model = StyleModel::import(&path(name)).unwrap();
        assert!((model.shape, &model.parameters) == (first.shape, &first.parameters), "{name}");
    }
}

#[test]
fn what_cannot_be_imported_says_why() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, part) in [
        ("weights/vgg19-codebook8.safetensors", "is a safetensors file of another network, which cannot be imported"),
        ("tests/fixtures/resnet.pth", "is a PyTorch file of another network"),
        ("../../examples/pictures/chelsea.png", "is a PNG picture, which cannot be imported"),
        ("tests/fixtures/torch-tar.pth", "is a tar archive"),
        ("tests/fixtures/evil-zip.pth", "which impasto does not run"),
        ("missing.pth", "does not exist"),
    ] {
        let message = StyleModel::import(&folder.join(path)).unwrap_err().to_string();
        assert!(message.contains(part) && message.contains(path), "{message} should say: {part}");
    }
    let own = StyleModel::import(&path("narrow-9.onnx")).unwrap().to_bytes(StyleDtype::F32).unwrap();
    let error = StyleModel::import_bytes("own", own).unwrap_err();
    assert!(matches!(error, StyleModelError::AlreadyOwn { .. }), "{error}");
    let error = StyleModel::load(&path("narrow.safetensors")).unwrap_err();
    assert!(matches!(error, StyleModelError::OtherProgram { .. }), "{error}");
}

#[test]
fn a_changed_checkpoint_names_the_change() {
    let bytes = fs::read(path("narrow.safetensors")).unwrap();
    for (from, to, part) in [
        ("res2.in2.weight", "res2.in3.weight", "`res2.in2.weight` is missing"),
        ("res2.conv1.conv2d.weight", "res3.conv1.conv2d.weight", "`res2.conv1.conv2d.bias` is no part"),
        ("[8,4,3,3]", "[4,8,3,3]", "`conv2.conv2d.weight` is 4×8×3×3, not …×4×3×3"),
        ("[4,3,9,9]", "[9,3,9,4]", "`conv1.conv2d.weight` is 9×3×9×4, not …×3×9×9"),
        ("[3,4,9,9]", "[9,4,9,3]", "`deconv3.conv2d.weight` is 9×4×9×3"),
    ] {
        let message = StyleModel::import_bytes("changed", replace(&bytes, from, to)).unwrap_err().to_string();
        assert!(message.contains(part), "{message} should say: {part}");
    }
}

#[test]
fn a_changed_graph_names_the_change() {
    let bytes = fs::read(path("narrow-9.onnx")).unwrap();
    for (from, to, part) in [
        ("\"\x04Relu", "\"\x04Tanh", "`Tanh` stands where `Relu` belongs, as operation 4"),
        ("\"\x03Add", "\"\x03Sub", "`Sub` stands where `Add` belongs"),
        ("reflect", "maximal", "it pads by `maximal`, not by reflection"),
        ("\"\x04Conv", "\"\x04Conf", "`Conf` stands where `Conv` belongs"),
        ("nearest", "closest", "it enlarges by `closest`"),
        ("/Relu_2_output_0\n", "/Relu_1_output_0\n", "operation 20, `Add`, takes another result than it should"),
    ] {
        let message = StyleModel::import_bytes("changed", replace(&bytes, from, to)).unwrap_err().to_string();
        assert!(message.contains(part), "{message} should say: {part}");
    }
    let scales = [1.0_f32, 1.0, 2.0, 2.0].map(f32::to_le_bytes).concat();
    let at = bytes.windows(16).position(|window| window == scales).unwrap();
    let mut changed = bytes.clone();
    changed[at + 12..at + 16].copy_from_slice(&3.0_f32.to_le_bytes());
    let message = StyleModel::import_bytes("changed", changed).unwrap_err().to_string();
    assert!(message.contains("another factor than 2"), "{message}");
    // The attribute `pads` of the first padding: its last integer is 4.
    let at = bytes.windows(6).position(|window| window == b"\x0a\x04pads").unwrap();
    let last = at + bytes[at..].windows(2).position(|window| window == b"\x40\x04").unwrap();
    let mut changed = bytes.clone();
    changed[last + 1] = 3;
    let message = StyleModel::import_bytes("changed", changed).unwrap_err().to_string();
    assert!(message.contains("`conv1.conv2d.weight` is not 4 on each side"), "{message}");
    for end in [3, 1000, bytes.len() / 2, bytes.len() - 1] {
        let message = StyleModel::import_bytes("cut", bytes[..end].to_vec()).unwrap_err().to_string();
        assert!(message.contains("cut short") || message.contains("truncated"), "{message}");
    }
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

//! Small files made by PyTorch, SciPy and safetensors (`tools/make_weight_fixtures.py`), read tensor by tensor.

use std::{collections::BTreeMap, fs, path::PathBuf};

use impasto_nn::formats::{Format, TensorFile};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Names, types, shapes, and every value to the last bit, in the order of the file.
#[test]
fn every_fixture_gives_what_its_maker_reads() {
    let expected = expected();
    assert_eq!(expected.len(), 17);
    for (name, expected) in expected {
        let mut file = TensorFile::open(&fixture(&name)).unwrap();
        let tensors = expected["tensors"].as_array().unwrap();
        let mut names: Vec<_> = file.tensors().iter().map(|t| t.name.clone()).collect();
        let mut wanted: Vec<_> = tensors.iter().map(|t| t["name"].as_str().unwrap().to_string()).collect();
        if file.format() == Format::Safetensors {
            // A safetensors file orders its tensors by their alignment.
            names.sort();
            wanted.sort();
        }
        assert_eq!(names, wanted, "{name}");
        for wanted in tensors {
            let what = format!("{name}: {}", wanted["name"]);
            let number = file.find(wanted["name"].as_str().unwrap()).unwrap();
            let info = file.tensors()[number].clone();
            assert_eq!(info.dtype.name(), wanted["dtype"].as_str().unwrap(), "{what}");
            let shape: Vec<_> =
                wanted["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
            assert_eq!(info.shape, shape, "{what}");
            let values: Vec<_> =
                wanted["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
            assert_eq!(file.read(number).unwrap(), values, "{what}");
        }
        for (key, value) in expected["metadata"].as_object().unwrap() {
            assert_eq!(file.metadata().get(key).map(String::as_str), value.as_str(), "{name}: {key}");
        }
    }
}

/// Tensors may be asked for in any order, also from a packed file that is read from front to back.
#[test]
fn tensors_are_read_in_any_order() {
    for name in ["mat-new-packed.mat", "torch-deflated.pth", "torch-legacy.pth", "kinds.safetensors"] {
        let mut forward = TensorFile::open(&fixture(name)).unwrap();
        let mut backward = TensorFile::open(&fixture(name)).unwrap();
        let count = forward.tensors().len();
        let straight: Vec<_> = (0..count).map(|n| forward.read(n).unwrap()).collect();
        let mut turned: Vec<_> = (0..count).rev().map(|n| backward.read(n).unwrap()).collect();
        turned.reverse();
        assert_eq!(straight, turned, "{name}");
    }
}

/// The container is told by the first bytes; names say nothing.
#[test]
fn formats_are_told_by_content() {
    let of = |name: &str| TensorFile::from_bytes("weights.jpg", fs::read(fixture(name)).unwrap()).unwrap().format();
    assert_eq!(of("torch-zip.pth"), Format::PytorchZip);
    assert_eq!(of("torch-legacy.pth"), Format::PytorchLegacy);
    assert_eq!(of("mat-old-plain.mat"), Format::Matlab);
    assert_eq!(of("mat-big-endian.mat"), Format::Matlab);
    assert_eq!(of("kinds.safetensors"), Format::Safetensors);
}

//! Everything that can be wrong with a file gets one clear sentence that names it.

mod common;

use std::{fs, path::Path};

use common::networks::{Whole, zeros};
use impasto_nn::{
    LoadError, describe,
    formats::{Dtype, ModelKind, TensorFile},
    vgg::{Preprocessing, Vgg, VggKind},
};
use safetensors::tensor::{TensorView, serialize};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// Loads bytes under a name that promises nothing.
fn load(bytes: impl Into<Vec<u8>>) -> Result<Vgg, LoadError> {
    TensorFile::from_bytes("some/file", bytes.into())?.vgg()
}

/// The message, after checking its form.
fn message(result: Result<Vgg, LoadError>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(message.starts_with('`'), "the file comes first: {message}");
    assert!(message.contains(": "), "it says what to do: {message}");
    assert!(!message.contains('\n') && !message.ends_with('.'), "one sentence: {message}");
    message
}

#[track_caller]
fn expect(bytes: impl Into<Vec<u8>>, part: &str) {
    let message = message(load(bytes));
    assert!(message.starts_with("`some/file` ") && message.contains(part), "{message} should say: {part}");
}

#[test]
fn paths_that_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    assert!(message(Vgg::load(&folder.path().join("missing.mat"))).contains("does not exist"));
    assert!(message(Vgg::load(folder.path())).contains("is a directory"));
    let empty = folder.path().join("empty.pth");
    fs::write(&empty, "").unwrap();
    assert!(message(Vgg::load(&empty)).contains("is empty"));
    assert!(describe(&empty).is_err());
    if Path::new("/dev/zero").exists() {
        assert!(message(Vgg::load(Path::new("/dev/zero"))).contains("not a file"));
    }
}

#[test]
fn files_that_are_no_models() {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures");
    expect(fs::read(pictures.join("rocket.jpg")).unwrap(), "is a JPEG picture");
    expect(fs::read(pictures.join("coffee.png")).unwrap(), "is a PNG picture");
    expect(fs::read(file!().replace("crates/impasto-nn/", "")).unwrap(), "is a text");
    expect(" <!DOCTYPE html><html><body>404 Not Found</body></html>", "is a web page");
    expect("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer");
    expect(b"RIFF\x10\0\0\0WEBPVP8 ", "is a WebP picture");
    expect(b"\x1f\x8b\x08\0\0\0\0\0", "gzip archive");
    expect((0..=255).collect::<Vec<u8>>(), "of an unknown kind");
    expect([0; 7], "of an unknown kind");
    expect(fixture("arrays.npz"), "a zip archive without a PyTorch file");
    expect(fixture("plain.pkl"), "a Python pickle without PyTorch tensors");
}

#[test]
fn containers_that_are_not_read() {
    expect(b"\x89HDF\r\n\x1a\n\0\0\0\0", "HDF5");
    let mut newer = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".to_vec();
    newer.resize(124, b' ');
    newer.extend_from_slice(&[0, 2, b'I', b'M']);
    newer.resize(512, 0);
    newer.extend_from_slice(b"\x89HDF\r\n\x1a\n");
    expect(newer, "a MATLAB 7.3 file (HDF5 inside), which is not supported: store it in MATLAB with `save -v7`");
    expect(fixture("torch-tar.pth"), "before version 0.1.10");
    expect(fixture("torch-script.pt"), "TorchScript");
    expect(b"\n\x16VGG_ILSVRC_19_layers\x12\x04data", "a Caffe model");
}

#[test]
fn unpickling_runs_nothing() {
    for name in ["evil-zip.pth", "evil-legacy.pth"] {
        expect(fixture(name), "asks for the Python object `posix.system`, which impasto does not run");
        assert!(!Path::new("impasto-was-here").exists());
    }
    expect(fixture("torch-module.pth"), "__main__.Network`");
}

#[test]
fn other_networks() {
    expect(fixture("vgg-bn.pth"), "holds another network (a VGG with batch normalisation)");
    expect(fixture("resnet.pth"), "holds another network (a ResNet");
    expect(fixture("kinds.safetensors"), "holds another network (its first tensor is `long`)");
    expect(fixture("mat-new-packed.mat"), "holds another network");
    expect(
        zeros(&[("features.0.weight", &[64, 3, 11, 11]), ("features.3.weight", &[192, 64, 5, 5])]),
        "another network",
    );
    let vgg13 = [0, 2, 5, 7, 10, 12, 15, 17, 20, 22].map(|n| format!("features.{n}.weight"));
    let vgg13: Vec<_> = vgg13.iter().map(|n| (n.as_str(), [1].as_slice())).collect();
    expect(zeros(&vgg13), "a VGG13");
    let style = [("model.0.1.weight", [32, 3, 9, 9].as_slice()), ("model.9.1.weight", &[3, 32, 9, 9])];
    expect(zeros(&style), "a network that stylises pictures");
    expect(zeros(&[]), "it has no tensors");
}

#[test]
fn other_networks_are_described() {
    let described = |bytes: Vec<u8>| TensorFile::from_bytes("some/file", bytes).unwrap().describe().unwrap();
    let batch = described(fixture("vgg-bn.pth"));
    assert_eq!((batch.kind, batch.network, batch.preprocessing), (ModelKind::Unknown, None, None));
    assert!(batch.problem.unwrap().contains("batch normalisation"));
    assert_eq!(batch.tensors.len(), 7);
    let style = described(zeros(&[("a.weight", &[32, 3, 9, 9]), ("z.weight", &[3, 32, 9, 9])]));
    assert_eq!(style.kind, ModelKind::Style);
    let json = serde_json::to_value(described(fixture("torch-nested-zip.pth"))).unwrap();
    assert_eq!((json["format"].as_str(), json["kind"].as_str()), (Some("pytorch-zip"), Some("unknown")));
    assert_eq!(json["tensors"][0]["dtype"], "f32");
    assert_eq!(json["tensors"][0]["shape"][0], 4);
}

#[test]
fn networks_that_are_not_whole() {
    let changed = |change: fn(&mut Whole)| {
        let mut whole = Whole::torchvision(VggKind::Vgg19);
        change(&mut whole);
        whole.write(Dtype::F32)
    };
    expect(changed(|w| w.tensors.truncate(30)), "holds a VGG19 without `features.34.weight`");
    expect(changed(|w| w.tensors.truncate(31)), "holds a VGG19 without `features.34.bias`");
    expect(
        changed(|w| {
            let filters = w.tensor("features.10.weight");
            filters.1 = vec![128, 256, 3, 3];
        }),
        "has `features.10.weight` of shape 128×256×3×3 where VGG19 has 256×128×3×3",
    );
    expect(changed(|w| w.tensor("features.2.bias").1 = vec![64, 1]), "of shape 64×1 where VGG19 has 64");
    expect(changed(|w| w.tensor("features.5.weight").2[1000] = f32::NAN), "`features.5.weight` that is not finite");
    expect(changed(|w| w.tensor("features.34.bias").2[0] = f32::INFINITY), "`features.34.bias` that is not finite");
    let integers = Whole::torchvision(VggKind::Vgg19).write(Dtype::I32);
    expect(integers, "has `features.0.weight` stored as i32");
}

#[test]
fn truncated_files() {
    for (name, part) in [
        ("torch-zip.pth", "PyTorch file"),
        ("torch-legacy.pth", "PyTorch file"),
        ("mat-new-packed.mat", "MATLAB file"),
        ("mat-old-plain.mat", "MATLAB file"),
        ("kinds.safetensors", "safetensors file"),
    ] {
        let bytes = fixture(name);
        for keep in [bytes.len() - 1, bytes.len() / 2, 200, 130, 100, 60] {
            let message = message(load(&bytes[..keep]));
            let right = message.contains(&format!("ends too early for a {part}")) && message.contains("fetch it again");
            assert!(right, "{keep} bytes of {name}: {message}");
        }
    }
}

#[test]
fn damaged_files() {
    let flipped = |name: &str, at: usize| {
        let mut bytes = fixture(name);
        bytes[at] ^= 1;
        let mut file = TensorFile::from_bytes("some/file", bytes)?;
        (0..file.tensors().len()).try_for_each(|n| file.read(n).map(drop))
    };
    // Inside the first storage of the archive: its checksum does not match any more.
    let storage = fixture("torch-zip.pth").windows(6).position(|w| w == b"data/0").unwrap();
    let message = flipped("torch-zip.pth", storage + 128).unwrap_err().to_string();
    assert!(message.contains("damaged PyTorch file"), "{message}");
    let message = flipped("mat-new-packed.mat", 400).unwrap_err().to_string();
    assert!(message.contains("damaged MATLAB file"), "{message}");
}

/// The built-in network with one tensor replaced.
fn builtin_with(name: &str, dtype: safetensors::Dtype, change: fn(&mut Vec<usize>, &mut Vec<u8>)) -> Vec<u8> {
    let builtin = safetensors::SafeTensors::deserialize(include_bytes!("../weights/vgg19-codebook8.safetensors"));
    let builtin = builtin.unwrap();
    let view = builtin.tensor(name).unwrap();
    let (mut shape, mut data) = (view.shape().to_vec(), view.data().to_vec());
    change(&mut shape, &mut data);
    let changed = TensorView::new(dtype, shape, &data).unwrap();
    let others = builtin.tensors().into_iter().filter(|(other, _)| other != name);
    serialize(others.chain([(name.to_string(), changed)]), None).unwrap()
}

#[test]
fn codebooks_must_cover_their_indices() {
    use safetensors::Dtype::{F32, U16};
    let short = builtin_with("conv3_1.weight.codebook", F32, |shape, data| {
        *shape = vec![100];
        data.truncate(400);
    });
    expect(short, "`conv3_1.weight.index` points beyond its codebook");
    let wide = builtin_with("conv1_2.weight.index", U16, |_, data| data.resize(data.len() * 2, 0));
    expect(wide, "`conv1_2.weight.index` stored as u16");
    // Without a word about its input, and with its tensors in another order, the network is itself.
    let same = load(builtin_with("conv1_1.bias", F32, |_, _| {})).unwrap();
    assert!(same.preprocessing == Preprocessing::CAFFE && same.convolutions == Vgg::builtin().convolutions);
}

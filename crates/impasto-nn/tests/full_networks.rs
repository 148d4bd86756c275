//! Whole networks in every container, made by Python from the built-in weights, are the built-in network again.

mod common;

use std::{fs, path::Path, process::Command};

use common::python;
use impasto_nn::{
    describe,
    formats::{Format, ModelKind},
    vgg::{Preprocessing, Vgg, VggKind},
};

/// One test, so that its peak of memory is its own.
#[test]
fn whole_networks_are_read_to_the_last_bit() {
    let Some(interpreter) = python::interpreter() else { return };
    let builtin = Vgg::builtin();
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("weights.f32");
    fs::write(&weights, raw(&builtin)).unwrap();
    let script = python::tool("make_full_weight_files.py");
    python::run(Command::new(interpreter).arg(script).arg(&weights).arg(folder.path())).unwrap();

    // Its fully connected layers have their real 495 MB unpacked; a network has 80.
    let before = peak_memory();
    check(&folder.path().join("new-packed-real-size.mat"), Format::Matlab, &builtin);
    if let Some((before, after)) = before.zip(peak_memory()) {
        assert!(after - before < 160 << 10, "peak memory grew from {before} kB to {after} kB");
    }
    for (name, format) in [
        ("new-plain.mat", Format::Matlab),
        ("old-plain.mat", Format::Matlab),
        ("old-bgr.mat", Format::Matlab),
        ("caffe-zip.pth", Format::PytorchZip),
        ("caffe-legacy.pth", Format::PytorchLegacy),
    ] {
        check(&folder.path().join(name), format, &builtin);
    }
    check_half(&folder.path().join("caffe-half.pth"), &builtin);
    check_damage(&folder.path().join("new-packed-real-size.mat"));
}

/// The weights and biases of all layers, one after the other, little-endian.
fn raw(vgg: &Vgg) -> Vec<u8> {
    let values = vgg.convolutions.iter().flat_map(|c| c.weight.iter().chain(&c.bias));
    values.flat_map(|v| v.to_le_bytes()).collect()
}

fn check(path: &Path, format: Format, builtin: &Vgg) {
    let loaded = Vgg::load(path).unwrap();
    assert_eq!((loaded.kind, loaded.preprocessing), (VggKind::Vgg19, Preprocessing::CAFFE), "{}", path.display());
    for (layer, (ours, theirs)) in builtin.convolutions.iter().zip(&loaded.convolutions).enumerate() {
        assert!(ours == theirs, "layer {layer} of {}", path.display());
    }
    let description = describe(path).unwrap();
    assert_eq!((description.format, description.kind), (format, ModelKind::Network));
    assert_eq!((description.network, description.problem), (Some(VggKind::Vgg19), None));
    let listed = |name: &str| description.tensors.iter().any(|t| t.name == name);
    assert!(listed("fc8.weight") || listed("classifier.0.weight"), "{}", path.display());
}

fn check_half(path: &Path, builtin: &Vgg) {
    let loaded = Vgg::load(path).unwrap();
    assert_eq!(loaded.preprocessing, Preprocessing::CAFFE);
    for (ours, theirs) in builtin.convolutions.iter().zip(&loaded.convolutions) {
        // Half precision keeps 11 bits; below 6e-5 its steps are 6e-8.
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= a.abs() / 2048.0 + 3e-8;
        assert!(ours.weight.iter().zip(&theirs.weight).all(near));
    }
}

/// A real file that was cut short, or that lost one bit on its way, is told from a whole one.
fn check_damage(path: &Path) {
    let whole = fs::read(path).unwrap();
    let damaged = path.with_extension("damaged");
    fs::write(&damaged, &whole[..whole.len() - 5000]).unwrap();
    let message = Vgg::load(&damaged).unwrap_err().to_string();
    assert!(message.contains("truncated"), "{message}");
    let mut flipped = whole;
    flipped[9_000_000] ^= 4;
    fs::write(&damaged, flipped).unwrap();
    let message = Vgg::load(&damaged).unwrap_err().to_string();
    assert!(message.contains("damaged"), "{message}");
}

/// The most memory that this process ever had, in kB, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

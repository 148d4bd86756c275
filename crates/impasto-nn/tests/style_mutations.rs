//! Thousands of damaged style models of every format, and some made to do harm: an answer each time, soon, and in little
//! memory.

mod common;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Instant,
};

use common::damage::{Random, damage};
use impasto_nn::{
    kernels::StyleNetShape,
    style_model::{StyleDtype, StyleModel},
};

/// Damaged copies of each file.
const COPIES: u64 = 600;

#[test]
fn damaged_style_models_are_answered() {
    let mut readable = 0;
    let files = files();
    for (number, (name, whole)) in files.iter().enumerate() {
        for copy in 0..COPIES {
            let mut random = Random::new(number as u64 * COPIES + copy);
            let damaged = damage(whole, &mut random);
            let start = Instant::now();
            let answer = catch_unwind(AssertUnwindSafe(|| read(damaged)));
            readable += u64::from(answer.unwrap_or_else(|_| panic!("copy {copy} of {name}")));
            assert!(start.elapsed().as_secs() < 10, "copy {copy} of {name} took {:?}", start.elapsed());
        }
    }
    // Most damage hits one number of the network, which goes unseen where there is no checksum.
    let all = files.len() as u64 * COPIES;
    assert!(readable > all / 20 && readable < all * 9 / 10, "{readable} of {all} could be read");
}

/// What is read is a model: it has what its shape needs, all of it finite, and a description that fits.
fn read(bytes: Vec<u8>) -> bool {
    let models = [StyleModel::from_bytes("damaged", bytes.clone()), StyleModel::import_bytes("damaged", bytes)];
    let sound = |model: &StyleModel| {
        assert_eq!(model.parameters.len(), model.shape.parameter_count());
        assert_eq!(model.card.styles.len(), model.shape.styles);
        assert!(model.parameters.iter().all(|value| value.is_finite()));
    };
    models.iter().flatten().inspect(|model| sound(model)).count() > 0
}

/// All files that hold a network, and models of ours with every field filled.
fn files() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/styles");
    let read = |entry: Result<fs::DirEntry, _>| {
        let path = entry.unwrap().path();
        (path.display().to_string(), fs::read(path).unwrap())
    };
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(read).collect();
    files.sort();
    assert!(files.len() >= 9);
    let own =
        common::styles::model(StyleNetShape { width: 16, residual_blocks: 1, styles: 2, ..StyleNetShape::JOHNSON });
    for dtype in [StyleDtype::F32, StyleDtype::F16] {
        files.push((format!("{dtype:?}"), own.to_bytes(dtype).unwrap()));
    }
    files
}

/// Protobuf that announces more than there is, or says little with much.
#[test]
fn hostile_graphs_are_answered() {
    expect(onnx(&field(7, &field(5, &[field(1, b""), vec![0x4a, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat()))), "spoilt");
    expect(onnx(&[0x3a, 0xff, 0xff, 0xff, 0x7f]), "spoilt");
    expect(onnx(&field(7, &[0xff; 64])), "spoilt");
    expect(onnx(&field(7, &field(1, b"").repeat(1_000_000))), "more parts than any network");
    expect(onnx(&field(7, &field(5, b"").repeat(1_000_000))), "more parts than any network");
    expect(onnx(&field(7, &field(5, b"").repeat(2))), "two tensors are called");
    // A tensor of 2⁶² values in 4 bytes, and one with a negative side.
    let dims = [vec![0x08], vec![0x80; 8], vec![0x40]].concat();
    let tensor = [dims, vec![0x10, 1], field(8, b"w"), field(9, &[0; 4])].concat();
    expect(onnx(&field(7, &field(5, &tensor))), "it takes 0 inputs");
    let negative = [vec![0x08], vec![0xff; 9], vec![0x01, 0x10, 1]].concat();
    expect(onnx(&field(7, &field(5, &negative))), "negative side");
    // Each name stands for the one before: nothing is copied.
    let large = [vec![0x10, 1], field(8, b"0"), field(4, &vec![0; 8 << 20])].concat();
    let node = |i: usize| {
        let (from, to) = (i.to_string(), (i + 1).to_string());
        field(1, &[field(1, from.as_bytes()), field(2, to.as_bytes()), field(4, b"Identity")].concat())
    };
    let copies: Vec<u8> = (0..10_000).flat_map(node).collect();
    expect(onnx(&field(7, &[field(5, &large), copies].concat())), "it takes 0 inputs");
    expect(onnx(b"\x12\x01x"), "it has no graph");
}

/// Layers of very different widths would make a large network of a small file.
#[test]
fn a_small_file_does_not_become_a_large_network() {
    let shapes: [(&str, [usize; 4]); 6] = [
        ("conv1", [1, 3, 9, 9]),
        ("conv2", [1, 1, 3, 3]),
        ("conv3", [4096, 1, 3, 3]),
        ("deconv1", [1, 4096, 3, 3]),
        ("deconv2", [1, 1, 3, 3]),
        ("deconv3", [3, 1, 9, 9]),
    ];
    let mut tensors = Vec::new();
    for (number, (name, shape)) in shapes.iter().enumerate() {
        tensors.push((format!("{name}.conv2d.weight"), shape.to_vec()));
        tensors.push((format!("{name}.conv2d.bias"), vec![shape[0]]));
        if number < 5 {
            tensors.extend(["weight", "bias"].map(|what| (format!("in{}.{what}", number + 1), vec![shape[0]])));
        }
    }
    let tensors: Vec<_> = tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    expect(common::networks::zeros(&tensors), "too different widths");
}

#[test]
fn hostile_style_models_take_little_memory() {
    for test in [
        "damaged_style_models_are_answered",
        "hostile_graphs_are_answered",
        "a_small_file_does_not_become_a_large_network",
    ] {
        common::memory::run_with_little(test);
    }
}

#[track_caller]
fn expect(bytes: Vec<u8>, part: &str) {
    let start = Instant::now();
    let message = StyleModel::import_bytes("hostile", bytes).unwrap_err().to_string();
    assert!(message.contains(part), "{message} should say: {part}");
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

/// The version of ONNX, then this.
fn onnx(rest: &[u8]) -> Vec<u8> {
    [&[0x08, 8], rest].concat()
}

/// A field of protobuf that has a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        packed.push(length as u8 | 0x80);
        length >>= 7;
    }
    packed.push(length as u8);
    packed.extend(bytes);
    packed
}

//! Files made to do harm: each is answered soon, in little memory, and without a crash.

mod common;

use std::{
    io::{Cursor, Write},
    time::Instant,
};

use flate2::{Compression, write::ZlibEncoder};
use impasto_nn::{LoadError, formats::TensorFile};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

#[test]
fn hostile_pickles_are_answered() {
    let deep = [b")".as_slice(), &[0x85; 1_000_000], b"."].concat();
    assert_eq!(tensors(legacy(&deep)).unwrap(), 0);
    expect(legacy(&[b'('; 1_000_000]), "ends too early");
    expect(legacy(&[b']'; 3_000_000]), "more values than any network");
    expect(legacy(b"\x8b\xff\xff\xff\x7f"), "longer than any network");
    expect(legacy(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"), "longer than any network");
    expect(legacy(b"X\0\0\xf0\0abc"), "ends too early");
    expect(legacy(b"0."), "takes more than it has");
    expect(legacy(b"N(0."), "takes more than it has");
    expect(legacy(b"K\x01Na."), "adds to something that holds nothing");
    expect(legacy(b"h\x05."), "recalls what it never remembered");
    expect(legacy(b"N)R."), "calls something that cannot be called");
    expect(legacy(&[b'c'; 5000]), "more than 1000 letters");
    expect(legacy(b"cos\nsystem\n."), "`os.system`");
    expect(legacy(b"X\x02\0\0\0osX\x06\0\0\0system\x93."), "`os.system`");
    // The name of an object must not reach the terminal as it is.
    expect(legacy(b"c\x1b[2J\nx\n."), "`?[2J.x`");
}

/// Values that refer to each other: exponentially many paths, circles, and a list that is copied again and again.
#[test]
fn tangled_pickles_are_answered() {
    let mut laughs = b"]q\0".to_vec();
    for level in 1..9 {
        laughs.extend([b']', b'q', level, b'(']);
        (0..100).for_each(|_| laughs.extend([b'h', level - 1]));
        laughs.push(b'e');
    }
    laughs.push(b'.');
    expect(legacy(&laughs), "lists more than any network");

    let circle = [b"]q\0(".as_slice(), &b"h\0".repeat(1000), b"e."].concat();
    expect(legacy(&circle), "lists more than any network");

    let list = [b"](".as_slice(), &[b'N'; 100_000], b"eq\0"].concat();
    let copies = b"ccollections\nOrderedDict\nh\0\x85R0".repeat(20_000);
    expect(legacy(&[list, copies].concat()), "more values than any network");
}

#[test]
fn impossible_tensors_are_answered() {
    let of = |storage: &str, offset: &str, size: &str, stride: &str| {
        let body = format!(
            "ctorch._utils\n_rebuild_tensor\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu{storage}tQ{offset}({size}t({stride}tt\x52."
        );
        let storage = [1_u64.to_le_bytes().as_slice(), &[0; 4]].concat();
        let start = body.as_bytes();
        [legacy_start(), start.to_vec(), b"\x80\x02]U\x010a.".to_vec(), storage].concat()
    };
    let big = "\u{7f}".repeat(2);
    let long = format!("\u{1}\u{1}{big}");
    assert_eq!(tensors(of("K\x01", "K\0", "K\x01", "K\x01")).unwrap(), 1);
    assert_eq!(tensors(of("K\x01", "K\0", "K\x02K\x02", "K\0K\0")).unwrap(), 1);
    assert_eq!(tensors(of("K\x01", "K\x05", "K\0", "K\x01")).unwrap(), 1);
    expect(of("K\x01", "K\x01", "K\x01", "K\x01"), "reaches beyond its storage");
    expect(of("K\x01", "K\0", "K\x02", "K\x01"), "reaches beyond its storage");
    expect(of("K\x02", "K\0", "K\x02", "K\x01"), "reaches beyond its storage");
    expect(of("K\x01", "K\0", &format!("J{long}"), "K\0"), "reaches beyond its storage");
    expect(of("K\x01", "K\0", &format!("J{long}").repeat(9), &"K\0".repeat(9)), "reaches beyond its storage");
    expect(of("K\x01", "K\0", &"K\x02".repeat(17), &"K\0".repeat(17)), "describes a tensor wrongly");
    expect(of("K\x01", "K\0", "K\x01K\x01", "K\x01"), "describes a tensor wrongly");
    expect(of("K\x01", "N", "K\x01", "K\x01"), "describes a tensor wrongly");
    expect(of("N", "K\0", "K\x01", "K\x01"), "something other than a storage");
}

#[test]
fn hostile_matlab_files_are_answered() {
    let mut deep = matrix(6, &[1, 1], b"", &element(9, &1.0_f64.to_le_bytes()));
    for _ in 0..2_000 {
        deep = matrix(1, &[1, 1], b"", &deep);
    }
    expect(matlab(&deep), "more values than any network");
    let numbers = element(9, &[0; 8]);
    expect(matlab(&matrix(6, &[i32::MAX, i32::MAX, i32::MAX], b"a", &numbers)), "larger than memory");
    expect(matlab(&matrix(6, &[i32::MAX, 1], b"a", &numbers)), "has 8 bytes");
    expect(matlab(&matrix(1, &[i32::MAX, 1], b"a", &[])), "ends inside another");
    expect(matlab(&matrix(2, &[1, 1], b"a", &element(5, &[0; 4]))), "ends inside another");
    expect(matlab(&matrix(6, &[1, 1], &[b'n'; 100_000], &numbers)), "too long");
    expect(matlab(&element(14, &[6, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), "longer than what holds it");
    expect(matlab(b"\x0e\0\0\0\xff\xff\xff\xff"), "ends too early");
    expect(matlab(b"\x0f\0\0\0\x04\0\0\0abcd"), "damaged MATLAB file");
    // Nothing of no size can be too much.
    assert_eq!(tensors(matlab(&matrix(6, &[0, i32::MAX, i32::MAX], b"a", &element(9, &[])))).unwrap(), 1);
}

/// 600 MB of zeros in 600 kB: passed over, never held.
#[test]
fn packed_zeros_are_passed_over() {
    let count = 600_000_000_u32;
    let inside = head(9, &[1, count as i32], b"zeros");
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
    let inner = inside.len() as u32 + 8 + count;
    packer.write_all(&[14_u32.to_le_bytes(), inner.to_le_bytes()].concat()).unwrap();
    packer.write_all(&[inside, [2_u32.to_le_bytes(), count.to_le_bytes()].concat()].concat()).unwrap();
    let zeros = vec![0; 1 << 20];
    let mut left = count as usize;
    while left > 0 {
        left -= packer.write(&zeros[..left.min(zeros.len())]).unwrap();
    }
    let packed = packer.finish().unwrap();
    let tag = [15_u32.to_le_bytes(), (packed.len() as u32).to_le_bytes()].concat();
    assert_eq!(tensors(matlab(&[tag, packed].concat())).unwrap(), 1);
}

/// Stored without compression, a changed byte is known by the checksum behind it alone. Sizes around that of the read
/// buffer, so that the checksum is read with the data, apart from them, and in two parts.
#[test]
fn checksums_of_packed_variables_count() {
    for count in (800..1000).chain(65_340..65_540).step_by(2) {
        let inside = [head(9, &[1, count], b"a"), [2, count].map(i32::to_le_bytes).concat(), vec![7; count as usize]];
        let inside = inside.concat();
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::none());
        packer.write_all(&[14, inside.len() as u32].map(u32::to_le_bytes).concat()).unwrap();
        packer.write_all(&inside).unwrap();
        let packed = packer.finish().unwrap();
        let mut file = matlab(&[15, packed.len() as u32].map(u32::to_le_bytes).concat());
        file.extend(packed);
        assert_eq!(tensors(file.clone()).unwrap(), 1);
        file[500] ^= 1;
        expect(file, "damaged MATLAB file");
    }
}

/// An archive that announces 3 GB where 4 bytes are packed.
#[test]
fn lying_archives_are_answered() {
    let body = "ctorch._utils\n_rebuild_tensor\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu\
                J\0\u{7f}\u{7f}\x2btQK\0(M\x78\x03M\x78\x03M\x78\x03t(J\x40\x08\x0c\0M\x78\x03K\x01tt\x52.";
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let packed = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in [("a/data.pkl", body.as_bytes()), ("a/data/0", &[0; 4])] {
        archive.start_file(name, packed).unwrap();
        archive.write_all(bytes).unwrap();
    }
    let honest = archive.finish().unwrap().into_inner();
    expect(honest.clone(), "the storage of `tensor` is shorter than announced");
    let entry = honest.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
    let mut lying = honest;
    lying[entry + 24..entry + 28].copy_from_slice(&3_000_000_000_u32.to_le_bytes());
    expect(lying, "the storage of `tensor` is shorter than announced");
}

/// Four bytes in an entry that announces 3 GB, and a tensor that repeats the first of them as often as would fit.
#[test]
fn tensors_that_repeat_a_storage_are_answered() {
    let body = |size: &str, strides: &str| {
        format!(
            "ctorch._utils\n_rebuild_tensor\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu\
             J\0\u{7f}\u{7f}\x2btQK\0({size}t({strides}tt\x52."
        )
    };
    let archive = |body: &str, announced: Option<u32>| {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let packed = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (name, bytes) in [("a/data.pkl", body.as_bytes()), ("a/data/0", &[0; 4])] {
            archive.start_file(name, packed).unwrap();
            archive.write_all(bytes).unwrap();
        }
        let mut bytes = archive.finish().unwrap().into_inner();
        let entry = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").unwrap();
        if let Some(announced) = announced {
            bytes[entry + 24..entry + 28].copy_from_slice(&announced.to_le_bytes());
        }
        bytes
    };
    for size in ["M\u{7f}\u{7f}M\u{7f}\u{7f}", "J\0\u{7f}\u{7f}\x2b"] {
        let strides = "K\0".repeat(if size.starts_with('M') { 2 } else { 1 });
        let bytes = archive(&body(size, &strides), Some(3_000_000_000));
        let opened = TensorFile::from_bytes("hostile", bytes);
        let message = opened.and_then(|mut file| file.read(0)).unwrap_err().to_string();
        assert!(message.contains("shorter than announced") || message.contains("beyond its storage"), "{message}");
    }
}

/// Twenty megabytes of empty messages, of empty texts and of small numbers, each of which would take ten to fifty times
/// as much memory as it takes of the file.
#[test]
fn onnx_files_of_nothing_are_answered() {
    let field = |number: u8, bytes: &[u8]| {
        let mut field = vec![number << 3 | 2];
        let mut length = bytes.len();
        while length >= 0x80 {
            field.push(length as u8 | 0x80);
            length >>= 7;
        }
        field.push(length as u8);
        [&field, bytes].concat()
    };
    let version = [0x08, 0x07];
    let nothing = |number: u8| [number << 3 | 2, 0].repeat(10_000_000);
    let (graph, node, tensor) = (|inside: &[u8]| field(7, inside), |inside: &[u8]| field(1, inside), 5);
    let info = |dimensions: &[u8]| field(11, &field(2, &field(1, &field(2, dimensions))));
    let files = [
        nothing(8),
        nothing(14),
        graph(&nothing(1)),
        graph(&nothing(5)),
        graph(&nothing(11)),
        graph(&info(&nothing(1))),
        graph(&node(&nothing(1))),
        graph(&node(&nothing(5))),
        graph(&node(&field(5, &field(8, &[1; 20_000_000])))),
        graph(&field(tensor, &field(1, &[1; 20_000_000]))),
        graph(&field(tensor, &field(7, &[1; 20_000_000]))),
        graph(&field(tensor, &[0x08, 1].repeat(10_000_000))),
    ];
    for file in files {
        expect([&version[..], &file].concat(), "more parts than any network");
    }
}

#[test]
fn hostile_safetensors_are_answered() {
    let file = |length: u64, json: &[u8]| [&length.to_le_bytes(), json].concat();
    expect(file(90_000_000, b"{}"), "announces a header of 90000000 bytes");
    expect(file(9000, b"{}"), "ends too early");
    expect(file(2, b"{]"), "damaged safetensors file");
    let deep = [b"{\"a\":".as_slice(), &[b'['; 1_000_000]].concat();
    expect(file(deep.len() as u64, &deep), "damaged safetensors file");
    let json = br#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#;
    expect(file(json.len() as u64, json), "damaged safetensors file");
    let json = br#"{"a":{"dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000]}}"#;
    expect(file(json.len() as u64, json), "ends too early");
}

#[test]
fn hostile_files_take_little_memory() {
    for test in [
        "hostile_pickles_are_answered",
        "tangled_pickles_are_answered",
        "impossible_tensors_are_answered",
        "hostile_matlab_files_are_answered",
        "packed_zeros_are_passed_over",
        "lying_archives_are_answered",
        "tensors_that_repeat_a_storage_are_answered",
        "onnx_files_of_nothing_are_answered",
        "hostile_safetensors_are_answered",
    ] {
        common::memory::run_with_little(test);
    }
}

/// The number of tensors of a file, each of which can be read if it is small.
fn tensors(bytes: Vec<u8>) -> Result<usize, LoadError> {
    let start = Instant::now();
    let opened = TensorFile::from_bytes("hostile", bytes);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    let mut file = opened?;
    for number in 0..file.tensors().len() {
        if file.tensors()[number].shape.iter().all(|&n| n < 1000) {
            file.read(number)?;
        }
    }
    Ok(file.tensors().len())
}

#[track_caller]
fn expect(bytes: Vec<u8>, part: &str) {
    let message = tensors(bytes).unwrap_err().to_string();
    assert!(message.contains(part), "{message} should say: {part}");
}

/// A legacy PyTorch file with a pickle of ours and no storages.
fn legacy(pickle: &[u8]) -> Vec<u8> {
    [&legacy_start(), pickle, b"\x80\x02].".as_slice()].concat()
}

/// The magic number, the protocol, no facts about the machine.
fn legacy_start() -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    [magic.as_slice(), b"\x80\x02M\xe9\x03.", b"\x80\x02}."].concat()
}

/// A little-endian MATLAB file with these elements.
fn matlab(elements: &[u8]) -> Vec<u8> {
    let mut file = b"MATLAB 5.0 MAT-file".to_vec();
    file.resize(124, 0);
    [&file, b"\0\x01IM".as_slice(), elements].concat()
}

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut element = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    element.extend(data);
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

/// What stands in a matrix before its data.
fn head(class: u32, dims: &[i32], name: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|d| d.to_le_bytes()).collect();
    let flags = [class.to_le_bytes(), [0; 4]].concat();
    [element(6, &flags), element(5, &dims), element(1, name)].concat()
}

fn matrix(class: u32, dims: &[i32], name: &[u8], data: &[u8]) -> Vec<u8> {
    element(14, &[&head(class, dims, name), data].concat())
}

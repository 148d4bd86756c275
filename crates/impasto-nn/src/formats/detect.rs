//! Which container a file is, from its first bytes.

use super::{Format, LoadError, source::Source};

/// First bytes of files that people give by mistake, and what to call them.
const OTHER_FILES: &[(&[u8], &str)] = &[
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive that must be unpacked first"),
    (b"\xfd7zXZ\0", "an xz archive that must be unpacked first"),
    (b"BZh", "a bzip2 archive that must be unpacked first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive that must be unpacked first"),
    (b"\x7fELF", "a program"),
    (b"version https://git-lfs", "a Git LFS pointer that stands for the real file"),
];

/// What to do about a file of weights that is not read.
const OTHER_FORMAT: &str = "give the same weights as a MatConvNet .mat, a PyTorch .pth or a safetensors file";

const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Recognises the container, or says what the file is instead.
pub(super) fn detect(source: &mut Source) -> Result<Format, LoadError> {
    let head = source.head(1024)?;
    // The text of a MATLAB header is free, so its mark is looked for before anything else.
    if let Some(format) = matlab(source, &head)? {
        return Ok(format);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Ok(Format::PytorchZip);
    }
    if is_safetensors(&head) {
        return Ok(Format::Safetensors);
    }
    if is_onnx(&head) {
        return Ok(Format::Onnx);
    }
    if is_pickle(&head) {
        return Ok(Format::PytorchLegacy);
    }
    if head.get(257..262) == Some(b"ustar".as_slice()) {
        let advice = "open it in a newer PyTorch and store it with `torch.save`";
        return Err(source.label().unsupported("a tar archive, as PyTorch wrote before version 0.1.10", advice));
    }
    if head.windows(10).take(64).any(|w| w == b"VGG_ILSVRC") {
        return Err(source.label().unsupported("a Caffe model", OTHER_FORMAT));
    }
    Err(source.label().not_a_model(foreign(&head)))
}

/// MATLAB 5 has its version and the two letters of its byte order at 124; MATLAB 7.3 is HDF5 behind such a header.
fn matlab(source: &Source, head: &[u8]) -> Result<Option<Format>, LoadError> {
    let advice = "store it in MATLAB with `save -v7`, or with `scipy.io.savemat`";
    match head.get(124..128) {
        Some([0, 1, b'I', b'M'] | [1, 0, b'M', b'I']) => Ok(Some(Format::Matlab)),
        Some([0, 2, b'I', b'M'] | [2, 0, b'M', b'I']) => {
            Err(source.label().unsupported("a MATLAB 7.3 file (HDF5 inside)", advice))
        }
        _ if head.starts_with(HDF5) => {
            Err(source.label().unsupported("an HDF5 file, as Keras and MATLAB 7.3 write", advice))
        }
        _ if head.starts_with(b"MATLAB 5.0 MAT-file") && head.len() < 128 => Ok(Some(Format::Matlab)),
        _ => Ok(None),
    }
}

/// A length, then JSON: a header of 100 MB and more is refused by the format itself.
fn is_safetensors(head: &[u8]) -> bool {
    let Some(length) = head.first_chunk::<8>() else { return false };
    u64::from_le_bytes(*length) < 100_000_000 && head.get(8) == Some(&b'{')
}

/// A protobuf that begins with field 1, the version of ONNX, below 32; then any other field of `ModelProto`: a string,
/// a message, or the version of the model (field 5).
fn is_onnx(head: &[u8]) -> bool {
    matches!(head, [0x08, 3..32, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..])
}

/// A pickle of protocol 2 to 5 that starts with the long integer which PyTorch has as its mark.
fn is_pickle(head: &[u8]) -> bool {
    matches!(head, [0x80, 2..=5, ..])
}

fn foreign(head: &[u8]) -> &'static str {
    if let Some((_, what)) = OTHER_FILES.iter().find(|(magic, _)| head.starts_with(magic)) {
        return what;
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP".as_slice()) {
        return "a WebP picture";
    }
    let start: Vec<u8> = head.iter().take(64).map(u8::to_ascii_lowercase).collect();
    let start = start.trim_ascii_start();
    if start.starts_with(b"<!doctype html") || start.starts_with(b"<html") {
        return "a web page";
    }
    let text = String::from_utf8_lossy(head);
    let strange = text.chars().filter(|c| c.is_control() && !c.is_whitespace() || *c == char::REPLACEMENT_CHARACTER);
    // A character may be cut at the end of the head.
    if strange.count() <= 1 { "a text" } else { "of an unknown kind" }
}

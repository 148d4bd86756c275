//! TIFF files, a piece at a time, and what they hold beside pixels.

use std::io::Cursor;

use image::ImageFormat;
use image::error::{DecodingError, ImageError};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{Tag, Type, ValueBuffer};

use super::canvas::{Canvas, Samples};
use super::limits::ReadLimits;

/// The most bytes of an entry that is no picture: the profiles of presses have three million.
const ENTRY: usize = 32 << 20;

/// The tag of an XMP packet (XMP specification, part 3, 3.3.1).
const XMP: Tag = Tag::Unknown(700);

/// The ICC profile of a TIFF file. `image` allows entries no more memory than the pixels take, which small pictures
/// fall short of.
pub(super) fn profile(bytes: &[u8]) -> Option<Vec<u8>> {
    entry(bytes, Tag::IccProfile)
}

/// The XMP packet of a TIFF file.
pub(super) fn packet(bytes: &[u8]) -> Option<Vec<u8>> {
    entry(bytes, XMP)
}

fn entry(bytes: &[u8], tag: Tag) -> Option<Vec<u8>> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = ENTRY.min(bytes.len());
    let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?.with_limits(limits);
    let mut value = ValueBuffer::empty(Type::BYTE);
    decoder.image_ifd().find_tag_buf(tag, &mut value).ok()??;
    Some(value.as_bytes().to_vec())
}

/// Whether a file's channels are inks.
pub(super) fn is_inks(bytes: &[u8]) -> Result<bool, ImageError> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?;
    Ok(matches!(decoder.colortype().map_err(broken)?, ColorType::CMYK(8 | 16)))
}

/// Bytes of the largest piece that a file is stored in; nothing where its channels lie apart and it is decoded as a
/// whole.
pub(super) fn buffer(bytes: &[u8]) -> Option<u64> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?;
    if !is_chunky(&mut decoder) {
        return None;
    }
    let (width, height) = decoder.chunk_dimensions();
    let (_, rows) = decoder.dimensions().ok()?;
    let bits = u64::from(decoder.colortype().ok()?.bit_depth()) * u64::from(samples(&mut decoder));
    // What is read packed and what is unpacked.
    Some(
        u64::from(width).saturating_mul(u64::from(height.min(rows))).saturating_mul(bits).div_ceil(8).saturating_mul(2),
    )
}

/// Whether the channels of a pixel lie side by side.
fn is_chunky(decoder: &mut Decoder<Cursor<&[u8]>>) -> bool {
    let planes = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).ok().flatten();
    planes.is_none_or(|planes| planes == 1)
}

fn samples(decoder: &mut Decoder<Cursor<&[u8]>>) -> u16 {
    decoder.find_tag_unsigned::<u16>(Tag::SamplesPerPixel).ok().flatten().unwrap_or(1)
}

/// Reads a file strip by strip, or tile by tile; or says that its channels lie apart.
pub(super) fn read(bytes: &[u8], limits: &ReadLimits, canvas: &mut Canvas) -> Result<bool, ImageError> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?.with_limits(tiff_limits(limits));
    if !is_chunky(&mut decoder) {
        return Ok(false);
    }
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let (chunk_width, chunk_height) = decoder.chunk_dimensions();
    let invalid = || broken(tiff::TiffError::FormatError(tiff::TiffFormatError::InvalidDimensions(width, height)));
    if chunk_width == 0 || chunk_height == 0 {
        return Err(invalid());
    }
    let color = decoder.colortype().map_err(broken)?;
    let channels = usize::from(samples(&mut decoder));
    let across = width.div_ceil(chunk_width);
    let count = across.checked_mul(height.div_ceil(chunk_height)).ok_or_else(invalid)?;
    for index in 0..count {
        let piece = decoder.read_chunk(index).map_err(broken)?;
        let columns = decoder.chunk_data_dimensions(index).0 as usize;
        let (top, left) = ((index / across * chunk_height) as usize, (index % across * chunk_width) as usize);
        if color == ColorType::Gray(1) {
            let DecodingResult::U8(bits) = &piece else { return Err(broken_kind()) };
            for (y, row) in bits.chunks(columns.div_ceil(8)).enumerate() {
                let samples: Vec<u8> = (0..columns).map(|x| bit(row, x)).collect();
                canvas.put(top + y, left, Samples::U8(&samples));
            }
            continue;
        }
        let length = (columns * channels).max(1);
        match &piece {
            DecodingResult::U8(all) => put(canvas, top, left, all.chunks(length).map(Samples::U8)),
            DecodingResult::U16(all) => put(canvas, top, left, all.chunks(length).map(Samples::U16)),
            DecodingResult::F32(all) => put(canvas, top, left, all.chunks(length).map(Samples::F32)),
            _ => return Err(broken_kind()),
        }
    }
    Ok(true)
}

fn put<'a>(canvas: &mut Canvas, top: usize, left: usize, rows: impl Iterator<Item = Samples<'a>>) {
    rows.enumerate().for_each(|(y, row)| canvas.put(top + y, left, row));
}

/// Black or white.
fn bit(row: &[u8], x: usize) -> u8 {
    let byte = row.get(x / 8).copied().unwrap_or(0);
    if byte >> (7 - x % 8) & 1 == 1 { 255 } else { 0 }
}

fn broken(error: tiff::TiffError) -> ImageError {
    match error {
        tiff::TiffError::LimitsExceeded => super::error::no_memory(),
        error => ImageError::Decoding(DecodingError::new(ImageFormat::Tiff.into(), error)),
    }
}

/// A kind of samples that `image` refuses before this is reached.
fn broken_kind() -> ImageError {
    ImageError::Decoding(DecodingError::new(ImageFormat::Tiff.into(), "its samples are of another kind than it says"))
}

fn tiff_limits(limits: &ReadLimits) -> Limits {
    let most = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    let mut tiff_limits = Limits::default();
    tiff_limits.decoding_buffer_size = most;
    tiff_limits.intermediate_buffer_size = most;
    tiff_limits
}

//! TIFF files in CMYK, whose inks a profile is for, and what TIFF files hold beside pixels.

use std::io::Cursor;

use image::error::{DecodingError, ImageError};
use image::{DynamicImage, ImageBuffer, ImageFormat};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{Tag, Type, ValueBuffer};

use super::decode::DECODE_LIMIT;

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

/// The amounts of the four inks of such a file, and that they are inks; nothing for all others.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(DynamicImage, bool)>, ImageError> {
    let broken = |error| ImageError::Decoding(DecodingError::new(ImageFormat::Tiff.into(), error));
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(broken)?.with_limits(limits());
    let color = decoder.colortype().map_err(broken)?;
    if !matches!(color, ColorType::CMYK(8 | 16)) {
        return Ok(None);
    }
    let (width, height) = decoder.dimensions().map_err(broken)?;
    let samples = decoder.read_image().map_err(broken)?;
    let image = match (color, samples) {
        (ColorType::CMYK(8), DecodingResult::U8(inks)) => {
            ImageBuffer::from_raw(width, height, inks).map(DynamicImage::ImageRgba8)
        }
        (ColorType::CMYK(16), DecodingResult::U16(inks)) => {
            ImageBuffer::from_raw(width, height, inks).map(DynamicImage::ImageRgba16)
        }
        _ => None,
    };
    Ok(image.map(|image| (image, true)))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = DECODE_LIMIT as usize;
    limits.intermediate_buffer_size = DECODE_LIMIT as usize;
    limits
}

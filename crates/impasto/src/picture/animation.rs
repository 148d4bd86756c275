//! Whether a file holds more than one frame.

use std::io::Cursor;

use image::ImageFormat;

/// Whether a picture file shows several frames one after the other: an animated PNG, GIF or WebP. A single frame is a
/// picture, and so is what cannot be read as far as its second.
pub(super) fn is_animated(bytes: &[u8], format: ImageFormat) -> bool {
    match format {
        ImageFormat::Png => png_frames(bytes).is_some_and(|frames| frames > 1),
        ImageFormat::Gif => has_second_gif_frame(bytes).unwrap_or(false),
        ImageFormat::WebP => {
            let decoder = image_webp::WebPDecoder::new(Cursor::new(bytes));
            decoder.is_ok_and(|decoder| decoder.is_animated() && decoder.num_frames() > 1)
        }
        _ => false,
    }
}

/// The number of frames in the chunk `acTL`, which stands before the pixels (PNG specification, third edition, 11.3.6).
fn png_frames(bytes: &[u8]) -> Option<u32> {
    let mut rest = bytes.get(8..)?;
    loop {
        let (head, body) = rest.split_at_checked(8)?;
        let (length, name) = head.split_at(4);
        match name {
            b"acTL" => return Some(u32::from_be_bytes(body.first_chunk().copied()?)),
            b"IDAT" => return None,
            _ => {
                let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
                rest = body.get(length.checked_add(4)?..)?;
            }
        }
    }
}

fn has_second_gif_frame(bytes: &[u8]) -> Option<bool> {
    let mut options = gif::DecodeOptions::new();
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(Cursor::new(bytes)).ok()?;
    decoder.next_frame_info().ok()??;
    Some(decoder.next_frame_info().ok()?.is_some())
}

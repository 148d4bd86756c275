//! PNG files, a row at a time.

use std::io::Cursor;

use image::ImageFormat;
use image::error::{DecodingError, ImageError};
use png::{BitDepth, DecodingError as PngError, Limits, Reader, Transformations};

use super::canvas::{Canvas, Samples};
use super::error::no_memory;
use super::limits::ReadLimits;

/// Bytes that a decoder takes for the pixels: a few rows, or all of a picture that is interlaced.
pub(super) fn buffer(bytes: &[u8]) -> Option<u64> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    let info = decoder.read_header_info().ok()?;
    // Palettes become three or four channels of 8 bits.
    let bytes = if info.bit_depth == BitDepth::Sixteen { 2 } else { 1 };
    let row = u64::from(info.width) * bytes * 4;
    let rows = if info.interlaced { u64::from(info.height) } else { ROWS };
    Some(row.saturating_mul(rows))
}

/// Rows that are in memory at a time: packed ones, unpacked ones, and in `f32`.
const ROWS: u64 = 32;

/// Reads a file; the canvas is for the channels that palettes and single bits are expanded to.
pub(super) fn read(bytes: &[u8], limits: &ReadLimits, canvas: &mut Canvas) -> Result<(), ImageError> {
    let most = usize::try_from(limits.memory).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: most });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(broken)?;
    let deep = reader.output_color_type().1 == BitDepth::Sixteen;
    if reader.info().interlaced {
        let all = interlaced(&mut reader)?;
        canvas.put_all(samples(&all, deep), reader.info().width as usize);
        return Ok(());
    }
    let mut y = 0;
    while let Some(row) = reader.next_row().map_err(broken)? {
        canvas.put(y, 0, samples(row.data(), deep));
        y += 1;
    }
    Ok(())
}

fn samples(row: &[u8], deep: bool) -> Samples<'_> {
    if deep { Samples::Bytes16(row) } else { Samples::U8(row) }
}

/// All of a picture whose rows do not come in their order.
fn interlaced(reader: &mut Reader<Cursor<&[u8]>>) -> Result<Vec<u8>, ImageError> {
    let length = reader.output_buffer_size().ok_or_else(no_memory)?;
    let mut all = Vec::new();
    all.try_reserve_exact(length).map_err(|_| no_memory())?;
    all.resize(length, 0);
    reader.next_frame(&mut all).map_err(broken)?;
    Ok(all)
}

fn broken(error: PngError) -> ImageError {
    match error {
        PngError::IoError(error) => ImageError::IoError(error),
        PngError::LimitsExceeded => no_memory(),
        error => ImageError::Decoding(DecodingError::new(ImageFormat::Png.into(), error)),
    }
}

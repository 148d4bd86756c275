//! JPEG files in CMYK and YCCK.

use image::error::{DecodingError, ImageError};
use image::{DynamicImage, ImageBuffer, ImageFormat};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The amounts of the four inks, where a JPEG file has four components, in place of red, green, blue and opacity.
///
/// Such files hold light rather than ink (255 is no ink), as Adobe's programs began to write them and all others,
/// libjpeg's users and Pillow among them, read them. YCCK is the same with YCbCr in the place of the first three
/// (Adobe, "Supporting the DCT Filters in PostScript Level 2", 1992).
pub(super) fn of_jpeg(bytes: &[u8]) -> Result<Option<DynamicImage>, ImageError> {
    let side = usize::from(u16::MAX);
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(side).set_max_height(side);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(broken)?;
    let Some(colors @ (ColorSpace::CMYK | ColorSpace::YCCK)) = decoder.input_colorspace() else { return Ok(None) };
    if decoder.info().is_none_or(|info| info.components != 4) {
        return Ok(None);
    }
    decoder.set_options(options.jpeg_set_out_colorspace(colors));
    let mut samples = decoder.decode().map_err(broken)?;
    for pixel in samples.as_chunks_mut::<4>().0 {
        *pixel = if colors == ColorSpace::YCCK { inks_of_ycck(*pixel) } else { pixel.map(|light| 255 - light) };
    }
    let (width, height) = decoder.dimensions().unwrap_or_default();
    Ok(ImageBuffer::from_raw(width as u32, height as u32, samples).map(DynamicImage::ImageRgba8))
}

/// YCbCr (ITU-T T.871) is the ink that it would be as red, green and blue: the file's light is 255 less that.
fn inks_of_ycck([y, cb, cr, k]: [u8; 4]) -> [u8; 4] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let rounded = |value: f32| (value.clamp(0.0, 255.0) + 0.5) as u8;
    [rounded(y + 1.402 * cr), rounded(y - 0.344_136 * cb - 0.714_136 * cr), rounded(y + 1.772 * cb), 255 - k]
}

fn broken(error: DecodeErrors) -> ImageError {
    ImageError::Decoding(DecodingError::new(ImageFormat::Jpeg.into(), error))
}

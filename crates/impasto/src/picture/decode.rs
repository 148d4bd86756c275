//! From the bytes of a file to the samples of a picture, whatever the bytes are.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use image::error::{DecodingError, ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::canvas::{Area, Canvas, Channels, Samples, is_on_its_side};
use super::error::no_memory;
use super::limits::{self, Cost, PROFILE, ReadLimits, Stored};
use super::{BitDepth, MIN_SIDE, Picture, ReadError, animation, inks, png_file, tiff_file};
use crate::bytes::Bytes;

/// Pixels that any file may say it has, and those that it may have for each of its bytes: the most that a flat picture
/// comes down to in a format with a fixed ratio (deflate: 1032 bytes of 8 pixels). A short file that says it has more is
/// made to exhaust memory.
const PIXELS: u64 = 16_000_000;
const PIXELS_FOR_A_BYTE: u64 = 8 * 1032;

/// A picture file's pixels, upright and in sRGB.
pub(super) struct Decoded {
    pub(super) picture: Picture,
    /// How finely the file keeps its samples.
    pub(super) depth: BitDepth,
}

/// Which part of a picture is wanted, from the rows and columns of the upright picture.
pub(super) type Part<'a> = dyn FnMut(usize, usize) -> Area + 'a;

/// Decodes a part of a picture file, or all of it; `path` is what errors call it. Everything that decoding will take is
/// checked against the limits before any pixel is decoded.
pub(super) fn decode(
    bytes: &[u8],
    path: &Path,
    limits: &ReadLimits,
    part: &mut Part<'_>,
) -> Result<Decoded, ReadError> {
    let format = format_of(bytes, path)?;
    let explained = |error| explain(path, format, limits, error);
    guarded(path, || {
        if animation::is_animated(bytes, format) {
            return Err(ReadError::Animated(path.into()));
        }
        let mut decoder = open(bytes, format, limits).map_err(explained)?;
        let stored = stored(decoder.as_ref(), bytes, format);
        check_size(&stored, path)?;
        // What cannot be read beside the pixels is passed over.
        let turn = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let area = kept_area(&stored, turn, part);
        limits.check(&stored.cost(area.pixels()), path)?;
        let profile = profile(decoder.as_mut(), bytes, format);
        let color = decoder.color_type();
        let decoding = Decoding { bytes, format, limits, area, turn, profile: profile.as_deref() };
        let picture = decoding.picture(decoder).map_err(explained)?;
        Ok(Decoded { picture, depth: depth(color) })
    })
}

/// What reading a picture takes, by the head of its file alone.
pub(super) fn cost(bytes: &[u8], path: &Path, limits: &ReadLimits) -> Result<Cost, ReadError> {
    let format = format_of(bytes, path)?;
    guarded(path, || {
        let decoder = open(bytes, format, limits).map_err(|error| explain(path, format, limits, error))?;
        let stored = stored(decoder.as_ref(), bytes, format);
        Ok(stored.cost(u64::from(stored.width) * u64::from(stored.height)))
    })
}

/// What reading a picture file takes at most, without taking the file into memory.
pub(super) fn cost_of_file(path: &Path) -> Option<Cost> {
    let mut reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    let mut allowed = Limits::default();
    allowed.max_alloc = Some(ReadLimits::head().metadata());
    reader.limits(allowed);
    let format = reader.format()?;
    let file = std::fs::metadata(path).ok()?.len();
    if format == ImageFormat::WebP {
        // Its chunks are checked against the whole file before the decoder sees them.
        let limits = ReadLimits::head();
        let bytes = if file <= limits.memory { std::fs::read(path).ok()? } else { return None };
        return cost(&bytes, path, &limits).ok();
    }
    let decoder = reader.into_decoder().ok()?;
    let stored = Stored { in_rows: None, progressive: true, ..stored(&decoder, &[], format) };
    let stored = Stored { file, ..stored };
    Some(stored.cost(u64::from(stored.width) * u64::from(stored.height)))
}

/// The part of the stored picture that is wanted.
fn kept_area(stored: &Stored, turn: Orientation, part: &mut Part<'_>) -> Area {
    let (height, width) = (stored.height as usize, stored.width as usize);
    let (tall, wide) = if is_on_its_side(turn) { (width, height) } else { (height, width) };
    part(tall, wide).stored(turn, height, width)
}

fn depth(color: ColorType) -> BitDepth {
    if color.bytes_per_pixel() > color.channel_count() { BitDepth::Sixteen } else { BitDepth::Eight }
}

/// The embedded ICC profile, if it is no larger than profiles are.
fn profile(decoder: &mut dyn ImageDecoder, bytes: &[u8], format: ImageFormat) -> Option<Vec<u8>> {
    let profile = match format {
        ImageFormat::Tiff => tiff_file::profile(bytes),
        _ => decoder.icc_profile().ok().flatten(),
    };
    profile.filter(|profile| profile.len() <= PROFILE)
}

/// How a file stores its pixels, by its head.
fn stored(decoder: &dyn ImageDecoder, bytes: &[u8], format: ImageFormat) -> Stored {
    let ((width, height), color) = (decoder.dimensions(), decoder.color_type());
    let in_rows = match format {
        ImageFormat::Png => png_file::buffer(bytes),
        ImageFormat::Tiff => tiff_file::buffer(bytes),
        _ => None,
    };
    Stored {
        width,
        height,
        format,
        // CMYK has more channels than the red, green and blue that it is said to become.
        pixel: u64::from(color.bytes_per_pixel()) * if format == ImageFormat::Jpeg { 4 } else { 3 } / 3,
        transparent: color.has_alpha(),
        in_rows,
        progressive: format == ImageFormat::Jpeg && limits::is_progressive(bytes),
        file: bytes.len() as u64,
    }
}

/// What is known of a picture when its pixels are decoded.
struct Decoding<'a> {
    bytes: &'a [u8],
    format: ImageFormat,
    limits: &'a ReadLimits,
    area: Area,
    turn: Orientation,
    profile: Option<&'a [u8]>,
}

impl Decoding<'_> {
    fn picture(&self, mut decoder: Box<dyn ImageDecoder + '_>) -> Result<Picture, ImageError> {
        let channels = Channels::of(decoder.color_type());
        match self.format {
            ImageFormat::Png => {
                let mut canvas = self.canvas(channels)?;
                drop(decoder);
                png_file::read(self.bytes, self.limits, &mut canvas)?;
                return Ok(canvas.finish());
            }
            ImageFormat::Tiff => {
                let channels = if tiff_file::is_inks(self.bytes)? { Channels::INKS } else { channels };
                let mut canvas = self.canvas(channels)?;
                if tiff_file::read(self.bytes, self.limits, &mut canvas)? {
                    return Ok(canvas.finish());
                }
            }
            ImageFormat::Jpeg => {
                if let Some(inks) = inks::of_jpeg(self.bytes)? {
                    return self.whole(&inks, Channels::INKS);
                }
            }
            _ => {}
        }
        let mut allowed = Limits::default();
        allowed.max_alloc = Some(self.limits.memory);
        decoder.set_limits(allowed)?;
        self.whole(&DynamicImage::from_decoder(decoder)?, channels)
    }

    fn canvas(&self, channels: Channels) -> Result<Canvas, ImageError> {
        Canvas::new(self.area, self.turn, channels, self.profile).ok_or_else(no_memory)
    }

    fn whole(&self, image: &DynamicImage, channels: Channels) -> Result<Picture, ImageError> {
        let mut canvas = self.canvas(channels)?;
        canvas.put_all(Samples::of(image), image.width() as usize);
        Ok(canvas.finish())
    }
}

/// The format that a file's first bytes tell.
pub(super) fn format_of(bytes: &[u8], path: &Path) -> Result<ImageFormat, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty(path.into()));
    }
    image::guess_format(bytes).map_err(|_| ReadError::NotAPicture(path.into()))
}

/// The XMP packet of a picture file.
pub(super) fn packet(bytes: &[u8], format: ImageFormat) -> Option<String> {
    let packet = match format {
        ImageFormat::Tiff => tiff_file::packet(bytes)?,
        _ => open(bytes, format, &ReadLimits::head()).ok()?.xmp_metadata().ok()??,
    };
    Some(String::from_utf8(packet).ok()?.trim_matches('\0').to_owned())
}

/// A decoder that has read the head of a file.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    format: ImageFormat,
    limits: &ReadLimits,
) -> Result<Box<dyn ImageDecoder + 'a>, ImageError> {
    if format == ImageFormat::WebP && !webp_chunks_are_whole(bytes) {
        let reason = "a chunk reaches beyond the end of the file";
        return Err(ImageError::Decoding(DecodingError::new(format.into(), reason)));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut allowed = Limits::default();
    allowed.max_alloc = Some(limits.metadata());
    reader.limits(allowed);
    Ok(Box::new(reader.into_decoder()?))
}

/// Whether the chunks of a WebP file are as long as they say (WebP container specification: a name of four bytes, a
/// length of four, low end first, the bytes, and one more where they are odd). The decoder takes as much memory as a
/// chunk says that it has, up to 4 GiB.
fn webp_chunks_are_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((head, body)) = rest.split_at_checked(8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if length > body.len() {
            return false;
        }
        rest = body.get(length + length % 2..).unwrap_or_default();
    }
    true
}

/// Whether a picture is large enough to be painted, and no larger than its file can be meant to be.
fn check_size(stored: &Stored, path: &Path) -> Result<(), ReadError> {
    let &Stored { width, height, file, .. } = stored;
    let (pixels, least) = (u64::from(width) * u64::from(height), MIN_SIDE as u32);
    if pixels > PIXELS.max(file.saturating_mul(PIXELS_FOR_A_BYTE)) {
        let reason = format!("it says that it has {width}×{height} pixels, in {file} bytes");
        return Err(ReadError::Broken { path: path.into(), reason });
    }
    if width.min(height) < least {
        return Err(ReadError::TooSmall { path: path.into(), width: width as usize, height: height as usize });
    }
    Ok(())
}

fn explain(path: &Path, format: ImageFormat, limits: &ReadLimits, error: ImageError) -> ReadError {
    match error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::InsufficientMemory) => {
            ReadError::Limits { path: path.into(), allowed: Bytes(limits.metadata()) }
        }
        ImageError::Unsupported(_) if !format.reading_enabled() => ReadError::NotAPicture(path.into()),
        ImageError::Unsupported(error) => ReadError::Unsupported { path: path.into(), reason: error.to_string() },
        error => ReadError::Broken { path: path.into(), reason: error.to_string() },
    }
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder of somebody else's on bytes of anybody's: if it panics, the file is broken. The panic is not told on
/// standard error either; those of other threads and other work are, as before.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.try_with(Cell::get).unwrap_or(false) {
                told(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    // Nothing that the work has touched is seen again if it panics.
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    let reason = || "its decoder gave up on it".to_owned();
    result.unwrap_or_else(|_| Err(ReadError::Broken { path: path.into(), reason: reason() }))
}

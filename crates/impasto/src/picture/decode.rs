//! From the bytes of a file to the samples of a picture, whatever the bytes are.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Once;

use image::error::{DecodingError, ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::profile::{Colors, Conversion};
use super::{BitDepth, MIN_SIDE, Picture, ReadError, animation, inks, tiff_file};

/// The most memory that decoding one picture may take, in bytes: 4 GiB, a 500-megapixel photograph in 16 bits.
pub(super) const DECODE_LIMIT: u64 = 4 << 30;

/// Pixels that any file may say it has, and those that it may have for each of its bytes: the most that a flat picture
/// comes down to in a format with a fixed ratio (deflate: 1032 bytes of 8 pixels). A short file that says it has more is
/// made to exhaust memory.
const PIXELS: u64 = 16_000_000;
const PIXELS_FOR_A_BYTE: u64 = 8 * 1032;

/// A picture file's samples, turned as they should be seen.
pub(super) struct Decoded {
    /// The samples. Of a picture in CMYK, red, green, blue and opacity stand for the amounts of the four inks.
    pub(super) image: DynamicImage,
    /// Whether they do.
    pub(super) inks: bool,
    /// The embedded ICC profile.
    pub(super) profile: Option<Vec<u8>>,
}

/// Decodes a picture file; `path` is what errors call it.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Decoded, ReadError> {
    let format = format_of(bytes, path)?;
    let explained = |error| explain(path, format, error);
    guarded(path, || {
        if animation::is_animated(bytes, format) {
            return Err(ReadError::Animated(path.into()));
        }
        let mut decoder = open(bytes, format).map_err(explained)?;
        check_size(decoder.as_ref(), bytes, path)?;
        let mut limits = limits();
        limits.reserve(decoder.total_bytes()).map_err(explained)?;
        decoder.set_limits(limits).map_err(explained)?;
        // What cannot be read beside the pixels is passed over.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let profile = match format {
            ImageFormat::Tiff => tiff_file::profile(bytes),
            _ => decoder.icc_profile().ok().flatten(),
        };
        let own = match format {
            ImageFormat::Jpeg => inks::of_jpeg(bytes),
            ImageFormat::Tiff => tiff_file::read(bytes),
            _ => Ok(None),
        };
        let (mut image, inks) = match own.map_err(explained)? {
            Some(own) => own,
            None => (DynamicImage::from_decoder(decoder).map_err(explained)?, false),
        };
        image.apply_orientation(orientation);
        Ok(Decoded { image, inks, profile })
    })
}

/// The format that a file's first bytes tell.
pub(super) fn format_of(bytes: &[u8], path: &Path) -> Result<ImageFormat, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty(path.into()));
    }
    image::guess_format(bytes).map_err(|_| ReadError::NotAPicture(path.into()))
}

/// Rows and columns by the head of a file.
pub(super) fn dimensions(path: &Path) -> Option<(usize, usize)> {
    let mut reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    reader.limits(limits());
    reader.into_dimensions().ok().map(|(width, height)| (height as usize, width as usize))
}

/// The XMP packet of a picture file.
pub(super) fn packet(bytes: &[u8], format: ImageFormat) -> Option<String> {
    let packet = match format {
        ImageFormat::Tiff => tiff_file::packet(bytes)?,
        _ => open(bytes, format).ok()?.xmp_metadata().ok()??,
    };
    Some(String::from_utf8(packet).ok()?.trim_matches('\0').to_owned())
}

/// A decoder that has read the head of a file.
pub(super) fn open(bytes: &[u8], format: ImageFormat) -> Result<Box<dyn ImageDecoder + '_>, ImageError> {
    if format == ImageFormat::WebP && !webp_chunks_are_whole(bytes) {
        let reason = "a chunk reaches beyond the end of the file";
        return Err(ImageError::Decoding(DecodingError::new(format.into(), reason)));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
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

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODE_LIMIT);
    limits
}

/// Whether a picture is large enough to be painted, and no larger than its file can be meant to be.
fn check_size(decoder: &dyn ImageDecoder, bytes: &[u8], path: &Path) -> Result<(), ReadError> {
    let (width, height) = decoder.dimensions();
    let (pixels, least) = (u64::from(width) * u64::from(height), MIN_SIDE as u32);
    if pixels > PIXELS.max(bytes.len() as u64 * PIXELS_FOR_A_BYTE) {
        let reason = format!("it says that it has {width}×{height} pixels, in {} bytes", bytes.len());
        return Err(ReadError::Broken { path: path.into(), reason });
    }
    if width.min(height) < least {
        return Err(ReadError::TooSmall { path: path.into(), width: width as usize, height: height as usize });
    }
    Ok(())
}

fn explain(path: &Path, format: ImageFormat, error: ImageError) -> ReadError {
    match error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::InsufficientMemory) => {
            ReadError::TooLarge(path.into())
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

/// Samples, a row after the other, the channels of a pixel side by side.
enum Samples<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    F32(&'a [f32]),
}

impl Samples<'_> {
    /// These samples as values of 0–255.
    fn read(&self, range: std::ops::Range<usize>, into: &mut Vec<f32>) {
        into.clear();
        match self {
            Self::U8(all) => into.extend(all[range].iter().map(|v| f32::from(*v))),
            Self::U16(all) => into.extend(all[range].iter().map(|v| f32::from(*v) / 257.0)),
            // Files with floating-point samples may hold anything.
            Self::F32(all) => into.extend(all[range].iter().map(|v| if *v > 0.0 { v.min(1.0) * 255.0 } else { 0.0 })),
        }
    }
}

impl Decoded {
    /// How finely the file keeps its samples.
    pub(super) fn depth(&self) -> BitDepth {
        let color = self.image.color();
        if color.bytes_per_pixel() > color.channel_count() { BitDepth::Sixteen } else { BitDepth::Eight }
    }

    fn samples(&self) -> Samples<'_> {
        match &self.image {
            DynamicImage::ImageLuma16(image) => Samples::U16(image.as_raw()),
            DynamicImage::ImageLumaA16(image) => Samples::U16(image.as_raw()),
            DynamicImage::ImageRgb16(image) => Samples::U16(image.as_raw()),
            DynamicImage::ImageRgba16(image) => Samples::U16(image.as_raw()),
            DynamicImage::ImageRgb32F(image) => Samples::F32(image.as_raw()),
            DynamicImage::ImageRgba32F(image) => Samples::F32(image.as_raw()),
            image => Samples::U8(image.as_bytes()),
        }
    }

    /// The picture in sRGB, a row at a time.
    pub(super) fn into_picture(self) -> Picture {
        let (height, width) = (self.image.height() as usize, self.image.width() as usize);
        let color = self.image.color();
        let (channels, transparent) = (usize::from(color.channel_count()), color.has_alpha() && !self.inks);
        let colors = match channels - usize::from(transparent) {
            1 => Colors::Grey,
            4 => Colors::Inks,
            _ => Colors::Rgb,
        };
        let conversion = Conversion::new(self.profile.as_deref(), colors);
        let samples = self.samples();
        let mut data = vec![0.0; 3 * height * width];
        let mut alpha = Vec::with_capacity(if transparent { height * width } else { 0 });
        let (mut row, mut opaque, mut rgb) = (Vec::new(), Vec::new(), Vec::new());
        for y in 0..height {
            samples.read(y * width * channels..(y + 1) * width * channels, &mut row);
            if transparent {
                let pixels = row.chunks_exact(channels);
                alpha.extend(pixels.clone().map(|pixel| pixel[channels - 1] / 255.0));
                opaque.clear();
                opaque.extend(pixels.flat_map(|pixel| &pixel[..channels - 1]));
                std::mem::swap(&mut row, &mut opaque);
            }
            conversion.to_srgb(&row, &mut rgb);
            for (channel, plane) in data.chunks_exact_mut(height * width).enumerate() {
                let into = &mut plane[y * width..(y + 1) * width];
                into.iter_mut().zip(rgb.chunks_exact(3)).for_each(|(value, pixel)| *value = pixel[channel]);
            }
        }
        let picture = Picture::from_planar(height, width, data);
        if transparent { picture.with_alpha(alpha) } else { picture }
    }
}

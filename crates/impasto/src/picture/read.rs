//! Reading picture files.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Seek};
use std::path::{Path, PathBuf};

use image::error::{ImageError, LimitErrorKind};
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::{MIN_SIDE, Picture};

/// The most memory that decoding one picture may take, in bytes: 4 GiB, a 500-megapixel photograph in 16 bits.
const DECODE_LIMIT: u64 = 4 << 30;

/// Why a picture could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such file.
    #[error("there is no file `{}`", .0.display())]
    Missing(PathBuf),
    /// It is a folder.
    #[error("`{}` is a folder: name one picture in it", .0.display())]
    Folder(PathBuf),
    /// The operating system would not give it.
    #[error("cannot read `{}`: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file has no bytes.
    #[error("`{}` is empty: a download or a copy that never finished?", .0.display())]
    Empty(PathBuf),
    /// No known format begins like this.
    #[error("`{}` is not a picture that can be read: give a PNG, JPEG, WebP, TIFF, BMP, GIF or PNM file", .0.display())]
    NotAPicture(PathBuf),
    /// The format is known, the content is broken.
    #[error("`{}` is broken or cut short: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// More memory than decoding may take.
    #[error("`{}` is too large to be decoded: make it smaller first (the limit is 4 GiB of memory)", .0.display())]
    TooLarge(PathBuf),
    /// Nothing to see in it.
    #[error("`{}` is {width}×{height} pixels: a picture needs at least {MIN_SIDE} pixels on each side", path.display())]
    TooSmall {
        /// The file.
        path: PathBuf,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
}

impl Picture {
    /// Reads a PNG, JPEG, WebP, TIFF, BMP, GIF (first frame) or PNM file, known by its content and not by its name.
    ///
    /// The EXIF orientation is applied. What is transparent is laid on white.
    ///
    /// # Errors
    /// If the file is missing, not a picture, broken, too large, or smaller than [`MIN_SIDE`] on a side.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Ok(from_decoded(&open(path)?))
    }

    /// Reads a picture file that is in memory, as [`Picture::read`] does; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_file_bytes(bytes: &[u8], name: &Path) -> Result<Self, ReadError> {
        if bytes.is_empty() {
            return Err(ReadError::Empty(name.into()));
        }
        Ok(from_decoded(&open_from(Cursor::new(bytes), name)?))
    }

    /// Rows and columns that a picture file says it has, by its head alone; nothing where it cannot be read.
    pub(crate) fn size_of(path: &Path) -> Option<(usize, usize)> {
        let reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
        reader.into_dimensions().ok().map(|(width, height)| (height as usize, width as usize))
    }
}

/// A square part of a picture file, read like [`Picture::read`]; `place` gets the picture's rows and columns and says
/// where the upper and left edges of the part lie and how long its sides are.
pub(crate) fn crop_of_file(
    path: &Path,
    place: impl FnOnce(usize, usize) -> (usize, usize, usize),
) -> Result<Picture, ReadError> {
    let image = open(path)?;
    let (top, left, side) = place(image.height() as usize, image.width() as usize);
    Ok(from_decoded(&image.crop_imm(left as u32, top as u32, side as u32, side as u32)))
}

/// The file decoded, and turned as it should be seen.
fn open(path: &Path) -> Result<DynamicImage, ReadError> {
    let io = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => ReadError::Missing(path.into()),
        _ => ReadError::Io { path: path.into(), error },
    };
    let metadata = std::fs::metadata(path).map_err(io)?;
    if metadata.is_dir() {
        return Err(ReadError::Folder(path.into()));
    }
    let file = BufReader::new(File::open(path).map_err(io)?);
    if metadata.is_file() && metadata.len() == 0 {
        return Err(ReadError::Empty(path.into()));
    }
    open_from(file, path)
}

fn open_from(file: impl BufRead + Seek, path: &Path) -> Result<DynamicImage, ReadError> {
    let io = |error: std::io::Error| ReadError::Io { path: path.into(), error };
    let reader = ImageReader::new(file).with_guessed_format().map_err(io)?;
    if reader.format().is_none() {
        return Err(ReadError::NotAPicture(path.into()));
    }
    let image = decode(reader).map_err(|error| explain(path, error))?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width.min(height) < MIN_SIDE {
        return Err(ReadError::TooSmall { path: path.into(), width, height });
    }
    Ok(image)
}

fn decode(mut reader: ImageReader<impl BufRead + Seek>) -> Result<DynamicImage, ImageError> {
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(DECODE_LIMIT);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Transparent pixels are laid on white.
fn from_decoded(image: &DynamicImage) -> Picture {
    let (height, width) = (image.height() as usize, image.width() as usize);
    if !image.color().has_alpha() {
        if image.color().bytes_per_pixel() <= 3 {
            return Picture::from_rgb8(height, width, &image.to_rgb8());
        }
        let rgb = image.to_rgb32f();
        let plane = |c: usize| rgb.as_raw().iter().skip(c).step_by(3).map(|v| v * 255.0);
        return Picture::from_planar(height, width, (0..3).flat_map(plane).collect());
    }
    let rgba = image.to_rgba32f();
    let plane = |c: usize| rgba.as_raw().chunks_exact(4).map(move |p| (p[c] * p[3] + 1.0 - p[3]) * 255.0);
    Picture::from_planar(height, width, (0..3).flat_map(plane).collect())
}

fn explain(path: &Path, error: ImageError) -> ReadError {
    match error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::InsufficientMemory) => {
            ReadError::TooLarge(path.into())
        }
        ImageError::Unsupported(_) => ReadError::NotAPicture(path.into()),
        error => ReadError::Broken { path: path.into(), reason: error.to_string() },
    }
}

//! Reading picture files.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::decode::{Decoded, decode, dimensions, format_of, guarded};
use super::{BitDepth, MIN_SIDE, Metadata, Picture};

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
        error: io::Error,
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
    /// A picture of a known format, but of a kind that few programs write.
    #[error("`{}` cannot be read: {reason}; save it as PNG first", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// Several frames, one after the other.
    #[error("`{}` is animated: save the frame that is meant as a picture of its own", .0.display())]
    Animated(PathBuf),
    /// More bytes than a picture file may have.
    #[error("`{}` has more than 2 GiB: make the picture smaller first", .0.display())]
    TooLong(PathBuf),
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

/// As many bytes as tell every format.
const HEAD: u64 = 64;

/// The most bytes that a picture file may have. A pipe does not say how many will come.
const FILE_LIMIT: u64 = 2 << 30;

/// A picture as a file has it: with what does not matter for painting, and matters for the file that comes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureFile {
    /// The picture.
    pub picture: Picture,
    /// How finely the file keeps it; more than 16 bits count as 16.
    pub depth: BitDepth,
    /// What else stands in the file, as it stands there.
    pub metadata: Metadata,
}

impl PictureFile {
    /// Reads a PNG, JPEG, WebP, TIFF, BMP, GIF or PNM file, known by its content and not by its name, as
    /// [`Picture::read`] does, and its metadata.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::from_bytes(&load(path)?, path)
    }

    /// Reads a picture file that is in memory; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_bytes(bytes: &[u8], name: &Path) -> Result<Self, ReadError> {
        let decoded = decode(bytes, name)?;
        let depth = decoded.depth();
        // What a decoder says of metadata that it cannot read is no reason to refuse the picture.
        let metadata = guarded(name, || Ok(Metadata::of(bytes))).unwrap_or_default();
        Ok(Self { picture: picture(decoded, name)?, depth, metadata })
    }
}

impl Picture {
    /// Reads a PNG, JPEG, WebP, TIFF, BMP, GIF or PNM file, known by its content and not by its name.
    ///
    /// The EXIF orientation is applied. An embedded ICC profile is converted to sRGB (relative to its own rendering
    /// intent, without black point compensation), for grey, RGB and CMYK alike; a profile that is broken or of another
    /// kind of colour is passed over. CMYK without a profile becomes (1 − ink) · (1 − black). What is fully transparent
    /// gets the colours around it, and the opacity is kept: see [`Picture::alpha`].
    ///
    /// # Errors
    /// If the file is missing, not a picture, animated, broken, too large, or smaller than [`MIN_SIDE`] on a side.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        picture(decode(&load(path)?, path)?, path)
    }

    /// Reads a picture file that is in memory, as [`Picture::read`] does; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_file_bytes(bytes: &[u8], name: &Path) -> Result<Self, ReadError> {
        picture(decode(bytes, name)?, name)
    }

    /// Rows and columns that a picture file says it has, by its head alone and before it is turned upright; nothing
    /// where it cannot be read.
    pub fn size_of(path: &Path) -> Option<(usize, usize)> {
        // Reading the head of a pipe would take it away from the reader of the picture.
        let size = || guarded(path, || Ok(dimensions(path))).ok().flatten();
        path.is_file().then(size).flatten()
    }
}

/// A square part of a picture file, read like [`Picture::read`]; `place` gets the picture's rows and columns and says
/// where the upper and left edges of the part lie and how long its sides are.
pub(crate) fn crop_of_file(
    path: &Path,
    place: impl FnOnce(usize, usize) -> (usize, usize, usize),
) -> Result<Picture, ReadError> {
    let whole = decode(&load(path)?, path)?;
    let (top, left, side) = place(whole.image.height() as usize, whole.image.width() as usize);
    let image = whole.image.crop_imm(left as u32, top as u32, side as u32, side as u32);
    picture(Decoded { image, ..whole }, path)
}

/// The picture of a decoded file.
fn picture(decoded: Decoded, path: &Path) -> Result<Picture, ReadError> {
    let mut picture = guarded(path, || Ok(decoded.into_picture()))?;
    picture.fill_transparent();
    Ok(picture)
}

/// The bytes of a file, once its first ones look like those of a picture. It is opened once and read in order, so a
/// pipe will do.
pub(crate) fn load(path: &Path) -> Result<Vec<u8>, ReadError> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => ReadError::Missing(path.into()),
        _ => ReadError::Io { path: path.into(), error },
    };
    if std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Err(ReadError::Folder(path.into()));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut bytes).map_err(failed)?;
    format_of(&bytes, path)?;
    // Reserved at once: growing would take twice as much.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > FILE_LIMIT {
        return Err(ReadError::TooLong(path.into()));
    }
    bytes.try_reserve_exact(length as usize).map_err(|_| ReadError::TooLarge(path.into()))?;
    file.take(FILE_LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_LIMIT { Err(ReadError::TooLong(path.into())) } else { Ok(bytes) }
}

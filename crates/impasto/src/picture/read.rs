//! Reading picture files.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::canvas::Area;
use super::decode::{self, Part, decode, format_of, guarded};
use super::limits::{Cost, ReadLimits};
use super::{BitDepth, Metadata, Picture, ReadError};
use crate::bytes::Bytes;

/// As many bytes as tell every format.
const HEAD: u64 = 64;

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
        Self::read_within(path, &ReadLimits::default())
    }

    /// As [`PictureFile::read`], within limits.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn read_within(path: &Path, limits: &ReadLimits) -> Result<Self, ReadError> {
        Self::from_bytes_within(&load(path, limits)?, path, limits)
    }

    /// Reads a picture file that is in memory; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_bytes(bytes: &[u8], name: &Path) -> Result<Self, ReadError> {
        Self::from_bytes_within(bytes, name, &ReadLimits::default())
    }

    /// As [`PictureFile::from_bytes`], within limits.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_bytes_within(bytes: &[u8], name: &Path, limits: &ReadLimits) -> Result<Self, ReadError> {
        let decoded = decode(bytes, name, limits, &mut Area::whole)?;
        // What a decoder says of metadata that it cannot read is no reason to refuse the picture.
        let metadata = guarded(name, || Ok(Metadata::of(bytes))).unwrap_or_default();
        Ok(Self { picture: decoded.picture, depth: decoded.depth, metadata })
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
    /// If the file is missing, not a picture, animated, broken, larger than [`ReadLimits::default`] allows, or smaller
    /// than [`MIN_SIDE`](super::MIN_SIDE) on a side.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        Self::read_within(path, &ReadLimits::default())
    }

    /// As [`Picture::read`], within limits.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn read_within(path: &Path, limits: &ReadLimits) -> Result<Self, ReadError> {
        Ok(decode(&load(path, limits)?, path, limits, &mut Area::whole)?.picture)
    }

    /// Reads a picture file that is in memory, as [`Picture::read`] does; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_file_bytes(bytes: &[u8], name: &Path) -> Result<Self, ReadError> {
        Self::from_file_bytes_within(bytes, name, &ReadLimits::default())
    }

    /// As [`Picture::from_file_bytes`], within limits.
    ///
    /// # Errors
    /// As [`Picture::read`].
    pub fn from_file_bytes_within(bytes: &[u8], name: &Path, limits: &ReadLimits) -> Result<Self, ReadError> {
        Ok(decode(bytes, name, limits, &mut Area::whole)?.picture)
    }

    /// Rows and columns that a picture file says it has, by its head alone and before it is turned upright; nothing
    /// where it cannot be read.
    pub fn size_of(path: &Path) -> Option<(usize, usize)> {
        let cost = cost_of(path)?;
        Some((cost.height, cost.width))
    }

    /// Bytes that the picture takes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        (size_of_val(&*self.data) + self.alpha.as_deref().map_or(0, size_of_val)) as u64
    }
}

/// A square part of a picture file in memory; `place` gets the picture's rows and columns and says where the upper and left
/// edges of the part lie and how long its sides are. `name` is what errors call the file.
pub(crate) fn crop_of_bytes(
    bytes: &[u8],
    name: &Path,
    limits: &ReadLimits,
    place: impl Fn(usize, usize) -> (usize, usize, usize),
) -> Result<Picture, ReadError> {
    let part: &mut Part<'_> = &mut |height, width| {
        let (top, left, side) = place(height, width);
        Area { top, left, height: side, width: side }
    };
    Ok(decode(bytes, name, limits, part)?.picture)
}

/// What reading a picture file takes at most, by its head; nothing where it cannot be read, or only once.
pub(crate) fn cost_of(path: &Path) -> Option<Cost> {
    if !path.is_file() {
        return None;
    }
    guarded(path, || Ok(decode::cost_of_file(path))).ok().flatten()
}

/// What reading a picture file that is in memory takes.
pub(crate) fn cost_of_bytes(bytes: &[u8], name: &Path, limits: &ReadLimits) -> Option<Cost> {
    decode::cost(bytes, name, limits).ok()
}

/// The bytes of a file, once its first ones look like those of a picture. It is opened once and read in order, so a
/// pipe will do.
pub(crate) fn load(path: &Path, limits: &ReadLimits) -> Result<Vec<u8>, ReadError> {
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
    let about = file.metadata().map_err(failed)?;
    // A pipe does not say how many bytes will come, and they are in memory twice while their buffer grows.
    let (length, most) = if about.is_file() { (about.len(), limits.memory) } else { (0, limits.memory / 2) };
    let too_long = || ReadError::TooLong { path: path.into(), allowed: Bytes(most) };
    if length > most {
        return Err(too_long());
    }
    bytes.try_reserve_exact(length as usize).map_err(|_| too_long())?;
    read_up_to(&mut file, &mut bytes, most).map_err(failed)?;
    if bytes.len() as u64 > most { Err(too_long()) } else { Ok(bytes) }
}

/// All bytes of a stream that stands for the picture file `name`.
pub(crate) fn load_stream(stream: &mut dyn Read, name: &Path, limits: &ReadLimits) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    // Half: the bytes are in memory twice while their buffer grows.
    let most = limits.memory / 2;
    read_up_to(stream, &mut bytes, most).map_err(|error| ReadError::Io { path: name.into(), error })?;
    let allowed = Bytes(most);
    if bytes.len() as u64 > most { Err(ReadError::TooLong { path: name.into(), allowed }) } else { Ok(bytes) }
}

/// Reads to the end, or until there is one byte more than `most`.
fn read_up_to(stream: &mut dyn Read, bytes: &mut Vec<u8>, most: u64) -> io::Result<()> {
    let left = most.saturating_add(1).saturating_sub(bytes.len() as u64);
    stream.take(left).read_to_end(bytes).map(drop)
}

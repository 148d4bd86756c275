//! Why pictures could not be read or written.

use std::io;
use std::path::PathBuf;

use image::ImageError;
use image::error::LimitErrorKind;
use impasto_files::FileError;

use super::MIN_SIDE;
use super::depth::BitDepth;
use super::format::{readable, writable};
use super::max_pixels::MaxPixels;
use crate::bytes::Bytes;

/// Why a picture could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
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
    #[error("`{}` is not a picture that can be read: give a {} file", .0.display(), readable())]
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
    /// More pixels than a picture may have.
    #[error(
        "`{}` is {width}×{height} pixels, more than the {limit} that are read: raise `--max-pixels` (reading it takes \
         {needed} of memory), or make it smaller first",
        path.display()
    )]
    TooManyPixels {
        /// The file.
        path: PathBuf,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// What reading it would take.
        needed: Bytes,
        /// The most that are read.
        limit: MaxPixels,
    },
    /// More memory than reading it may take.
    #[error(
        "reading `{}`, {width}×{height} pixels, takes {needed} of memory and {allowed} may be taken: allow more with \
         `--memory`, or make it smaller first",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// What it takes.
        needed: Bytes,
        /// What it may take.
        allowed: Bytes,
    },
    /// A file of more bytes than there may be memory.
    #[error(
        "`{}` has more than the {allowed} that may be taken: allow more with `--memory`, or make it smaller first",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
        /// What it may take.
        allowed: Bytes,
    },
    /// A decoder asks for more memory than it may have for what is in the file beside its pixels.
    #[error(
        "`{}` cannot be read: what it holds beside its pixels takes more than {allowed}; save it without metadata first",
        path.display()
    )]
    Limits {
        /// The file.
        path: PathBuf,
        /// What it may take.
        allowed: Bytes,
    },
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

/// Why a picture could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The ending says nothing we know.
    #[error("cannot tell a picture format from `{}`: end the name in {}", .0.display(), writable(".", ""))]
    Format(PathBuf),
    /// The ending of a loss curve says nothing we know.
    #[error("cannot tell how to write the curve `{}`: end the name in .svg, .png or .csv", .0.display())]
    CurveFormat(PathBuf),
    /// The file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// More bits a channel than the format has.
    #[error("a {format} file cannot hold {depth} bits a channel: write a .png or .tiff")]
    Depth {
        /// The format's ending.
        format: &'static str,
        /// What was asked for.
        depth: BitDepth,
    },
    /// The picture could not be put into its format.
    #[error("cannot encode the picture: {0}")]
    Encode(String),
    /// Standard output would not take it.
    #[error("cannot write the picture to standard output: {0}")]
    Stdout(io::Error),
}

/// That there is not as much memory as is needed.
pub(super) fn no_memory() -> ImageError {
    ImageError::Limits(image::error::LimitError::from_kind(LimitErrorKind::InsufficientMemory))
}

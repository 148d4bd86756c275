//! Writing picture files: whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::encode::encode;
use super::{BitDepth, Picture, PictureOutput};
use crate::settings::SettingsError;

/// Why a picture could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The ending says nothing we know.
    #[error("cannot tell a picture format from `{}`: end the name in .png, .jpg, .webp or .tiff", .0.display())]
    Format(PathBuf),
    /// The ending of a loss curve says nothing we know.
    #[error("cannot tell how to write the curve `{}`: end the name in .svg, .png or .csv", .0.display())]
    CurveFormat(PathBuf),
    /// The folder is not there.
    #[error("the folder `{}` does not exist: make it first", .0.display())]
    NoFolder(PathBuf),
    /// The path is a folder.
    #[error("`{}` is a folder: name a file in it", .0.display())]
    IsFolder(PathBuf),
    /// The folder would not take a file.
    #[error("cannot write into the folder `{}`: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file could not be written; nothing is left under its name that was not there before.
    #[error("cannot write `{}`: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
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

/// The picture formats that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureFormat {
    /// `.png`.
    Png,
    /// `.jpg`, `.jpeg`, quality 95.
    Jpeg,
    /// `.webp`, lossless.
    WebP,
    /// `.tif`, `.tiff`, not compressed.
    Tiff,
}

impl PictureFormat {
    /// The format that the ending of a path stands for.
    ///
    /// # Errors
    /// If it has none, or one not listed here.
    pub fn of(path: &Path) -> Result<Self, WriteError> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        Self::of_ending(&ending).ok_or_else(|| WriteError::Format(path.into()))
    }

    fn of_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "webp" => Some(Self::WebP),
            "tif" | "tiff" => Some(Self::Tiff),
            _ => None,
        }
    }

    /// The ending that files of this format are given.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Tiff => "tiff",
        }
    }

    /// Whether files of this format can keep how opaque a pixel is.
    pub fn holds_alpha(self) -> bool {
        self != Self::Jpeg
    }

    /// What is lost of a picture in this format, to be told to whoever writes it.
    pub(crate) fn loss(self, picture: &Picture) -> Option<&'static str> {
        (picture.alpha().is_some() && !self.holds_alpha())
            .then_some("JPEG cannot hold transparency: the painting lies on white")
    }

    /// Whether files of this format can keep channels this finely.
    pub fn holds(self, depth: BitDepth) -> bool {
        depth == BitDepth::Eight || matches!(self, Self::Png | Self::Tiff)
    }
}

impl FromStr for PictureFormat {
    type Err = SettingsError;

    /// The format by one of its endings.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let expected = "`png`, `jpg`, `webp` or `tiff`";
        let wrong = || SettingsError::Value { what: "picture format", value: text.into(), expected };
        Self::of_ending(text).ok_or_else(wrong)
    }
}

impl Picture {
    /// Writes the picture in the format of the path's ending, 8 bits a channel, under a temporary name first, so that a
    /// reader never sees half of it. It says that its colours are sRGB. `settings` go into it, to be found by
    /// [`settings_of`](super::settings_of).
    ///
    /// # Errors
    /// If the ending is unknown or the folder cannot be written to.
    pub fn write(&self, path: &Path, settings: Option<&str>) -> Result<(), WriteError> {
        self.write_as(PictureFormat::of(path)?, path, settings)
    }

    /// As [`Picture::write`], in this format whatever the path ends in.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn write_as(&self, format: PictureFormat, path: &Path, settings: Option<&str>) -> Result<(), WriteError> {
        self.write_with(format, path, &settings_alone(settings))
    }

    /// As [`Picture::write_as`], with all that may be said of a file.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn write_with(&self, format: PictureFormat, path: &Path, output: &PictureOutput) -> Result<(), WriteError> {
        write_whole(path, |file| encode(self, format, output, file))
    }

    /// The picture as a file in memory.
    ///
    /// # Errors
    /// If the format cannot hold it: a JPEG's sides are at most 65535, a WebP's 16384.
    pub fn to_file_bytes(&self, format: PictureFormat, settings: Option<&str>) -> Result<Vec<u8>, WriteError> {
        self.to_file_bytes_with(format, &settings_alone(settings))
    }

    /// As [`Picture::to_file_bytes`], with all that may be said of a file.
    ///
    /// # Errors
    /// As [`Picture::to_file_bytes`].
    pub fn to_file_bytes_with(&self, format: PictureFormat, output: &PictureOutput) -> Result<Vec<u8>, WriteError> {
        let mut bytes = Vec::new();
        encode(self, format, output, &mut bytes).map_err(WriteError::Encode)?;
        Ok(bytes)
    }

    /// Checks, before any work is done, that [`Picture::write`] will find a known format and a folder it may write to.
    ///
    /// # Errors
    /// As [`Picture::write`].
    pub fn check_writable(path: &Path) -> Result<(), WriteError> {
        PictureFormat::of(path)?;
        check_place(path)
    }

    /// The picture as a PNG file in memory.
    pub(crate) fn to_png(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        encode(self, PictureFormat::Png, &PictureOutput::default(), &mut bytes)?;
        Ok(bytes)
    }
}

fn settings_alone(settings: Option<&str>) -> PictureOutput {
    PictureOutput { settings: settings.map(str::to_owned), ..PictureOutput::default() }
}

/// Whether a file can be made at this place, found out by making one under another name.
pub(crate) fn check_place(path: &Path) -> Result<(), WriteError> {
    temporary_beside(path).map(drop)
}

fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile, WriteError> {
    if path.is_dir() {
        return Err(WriteError::IsFolder(path.into()));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(WriteError::NoFolder(folder.into()));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".impasto-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|error| WriteError::Folder { folder: folder.into(), error })
}

/// Whether a path is neither a file nor a folder, but a device or a pipe: it is written to, never replaced.
fn is_device(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Writes a file under a temporary name beside its own, then renames it: a reader sees all of it or none.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), String>,
) -> Result<(), WriteError> {
    let failed = |reason: String| WriteError::File { path: path.into(), reason };
    if is_device(path) {
        let device = File::options().write(true).open(path).map_err(|error| failed(error.to_string()))?;
        let mut device = BufWriter::new(device);
        write(&mut device).map_err(failed)?;
        return device.flush().map_err(|error| failed(error.to_string()));
    }
    let file = temporary_beside(path)?;
    let mut buffered = BufWriter::new(file);
    write(&mut buffered).map_err(failed)?;
    let file = buffered.into_inner().map_err(|error| failed(error.to_string()))?;
    file.persist(path).map(drop).map_err(|error| failed(error.error.to_string()))
}

/// As [`write_whole`], and waits until the bytes are on the disk: they are there after a power cut, or the file before
/// them is.
pub(crate) fn write_durable(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    let failed = |error: io::Error| WriteError::File { path: path.into(), reason: error.to_string() };
    let mut buffered = BufWriter::new(temporary_beside(path)?);
    write(&mut buffered).map_err(failed)?;
    let file = buffered.into_inner().map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    // The new name is on the disk once its folder is; where folders cannot be opened, the system sees to that.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

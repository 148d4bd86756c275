//! Writing picture files: whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use super::encode::encode;
use super::{Format, Picture, PictureFormat, PictureOutput, WriteError};

impl PictureFormat {
    /// The format that the ending of a path stands for.
    ///
    /// # Errors
    /// If it has none, or one of a format that is not written.
    pub fn of(path: &Path) -> Result<Self, WriteError> {
        Format::of(path).and_then(|format| format.written).ok_or_else(|| WriteError::Format(path.into()))
    }

    /// What is lost of a picture in this format, to be told to whoever writes it.
    pub(crate) fn loss(self, picture: &Picture) -> Option<&'static str> {
        (picture.alpha().is_some() && !self.holds_alpha())
            .then_some("JPEG cannot hold transparency: the painting lies on white")
    }
}

impl Picture {
    /// Writes the picture in the format of the path's ending, 8 bits a channel, whole and durably or not at all. It says
    /// that its colours are sRGB. `settings` go into it, to be found by
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
        Ok(impasto_files::write(path, |file| encode(self, format, output, file).map_err(io::Error::other))?)
    }

    /// Writes a picture that cannot go where it should into the folder for temporary files, and returns its path.
    pub(crate) fn write_to_temporary_folder(&self, output: &PictureOutput) -> Result<PathBuf, WriteError> {
        let format = PictureFormat::Png;
        let fill = |file: &mut dyn io::Write| encode(self, format, output, file).map_err(io::Error::other);
        Ok(impasto_files::write_to_temporary_folder(format.ending(), fill)?)
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
        Ok(impasto_files::check(path)?)
    }
}

fn settings_alone(settings: Option<&str>) -> PictureOutput {
    PictureOutput { settings: settings.map(str::to_owned), ..PictureOutput::default() }
}

//! The bytes of a weight file, on disk or in memory, with every read checked against what is there.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{Format, LoadError};

/// A file with its name and its length.
#[derive(Debug)]
pub(super) struct Source {
    label: Label,
    data: Data,
    length: u64,
    position: u64,
}

#[derive(Debug)]
enum Data {
    Disk(File),
    Memory(Cow<'static, [u8]>),
}

impl Source {
    /// Opens a regular, non-empty file.
    pub(super) fn open(path: &Path) -> Result<Self, LoadError> {
        let path = path.to_path_buf();
        let system = |path: &Path, source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => LoadError::NotFound { path: path.to_path_buf() },
            _ => LoadError::Io { path: path.to_path_buf(), source },
        };
        // Asked before opening: opening a pipe would wait for its writer.
        let about = std::fs::metadata(&path).map_err(|e| system(&path, e))?;
        if about.is_dir() {
            return Err(LoadError::NotAFile { path, what: "a directory" });
        }
        if !about.is_file() {
            return Err(LoadError::NotAFile { path, what: "a device or a pipe" });
        }
        if about.len() == 0 {
            return Err(LoadError::Empty { path });
        }
        let file = File::open(&path).map_err(|e| system(&path, e))?;
        let label = Label { path, format: None };
        Ok(Self { label, length: about.len(), data: Data::Disk(file), position: 0 })
    }

    /// Takes bytes in memory; `path` is what errors call them.
    pub(super) fn from_bytes(path: PathBuf, bytes: Cow<'static, [u8]>) -> Result<Self, LoadError> {
        if bytes.is_empty() {
            return Err(LoadError::Empty { path });
        }
        let length = bytes.len() as u64;
        let label = Label { path, format: None };
        Ok(Self { label, length, data: Data::Memory(bytes), position: 0 })
    }

    pub(super) fn path(&self) -> &Path {
        &self.label.path
    }

    /// Its name, for errors.
    pub(super) fn label(&self) -> &Label {
        &self.label
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Settles what the errors call the file.
    pub(super) fn set_format(&mut self, format: Format) {
        self.label.format = Some(format);
    }

    /// The first `count` bytes, or fewer where the file is shorter.
    pub(super) fn head(&mut self, count: u64) -> Result<Vec<u8>, LoadError> {
        let count = count.min(self.length);
        self.read_at(0, count, "its first bytes")
    }

    /// Exactly `count` bytes from `offset`; `what` is named when they are not there. Never allocates more than the
    /// file is long.
    pub(super) fn read_at(&mut self, offset: u64, count: u64, what: &str) -> Result<Vec<u8>, LoadError> {
        if offset.checked_add(count).is_none_or(|end| end > self.length) {
            return Err(self.label.truncated(format!("{what} should reach to byte {}", offset.saturating_add(count))));
        }
        let mut bytes =
            vec![0; usize::try_from(count).map_err(|_| self.label.malformed(format!("{what} is too large")))?];
        let read = self.seek(SeekFrom::Start(offset)).and_then(|_| self.read_exact(&mut bytes));
        read.map_err(|e| self.label.io(e))?;
        Ok(bytes)
    }
}

/// The name of a file and what it begins as: makes the errors of its readers.
#[derive(Clone, Debug)]
pub(super) struct Label {
    path: PathBuf,
    /// `None` until it is known.
    format: Option<Format>,
}

impl Label {
    pub(super) fn truncated(&self, detail: impl Into<String>) -> LoadError {
        let (path, detail) = (self.path.clone(), detail.into());
        match self.format {
            Some(format) => LoadError::Truncated { path, format, detail },
            None => LoadError::Io { path, source: io::Error::new(io::ErrorKind::UnexpectedEof, detail) },
        }
    }

    pub(super) fn malformed(&self, detail: impl Into<String>) -> LoadError {
        let (path, detail) = (self.path.clone(), detail.into());
        match self.format {
            Some(format) => LoadError::Malformed { path, format, detail },
            None => LoadError::Io { path, source: io::Error::new(io::ErrorKind::InvalidData, detail) },
        }
    }

    pub(super) fn unsupported(&self, what: impl Into<String>, advice: &'static str) -> LoadError {
        LoadError::Unsupported { path: self.path.clone(), what: what.into(), advice }
    }

    pub(super) fn not_a_model(&self, what: &'static str) -> LoadError {
        LoadError::NotAModel { path: self.path.clone(), what }
    }

    pub(super) fn forbidden(&self, global: String) -> LoadError {
        LoadError::ForbiddenGlobal { path: self.path.clone(), global }
    }

    /// An error of a reader on top of the file: its end, spoilt data, or the system's own.
    pub(super) fn io(&self, source: io::Error) -> LoadError {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => self.truncated("there are fewer bytes than it announces"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => self.malformed(source.to_string()),
            _ => LoadError::Io { path: self.path.clone(), source },
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.data {
            Data::Disk(file) => file.read(buffer)?,
            Data::Memory(bytes) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX).min(bytes.len());
                let mut rest = &bytes[start..];
                rest.read(buffer)?
            }
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        let target = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        if let Data::Disk(file) = &mut self.data {
            file.seek(SeekFrom::Start(target))?;
        }
        self.position = target;
        Ok(target)
    }
}

/// Reads exactly `count` bytes, taking memory only as they arrive: an announced length alone allocates nothing.
pub(super) fn read_bounded(reader: &mut impl Read, count: u64) -> io::Result<Vec<u8>> {
    const STEP: u64 = 1 << 20;
    let mut bytes = Vec::with_capacity(count.min(STEP) as usize);
    let got = reader.take(count).read_to_end(&mut bytes)?;
    if (got as u64) < count {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Passes over exactly `count` bytes.
pub(super) fn skip(reader: &mut impl Read, count: u64) -> io::Result<()> {
    let passed = io::copy(&mut reader.take(count), &mut io::sink())?;
    if passed < count { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

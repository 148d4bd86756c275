//! The durable writer: a file appears under its name whole and on the disk, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{FileError, is_full};
use crate::identity::{behind_links, folder_of};

/// The most symbolic links that are followed, as on Linux.
const MOST_LINKS: usize = 40;

/// Writes a file, which is on the disk when this returns: into a temporary file in the same folder, which is
/// synchronised, then renamed, then the folder is synchronised. After a power cut at any moment there is the old file
/// or the new one.
///
/// An existing file keeps its mode and, where the system lets it, its owner. A symbolic link stays: its target is
/// written. A device, a pipe, and what `/dev/stdout` stands for are written to directly.
///
/// # Errors
/// If the file cannot be written, or `fill` fails. What was there before is as it was, and no temporary file is left.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    match Place::of(path)? {
        Place::Stream => write_to_stream(path, fill),
        Place::File(target) => replace(path, &target, fill),
    }
}

/// Checks, before any work is done, that [`write()`] will find a folder that takes a file of this name.
///
/// # Errors
/// If it does not.
pub fn check(path: &Path) -> Result<(), FileError> {
    let Place::File(target) = Place::of(path)? else { return Ok(()) };
    if let Err(error) = target.symlink_metadata()
        && error.kind() == io::ErrorKind::InvalidFilename
    {
        return Err(FileError::Name(path.into()));
    }
    temporary_beside(path, &target).map(drop)
}

/// Writes a file that cannot go where it should into the folder for temporary files, under a new name with this ending,
/// and returns its path.
///
/// # Errors
/// If it cannot be written there.
pub fn write_to_temporary_folder(
    ending: &str,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<PathBuf, FileError> {
    let folder = std::env::temp_dir();
    let failed = |error| FileError::of(&folder, error);
    let suffix = format!(".{ending}");
    let temporary = tempfile::Builder::new().prefix("impasto-").suffix(&suffix).tempfile().map_err(failed)?;
    let path = temporary.path().to_path_buf();
    fill_and_sync(temporary.as_file(), fill).map_err(|error| FileError::of(&path, error))?;
    temporary.into_temp_path().keep().map_err(|error| FileError::of(&path, error.error))
}

/// Removes a file, behind all symbolic links, which stay.
///
/// # Errors
/// If the system does not let it.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(behind_links(path))
}

/// Gives a file that is being written its name, once all of it is on the disk, and waits until the name is as well.
///
/// # Errors
/// If the system does not let it.
pub fn rename_durably(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(from, to)?;
    sync_folder(folder_of(to))
}

/// Where a path leads.
enum Place {
    /// To a device, a pipe, or an open file of this process.
    Stream,
    /// To a file, which may not exist yet, behind all symbolic links.
    File(PathBuf),
}

impl Place {
    fn of(path: &Path) -> Result<Self, FileError> {
        if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
            return Ok(Self::Stream);
        }
        let links = io::Error::other("it is a symbolic link that leads to itself");
        follow(path).map_err(|error| FileError::of(path, error))?.ok_or_else(|| FileError::of(path, links))
    }
}

/// Follows all symbolic links; nothing where they do not end.
fn follow(path: &Path) -> io::Result<Option<Place>> {
    let mut target = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        if is_open_file(&target) {
            return Ok(Some(Place::Stream));
        }
        if !target.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(Some(Place::File(target)));
        }
        let link = fs::read_link(&target)?;
        target = folder_of(&target).join(link);
    }
    Ok(None)
}

/// Whether a path names an open file of a process, as `/dev/stdout` and `/dev/fd/1` do: a rename would take its place in
/// the folder of devices, or leave whoever holds it open with the old file.
fn is_open_file(path: &Path) -> bool {
    let Ok(folder) = folder_of(path).canonicalize() else { return false };
    folder == Path::new("/dev")
        || folder == Path::new("/dev/fd")
        || (folder.starts_with("/proc") && folder.ends_with("fd"))
}

fn write_to_stream(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    let failed = |error| FileError::Write { path: path.into(), error };
    // What a shell opened for appending is appended to.
    let stream = File::options().append(true).open(path).map_err(failed)?;
    let mut stream = BufWriter::new(stream);
    fill(&mut stream).and_then(|()| stream.flush()).map_err(failed)
}

fn replace(path: &Path, target: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    let failed = |error| FileError::of(path, error);
    let temporary = temporary_beside(path, target)?;
    keep_attributes(target, temporary.as_file()).map_err(failed)?;
    fill_and_sync(temporary.as_file(), fill).map_err(failed)?;
    // The file is closed before it is renamed, which some systems want.
    let temporary = temporary.into_temp_path();
    fs::rename(&temporary, target).map_err(failed)?;
    // Its name is gone: there is nothing to remove any more.
    let _ = temporary.keep();
    sync_folder(folder_of(target)).map_err(failed)
}

/// Writes all of a file, to the disk. An error that says that the disk is full stays recognisable whatever `fill` makes
/// of it.
fn fill_and_sync(file: &File, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut watched = Watched { file, full: None };
    let mut buffered = BufWriter::new(&mut watched);
    let filled = fill(&mut buffered).and_then(|()| buffered.flush());
    // What a failed write left in the buffer is not tried again.
    let _ = buffered.into_parts();
    match (filled, watched.full) {
        (Err(_), Some(kind)) => Err(kind.into()),
        (filled, _) => filled.and_then(|()| file.sync_all()),
    }
}

/// A file that remembers that the disk was full.
struct Watched<'a> {
    file: &'a File,
    full: Option<io::ErrorKind>,
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).inspect_err(|error| self.full = self.full.or(Some(error.kind()).filter(|k| is_full(*k))))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn temporary_beside(path: &Path, target: &Path) -> Result<NamedTempFile, FileError> {
    if target.is_dir() {
        return Err(FileError::IsFolder(path.into()));
    }
    let folder = folder_of(target);
    if !folder.is_dir() {
        return Err(FileError::NoFolder(folder.into()));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".impasto-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask, as any other file
    builder.tempfile_in(folder).map_err(|error| match error.kind() {
        kind if is_full(kind) => FileError::DiskFull(path.into()),
        _ => FileError::Folder { folder: folder.into(), error },
    })
}

/// Gives a new file the mode of the one whose place it takes, and its owner where that may be done.
fn keep_attributes(old: &Path, new: &File) -> io::Result<()> {
    let Ok(old) = old.metadata() else { return Ok(()) };
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let made = new.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            let _ = fchown(new, Some(old.uid()), Some(old.gid()));
        }
        new.set_permissions(old.permissions())
    }
    #[cfg(not(unix))]
    {
        let _ = (old, new);
        Ok(())
    }
}

/// Waits until the names in a folder are on the disk. Where folders cannot be opened or synchronised, the system sees to
/// that itself.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let Ok(folder) = File::open(folder) else { return Ok(()) };
    match folder.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        Err(error) if cfg!(not(unix)) && error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

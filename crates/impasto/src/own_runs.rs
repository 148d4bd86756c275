//! Where the files of unfinished runs lie, kept in the user's own state folder.
//!
//! A checkpoint may come from somebody else. If it said where its files lie, resuming it could read any file of this
//! machine and write over any. So a checkpoint has file names only, and a random name under which the paths are kept
//! here. A checkpoint from elsewhere has a name that is not known here; a forged one can lead only to paths that this
//! user has typed. Where nothing is known, files are looked for beside the checkpoint, or must be given.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};

/// Paths whose checkpoint is gone are kept for this long: the first checkpoint of a run comes a while after its paths.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Characters of a name.
const NAME: usize = 24;

/// The most bytes of such a file that are read.
const LONGEST: u64 = 1 << 20;

/// The key under which a file says where its checkpoint is.
const CHECKPOINT: &str = "checkpoint_file";

/// `$XDG_STATE_HOME/impasto/runs`, or what the platform has in its place.
fn folder() -> Option<PathBuf> {
    let places = choose_native_strategy().ok()?;
    Some(places.state_dir().unwrap_or_else(|| places.data_dir()).join("impasto").join("runs"))
}

/// Keeps the paths of a run, as TOML, under a new name; nothing where there is no folder to keep them in.
pub(crate) fn remember(paths: &str, checkpoint: &Path) -> Option<String> {
    let folder = folder()?;
    fs::create_dir_all(&folder).ok()?;
    forget_old(&folder);
    let checkpoint = std::path::absolute(checkpoint).ok()?;
    let line = toml::Table::from_iter([(CHECKPOINT.to_owned(), checkpoint.to_str()?.into())]);
    // Only the user may read it.
    let file = tempfile::Builder::new().prefix("").suffix(".toml").rand_bytes(NAME).tempfile_in(&folder).ok()?;
    fs::write(file.path(), format!("{line}{paths}")).ok()?;
    let (_, path) = file.keep().ok()?;
    Some(path.file_stem()?.to_str()?.to_owned())
}

/// The paths kept under a name.
pub(crate) fn recall(name: &str) -> Option<String> {
    if name.len() != NAME || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let path = folder()?.join(format!("{name}.toml"));
    let text = read(&path).ok()?;
    let mut table: toml::Table = text.parse().ok()?;
    table.remove(CHECKPOINT);
    Some(table.to_string())
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(fs::File::open(path)?, LONGEST), &mut text)?;
    Ok(text)
}

/// Removes what was kept for checkpoints that are gone.
fn forget_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let old = path
            .metadata()
            .and_then(|about| about.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > KEPT));
        let checkpoint = || read(&path).ok()?.parse::<toml::Table>().ok()?.get(CHECKPOINT)?.as_str().map(PathBuf::from);
        if old && !checkpoint().is_some_and(|checkpoint| checkpoint.exists()) {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_elsewhere_lead_nowhere() {
        for name in ["", "../../etc/passwd", "aaaaaaaaaaaaaaaaaaaaaaaa", "/etc/passwd", "aaaaaaaaaaaaaaaaaaaaaa/a"] {
            assert_eq!(recall(name), None, "{name}");
        }
    }

    #[test]
    fn what_is_kept_goes_a_day_after_its_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("c.safetensors");
        fs::write(&checkpoint, "c").unwrap();
        let kept = |name: &str, checkpoint: &Path| {
            let path = folder.path().join(name);
            let line = toml::Table::from_iter([(CHECKPOINT.to_owned(), checkpoint.to_str().unwrap().into())]);
            fs::write(&path, line.to_string()).unwrap();
            path
        };
        let there = kept("there.toml", &checkpoint);
        let (gone, young) = (kept("gone.toml", Path::new("/nowhere")), kept("young.toml", Path::new("/nowhere")));
        let yesterday = std::time::SystemTime::now() - KEPT - Duration::from_secs(60);
        for path in [&there, &gone] {
            fs::File::options().write(true).open(path).unwrap().set_modified(yesterday).unwrap();
        }
        forget_old(folder.path());
        assert_eq!((there.exists(), gone.exists(), young.exists()), (true, false, true));
    }
}

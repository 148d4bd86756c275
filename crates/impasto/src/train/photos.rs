//! The photographs in some folders: which there are, and which are held out.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::TrainError;
use crate::bytes::hexadecimal;
use crate::picture::{Picture, ReadError, ReadLimits, crop_of_bytes, load, looks_like_a_picture};

/// At least and at most this many photographs are held out for validation, and as many for reports; between them, one in
/// twenty. Of a few photographs at least a third is trained on.
const HELD_OUT: (usize, usize) = (4, 20);

/// A photograph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Photo {
    /// A file.
    File(PathBuf),
    /// One that comes with the program: its name and its file.
    BuiltIn(&'static str, &'static [u8]),
}

impl Photo {
    /// Its file, or what it is called.
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::BuiltIn(name, _) => Path::new(name),
        }
    }

    /// A square part of it, see [`crop_of_bytes`].
    pub(super) fn cropped(
        &self,
        limits: &ReadLimits,
        place: impl Fn(usize, usize) -> (usize, usize, usize),
    ) -> Result<Picture, ReadError> {
        match self {
            Self::File(path) => crop_of_bytes(&load(path, limits)?, path, limits, place),
            Self::BuiltIn(name, bytes) => crop_of_bytes(bytes, Path::new(name), limits, place),
        }
    }
}

/// The photographs that come with the program: six to train on, two held out for validation. Their origins are in NOTICES.
const TRAINING: [Photo; 6] = [
    Photo::BuiltIn("astronaut", include_bytes!("../../photographs/astronaut.jpg")),
    Photo::BuiltIn("chelsea", include_bytes!("../../photographs/chelsea.jpg")),
    Photo::BuiltIn("china", include_bytes!("../../photographs/china.jpg")),
    Photo::BuiltIn("flower", include_bytes!("../../photographs/flower.jpg")),
    Photo::BuiltIn("raccoon", include_bytes!("../../photographs/raccoon.jpg")),
    Photo::BuiltIn("rocket", include_bytes!("../../photographs/rocket.jpg")),
];
const VALIDATION: [Photo; 2] = [
    Photo::BuiltIn("coffee", include_bytes!("../../photographs/coffee.jpg")),
    Photo::BuiltIn("grace-hopper", include_bytes!("../../photographs/grace-hopper.jpg")),
];

/// Photographs, divided once and for all.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Photos {
    /// To train on, sorted by folder and path.
    pub(super) training: Vec<Photo>,
    /// Held out to choose the best network by. One that cannot be read is not replaced.
    pub(super) validation: Vec<Photo>,
    /// Held out to report how good the network is: nothing is chosen by them.
    pub(super) report: Vec<Photo>,
    /// A digest of all paths inside the folders and of the files' sizes, in hexadecimal.
    pub(super) fingerprint: String,
}

/// A file that may be a photograph.
struct Candidate {
    path: PathBuf,
    /// A hash of the path inside its folder: what decides who is held out.
    hash: [u8; 32],
}

impl Photos {
    /// The photographs in these folders, or where none is named, those that come with the program.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(super) fn of(folders: &[PathBuf], but: &[&Path]) -> Result<Self, TrainError> {
        if !folders.is_empty() {
            return Self::find(folders, but);
        }
        let digest = TRAINING.iter().chain(&VALIDATION).fold(Sha256::new(), |digest, photo| {
            let Photo::BuiltIn(_, bytes) = photo else { return digest };
            digest.chain_update(bytes)
        });
        let fingerprint = hexadecimal(&digest.finalize());
        Ok(Self { training: TRAINING.into(), validation: VALIDATION.into(), report: Vec::new(), fingerprint })
    }

    /// Everything in these folders, at any depth, that looks like a picture: by the ending of its name, or where that
    /// says nothing, by its first bytes. Names that begin with a dot are left out.
    ///
    /// The sets depend on the paths inside the folders and on how many there are, so that they stay when folders move.
    /// The files named in `but` are left out: a run may write into the folder that it reads.
    ///
    /// # Errors
    /// If a folder cannot be read, or there is no picture at all.
    pub(super) fn find(folders: &[PathBuf], but: &[&Path]) -> Result<Self, TrainError> {
        let mut digest = Sha256::new();
        let mut candidates = Vec::new();
        for folder in folders {
            let before = candidates.len();
            look_into(folder, but, &mut candidates, &mut digest)?;
            if candidates.len() == before {
                return Err(TrainError::NoPhotos(folder.clone()));
            }
        }
        let (training, validation, report) = divided(&candidates);
        let paths =
            |indices: Vec<usize>| indices.into_iter().map(|i| Photo::File(candidates[i].path.clone())).collect();
        Ok(Self {
            training: paths(training),
            validation: paths(validation),
            report: paths(report),
            fingerprint: hexadecimal(&digest.finalize()),
        })
    }
}

/// The indices of the photographs to train on, in their order, and of those for validation and for reports, in the
/// order of their hashes. Two photographs have no report, and one alone is both trained on and validated by.
fn divided(candidates: &[Candidate]) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
    let count = candidates.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|&i| candidates[i].hash);
    let each = (count / 20).clamp(HELD_OUT.0, HELD_OUT.1).min(count / 3);
    let (validation, rest) = match count {
        0 | 1 => return (order.clone(), order, Vec::new()),
        2 => order.split_at(1),
        _ => order.split_at(each),
    };
    let (report, training) = rest.split_at(each);
    let mut training = training.to_vec();
    training.sort_unstable();
    (training, validation.to_vec(), report.to_vec())
}

/// The photographs in some folders that a training on these folders holds out for reports, in an order that says
/// nothing about them.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportPhotos {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// What a model's card calls `photos` if it was trained on the same files.
    pub fingerprint: String,
}

/// The photographs that [`TrainJob`](super::TrainJob) neither trains on nor chooses by. The folders must be the same, with
/// the same files in them; a preview or a curve that a training wrote there has to be moved away.
///
/// # Errors
/// If a folder cannot be read, or there is no picture in it.
pub fn report_photos(folders: &[PathBuf]) -> Result<ReportPhotos, TrainError> {
    let Photos { report, fingerprint, .. } = Photos::find(folders, &[])?;
    Ok(ReportPhotos { paths: report.iter().map(|photo| photo.path().to_owned()).collect(), fingerprint })
}

fn look_into(
    folder: &Path,
    but: &[&Path],
    candidates: &mut Vec<Candidate>,
    digest: &mut Sha256,
) -> Result<(), TrainError> {
    if !folder.is_dir() {
        return Err(if folder.exists() {
            TrainError::NotAFolder(folder.into())
        } else {
            TrainError::Missing(folder.into())
        });
    }
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name())) {
        let entry = match entry {
            Ok(entry) => entry,
            // A folder inside that may not be read, or a link to nowhere, takes nothing from the others.
            Err(error) if error.depth() > 0 => continue,
            Err(error) => return Err(TrainError::Folder { folder: folder.into(), reason: error.to_string() }),
        };
        let left_out = |path: &Path| {
            but.iter()
                .any(|but| path.file_name() == but.file_name() && same_file::is_same_file(path, but).unwrap_or(false))
        };
        if !entry.file_type().is_file() || left_out(entry.path()) || !looks_like_a_picture(entry.path()) {
            continue;
        }
        let inside = entry.path().strip_prefix(folder).unwrap_or(entry.path()).to_string_lossy().into_owned();
        let size = entry.metadata().map_or(0, |metadata| metadata.len());
        digest.update(format!("{inside}\0{size}\n"));
        candidates.push(Candidate { path: entry.into_path(), hash: Sha256::digest(inside.as_bytes()).into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        folder
    }

    #[test]
    fn pictures_are_found_at_any_depth_and_by_any_name() {
        let folder = folder(&["b.JPEG", "a/x.png", "a/deep/y.webp", "notes.txt", ".hidden.jpg", "noname"]);
        std::fs::write(folder.path().join("noname"), b"\x89PNG\r\n\x1a\n").unwrap();
        let photos = Photos::find(&[folder.path().into()], &[]).unwrap();
        let all: Vec<_> = photos.training.iter().chain(&photos.validation).chain(&photos.report).collect();
        let inside = |photo: &&Photo| photo.path().strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        let mut names: Vec<_> = all.iter().map(inside).collect();
        names.sort();
        assert_eq!(names, ["a/deep/y.webp", "a/x.png", "b.JPEG", "noname"]);
        assert_eq!((photos.training.len(), photos.validation.len(), photos.report.len()), (2, 1, 1));
    }

    #[test]
    fn who_is_held_out_depends_on_the_path_inside_alone() {
        let names: Vec<String> = (0..50).map(|i| format!("{i}.jpg")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (one, other) = (folder(&names), folder(&names));
        let held = |folder: &tempfile::TempDir| {
            let photos = Photos::find(&[folder.path().into()], &[]).unwrap();
            let names = photos.validation.iter().chain(&photos.report);
            let names = names.map(|photo| photo.path().file_name().unwrap().to_owned());
            (names.collect::<Vec<_>>(), photos.fingerprint)
        };
        assert_eq!(held(&one), held(&other));
        std::fs::write(other.path().join("7.jpg"), "another").unwrap();
        assert_ne!(held(&one).1, held(&other).1);
    }

    #[test]
    fn the_three_sets_share_no_photograph_and_leave_none_out() {
        for (count, sets) in [(2, (1, 1, 0)), (3, (1, 1, 1)), (12, (4, 4, 4)), (60, (52, 4, 4)), (450, (410, 20, 20))] {
            let names: Vec<String> = (0..count).map(|i| format!("{i}.jpg")).collect();
            let folder = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let photos = Photos::find(&[folder.path().into()], &[]).unwrap();
            let Photos { training, validation, report, .. } = &photos;
            assert_eq!((training.len(), validation.len(), report.len()), sets, "{count}");
            let path = |photo: &Photo| photo.path().to_owned();
            let all: std::collections::HashSet<_> = training.iter().chain(validation).chain(report).map(path).collect();
            assert_eq!(all.len(), count);
            let report: Vec<PathBuf> = report.iter().map(path).collect();
            assert_eq!(report_photos(&[folder.path().into()]).unwrap().paths, report);
        }
    }

    #[test]
    fn photographs_come_with_the_program() {
        let photos = Photos::of(&[], &[]).unwrap();
        assert_eq!((photos.training.len(), photos.validation.len(), photos.report.len()), (6, 2, 0));
        for photo in photos.training.iter().chain(&photos.validation) {
            let cropped = photo.cropped(&ReadLimits::default(), |height, width| (0, 0, height.min(width))).unwrap();
            assert!(cropped.height() >= 256, "{photo:?}");
        }
    }

    #[test]
    fn one_photograph_alone_is_trained_on_and_looked_at() {
        let folder = folder(&["only.jpg"]);
        let photos = Photos::find(&[folder.path().into()], &[]).unwrap();
        assert_eq!((photos.training.len(), photos.validation.len(), photos.report.len()), (1, 1, 0));
    }

    #[test]
    fn folders_without_pictures_are_refused() {
        let folder = folder(&["notes.txt"]);
        for (path, word) in [
            (folder.path().to_path_buf(), "no pictures"),
            (folder.path().join("no"), "no folder"),
            (folder.path().join("notes.txt"), "not a folder"),
        ] {
            let message = Photos::find(&[path], &[]).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}

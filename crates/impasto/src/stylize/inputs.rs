//! Which pictures are meant by the files, folders and patterns that are named.

use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::picture::Format;

/// Why something that was named stands for no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// Nothing is named.
    #[error("no photograph is named: give files, folders, patterns, or `-` for standard input")]
    Nothing,
    /// A folder in which there is none.
    #[error("there are no pictures in the folder `{}`", .0.display())]
    NoPictures(PathBuf),
    /// A pattern that nothing is like.
    #[error("no file matches the pattern `{}`", .0.display())]
    NoMatch(PathBuf),
    /// A pattern that is none.
    #[error("`{}` is neither a file nor a pattern: {reason}", pattern.display())]
    Pattern {
        /// What was given.
        pattern: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A folder that cannot be looked into.
    #[error("cannot look into the folder `{}`: {reason}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Standard input named beside other inputs.
    #[error("`-` stands alone: give standard input, or files, but not both")]
    NotAlone,
    /// `-` where the context has no streams.
    #[error("there is no standard input or output here: name files instead of `-`")]
    NoStreams,
}

/// A picture to paint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The file, or `-`.
    pub(super) path: PathBuf,
    /// What it is called below a folder of outputs: its name, or the way to it from the folder or pattern named.
    pub(super) inner: PathBuf,
    /// Whether it was named itself, not found in a folder.
    pub(super) named: bool,
}

/// What stands for standard input and standard output.
pub(super) fn is_stream(path: &Path) -> bool {
    path == "-"
}

/// Whether what is named can stand for several pictures.
pub(super) fn is_many(named: &Path) -> bool {
    named.is_dir() || is_pattern(named)
}

/// Everything that one input stands for, in order of names. `skipped` is a folder not to be looked into, if it is
/// found on the way: that of the outputs.
pub(super) fn find(named: &Path, skipped: &Path) -> Vec<Result<Found, InputError>> {
    if named.is_dir() {
        return in_folder(named, named, skipped);
    }
    if is_pattern(named) {
        return matching(named, skipped);
    }
    let inner = named.file_name().map_or_else(|| named.to_owned(), PathBuf::from);
    vec![Ok(Found { path: named.to_owned(), inner, named: true })]
}

fn is_pattern(named: &Path) -> bool {
    !named.exists() && has_wildcard(named.as_os_str())
}

fn has_wildcard(text: &OsStr) -> bool {
    text.to_string_lossy().contains(['*', '?', '['])
}

/// All pictures of a folder and its sub-folders, by their endings, but hidden ones; `base` is where inner names begin.
fn in_folder(folder: &Path, base: &Path, skipped: &Path) -> Vec<Result<Found, InputError>> {
    let wanted = |entry: &walkdir::DirEntry| {
        let hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
        let outputs = entry.file_type().is_dir()
            && entry.depth() > 0
            && same_file::is_same_file(skipped, entry.path()).unwrap_or(false);
        !hidden && !outputs
    };
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(wanted) {
        match entry {
            Ok(entry) if is_picture(entry.path()) && entry.path().is_file() => {
                let inner = entry.path().strip_prefix(base).unwrap_or(entry.path()).to_owned();
                found.push(Ok(Found { path: entry.into_path(), inner, named: false }));
            }
            Ok(_) => {}
            Err(error) => {
                let folder = error.path().unwrap_or(folder).to_owned();
                let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                found.push(Err(InputError::Folder { folder, reason }));
            }
        }
    }
    if found.is_empty() {
        found.push(Err(InputError::NoPictures(folder.to_owned())));
    }
    found
}

fn is_picture(path: &Path) -> bool {
    Format::of(path).is_some()
}

/// What a pattern matches, as a shell would have it: files as they are, folders with all that is in them.
fn matching(pattern: &Path, skipped: &Path) -> Vec<Result<Found, InputError>> {
    let wrong = |reason| vec![Err(InputError::Pattern { pattern: pattern.to_owned(), reason })];
    let Some(text) = pattern.to_str() else { return wrong("a pattern must be Unicode") };
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = match glob::glob_with(text, options) {
        Ok(paths) => paths,
        Err(error) => return wrong(error.msg),
    };
    let base = fixed_part(pattern);
    let mut found = Vec::new();
    for path in paths {
        match path {
            Ok(path) if path.is_dir() => {
                let inside = in_folder(&path, &base, skipped);
                found.extend(inside.into_iter().filter(|one| !matches!(one, Err(InputError::NoPictures(_)))));
            }
            Ok(path) => {
                let inner = path.strip_prefix(&base).unwrap_or(&path).to_owned();
                found.push(Ok(Found { path, inner, named: true }));
            }
            Err(error) => {
                let (folder, reason) = (error.path().to_owned(), error.error().to_string());
                found.push(Err(InputError::Folder { folder, reason }));
            }
        }
    }
    if found.is_empty() {
        found.push(Err(InputError::NoMatch(pattern.to_owned())));
    }
    found
}

/// The folders of a pattern before its first wildcard.
fn fixed_part(pattern: &Path) -> PathBuf {
    let fixed = |part: &Component<'_>| !has_wildcard(part.as_os_str());
    pattern.components().take_while(fixed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files `a.png`, `b/c.JPG`, `b/d/e.webp`, and what is to be passed over.
    fn album() -> tempfile::TempDir {
        let album = tempfile::tempdir().unwrap();
        for name in ["a.png", "b/c.JPG", "b/d/e.webp", "b/notes.txt", ".hidden.png", ".cache/f.png", "out/a.png"] {
            let path = album.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        album
    }

    fn inner(found: Vec<Result<Found, InputError>>) -> Vec<String> {
        let name = |found: Result<Found, InputError>| found.unwrap().inner.to_string_lossy().replace('\\', "/");
        found.into_iter().map(name).collect()
    }

    #[test]
    fn folders_are_searched_in_order_of_names() {
        let album = album();
        let out = album.path().join("out");
        assert_eq!(inner(find(album.path(), &out)), ["a.png", "b/c.JPG", "b/d/e.webp"]);
        assert_eq!(inner(find(album.path(), Path::new(""))), ["a.png", "b/c.JPG", "b/d/e.webp", "out/a.png"]);
        assert_eq!(inner(find(&album.path().join("b"), Path::new(""))), ["c.JPG", "d/e.webp"]);
    }

    #[test]
    fn patterns_are_expanded_and_keep_the_way_from_their_fixed_part() {
        let album = album();
        let of = |pattern: &str| find(&album.path().join(pattern), Path::new(""));
        assert_eq!(inner(of("*.png")), ["a.png"]);
        assert_eq!(inner(of("b/*.JPG")), ["c.JPG"]);
        assert_eq!(inner(of("**/*.png")), ["a.png", "out/a.png"]);
        assert_eq!(inner(of("[b]")), ["b/c.JPG", "b/d/e.webp"]);
        assert_eq!(inner(of("?.png")), ["a.png"]);
        assert!(matches!(of("*.gif")[..], [Err(InputError::NoMatch(_))]));
        assert!(matches!(of("a***b")[..], [Err(InputError::Pattern { .. })]));
    }

    #[test]
    fn a_file_with_a_wildcard_in_its_name_is_a_file() {
        let album = album();
        let odd = album.path().join("[1].png");
        if std::fs::write(&odd, b"").is_ok() {
            assert_eq!(inner(find(&odd, Path::new(""))), ["[1].png"]);
        }
    }

    #[test]
    fn what_is_not_there_is_left_for_the_reader_to_say() {
        assert_eq!(inner(find(Path::new("no/such.png"), Path::new(""))), ["such.png"]);
    }

    #[test]
    fn folders_without_pictures_are_said() {
        let album = album();
        let empty = album.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        assert!(matches!(find(&empty, Path::new(""))[..], [Err(InputError::NoPictures(_))]));
    }
}

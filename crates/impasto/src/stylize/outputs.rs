//! Where each picture goes.

use std::path::{Path, PathBuf};

use impasto_files::names;

use super::inputs::{Found, is_stream};
use crate::paint::NO_MASK;
use crate::picture::{PictureFormat, WriteError};
use crate::styles::StyleChoice;

/// Why a picture has no place to go.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// Several pictures, one file.
    #[error("several pictures need a folder to be written to, and `{}` is a file: name a folder with `-o`", .0.display())]
    NotAFolder(PathBuf),
    /// Several pictures, standard output.
    #[error("only one picture fits standard output: name a folder with `-o`")]
    Stream,
    /// The output would take the place of an input.
    #[error("`{}` is also an input: choose another name or folder for the output", .0.display())]
    OverInput(PathBuf),
    /// Two pictures would get the same name.
    #[error("`{}` would be written twice, for this and for `{}`: paint them into different folders",
        output.display(), other.display())]
    Twice {
        /// The file.
        output: PathBuf,
        /// The picture that comes first.
        other: PathBuf,
    },
    /// No folder could be made for it.
    #[error("cannot make the folder `{}`: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The name's ending says nothing we know, and no format is given.
    #[error(transparent)]
    Format(#[from] WriteError),
}

/// A file, or standard output, and what to write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, or `-`.
    pub(super) path: PathBuf,
    /// Its format.
    pub(super) format: PictureFormat,
}

/// How outputs are named.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `NAME-STYLE.EXT` beside each input.
    Beside { label: String },
    /// Into a folder, which is made if it is not there, named as below the folder or pattern that was given.
    Into(PathBuf),
    /// One file, or standard output.
    Exactly(PathBuf),
}

impl Naming {
    /// What `-o` means for these inputs, `many` of which may be meant.
    pub(super) fn new(
        output: Option<&Path>,
        from_stream: bool,
        many: bool,
        label: String,
    ) -> Result<Self, OutputError> {
        let Some(output) = output else {
            return Ok(if from_stream { Self::Exactly("-".into()) } else { Self::Beside { label } });
        };
        if !many && !output.is_dir() && !ends_as_folder(output) {
            return Ok(Self::Exactly(output.to_owned()));
        }
        if is_stream(output) {
            return Err(OutputError::Stream);
        }
        let looks_like_file = !ends_as_folder(output) && PictureFormat::of(output).is_ok();
        if !output.is_dir() && (output.exists() || looks_like_file) {
            return Err(OutputError::NotAFolder(output.to_owned()));
        }
        Ok(Self::Into(output.to_owned()))
    }

    /// Where a picture goes, in the format that is given, else that of the name, else that of the input, else PNG.
    pub(super) fn place(&self, found: &Found, given: Option<PictureFormat>) -> Result<Place, OutputError> {
        let own = PictureFormat::of(&found.path).ok();
        let format = given.or(own).unwrap_or(PictureFormat::Png);
        let own_ending = found.path.extension().filter(|_| own == Some(format)).unwrap_or_default().to_string_lossy();
        let ending = if own_ending.is_empty() { format.ending() } else { &own_ending };
        let path = match self {
            Self::Exactly(path) if is_stream(path) => path.clone(),
            Self::Exactly(path) => {
                let format = given.map_or_else(|| PictureFormat::of(path), Ok)?;
                return Ok(Place { path: path.clone(), format });
            }
            _ if is_stream(&found.path) => self.folder().join("stdin").with_extension(ending),
            Self::Into(folder) => named(&folder.join(&found.inner), "", ending),
            Self::Beside { label } => named(&found.path, &format!("-{label}"), ending),
        };
        Ok(Place { path, format })
    }

    /// The folder that everything goes into, if there is one.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Into(folder) => folder,
            _ => Path::new(""),
        }
    }
}

/// A path with `label` behind the stem of its name, and this ending. Where that is too long the stem is cut, and the
/// label with it if that is what is long.
fn named(path: &Path, label: &str, ending: &str) -> PathBuf {
    let suffix = format!("{label}.{ending}");
    if suffix.len() <= names::LONGEST / 2 {
        return names::beside_stem(path, &suffix);
    }
    let mut stem = path.file_stem().unwrap_or_default().to_os_string();
    stem.push(label);
    path.with_file_name(names::fitted(stem, &format!(".{ending}")))
}

/// Whether a path is written as only that of a folder can be.
fn ends_as_folder(path: &Path) -> bool {
    path.to_string_lossy().ends_with(std::path::is_separator)
}

/// Sees to it that no output takes the place of an input or of another output.
pub(super) struct Places(impasto_files::Places);

impl Places {
    /// Of these photographs, styles and masks.
    pub(super) fn new<'a>(
        photographs: impl Iterator<Item = &'a Path>,
        styles: &'a [StyleChoice],
        masks: &'a [PathBuf],
    ) -> Self {
        let mut places = impasto_files::Places::default();
        let styles = styles.iter().map(|choice| choice.style.as_str());
        // `MODEL#NAME` is one style of a file, `MODEL#PICTURE` has two files; a file may have such a name, too.
        let parts = |style: &'a str| style.rsplit_once('#').into_iter().flat_map(|(file, picture)| [file, picture]);
        let styles = styles.flat_map(|style| std::iter::once(style).chain(parts(style)));
        let masks = masks.iter().map(PathBuf::as_path).filter(|mask| *mask != Path::new(NO_MASK));
        for input in photographs.filter(|path| !is_stream(path)).chain(styles.map(Path::new)).chain(masks) {
            // Inputs may well be the same file.
            let _ = places.input("an input", input);
        }
        Self(places)
    }

    /// Keeps a place for the output of an input.
    pub(super) fn take(&mut self, place: &Place, input: &Path) -> Result<(), OutputError> {
        if is_stream(&place.path) {
            return Ok(());
        }
        self.0.output(input.to_string_lossy(), &place.path).map_err(|clash| match clash.both_written {
            true => OutputError::Twice { output: place.path.clone(), other: clash.other.into() },
            false => OutputError::OverInput(place.path.clone()),
        })
    }
}

/// A path without links or detours, as far as it exists.
pub(super) fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => real(Path::new(".")).join(name),
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_owned(),
    }
}

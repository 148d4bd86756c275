//! Styles that a person keeps by name: pictures as the network of any style sees them, a few kilobytes each.
//!
//! What is kept is what VGG19 saw of the picture, not what a network made of it: a style stays good when the program
//! comes with another network.

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, choose_native_strategy};
use half::f16;
use impasto_files::{FileError, Lock, LockError};
use impasto_nn::formats::{NamedTensor, TensorValues};
use impasto_nn::style_model::StyleCard;
use impasto_nn::style_predictor::STATISTICS;
use sha2::{Digest, Sha256};

use super::pictures::{StylePictureError, StyleReader, checked};
use super::{any, find};
use crate::bytes::hexadecimal;
use crate::picture::{Picture, PictureFormat, ReadError, ReadLimits, load};
use crate::settings::{Device, nearest};
use crate::tensors::{self, Tensors};

/// Environment variable that names the folder of kept styles, in place of the platform's folder for a user's data.
pub const FOLDER_VARIABLE: &str = "IMPASTO_STYLES";

/// The longer side of the small picture in the file, in pixels.
const THUMBNAIL: usize = 96;

/// The most characters of a name.
const LONGEST_NAME: usize = 64;

const ENDING: &str = "safetensors";
const FORMAT: (&str, &str) = ("format", "impasto-kept-style-1");
const CARD: &str = "card";
const TENSOR: &str = "statistics";

/// Why a style is not kept, found or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptStyleError {
    /// There is no home folder to keep styles in.
    #[error("cannot tell where to keep styles: set {FOLDER_VARIABLE} to a folder")]
    NoFolder,
    /// Not a name that can be asked for.
    #[error(
        "`{0}` cannot be a style's name: give letters, digits, `-`, `_` and spaces, at most {LONGEST_NAME}, with `--name`"
    )]
    Name(String),
    /// A style that comes with the program has this name.
    #[error("`{0}` is a built-in style: give another name with `--name`")]
    BuiltIn(String),
    /// A style of this name is kept.
    #[error(
        "there is a style `{0}` already: remove it first with `impasto styles remove {0}`, or give another name with `--name`"
    )]
    Exists(String),
    /// No style of this name is kept.
    #[error("no style `{name}` is kept{}", .nearest.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The kept style that is most like it.
        nearest: Option<String>,
    },
    /// The file is not one of ours, or cut short.
    #[error("`{}` is not a style that was kept, or is damaged: remove the file and add the picture again", .0.display())]
    Damaged(PathBuf),
    /// The picture cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The picture is no style.
    #[error(transparent)]
    Picture(#[from] StylePictureError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] FileError),
    /// Another process writes the same style.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file cannot be read or removed.
    #[error("the style's file `{}` cannot be used: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// A style that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptStyle {
    /// Its name, and where it was given, painter and painting; the picture's SHA-256 and the picture, small.
    pub card: StyleCard,
    /// What a predictor makes scales and shifts of; each is kept as 16 bits.
    pub(crate) statistics: Vec<f32>,
}

/// A folder of kept styles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StyleFolder {
    folder: PathBuf,
}

/// How a picture is added to the styles.
#[derive(Clone, Debug)]
pub struct AddStyle {
    /// The picture.
    pub picture: PathBuf,
    /// What to ask for it by; without it, the file's name without its ending.
    pub name: Option<String>,
    /// Painter and painting.
    pub title: Option<String>,
    /// What reading the picture may take.
    pub limits: ReadLimits,
    /// Where it is measured.
    pub device: Device,
    /// Threads of the CPU; all where nothing is said.
    pub threads: Option<usize>,
}

impl AddStyle {
    /// A picture under its own name.
    pub fn new(picture: impl Into<PathBuf>) -> Self {
        let (limits, device) = (ReadLimits::default(), Device::Auto);
        Self { picture: picture.into(), name: None, title: None, limits, device, threads: None }
    }
}

impl StyleFolder {
    /// The user's own: `$IMPASTO_STYLES` where that is set; else `impasto/styles` in the platform's folder for a user's
    /// data: `$XDG_DATA_HOME` or `~/.local/share` on Linux, `~/Library/Application Support` on macOS, `%APPDATA%` on
    /// Windows. It need not exist yet.
    ///
    /// # Errors
    /// If there is no home folder.
    pub fn of_user() -> Result<Self, KeptStyleError> {
        let folder = match env::var_os(FOLDER_VARIABLE) {
            Some(folder) if !folder.is_empty() => PathBuf::from(folder),
            _ => {
                let places = choose_native_strategy().map_err(|_| KeptStyleError::NoFolder)?;
                places.data_dir().join("impasto").join("styles")
            }
        };
        Ok(Self { folder })
    }

    /// Any other folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Measures a picture and keeps it under a name.
    ///
    /// # Errors
    /// If the name is taken or none, the picture cannot be read, or the file cannot be written.
    pub fn add(&self, add: &AddStyle) -> Result<KeptStyle, KeptStyleError> {
        let stem = || add.picture.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = add.name.clone().unwrap_or_else(stem);
        let path = self.path(&name)?;
        if find(&name).is_some() {
            return Err(KeptStyleError::BuiltIn(name));
        }
        if path.exists() {
            return Err(KeptStyleError::Exists(name));
        }
        let bytes = load(&add.picture, &add.limits)?;
        let picture = checked(Picture::from_file_bytes_within(&bytes, &add.picture, &add.limits)?, &add.picture)?;
        let card = StyleCard {
            name: name.clone(),
            title: add.title.clone(),
            picture_sha256: Some(hexadecimal(&Sha256::digest(&bytes))),
            thumbnail: picture.resized_to_longer_side(THUMBNAIL).to_file_bytes(PictureFormat::Jpeg, None).ok(),
        };
        let statistics = StyleReader::new(any(), add.device, add.threads)?.statistics(&picture);
        let statistics: Vec<f16> = statistics.into_iter().map(f16::from_f32).collect();
        let kept = KeptStyle { card, statistics: statistics.iter().map(|value| value.to_f32()).collect() };
        std::fs::create_dir_all(&self.folder).map_err(|error| self.failed(&path, error))?;
        let _lock = Lock::of(&path)?;
        if path.exists() {
            return Err(KeptStyleError::Exists(name));
        }
        let card = serde_json::to_string(&kept.card).map_err(|error| self.failed(&path, error.into()))?;
        let metadata: BTreeMap<&str, String> = [(FORMAT.0, FORMAT.1.to_owned()), (CARD, card)].into();
        let tensor = NamedTensor::flat(TENSOR, TensorValues::F16((&statistics).into()));
        tensors::write(&path, &metadata, &[tensor])?;
        Ok(kept)
    }

    /// The names of all kept styles, sorted; none where there is no folder.
    pub fn names(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let named = files.filter(|path| path.extension().is_some_and(|ending| ending == ENDING));
        let mut names: Vec<String> = named
            .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
            .filter(|name| is_name(name))
            .collect();
        names.sort_unstable();
        names
    }

    /// Whether a style of this name is kept.
    pub fn has(&self, name: &str) -> bool {
        self.path(name).is_ok_and(|path| path.is_file())
    }

    /// A kept style.
    ///
    /// # Errors
    /// If none of this name is kept, or its file is damaged.
    pub fn get(&self, name: &str) -> Result<KeptStyle, KeptStyleError> {
        let path = self.existing(name)?;
        let damaged = || KeptStyleError::Damaged(path.clone());
        let mut file = Tensors::open(&path).map_err(|error| self.failed(&path, error))?.ok_or_else(damaged)?;
        if file.text(FORMAT.0) != FORMAT.1 {
            return Err(damaged());
        }
        let card: StyleCard = serde_json::from_str(file.text(CARD)).map_err(|_| damaged())?;
        let statistics = file.halves(TENSOR).ok_or_else(damaged)?;
        let statistics: Vec<f32> = statistics.into_iter().map(f16::to_f32).collect();
        if statistics.len() != STATISTICS || !statistics.iter().all(|value| value.is_finite()) {
            return Err(damaged());
        }
        // The file's name is what counts: it may have been renamed.
        Ok(KeptStyle { card: StyleCard { name: name.to_owned(), ..card }, statistics })
    }

    /// Removes a kept style.
    ///
    /// # Errors
    /// If none of this name is kept, or the file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), KeptStyleError> {
        let path = self.existing(name)?;
        impasto_files::remove(&path).map_err(|error| self.failed(&path, error))
    }

    fn existing(&self, name: &str) -> Result<PathBuf, KeptStyleError> {
        let path = self.path(name).ok().filter(|path| path.is_file());
        path.ok_or_else(|| {
            let names = self.names();
            KeptStyleError::Unknown { name: name.into(), nearest: nearest(name, names.iter().map(String::as_str)) }
        })
    }

    /// The file of a style of this name.
    fn path(&self, name: &str) -> Result<PathBuf, KeptStyleError> {
        let path = || self.folder.join(format!("{name}.{ENDING}"));
        is_name(name).then(path).ok_or_else(|| KeptStyleError::Name(name.into()))
    }

    fn failed(&self, path: &Path, error: io::Error) -> KeptStyleError {
        KeptStyleError::File { path: path.to_owned(), error }
    }
}

/// Whether a style may be kept under this name: it must be no path, and what stands behind `#` and `:` is not part of it.
fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    let edges = [name.chars().next(), name.chars().last()];
    name.chars().count() <= LONGEST_NAME
        && name.chars().all(good)
        && edges.iter().all(|edge| edge.is_some_and(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::super::names;
    use super::*;

    fn example(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name)
    }

    #[test]
    fn a_style_is_kept_found_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let styles = StyleFolder::at(folder.path().join("new"));
        assert!(styles.names().is_empty() && !styles.has("mine"));
        let mut add = AddStyle::new(example("coffee.png"));
        (add.name, add.title) = (Some("größe 2".into()), Some("A cup".into()));
        let kept = styles.add(&add).unwrap();
        assert_eq!(styles.get("größe 2").unwrap(), kept);
        assert_eq!((kept.card.title.as_deref(), kept.statistics.len()), (Some("A cup"), STATISTICS));
        let file = folder.path().join("new").join("größe 2.safetensors");
        assert!(std::fs::metadata(&file).unwrap().len() < 20_000, "a few kilobytes");
        let again = styles.add(&add).unwrap_err().to_string();
        assert!(again.contains("there is a style `größe 2` already"), "{again}");
        assert_eq!(styles.names(), ["größe 2"]);
        let unknown = styles.remove("grösse 2").unwrap_err().to_string();
        assert!(unknown.contains("did you mean `größe 2`?"), "{unknown}");
        styles.remove("größe 2").unwrap();
        assert!(styles.names().is_empty());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let styles = StyleFolder::at(folder.path());
        for name in ["", ".", "../up", "a/b", "a#b", "a:1", "-", " a", "a.b", &"x".repeat(65)] {
            let add = AddStyle { name: Some(name.into()), ..AddStyle::new(example("coffee.png")) };
            assert!(matches!(styles.add(&add), Err(KeptStyleError::Name(_))), "{name}");
            assert!(matches!(styles.get(name), Err(KeptStyleError::Unknown { .. })), "{name}");
        }
        let add = AddStyle { name: Some(names()[0].into()), ..AddStyle::new(example("coffee.png")) };
        assert!(matches!(styles.add(&add), Err(KeptStyleError::BuiltIn(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_style_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let styles = StyleFolder::at(folder.path());
        styles.add(&AddStyle::new(example("coffee.png"))).unwrap();
        let file = folder.path().join("coffee.safetensors");
        let whole = std::fs::read(&file).unwrap();
        let mut not_finite = whole.clone();
        not_finite.splice(whole.len() - 2.., f16::NAN.to_le_bytes());
        for bytes in [&whole[..0], &whole[..100], &whole[..whole.len() - 1], &not_finite] {
            std::fs::write(&file, bytes).unwrap();
            assert!(matches!(styles.get("coffee"), Err(KeptStyleError::Damaged(_))), "{}", bytes.len());
        }
    }
}

//! What there is: built in, pulled, or to be pulled.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::default_dir;
use super::manifest::{Entry, Kind, Manifest};
use crate::styles::{self, StyleCard};

/// Name of the network that comes with the program.
pub const BUILT_IN: &str = "vgg19";

/// What stands for the network with all built-in styles, where a model is named.
pub const BUILT_IN_STYLES: &str = "styles";

/// The network of any style that comes with the program, where a model is named.
pub const BUILT_IN_ANY: &str = "any";

/// Size of the weights of [`BUILT_IN`] inside the program, bytes; a test compares it with the file.
const BUILT_IN_SIZE: u64 = 20_061_664;

/// Where a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum State {
    /// Inside the program.
    #[serde(rename = "built in")]
    BuiltIn,
    /// In the folder of pulled models.
    #[serde(rename = "pulled")]
    Pulled,
    /// Not here, but `impasto models pull` can fetch it.
    #[serde(rename = "available")]
    Available,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "built in",
            Self::Pulled => "pulled",
            Self::Available => "available",
        })
    }
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// `vgg16` or `vgg19`, where it is one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Size of the file, or of the weights inside the program, in bytes.
    pub size: u64,
    /// Who made it.
    pub origin: String,
    /// The terms it comes under.
    pub licence: String,
    /// Where it is.
    pub state: State,
    /// The file, where it has been pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Where it comes from, unless it is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// SHA-256 of the file in hexadecimal, unless it is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Listed {
    pub(super) fn built_in() -> Self {
        Self {
            name: BUILT_IN.to_owned(),
            kind: Kind::Network,
            network: Some("vgg19".to_owned()),
            size: BUILT_IN_SIZE,
            origin: "Simonyan & Zisserman 2014, convolutions as 8-bit codebooks".to_owned(),
            licence: "CC BY 4.0".to_owned(),
            state: State::BuiltIn,
            path: None,
            url: None,
            sha256: None,
        }
    }

    /// The built-in styles, which share a network: each line has its size.
    pub(super) fn built_in_styles() -> Vec<Self> {
        let card = &styles::built_in().card;
        let line = |style: &StyleCard| Self {
            name: style.name.clone(),
            kind: Kind::Style,
            network: None,
            size: styles::best_for(&style.name).map_or(0, styles::size_inside),
            origin: style.title.clone().or_else(|| card.author.clone()).unwrap_or_else(|| "impasto".to_owned()),
            licence: card.license.clone().unwrap_or_else(|| "that of impasto".to_owned()),
            state: State::BuiltIn,
            path: None,
            url: None,
            sha256: None,
        };
        card.styles.iter().map(line).collect()
    }

    fn new(entry: Entry, dir: Option<&Path>) -> Self {
        let path = dir.and_then(|dir| pulled(&entry, dir));
        Self {
            state: if path.is_some() { State::Pulled } else { State::Available },
            path,
            name: entry.name,
            kind: entry.kind,
            network: entry.network,
            size: entry.size,
            origin: entry.origin,
            licence: entry.licence,
            url: Some(entry.url),
            sha256: Some(entry.sha256),
        }
    }
}

/// Everything that is built in, pulled, or can be pulled, in this order of names: the built-in network, the built-in
/// styles, the program's manifest, and what was pulled by other manifests.
pub fn list() -> Vec<Listed> {
    list_in(default_dir().ok().as_deref())
}

/// As [`list`], with the pulled files of the folder `dir`.
pub fn list_in(dir: Option<&Path>) -> Vec<Listed> {
    let entries = known(dir).into_iter().map(|entry| Listed::new(entry, dir));
    std::iter::once(Listed::built_in()).chain(Listed::built_in_styles()).chain(entries).collect()
}

/// The pulled file called `name`, or, where `name` is a network such as `vgg16`, the first pulled file that holds it.
///
/// Only files: what is built in is not read, so ask for [`BUILT_IN`] before asking here.
pub fn find(name: &str) -> Option<PathBuf> {
    find_in(name, &default_dir().ok()?)
}

/// As [`find`], in the folder `dir`.
pub fn find_in(name: &str, dir: &Path) -> Option<PathBuf> {
    let entries = known(Some(dir));
    let named = entries.iter().filter(|entry| entry.name == name);
    let holding = entries.iter().filter(|entry| entry.network.as_deref() == Some(name));
    named.chain(holding).find_map(|entry| pulled(entry, dir))
}

/// The program's manifest, then the entries of receipts that differ from it, by name.
fn known(dir: Option<&Path>) -> Vec<Entry> {
    let mut entries = Manifest::built_in().entries.clone();
    let mut others: Vec<_> = dir.map(receipts).unwrap_or_default();
    others.retain(|entry| !entries.iter().any(|known| known.name == entry.name && known.file == entry.file));
    others.sort_by(|a, b| a.name.cmp(&b.name));
    entries.extend(others);
    entries
}

/// What the receipts in the folder say. One that cannot be read describes nothing.
fn receipts(dir: &Path) -> Vec<Entry> {
    let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path());
    let receipts = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    receipts.filter_map(|path| Manifest::load(&path).ok()).flat_map(|manifest| manifest.entries).collect()
}

/// The entry's file in `dir`, if it is there in full. Its checksum was compared when it got its name.
fn pulled(entry: &Entry, dir: &Path) -> Option<PathBuf> {
    let path = dir.join(&entry.file);
    let there = fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() == entry.size);
    there.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the right size and no content, as far as the file system goes along.
    fn pretend(name: &str, dir: &Path) -> PathBuf {
        let entry = Manifest::built_in().get(name).unwrap();
        let path = dir.join(&entry.file);
        fs::File::create(&path).unwrap().set_len(entry.size).unwrap();
        path
    }

    #[test]
    fn the_built_in_size_is_that_of_the_weights() {
        let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../impasto-nn/weights/vgg19-codebook8.safetensors");
        assert_eq!(fs::metadata(weights).unwrap().len(), BUILT_IN_SIZE);
    }

    #[test]
    fn no_two_built_in_models_share_a_name() {
        let mut names = styles::names();
        names.extend([BUILT_IN, BUILT_IN_STYLES, BUILT_IN_ANY]);
        names.extend(Manifest::built_in().entries.iter().map(|entry| entry.name.as_str()));
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }

    #[test]
    fn an_empty_or_missing_folder_lists_all_as_available() {
        for dir in [None, Some(Path::new("/nowhere/at/all"))] {
            let list = list_in(dir);
            assert_eq!((list[0].name.as_str(), list[0].state), ("vgg19", State::BuiltIn));
            let styles = styles::names();
            assert_eq!(list.len(), 1 + styles.len() + Manifest::built_in().entries.len());
            let (built_in, others) = list[1..].split_at(styles.len());
            assert!(built_in.iter().map(|model| model.name.as_str()).eq(styles));
            assert!(built_in.iter().all(|model| model.state == State::BuiltIn && model.kind == Kind::Style));
            assert!(others.iter().all(|model| model.state == State::Available && model.path.is_none()));
        }
    }

    #[test]
    fn a_short_name_finds_any_pulled_file_of_that_network() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find_in("vgg19", dir.path()), None);
        let matconvnet = pretend("vgg19-matconvnet", dir.path());
        assert_eq!(find_in("vgg19", dir.path()), Some(matconvnet.clone()));
        assert_eq!(find_in("vgg19-torchvision", dir.path()), None);
        let torchvision = pretend("vgg19-torchvision", dir.path());
        assert_eq!(find_in("vgg19", dir.path()), Some(torchvision));
        assert_eq!(find_in("vgg19-matconvnet", dir.path()), Some(matconvnet));
        assert_eq!(find_in("vgg16", dir.path()), None);
    }

    #[test]
    fn a_file_of_another_size_is_not_pulled() {
        let dir = tempfile::tempdir().unwrap();
        let path = pretend("vgg16-torchvision", dir.path());
        fs::File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
        assert_eq!(find_in("vgg16", dir.path()), None);
        assert!(list_in(Some(dir.path())).iter().all(|model| model.state != State::Pulled));
    }

    #[test]
    fn receipts_add_models_of_other_manifests_and_bad_ones_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let entry = Entry {
            name: "dots".into(),
            kind: Kind::Style,
            network: None,
            file: "dots.safetensors".into(),
            size: 4,
            sha256: "0".repeat(64),
            url: "https://example.org/dots".into(),
            mirrors: vec![],
            origin: "somebody".into(),
            licence: "CC0".into(),
        };
        let receipt = toml::to_string(&Manifest { entries: vec![entry] }).unwrap();
        fs::write(dir.path().join("dots.safetensors.toml"), receipt).unwrap();
        fs::write(dir.path().join("notes.toml"), "= what").unwrap();
        let state = |list: Vec<Listed>| list.last().map(|model| (model.name.clone(), model.state)).unwrap();
        assert_eq!(state(list_in(Some(dir.path()))), ("dots".into(), State::Available));
        fs::write(dir.path().join("dots.safetensors"), "dots").unwrap();
        assert_eq!(state(list_in(Some(dir.path()))), ("dots".into(), State::Pulled));
        assert_eq!(find_in("dots", dir.path()), Some(dir.path().join("dots.safetensors")));
    }

    #[test]
    fn the_list_in_json_has_the_promised_keys() {
        let json = serde_json::to_value(list_in(None)).unwrap();
        for model in json.as_array().unwrap() {
            for key in ["name", "kind", "size", "origin", "licence", "state"] {
                assert!(model.get(key).is_some(), "{key} in {model}");
            }
        }
        assert_eq!(json[0]["state"], "built in");
        assert_eq!(json[0]["kind"], "network");
        assert_eq!((&json[1]["state"], &json[1]["kind"]), (&"built in".into(), &"style".into()));
        let last = json.as_array().unwrap().last().unwrap();
        assert_eq!(last["state"], "available");
        assert!(last["url"].as_str().unwrap().starts_with("https://"));
    }
}

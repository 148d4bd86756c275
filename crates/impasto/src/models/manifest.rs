//! What can be pulled: names, addresses, sizes and checksums.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a model file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A VGG network, which judges pictures while painting and training.
    Network,
    /// A trained image transformation network, which paints one style.
    Style,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "network",
            Self::Style => "style",
        })
    }
}

/// One file that can be pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What a person calls it: lower-case letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// `vgg16` or `vgg19` where the file holds that network, so that the short name finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The name it has in the folder: a plain file name.
    pub file: String,
    /// Exact size in bytes.
    pub size: u64,
    /// SHA-256 of the whole file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Where it is, `https://` or `http://`.
    pub url: String,
    /// Other addresses of the same bytes, tried in order when `url` fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// Who made it.
    pub origin: String,
    /// The terms it comes under.
    pub licence: String,
}

impl Entry {
    /// Every address, the preferred one first.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.url).chain(&self.mirrors).map(String::as_str)
    }

    /// The same entry, fetched from `base/file` and nowhere else. `base` is `https://` or `http://`.
    pub fn with_base(&self, base: &str) -> Result<Self, ManifestError> {
        let url = format!("{}/{}", base.trim_end_matches('/'), self.file);
        let entry = Self { url, mirrors: Vec::new(), ..self.clone() };
        entry.check()?;
        Ok(entry)
    }

    fn check(&self) -> Result<(), ManifestError> {
        let refuse = |field: &'static str, value: &str, wanted: &'static str| {
            Err(ManifestError::Field { name: self.name.clone(), field, value: value.to_owned(), wanted })
        };
        if !is_plain(&self.name) || self.name.contains(|c: char| c.is_ascii_uppercase()) {
            return refuse("name", &self.name, "lower-case letters, digits, `-`, `_` and `.`");
        }
        if !is_plain(&self.file) || [".part", ".toml"].iter().any(|end| self.file.ends_with(end)) {
            return refuse("file", &self.file, "a plain file name of letters, digits, `-`, `_` and `.`");
        }
        if self.size == 0 {
            return refuse("size", "0", "the size of the file in bytes");
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return refuse("sha256", &self.sha256, "64 lower-case hexadecimal digits");
        }
        if let Some(url) = self.addresses().find(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            return refuse("url", url, "an address that begins with https:// or http://");
        }
        Ok(())
    }
}

/// Not a path, not hidden, and the same file on every system.
fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed)
}

/// A list of files that can be pulled.
///
/// On disk it is TOML, one `[[model]]` table for each [`Entry`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The entries, preferred ones first.
    #[serde(rename = "model", default)]
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// The list that comes with the program.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Manifest> = LazyLock::new(|| {
            Manifest::parse(include_str!("manifest.toml")).expect("the manifest in the program is checked by its tests")
        });
        &BUILT_IN
    }

    /// Reads and checks the TOML in `text`.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = toml::from_str(text).map_err(|e| ManifestError::Syntax(sentence(&e, text)))?;
        for (i, entry) in manifest.entries.iter().enumerate() {
            entry.check()?;
            if manifest.entries[..i].iter().any(|other| other.name == entry.name || other.file == entry.file) {
                return Err(ManifestError::Twice { name: entry.name.clone(), file: entry.file.clone() });
            }
        }
        Ok(manifest)
    }

    /// Reads and checks the file at `path`.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ManifestError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|e| ManifestError::InFile { path: path.to_owned(), source: Box::new(e) })
    }

    /// The entry called `name`.
    pub fn get(&self, name: &str) -> Result<&Entry, ManifestError> {
        self.entries.iter().find(|entry| entry.name == name).ok_or_else(|| ManifestError::Unknown {
            name: name.to_owned(),
            known: self.entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// The parser's message in one line, with the line number that it would show as a picture.
fn sentence(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
    let message = error.message().replace('\n', ", ");
    line.map_or(message.clone(), |line| format!("line {line}: {message}"))
}

/// Why a manifest, or an entry in it, cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("cannot read the manifest `{path}`: {source}")]
    Unreadable {
        /// The manifest.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file can be read, but not used.
    #[error("the manifest `{path}` cannot be used: {source}")]
    InFile {
        /// The manifest.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<ManifestError>,
    },
    /// Not TOML, or not the keys that a manifest has.
    #[error("{0}")]
    Syntax(String),
    /// A field holds what it may not.
    #[error("`{field}` of the model `{name}` is `{value}`, but must be {wanted}")]
    Field {
        /// The entry.
        name: String,
        /// The key.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        wanted: &'static str,
    },
    /// Two entries share a name or a file.
    #[error("the model `{name}` or its file `{file}` is listed twice")]
    Twice {
        /// The second entry's name.
        name: String,
        /// Its file.
        file: String,
    },
    /// No such entry.
    #[error("no model called `{name}` can be pulled; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All names, joined by commas.
        known: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"
        [[model]]
        name = "dots"
        kind = "style"
        file = "dots.safetensors"
        size = 12
        sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
        url = "https://example.org/dots.safetensors"
        origin = "somebody"
        licence = "CC0"
    "#;

    fn complaint(text: &str) -> String {
        Manifest::parse(text).expect_err("must be refused").to_string()
    }

    #[test]
    fn the_built_in_manifest_is_sound_and_names_agree_with_hashes() {
        let manifest = Manifest::built_in();
        assert_eq!(manifest.get("vgg16-torchvision").unwrap().size, 553_433_881);
        for entry in &manifest.entries {
            assert!(entry.addresses().all(|url| url.starts_with("https://")), "{}", entry.name);
            let network = entry.network.as_deref().expect("all are networks");
            assert!(entry.name.starts_with(network) && entry.kind == Kind::Network, "{}", entry.name);
        }
        for name in ["vgg19-torchvision", "vgg16-torchvision"] {
            let entry = manifest.get(name).unwrap();
            let digits = entry.file.rsplit_once('-').unwrap().1.strip_suffix(".pth").unwrap();
            assert!(entry.sha256.starts_with(digits), "{name}");
        }
    }

    #[test]
    fn an_entry_survives_writing_and_reading() {
        let manifest = Manifest::parse(ONE).unwrap();
        assert_eq!(Manifest::parse(&toml::to_string(&manifest).unwrap()).unwrap(), manifest);
    }

    #[test]
    fn the_base_replaces_every_address() {
        let entry = Manifest::built_in().get("vgg16-torchvision").unwrap().with_base("http://localhost:1/w/").unwrap();
        assert_eq!(entry.addresses().collect::<Vec<_>>(), ["http://localhost:1/w/vgg16-397923af.pth"]);
        assert!(Manifest::built_in().entries[0].with_base("ftp://x").is_err());
    }

    #[test]
    fn bad_entries_are_refused_in_one_sentence() {
        assert!(
            complaint(&ONE.replace("dots.safetensors\"\n        size", "../x\"\n        size")).contains("plain file")
        );
        assert!(complaint(&ONE.replace("\"dots\"", "\"Dots\"")).contains("lower-case letters"));
        assert!(complaint(&ONE.replace("size = 12", "size = 0")).contains("size of the file"));
        assert!(complaint(&ONE.replace("size = 12", "size = -1")).starts_with("line 6: "));
        assert!(complaint(&ONE.replace("\"00", "\"0g")).contains("64 lower-case hexadecimal"));
        assert!(complaint(&ONE.replace("https://", "file://")).contains("https:// or http://"));
        assert!(complaint(&ONE.replace("licence", "license")).contains("license"));
        assert!(complaint(&format!("{ONE}{ONE}")).contains("listed twice"));
        for text in [ONE.replace("licence", "license"), "= 3".to_owned(), "model = 3".to_owned()] {
            assert!(!complaint(&text).contains('\n'));
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Manifest::built_in().get("vgg19-keras").unwrap_err().to_string();
        assert!(error.contains("`vgg19-keras`") && error.contains("vgg19-matconvnet"), "{error}");
    }
}

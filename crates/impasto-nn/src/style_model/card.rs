//! What should be known about a style model.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// What should be known about a style model. Everything but the names may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// What the model is called.
    pub name: String,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The terms it comes under, as an SPDX expression or in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Where it comes from: an address, or the file that it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its styles, in the order of the network's.
    pub styles: Vec<StyleCard>,
    /// The settings that it was trained with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<serde_json::Value>,
}

/// What should be known about one style of a model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StyleCard {
    /// What the style is asked for by, such as `great-wave`; no two of a model are the same.
    pub name: String,
    /// Painter and painting, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// SHA-256 of the painting's file, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_sha256: Option<String>,
    /// The painting, small: a JPEG or PNG file.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "base64_bytes")]
    pub thumbnail: Option<Vec<u8>>,
}

/// The same as [`ModelCard::style_size`] where the card does not say how the network was trained.
const STYLE_SIZE: usize = 256;

/// The least and the most that a card may say: it may come from anybody.
const STYLE_SIZES: (usize, usize) = (16, 4096);

impl ModelCard {
    /// The most pixels of the longer side at which a network of any style measures a picture, which is made smaller first
    /// where it has more: that of its training.
    pub fn style_size(&self) -> usize {
        let trained = |key: &str| self.training.as_ref()?.get("settings")?.get(key)?.as_u64();
        let size = trained("style_size").and_then(|size| usize::try_from(size).ok()).unwrap_or(STYLE_SIZE);
        size.clamp(STYLE_SIZES.0, STYLE_SIZES.1)
    }

    /// What is wrong with the card of a network of this many styles, if anything is.
    pub(super) fn problem(&self, styles: usize) -> Option<String> {
        if self.styles.len() != styles {
            return Some(format!("it describes {} of {styles} styles", self.styles.len()));
        }
        let mut names: Vec<_> = self.styles.iter().map(|style| style.name.as_str()).collect();
        names.sort_unstable();
        if names.first().is_some_and(|name| name.is_empty()) {
            return Some("a style has no name".into());
        }
        let twice = names.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(format!("two styles are called `{}`", twice[0]))
    }
}

/// Bytes as base64 in JSON.
mod base64_bytes {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(|e| D::Error::custom(format!("a thumbnail: {e}")))).transpose()
    }
}

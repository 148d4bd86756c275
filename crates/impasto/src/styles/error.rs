//! Why there is no style to paint in.

use std::path::PathBuf;

use impasto_nn::style_model::StyleModelError;

use super::built_in::names;
use super::kept::{KeptStyleError, StyleFolder};
use super::pictures::StylePictureError;
use crate::settings::nearest;

/// Why there is no style to paint in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StylesError {
    /// None was asked for.
    #[error("no style is named: give one, such as {}", listed(&names()))]
    Nothing,
    /// Neither a built-in style, nor one that is kept, nor a file.
    #[error("there is no style `{name}`{}: built in are {}; a picture or a model file is named by its path",
        suggestion(.nearest), listed(&names()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The style that is most like it.
        nearest: Option<String>,
    },
    /// The file has other styles.
    #[error("`{}` has no style `{name}`{}: it has {}", model.display(), suggestion(.nearest), listed(known))]
    NotInModel {
        /// The file.
        model: PathBuf,
        /// What was asked for.
        name: String,
        /// The style of the file that is most like it.
        nearest: Option<String>,
        /// All styles of the file.
        known: Vec<String>,
    },
    /// The file has several styles, and none of them was named.
    #[error("`{0}` holds several styles: name one of them, such as `{0}#{first}` (it has {known})",
        model.display(), first = known[0], known = listed(known))]
    Several {
        /// The file.
        model: PathBuf,
        /// All styles of the file.
        known: Vec<String>,
    },
    /// Two styles that do not share a network.
    #[error(
        "`{one}` and `{other}` are styles of different networks: only styles of one network can be blended without masks"
    )]
    Different {
        /// The first.
        one: String,
        /// One that differs from it.
        other: String,
    },
    /// All weights are 0.
    #[error("no style to paint in: give at least one of them a weight above 0")]
    NoWeight,
    /// The file is not one of ours.
    #[error(transparent)]
    Model(#[from] StyleModelError),
    /// A picture is asked for as a style of a network that has its own styles only.
    #[error("`{}` cannot take the picture `{}` as a style: give a model of any style, as `MODEL#PICTURE`", model.display(), picture.display())]
    NoPredictor {
        /// The file of the network.
        model: PathBuf,
        /// The picture.
        picture: PathBuf,
    },
    /// The picture is no style.
    #[error(transparent)]
    Picture(#[from] StylePictureError),
    /// A style that is kept cannot be read.
    #[error(transparent)]
    Kept(#[from] KeptStyleError),
}

impl StylesError {
    /// No style of this name is built in, kept or a file.
    pub(super) fn unknown(name: &str) -> Self {
        let kept = StyleFolder::of_user().map(|folder| folder.names()).unwrap_or_default();
        let known = names().into_iter().chain(kept.iter().map(String::as_str));
        Self::Unknown { name: name.into(), nearest: nearest(name, known) }
    }
}

fn listed(names: &[impl AsRef<str>]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

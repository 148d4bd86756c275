//! Where a style lives.

use std::path::{Path, PathBuf};

use impasto_nn::style_model::StyleModel;

use super::built_in::{find, number};
use super::error::StylesError;
use super::kept::{KeptStyle, StyleFolder};
use crate::models::{self, BUILT_IN_ANY};
use crate::picture::looks_like_a_picture;
use crate::settings::nearest;

/// Where a style that is asked for lives.
pub(super) enum Home {
    BuiltIn {
        name: String,
    },
    File {
        path: PathBuf,
        style: Option<String>,
    },
    /// A picture that is kept as a style, for the model of any style inside the program.
    Kept(Box<KeptStyle>),
    /// A picture, for a model of any style: a file, or the one inside the program.
    Picture {
        model: Option<PathBuf>,
        picture: PathBuf,
    },
}

impl Home {
    /// Built-in names come first, then those of kept styles; a file of such a name is `./NAME`.
    pub(super) fn of(text: &str) -> Result<Self, StylesError> {
        if find(text).is_some() {
            return Ok(Self::BuiltIn { name: text.into() });
        }
        if let Some(folder) = StyleFolder::of_user().ok().filter(|folder| folder.has(text)) {
            return Ok(Self::Kept(Box::new(folder.get(text)?)));
        }
        let (file, style) = match text.rsplit_once('#') {
            Some((file, style)) if !Path::new(text).exists() => (file, Some(style.to_owned())),
            _ => (text, None),
        };
        let path = Path::new(file);
        let is_picture = |path: &Path| path.is_file() && looks_like_a_picture(path);
        match &style {
            None if is_picture(path) => return Ok(Self::Picture { model: None, picture: path.to_owned() }),
            Some(style) if is_picture(Path::new(style)) => {
                let model = (file != BUILT_IN_ANY).then(|| path.to_owned());
                return Ok(Self::Picture { model, picture: style.into() });
            }
            _ => {}
        }
        let is_path = path.exists() || path.components().count() > 1 || path.extension().is_some();
        let path = if is_path { Some(path.to_owned()) } else { models::find(file) };
        path.map(|path| Self::File { path, style }).ok_or_else(|| StylesError::unknown(text))
    }

    /// The file of the network; nothing for those inside the program.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::BuiltIn { .. } | Self::Kept(_) => None,
            Self::File { path, .. } => Some(path),
            Self::Picture { model, .. } => model.as_deref(),
        }
    }

    /// Whether its scales and shifts are predicted.
    pub(super) fn is_predicted(&self) -> bool {
        matches!(self, Self::Picture { .. } | Self::Kept(_))
    }

    pub(super) fn is_network_of(&self, other: &Self) -> bool {
        match (self.file(), other.file()) {
            (None, None) => true,
            (Some(one), Some(other)) => same_file::is_same_file(one, other).unwrap_or(false),
            _ => false,
        }
    }

    /// The number of the style in its network.
    pub(super) fn style(&self, model: &StyleModel) -> Result<usize, StylesError> {
        let (path, style) = match self {
            Self::BuiltIn { name } => {
                return number(model, name)
                    .ok_or_else(|| StylesError::Different { one: model.card.name.clone(), other: name.clone() });
            }
            Self::File { path, style } => (path.clone(), style),
            Self::Picture { .. } | Self::Kept(_) => unreachable!("what is predicted has no number in its network"),
        };
        let known: Vec<String> = model.card.styles.iter().map(|style| style.name.clone()).collect();
        match style {
            None if known.len() == 1 => Ok(0),
            None => Err(StylesError::Several { model: path, known }),
            Some(name) => known.iter().position(|known| known == name).ok_or_else(|| {
                let nearest = nearest(name, known.iter().map(String::as_str));
                StylesError::NotInModel { model: path, name: name.clone(), nearest, known: known.clone() }
            }),
        }
    }
}

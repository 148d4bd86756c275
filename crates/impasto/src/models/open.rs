//! From what is asked for to a style model.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use impasto_nn::style_model::StyleModel;

use super::catalogue::{BUILT_IN_ANY, BUILT_IN_STYLES, find_in};
use super::convert::{ConvertError, names, no_such_style};
use crate::picture::looks_like_a_picture;
use crate::settings::nearest;
use crate::styles::{self, Blend, StyleChoice, StyleFolder, StylesError};

/// A model that was asked for.
pub(super) struct Opened {
    pub(super) model: Cow<'static, StyleModel>,
    /// Its file, unless it is built in.
    pub(super) path: Option<PathBuf>,
    /// The one of its styles that was named.
    pub(super) style: Option<String>,
    /// The picture that its only style was made of.
    pub(super) picture: Option<PathBuf>,
}

/// The model of a name or a path, of `MODEL#NAME`, of a picture, kept by its name or not, or of `MODEL#PICTURE`.
pub(super) fn open(asked: &str, dir: Option<&Path>) -> Result<Opened, ConvertError> {
    let path = Path::new(asked);
    if let Some(opened) = open_built_in(asked) {
        return Ok(opened);
    }
    if StyleFolder::of_user().is_ok_and(|folder| folder.has(asked)) {
        let Blend { model, .. } = Blend::find(&[StyleChoice::new(asked)])?;
        return Ok(Opened { model, path: None, style: None, picture: None });
    }
    if path.is_file() && looks_like_a_picture(path) {
        return with_picture(built_in(styles::any()), BUILT_IN_ANY, path);
    }
    match asked.rsplit_once('#') {
        Some((model, style)) if !path.exists() => with_style(open_model(model, dir)?, model, style),
        _ => open_model(asked, dir),
    }
}

/// The network of a built-in style, of all of them, or of any style.
pub(super) fn open_built_in(name: &str) -> Option<Opened> {
    match name {
        BUILT_IN_ANY => Some(built_in(styles::any())),
        BUILT_IN_STYLES => Some(built_in(styles::built_in())),
        _ => styles::best_for(name).map(|model| Opened { style: Some(name.to_owned()), ..built_in(model) }),
    }
}

fn built_in(model: &'static StyleModel) -> Opened {
    Opened { model: Cow::Borrowed(model), path: None, style: None, picture: None }
}

fn open_model(name_or_path: &str, dir: Option<&Path>) -> Result<Opened, ConvertError> {
    if let Some(opened) = open_built_in(name_or_path) {
        return Ok(opened);
    }
    let pulled = dir.and_then(|dir| find_in(name_or_path, dir));
    let path = pulled.unwrap_or_else(|| PathBuf::from(name_or_path));
    if !path.exists() {
        let nearest = nearest(name_or_path, styles::names().into_iter());
        return Err(ConvertError::Unknown { name: name_or_path.into(), nearest });
    }
    Ok(Opened { model: Cow::Owned(StyleModel::load(&path)?), path: Some(path), style: None, picture: None })
}

/// One of the model's styles, or what it makes of a picture; `name` is what error messages call it.
fn with_style(opened: Opened, name: &str, style: &str) -> Result<Opened, ConvertError> {
    let picture = Path::new(style);
    if opened.model.style(style).is_some() {
        return Ok(Opened { style: Some(style.to_owned()), ..opened });
    }
    if picture.exists() {
        return with_picture(opened, name, picture);
    }
    Err(match opened.model.predictor {
        None => no_such_style(&opened.model, name, style),
        Some(_) => {
            let known = names(&opened.model);
            ConvertError::NoSuchPicture { model: name.into(), picture: style.into(), known }
        }
    })
}

/// The model with what it makes of a picture in place of its own styles.
fn with_picture(opened: Opened, name: &str, picture: &Path) -> Result<Opened, ConvertError> {
    let Some(predictor) = &opened.model.predictor else {
        return Err(StylesError::NoPredictor { model: name.into(), picture: picture.into() }.into());
    };
    let model = Cow::Owned(styles::with_picture(&opened.model, predictor, picture)?);
    Ok(Opened { model, path: opened.path, style: None, picture: Some(picture.into()) })
}

//! Style models from other programs, and for them.

use std::path::{Path, PathBuf};

use impasto_files::{Clash, Places};
use impasto_nn::style_model::{StyleDtype, StyleModel, StyleModelError};
use impasto_nn::vgg::Vgg;
use thiserror::Error;

use super::open::{Opened, open};
use crate::settings::nearest;
use crate::styles::{StylePictureError, StylesError};

/// Why a style model was not converted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The model cannot be read or written.
    #[error(transparent)]
    Model(#[from] StyleModelError),
    /// Neither a name nor a file.
    #[error("`{name}` is neither a style of `impasto models list`{} nor a file",
        nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in style that is most like it.
        nearest: Option<String>,
    },
    /// A style that the model does not have.
    #[error("`{model}` has no style called `{style}`{}: it has {known}",
        nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default())]
    NoSuchStyle {
        /// The model.
        model: String,
        /// What was asked for.
        style: String,
        /// The style that is most like it.
        nearest: Option<String>,
        /// All of its styles.
        known: String,
    },
    /// Several styles where one is needed.
    #[error(
        "{format} holds one style, and `{model}` has {known}: choose one, or blend some, with --style NAME[:WEIGHT]"
    )]
    Several {
        /// What is to be written.
        format: &'static str,
        /// The model.
        model: String,
        /// All of its styles.
        known: String,
    },
    /// One style is needed of a model that takes any picture as one.
    #[error(
        "{format} holds one style, and `{model}` takes any picture as one: name a picture, as `{model}#PICTURE`, or \
         choose a style of its own with --style NAME ({known})"
    )]
    AnyStyle {
        /// What is to be written.
        format: &'static str,
        /// The model.
        model: String,
        /// All of its own styles.
        known: String,
    },
    /// Neither a style nor a picture, for a model of any style.
    #[error("there is no picture `{picture}`, and `{model}` has no style of that name: it has {known}")]
    NoSuchPicture {
        /// The model.
        model: String,
        /// What was asked for.
        picture: String,
        /// All of its own styles.
        known: String,
    },
    /// A picture that is no style of the model.
    #[error(transparent)]
    Picture(#[from] StylesError),
    /// Weights that say nothing.
    #[error("all styles have a weight of 0: give at least one of them more")]
    NoWeight,
    /// A file would be written over another.
    #[error(transparent)]
    Clash(#[from] Clash),
}

impl From<StylePictureError> for ConvertError {
    fn from(error: StylePictureError) -> Self {
        Self::Picture(error.into())
    }
}

/// What is known of an imported model beside its numbers; what is not given is taken from the file's name, or left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportOptions {
    /// What the model is to be called.
    pub name: Option<String>,
    /// What its style is to be called.
    pub style_name: Option<String>,
    /// Painter and painting.
    pub title: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// The terms it comes under.
    pub license: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// How its numbers are to be stored.
    pub dtype: StyleDtype,
}

/// Reads a network that another program trained, and writes it as a style model of impasto.
///
/// # Errors
/// If the file holds no such network, or the model cannot be written.
pub fn import(file: &Path, out: &Path, options: &ImportOptions) -> Result<StyleModel, ConvertError> {
    let mut places = Places::default();
    places.input("the file to import", file)?;
    places.output("the model (`-o`)", out)?;
    let mut model = StyleModel::import(file)?;
    let card = &mut model.card;
    card.name = options.name.clone().unwrap_or(std::mem::take(&mut card.name));
    card.author.clone_from(&options.author);
    card.license.clone_from(&options.license);
    card.source = options.source.clone().or(card.source.take());
    if let Some(style) = card.styles.first_mut() {
        style.name = options.style_name.clone().unwrap_or_else(|| card.name.clone());
        style.title.clone_from(&options.title);
    }
    model.save(out, options.dtype)?;
    Ok(model)
}

/// What is to be written of a style model, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exports {
    /// As ONNX: one style, or any, which is then a second picture.
    pub onnx: Option<PathBuf>,
    /// With the names of pytorch/examples' `fast_neural_style`, one style.
    pub pytorch: Option<PathBuf>,
    /// In impasto's own format, which PyTorch's safetensors reads too: all styles, or the one that was chosen.
    pub safetensors: Option<PathBuf>,
    /// How numbers of impasto's own format are to be stored.
    pub dtype: StyleDtype,
}

impl Exports {
    /// That no file is written over the model's, the picture's, or over another.
    fn check_places(&self, Opened { path, picture, .. }: &Opened) -> Result<(), Clash> {
        let mut places = Places::default();
        path.as_ref().map_or(Ok(()), |model| places.input("the model", model))?;
        picture.as_ref().map_or(Ok(()), |picture| places.input("the picture", picture))?;
        let outputs =
            [("`--onnx`", &self.onnx), ("`--pytorch`", &self.pytorch), ("`--safetensors`", &self.safetensors)];
        let outputs = outputs.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
        outputs.into_iter().try_for_each(|(flag, path)| places.output(flag, path))
    }
}

/// Writes a style model for other programs. `asked` is a built-in style, `styles` for all of them together, `any` for the
/// network of any style, a pulled model (`dir` is the folder of these), a model file, or a picture or kept style for what
/// `any` makes of it; `MODEL#NAME` and `MODEL#PICTURE` are one style of a model, and what a model of any style makes of a picture.
/// `styles` choose one style of that network or blend some, by their names and weights. Without any, PyTorch gets the one
/// that is named, or the only one, and so does ONNX but for a model of any style, whose style is a second input then.
///
/// # Errors
/// If the model or the picture is not there, the model has no such style, or cannot be written in one of the formats; what
/// comes first is written then.
pub fn export(
    asked: &str,
    styles: &[(String, f64)],
    exports: &Exports,
    dir: Option<&Path>,
) -> Result<(), ConvertError> {
    let opened = open(asked, dir)?;
    let model = &opened.model;
    let named: Vec<_> = opened.style.iter().map(|style| (style.clone(), 1.0)).collect();
    let shares = shares(model, asked, if styles.is_empty() { &named } else { styles })?;
    let chosen = shares.map(|shares| model.blend(&shares));
    let single = |format| chosen.as_ref().ok_or_else(|| unchosen(format, asked, model));
    exports.check_places(&opened)?;
    match &exports.onnx {
        Some(out) if chosen.is_none() && model.predictor.is_some() => {
            model.save_onnx_of_any_style(&Vgg::builtin(), out)?;
        }
        Some(out) => single("ONNX")?.save_onnx(out)?,
        None => {}
    }
    if let Some(out) = &exports.pytorch {
        single("pytorch/examples' network")?.save_pytorch(out)?;
    }
    if let Some(out) = &exports.safetensors {
        chosen.as_ref().unwrap_or(model).save(out, exports.dtype)?;
    }
    Ok(())
}

/// That a format holds one style, and none was chosen.
fn unchosen(format: &'static str, model_name: &str, model: &StyleModel) -> ConvertError {
    let (name, known) = (model_name.to_owned(), names(model));
    match model.predictor {
        Some(_) => ConvertError::AnyStyle { format, model: name, known },
        None => ConvertError::Several { format, model: name, known },
    }
}

/// The share of each style, where some were chosen or there can be only one.
fn shares(model: &StyleModel, name: &str, styles: &[(String, f64)]) -> Result<Option<Vec<f32>>, ConvertError> {
    let count = model.shape.styles;
    if styles.is_empty() {
        return Ok((count == 1 && model.predictor.is_none()).then(|| vec![1.0]));
    }
    let mut weights = vec![0.0; count];
    for (style, weight) in styles {
        let number = model.style(style).ok_or_else(|| no_such_style(model, name, style))?;
        weights[number] += weight;
    }
    let total: f64 = weights.iter().sum();
    if !(total > 0.0 && total.is_finite()) {
        return Err(ConvertError::NoWeight);
    }
    Ok(Some(weights.into_iter().map(|weight| (weight / total) as f32).collect()))
}

/// That the model of this name has no such style.
pub(super) fn no_such_style(model: &StyleModel, name: &str, style: &str) -> ConvertError {
    let nearest = nearest(style, model.card.styles.iter().map(|style| style.name.as_str()));
    ConvertError::NoSuchStyle { model: name.into(), style: style.into(), nearest, known: names(model) }
}

/// The names of all styles, for a sentence.
pub(super) fn names(model: &StyleModel) -> String {
    model.card.styles.iter().map(|style| format!("`{}`", style.name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{BUILT_IN_ANY, BUILT_IN_STYLES};
    use super::*;
    use crate::styles;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto-nn/tests/styles").join(name)
    }

    #[test]
    fn weights_become_shares() {
        let model = StyleModel::import(&fixture("narrow-9.onnx")).unwrap();
        assert_eq!(shares(&model, "m", &[]).unwrap(), Some(vec![1.0]));
        assert_eq!(shares(&model, "m", &[("narrow-9".into(), 3.0)]).unwrap(), Some(vec![1.0]));
        let say = |name: &str, weight| shares(&model, "m", &[(name.into(), weight)]).unwrap_err().to_string();
        assert!(say("narow-9", 1.0).contains("did you mean `narrow-9`?"));
        assert!(say("narrow-9", 0.0).contains("weight of 0"));
    }

    #[test]
    fn a_built_in_style_is_exported_alone_or_blended() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (styles::names()[0], styles::names()[1]);
        let written = |name: &str, styles: &[(String, f64)]| {
            let path = folder.path().join("model.safetensors");
            export(name, styles, &Exports { safetensors: Some(path.clone()), ..Exports::default() }, None).unwrap();
            StyleModel::load(&path).unwrap()
        };
        let alone = written(one, &[]);
        assert_eq!((alone.shape.styles, alone.card.styles[0].name.as_str()), (1, one));
        assert_eq!(written(BUILT_IN_STYLES, &[]), *styles::built_in());
        let blend = written(BUILT_IN_STYLES, &[(one.into(), 3.0), (other.into(), 1.0)]);
        let mut shares = vec![0.0; styles::names().len()];
        shares[..2].copy_from_slice(&[0.75, 0.25]);
        assert_eq!(blend, styles::built_in().blend(&shares));

        let onnx = Exports { onnx: Some(folder.path().join("model.onnx")), ..Exports::default() };
        export(other, &[], &onnx, None).unwrap();
        let say = |name: &str| export(name, &[], &onnx, None).unwrap_err().to_string();
        assert!(say(BUILT_IN_STYLES).contains("--style NAME[:WEIGHT]"));
        assert!(say(&one[1..]).contains(&format!("did you mean `{one}`?")));
    }

    #[test]
    fn a_network_of_any_style_is_exported_whole_or_with_one_style() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let whole = Exports { safetensors: Some(path.clone()), ..Exports::default() };
        let written = |asked: &str| {
            export(asked, &[], &whole, None).unwrap();
            StyleModel::load(&path).unwrap()
        };
        assert_eq!(written(BUILT_IN_ANY), *styles::any());
        let own = styles::any().card.styles[0].name.clone();
        let alone = written(&format!("any#{own}"));
        assert_eq!((alone.predictor.is_none(), &alone.card.styles[0].name), (true, &own));

        let night = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures/starry-night.jpg");
        let picture = folder.path().join("night.jpg");
        std::fs::copy(night, &picture).unwrap();
        let picture = picture.to_str().unwrap();
        let predicted = written(picture);
        assert_eq!((predicted.shape.styles, predicted.card.styles[0].name.as_str()), (1, "night"));
        assert_eq!(written(&format!("any#{picture}")), predicted);
        let stylized = styles::Blend::find(&[styles::StyleChoice::new(picture)]).unwrap();
        assert_eq!(*stylized.model, predicted, "what `impasto stylize` makes of it");

        let torch = Exports { pytorch: Some(folder.path().join("torch.safetensors")), ..Exports::default() };
        export(picture, &[], &torch, None).unwrap();
        let over = Exports { onnx: Some(picture.into()), ..Exports::default() };
        for (asked, exports, part) in [
            (BUILT_IN_ANY, &torch, "name a picture, as `any#PICTURE`, or choose a style of its own"),
            ("any#nothing.jpg", &torch, "there is no picture `nothing.jpg`, and `any` has no style"),
            (&format!("styles#{picture}"), &torch, "`styles` cannot take the picture"),
            ("styles#nothing.jpg", &torch, "`styles` has no style called `nothing.jpg`"),
            (picture, &over, "`--onnx` would overwrite the picture"),
        ] {
            let message = export(asked, &[], exports, None).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn an_import_does_not_write_over_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candy.pth");
        std::fs::copy(fixture("narrow-old.pth"), &path).unwrap();
        let error = import(&path, &path, &ImportOptions::default()).unwrap_err();
        assert!(matches!(error, ConvertError::Clash(_)), "{error}");
        assert!(StyleModel::import(&path).is_ok());
    }
}

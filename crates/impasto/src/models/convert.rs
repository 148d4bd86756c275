//! Style models from other programs, and for them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use impasto_files::{Clash, Places};
use impasto_nn::style_model::{StyleDtype, StyleModel, StyleModelError};
use thiserror::Error;

use super::catalogue::{BUILT_IN_STYLES, find_in};
use crate::settings::nearest;
use crate::styles;

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
    /// Weights that say nothing.
    #[error("all styles have a weight of 0: give at least one of them more")]
    NoWeight,
    /// A file would be written over another.
    #[error(transparent)]
    Clash(#[from] Clash),
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
    /// As ONNX, one style.
    pub onnx: Option<PathBuf>,
    /// With the names of pytorch/examples' `fast_neural_style`, one style.
    pub pytorch: Option<PathBuf>,
    /// In impasto's own format, which PyTorch's safetensors reads too: all styles, or the one that was chosen.
    pub safetensors: Option<PathBuf>,
    /// How numbers of impasto's own format are to be stored.
    pub dtype: StyleDtype,
}

impl Exports {
    /// That no file is written over the model's, or over another.
    fn check_places(&self, model: Option<&Path>) -> Result<(), Clash> {
        let mut places = Places::default();
        model.map_or(Ok(()), |model| places.input("the model", model))?;
        let outputs =
            [("`--onnx`", &self.onnx), ("`--pytorch`", &self.pytorch), ("`--safetensors`", &self.safetensors)];
        let outputs = outputs.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
        outputs.into_iter().try_for_each(|(flag, path)| places.output(flag, path))
    }
}

/// Writes a style model for other programs. `name_or_path` is a built-in style, `styles` for all of them together, a
/// pulled model (`dir` is the folder of these), or a file. `styles` choose one style of that network or blend some, by
/// their names and weights; without any, ONNX and PyTorch get the one that is named, or the only one.
///
/// # Errors
/// If the model is not there, has no such style, or cannot be written in one of the formats; what comes first is written
/// then.
pub fn export(
    name_or_path: &str,
    styles: &[(String, f64)],
    exports: &Exports,
    dir: Option<&Path>,
) -> Result<(), ConvertError> {
    let Opened { model, path, style } = open(name_or_path, dir)?;
    let named: Vec<_> = style.map(|style| (style, 1.0)).into_iter().collect();
    let shares = shares(&model, name_or_path, if styles.is_empty() { &named } else { styles })?;
    let chosen = shares.map(|shares| model.blend(&shares));
    let single = |format| {
        let several = || ConvertError::Several { format, model: name_or_path.into(), known: names(&model) };
        chosen.as_ref().ok_or_else(several)
    };
    exports.check_places(path.as_deref())?;
    if let Some(out) = &exports.onnx {
        single("ONNX")?.save_onnx(out)?;
    }
    if let Some(out) = &exports.pytorch {
        single("pytorch/examples' network")?.save_pytorch(out)?;
    }
    if let Some(out) = &exports.safetensors {
        chosen.as_ref().unwrap_or(&model).save(out, exports.dtype)?;
    }
    Ok(())
}

/// A model that was asked for.
pub(super) struct Opened {
    pub(super) model: Cow<'static, StyleModel>,
    /// Its file, unless it is built in.
    pub(super) path: Option<PathBuf>,
    /// The one of its styles that was named.
    pub(super) style: Option<String>,
}

/// The network of a built-in style, or of all of them.
pub(super) fn open_built_in(name: &str) -> Option<Opened> {
    let style = styles::find(name).map(|_| name.to_owned());
    let model = (style.is_some() || name == BUILT_IN_STYLES).then(styles::built_in)?;
    Some(Opened { model: Cow::Borrowed(model), path: None, style })
}

/// The model of a name or a path: the one place where names are looked up.
fn open(name_or_path: &str, dir: Option<&Path>) -> Result<Opened, ConvertError> {
    if let Some(opened) = open_built_in(name_or_path) {
        return Ok(opened);
    }
    let pulled = dir.and_then(|dir| find_in(name_or_path, dir));
    let path = pulled.unwrap_or_else(|| PathBuf::from(name_or_path));
    if !path.exists() {
        let nearest = nearest(name_or_path, styles::names().into_iter());
        return Err(ConvertError::Unknown { name: name_or_path.into(), nearest });
    }
    Ok(Opened { model: Cow::Owned(StyleModel::load(&path)?), path: Some(path), style: None })
}

/// The share of each style, where some were chosen or there is only one.
fn shares(model: &StyleModel, name: &str, styles: &[(String, f64)]) -> Result<Option<Vec<f32>>, ConvertError> {
    let count = model.shape.styles;
    if styles.is_empty() {
        return Ok((count == 1).then(|| vec![1.0]));
    }
    let mut weights = vec![0.0; count];
    for (style, weight) in styles {
        let number = model.style(style).ok_or_else(|| {
            let known = model.card.styles.iter().map(|style| style.name.as_str());
            let (model_name, nearest) = (name.to_owned(), nearest(style, known));
            ConvertError::NoSuchStyle { model: model_name, style: style.clone(), nearest, known: names(model) }
        })?;
        weights[number] += weight;
    }
    let total: f64 = weights.iter().sum();
    if !(total > 0.0 && total.is_finite()) {
        return Err(ConvertError::NoWeight);
    }
    Ok(Some(weights.into_iter().map(|weight| (weight / total) as f32).collect()))
}

/// The names of all styles, for a sentence.
fn names(model: &StyleModel) -> String {
    model.card.styles.iter().map(|style| format!("`{}`", style.name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_import_does_not_write_over_its_source() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("candy.pth");
        std::fs::copy(fixture("narrow-old.pth"), &path).unwrap();
        let error = import(&path, &path, &ImportOptions::default()).unwrap_err();
        assert!(matches!(error, ConvertError::Clash(_)), "{error}");
        assert!(StyleModel::import(&path).is_ok());
    }
}

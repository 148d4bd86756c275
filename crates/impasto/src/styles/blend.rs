//! Styles of one network, blended.

use std::borrow::Cow;
use std::path::Path;

use impasto_nn::style_model::{StyleCard, StyleModel};

use super::built_in::{FILE_NAME, any, built_in, few, number};
use super::choice::StyleChoice;
use super::error::StylesError;
use super::home::Home;
use super::pictures::{self, StyleReader};
use crate::picture::ReadLimits;
use crate::settings::Device;

/// Styles of one network, each with its share.
#[derive(Clone, Debug)]
pub struct Blend {
    /// The network.
    pub model: Cow<'static, StyleModel>,
    /// The share of each of its styles; they sum to 1.
    pub shares: Vec<f32>,
}

impl Blend {
    /// One style of a network alone.
    ///
    /// # Panics
    /// If the network does not have this many.
    pub fn of(model: Cow<'static, StyleModel>, style: usize) -> Self {
        let mut shares = vec![0.0; model.shape.styles];
        shares[style] = 1.0;
        Self { model, shares }
    }

    /// The styles that are asked for, blended by their weights. The same style twice counts as one.
    ///
    /// # Errors
    /// If a style is not to be found, they are not of one network, or all weigh nothing.
    pub fn find(choices: &[StyleChoice]) -> Result<Self, StylesError> {
        Self::find_on(choices, Device::Auto, None, &ReadLimits::default())
    }

    /// The same, where pictures are read within limits and measured on a device with this many threads.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_on(
        choices: &[StyleChoice],
        device: Device,
        threads: Option<usize>,
        limits: &ReadLimits,
    ) -> Result<Self, StylesError> {
        let first = choices.first().ok_or(StylesError::Nothing)?;
        let homes = choices.iter().map(|choice| Home::of(&choice.style)).collect::<Result<Vec<_>, _>>()?;
        if let Some((_, other)) = homes.iter().zip(choices).skip(1).find(|(home, _)| !homes[0].is_network_of(home)) {
            return Err(StylesError::Different { one: first.style.clone(), other: other.style.clone() });
        }
        let total: f64 = choices.iter().map(|choice| choice.weight).sum();
        if !(total.is_finite() && total > 0.0) {
            return Err(StylesError::NoWeight);
        }
        let (model, numbers) = numbered(&homes.iter().collect::<Vec<_>>(), device, threads, limits)?;
        let mut weights = vec![0.0; model.shape.styles];
        for (number, choice) in numbers.into_iter().zip(choices) {
            weights[number] += choice.weight;
        }
        Ok(Self { model, shares: weights.into_iter().map(|weight| (weight / total) as f32).collect() })
    }

    /// Each of the styles that are asked for alone, whatever its weight; they may be of several networks.
    ///
    /// # Errors
    /// If a style is not to be found.
    pub fn find_each(
        choices: &[StyleChoice],
        device: Device,
        threads: Option<usize>,
        limits: &ReadLimits,
    ) -> Result<Vec<Self>, StylesError> {
        let homes = choices.iter().map(|choice| Home::of(&choice.style)).collect::<Result<Vec<_>, _>>()?;
        let mut found: Vec<Option<Self>> = vec![None; homes.len()];
        while let Some(first) = found.iter().position(Option::is_none) {
            // Beside pictures a built-in style would not be in the network that paints it best.
            let is_like = |other: &Home| homes[first].is_predicted() == other.is_predicted();
            let is_same = |other: &usize| {
                found[*other].is_none() && homes[first].is_network_of(&homes[*other]) && is_like(&homes[*other])
            };
            let same: Vec<usize> = (first..homes.len()).filter(|other| *other == first || is_same(other)).collect();
            let of_network: Vec<&Home> = same.iter().map(|place| &homes[*place]).collect();
            let (model, numbers) = numbered(&of_network, device, threads, limits)?;
            for (place, number) in same.into_iter().zip(numbers) {
                found[place] = Some(Self::of(model.clone(), number));
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// The styles by name, joined by hyphens, fit to be part of a file's name.
    pub fn label(&self) -> String {
        let used = self.model.card.styles.iter().zip(&self.shares).filter(|(_, share)| **share > 0.0);
        let name: String = used.map(|(style, _)| style.name.as_str()).collect::<Vec<_>>().join("-");
        let fit = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
        name.chars().map(fit).collect()
    }
}

/// The network of the first style, and inside the program, the one that paints all of them best.
fn network_of(homes: &[&Home]) -> Result<Cow<'static, StyleModel>, StylesError> {
    let are_among = |model: &StyleModel| {
        let is = |home: &&Home| matches!(home, Home::BuiltIn { name } if number(model, name).is_some());
        homes.iter().all(is)
    };
    Ok(match homes[0].file() {
        Some(path) => Cow::Owned(StyleModel::load(path)?),
        None if homes.iter().any(|home| home.is_predicted()) => Cow::Borrowed(any()),
        None if are_among(few()) => Cow::Borrowed(few()),
        None => Cow::Borrowed(built_in()),
    })
}

/// The network of these styles, and the number that each has in it. Pictures have one once they are measured.
fn numbered(
    homes: &[&Home],
    device: Device,
    threads: Option<usize>,
    limits: &ReadLimits,
) -> Result<(Cow<'static, StyleModel>, Vec<usize>), StylesError> {
    let model = network_of(homes)?;
    if homes.iter().any(|home| home.is_predicted()) {
        let styles = with_pictures(&model, homes, device, threads, limits)?;
        return Ok((Cow::Owned(model.with_styles(styles)), (0..homes.len()).collect()));
    }
    let numbers = homes.iter().map(|home| home.style(&model)).collect::<Result<_, _>>()?;
    Ok((model, numbers))
}

/// The styles of a network that are asked for, each with its scales and shifts, pictures among them.
fn with_pictures(
    model: &StyleModel,
    homes: &[&Home],
    device: Device,
    threads: Option<usize>,
    limits: &ReadLimits,
) -> Result<Vec<(StyleCard, Vec<f32>)>, StylesError> {
    let mut reader = None;
    let mut styles = Vec::new();
    for home in homes {
        if let (Home::Kept(kept), Some(predictor)) = (home, &model.predictor) {
            styles.push((kept.card.clone(), predictor.predict(&kept.statistics)));
            continue;
        }
        let Home::Picture { picture: path, .. } = home else {
            let style = home.style(model)?;
            styles.push((model.card.styles[style].clone(), model.shape.normalisation_of(style, &model.parameters)));
            continue;
        };
        let Some(predictor) = &model.predictor else {
            let model = home.file().unwrap_or(Path::new(FILE_NAME)).to_owned();
            return Err(StylesError::NoPredictor { model, picture: path.clone() });
        };
        let picture = pictures::read(path, limits)?;
        let reader = match &mut reader {
            Some(reader) => reader,
            none => none.insert(StyleReader::new(model, device, threads)?),
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        styles.push(reader.style(predictor, name, &picture));
    }
    Ok(styles)
}

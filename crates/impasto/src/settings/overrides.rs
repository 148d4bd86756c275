//! Settings that may be given or not: what a settings file holds, and what flags say.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Device, Init, LayerWeights, OptimizerKind, PoolingKind, Preset, Settings, StyleFile};

/// Any subset of the settings, and of the files of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each stands in `Settings` under the same name, or in `PaintJob`")]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub style: Vec<StyleFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iterations: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<OptimizerKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_weight: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style_weight: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tv_weight: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<PoolingKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_every: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_layers: Option<LayerWeights>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub style_layers: Option<LayerWeights>,
}

/// Takes each named field from the first that has it.
macro_rules! first_given {
    ($over:ident, $under:ident, $($field:ident),*) => {
        Overrides {
            style: if $over.style.is_empty() { $under.style } else { $over.style },
            $($field: $over.$field.or($under.$field)),*
        }
    };
}

impl Overrides {
    /// These over those: what both give is taken from these.
    pub fn over(self, under: Self) -> Self {
        first_given!(
            self,
            under,
            content,
            output,
            curve,
            preset,
            size,
            iterations,
            optimizer,
            learning_rate,
            content_weight,
            style_weight,
            tv_weight,
            init,
            pooling,
            network,
            device,
            threads,
            seed,
            save_every,
            content_layers,
            style_layers
        )
    }

    /// The settings: what is given here, the rest from the preset.
    pub fn settings(&self) -> Settings {
        let preset = Settings::preset(self.preset.unwrap_or(Preset::Default));
        Settings {
            size: self.size.or(preset.size),
            iterations: self.iterations.unwrap_or(preset.iterations),
            optimizer: self.optimizer.unwrap_or(preset.optimizer),
            learning_rate: self.learning_rate.unwrap_or(preset.learning_rate),
            content_weight: self.content_weight.unwrap_or(preset.content_weight),
            style_weight: self.style_weight.unwrap_or(preset.style_weight),
            tv_weight: self.tv_weight.unwrap_or(preset.tv_weight),
            init: self.init.clone().unwrap_or(preset.init),
            pooling: self.pooling.unwrap_or(preset.pooling),
            network: self.network.clone().unwrap_or(preset.network),
            device: self.device.unwrap_or(preset.device),
            threads: self.threads.or(preset.threads),
            seed: self.seed.unwrap_or(preset.seed),
            save_every: self.save_every.or(preset.save_every),
            content_layers: self.content_layers.clone().unwrap_or(preset.content_layers),
            style_layers: self.style_layers.clone().unwrap_or(preset.style_layers),
        }
    }
}

impl From<&Settings> for Overrides {
    /// Every setting as given, none left to a preset.
    fn from(settings: &Settings) -> Self {
        let settings = settings.clone();
        Self {
            size: settings.size,
            iterations: Some(settings.iterations),
            optimizer: Some(settings.optimizer),
            learning_rate: Some(settings.learning_rate),
            content_weight: Some(settings.content_weight),
            style_weight: Some(settings.style_weight),
            tv_weight: Some(settings.tv_weight),
            init: Some(settings.init),
            pooling: Some(settings.pooling),
            network: Some(settings.network),
            device: Some(settings.device),
            threads: settings.threads,
            seed: Some(settings.seed),
            save_every: settings.save_every,
            content_layers: Some(settings.content_layers),
            style_layers: Some(settings.style_layers),
            ..Self::default()
        }
    }
}

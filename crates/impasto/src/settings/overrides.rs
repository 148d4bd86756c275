//! Settings of a painting that may be given or not: what a settings file holds, and what flags say.

use std::path::PathBuf;

use super::{
    BorderKind, Colors, Device, Init, LayerWeights, LossScale, MaxPixels, MemorySize, OptimizerKind, PoolingKind,
    Preset, Settings, StyleFile, StyleLossKind,
};
use super::{SettingsError, overrides, to_toml};
use crate::picture::BitDepth;

overrides! {
    /// Any subset of the settings, and of the files of a run.
    #[allow(missing_docs, reason = "each stands in `Settings` under the same name, or in `PaintJob`")]
    Overrides over Settings
    lists { style: StyleFile, mask: PathBuf }
    files {
        content: PathBuf,
        output: PathBuf,
        curve: PathBuf,
        depth: BitDepth,
        keep_metadata: bool,
        keep_gps: bool,
        no_settings: bool,
        checkpoint: PathBuf,
        checkpoint_every: f64,
        protect: PathBuf,
        preset: Preset,
    }
    settings {
        iterations: usize,
        min_size: usize,
        average: f64,
        style_scale: f64,
        optimizer: OptimizerKind,
        learning_rate: f64,
        content_weight: f64,
        style_weight: f64,
        tv_weight: f64,
        colors: Colors,
        init: Init,
        style_loss: StyleLossKind,
        loss_scale: LossScale,
        pooling: PoolingKind,
        pooling_scale: f64,
        border: BorderKind,
        network: String,
        device: Device,
        max_pixels: MaxPixels,
        seed: u64,
    }
    optional { size: usize, scales: usize, strength: f64, threads: usize, memory: MemorySize, save_every: usize }
    tables { content_layers: LayerWeights, style_layers: LayerWeights }
}

impl Overrides {
    /// The settings: what is given here, the rest from the preset.
    pub fn settings(&self) -> Settings {
        self.over_settings(Settings::preset(self.preset.unwrap_or(Preset::Default)))
    }

    /// Settings that are in a picture: weights from before there was a loss scale are absolute.
    #[must_use]
    pub(crate) fn with_recorded_loss_scale(self) -> Self {
        let older = self.loss_scale.is_none() && self.style_weight.is_some();
        Self { loss_scale: self.loss_scale.or(older.then_some(LossScale::Absolute)), ..self }
    }

    /// The same as TOML.
    ///
    /// # Errors
    /// If the name of a file is no text.
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        let files = [&self.content, &self.output, &self.curve, &self.checkpoint, &self.protect]
            .into_iter()
            .flatten()
            .chain(&self.mask);
        to_toml(self, files.chain(self.style.iter().map(|style| &style.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_older_pictures_are_absolute() {
        let new = Overrides::from(&Settings::default());
        assert_eq!(new.clone().with_recorded_loss_scale().loss_scale, Some(LossScale::Relative));
        let older = Overrides { loss_scale: None, ..new };
        assert_eq!(older.with_recorded_loss_scale().loss_scale, Some(LossScale::Absolute));
    }

    #[test]
    fn the_known_keys_are_those_of_the_structure() {
        let all = Overrides {
            content: Some("c".into()),
            style: vec!["s:2".parse().unwrap()],
            output: Some("o".into()),
            curve: Some("k".into()),
            depth: Some(BitDepth::Sixteen),
            keep_metadata: Some(true),
            keep_gps: Some(true),
            no_settings: Some(true),
            mask: vec!["m".into()],
            protect: Some("q".into()),
            checkpoint: Some("p".into()),
            checkpoint_every: Some(5.0),
            preset: Some(Preset::Fast),
            size: Some(1),
            scales: Some(1),
            strength: Some(0.5),
            threads: Some(1),
            memory: Some("2GiB".parse().unwrap()),
            save_every: Some(1),
            ..Overrides::from(&Settings::default())
        };
        let table: toml::Table = toml::from_str(&all.to_toml().unwrap()).unwrap();
        let mut keys: Vec<&str> = KEYS.to_vec();
        keys.sort_unstable();
        assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), keys);
    }
}

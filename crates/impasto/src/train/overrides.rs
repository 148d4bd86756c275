//! Settings of a training that may be given or not: what a settings file holds, and what flags say.

use std::path::PathBuf;

use super::settings::{Every, Schedule, TrainOptimizer, TrainSettings, TrainStyle};
use super::shares::StyleShares;
use crate::settings::{LayerWeights, MaxPixels, PoolingKind, SettingsError, overrides, to_toml};

overrides! {
    /// Any subset of the settings of a training, and of its files.
    #[allow(missing_docs, reason = "each stands in `TrainSettings` under the same name, or in `TrainJob`")]
    TrainOverrides over TrainSettings
    lists { style: TrainStyle, photos: PathBuf }
    files {
        output: PathBuf,
        from: PathBuf,
        preview: PathBuf,
        curve: PathBuf,
        name: String,
        author: String,
        license: String
    }
    settings {
        image_size: usize,
        style_size: usize,
        batch: usize,
        steps: usize,
        style_shares: StyleShares,
        optimizer: TrainOptimizer,
        learning_rate: f64,
        schedule: Schedule,
        content_weight: f64,
        style_weight: f64,
        tv_weight: f64,
        pooling: PoolingKind,
        network: String,
        width: usize,
        residual_blocks: usize,
        max_pixels: MaxPixels,
        seed: u64,
        validate_every: Every
    }
    optional { minutes: f64, threads: usize }
    tables { content_layers: LayerWeights, style_layers: LayerWeights }
}

impl TrainOverrides {
    /// The settings: what is given here, the rest by default.
    pub fn settings(&self) -> TrainSettings {
        self.over_settings(TrainSettings::default())
    }

    /// The same as TOML.
    ///
    /// # Errors
    /// If the name of a file is no text.
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        let files = [&self.output, &self.from, &self.preview, &self.curve].into_iter().flatten();
        to_toml(self, files.chain(&self.photos).chain(self.style.iter().map(|style| &style.path)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn all() -> TrainOverrides {
        TrainOverrides {
            style: vec!["wave=w.jpg:2".parse().unwrap(), "n.png".parse().unwrap()],
            photos: vec!["photos".into()],
            output: Some("o".into()),
            from: Some("f".into()),
            preview: Some("p".into()),
            curve: Some("k".into()),
            name: Some("n".into()),
            author: Some("a".into()),
            license: Some("l".into()),
            minutes: Some(1.5),
            threads: Some(2),
            ..TrainOverrides::from(&TrainSettings::default())
        }
    }

    #[test]
    fn everything_comes_back_from_its_own_text() {
        let back = TrainOverrides::from_toml(&all().to_toml().unwrap(), Path::new("s.toml")).unwrap();
        assert_eq!(back, all());
        let settings = TrainSettings { minutes: Some(1.5), threads: Some(2), ..TrainSettings::default() };
        assert_eq!(back.settings(), settings);
    }

    #[test]
    fn the_known_keys_are_those_of_the_structure() {
        let table: toml::Table = toml::from_str(&all().to_toml().unwrap()).unwrap();
        let mut keys: Vec<&str> = KEYS.to_vec();
        keys.sort_unstable();
        assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), keys);
    }

    #[test]
    fn one_style_may_stand_without_brackets_and_unknown_keys_are_answered() {
        let read = |text: &str| TrainOverrides::from_toml(text, Path::new("s.toml"));
        assert_eq!(read("style = \"a.jpg\"\nphotos = \"p\"").unwrap().style[0].name, "a");
        let message = read("bacth = 3").unwrap_err().to_string();
        assert_eq!(message, "the settings file `s.toml` has an unknown key `bacth`: did you mean `batch`?");
    }
}

//! Settings of a training that may be given or not: what a settings file holds, and what flags say.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::settings::{Every, Schedule, TrainSettings, TrainStyle};
use crate::settings::{LayerWeights, PoolingKind, SettingsError, read_toml};

/// Declares the structure, its keys, and how one lies over another. The files come first, then the settings.
macro_rules! overrides {
    (
        lists { $($list:ident: $item:ty),* }
        files { $($file:ident: $file_type:ty),* }
        settings { $($field:ident: $type:ty),* }
        optional { $($optional:ident: $optional_type:ty),* }
        tables { $($table:ident: $table_type:ty),* }
    ) => {
        /// Any subset of the settings of a training, and of its files.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[allow(missing_docs, reason = "each stands in `TrainSettings` under the same name, or in `TrainJob`")]
        pub struct TrainOverrides {
            $(#[serde(skip_serializing_if = "Vec::is_empty")] pub $list: Vec<$item>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $file: Option<$file_type>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $optional: Option<$optional_type>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $table: Option<$table_type>,)*
        }

        /// Every key of a settings file, lists first.
        const KEYS: &[&str] = &[
            $(stringify!($list),)* $(stringify!($file),)* $(stringify!($field),)* $(stringify!($optional),)*
            $(stringify!($table),)*
        ];

        /// The keys that hold lists, of which one may stand without brackets.
        const LISTS: &[&str] = &[$(stringify!($list)),*];

        impl TrainOverrides {
            /// These over those: what both give is taken from these.
            pub fn over(self, under: Self) -> Self {
                Self {
                    $($list: if self.$list.is_empty() { under.$list } else { self.$list },)*
                    $($file: self.$file.or(under.$file),)*
                    $($field: self.$field.or(under.$field),)*
                    $($optional: self.$optional.or(under.$optional),)*
                    $($table: self.$table.or(under.$table),)*
                }
            }

            /// The settings: what is given here, the rest by default.
            pub fn settings(&self) -> TrainSettings {
                let default = TrainSettings::default();
                TrainSettings {
                    $($field: self.$field.clone().unwrap_or(default.$field),)*
                    $($optional: self.$optional.or(default.$optional),)*
                    $($table: self.$table.clone().unwrap_or(default.$table),)*
                }
            }
        }

        impl From<&TrainSettings> for TrainOverrides {
            /// Every setting as given, none left to a default.
            fn from(settings: &TrainSettings) -> Self {
                let settings = settings.clone();
                Self {
                    $($field: Some(settings.$field),)*
                    $($optional: settings.$optional,)*
                    $($table: Some(settings.$table),)*
                    ..Self::default()
                }
            }
        }
    };
}

overrides! {
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
        learning_rate: f64,
        schedule: Schedule,
        content_weight: f64,
        style_weight: f64,
        tv_weight: f64,
        pooling: PoolingKind,
        network: String,
        width: usize,
        residual_blocks: usize,
        seed: u64,
        validate_every: Every
    }
    optional { minutes: f64, threads: usize }
    tables { content_layers: LayerWeights, style_layers: LayerWeights }
}

impl TrainOverrides {
    /// Reads a settings file. Paths in it are taken from the folder the program runs in, as on the command line.
    ///
    /// # Errors
    /// If it cannot be read, is not TOML, has an unknown key or a value of a wrong type.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|error| SettingsError::File { path: path.into(), error })?;
        Self::from_toml(&text, path)
    }

    /// Settings from TOML; `path` is named in errors.
    ///
    /// # Errors
    /// As [`TrainOverrides::read`].
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, SettingsError> {
        read_toml(text, path, KEYS, LISTS)
    }

    /// The same as TOML.
    ///
    /// # Errors
    /// If the name of a file is no text.
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        let files = [&self.output, &self.from, &self.preview, &self.curve].into_iter().flatten();
        let mut files = files.chain(&self.photos).chain(self.style.iter().map(|style| &style.path));
        if let Some(path) = files.find(|path| path.to_str().is_none()) {
            return Err(SettingsError::NoText(path.clone()));
        }
        Ok(toml::to_string(self).expect("settings are plain values, then tables"))
    }
}

#[cfg(test)]
mod tests {
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

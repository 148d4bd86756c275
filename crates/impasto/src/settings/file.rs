//! Settings files: TOML.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Declared, SettingsError, nearest};

/// The text of a settings file.
pub(crate) fn read_text(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|error| SettingsError::File { path: path.into(), error })
}

/// Settings as TOML; `files` are the names in them.
pub(crate) fn to_toml<'a>(
    settings: &impl Serialize,
    mut files: impl Iterator<Item = &'a PathBuf>,
) -> Result<String, SettingsError> {
    if let Some(path) = files.find(|path| path.to_str().is_none()) {
        return Err(SettingsError::NoText(path.clone()));
    }
    Ok(toml::to_string(settings).expect("settings are plain values, then tables"))
}

/// Settings from TOML; where a key holds a list, one value may stand without brackets.
pub(crate) fn read_toml<T: Declared>(text: &str, path: &Path) -> Result<T, SettingsError> {
    let wrong = |error: toml::de::Error| {
        let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        SettingsError::Toml { path: path.into(), reason: format!("{place}{}", error.message().replace('\n', ", ")) }
    };
    let mut table: toml::Table = toml::from_str(text).map_err(wrong)?;
    if let Some(key) = table.keys().find(|key| !T::KEYS.contains(&key.as_str())) {
        let nearest = nearest(key, T::KEYS.iter().copied());
        return Err(SettingsError::UnknownKey { path: path.into(), key: key.clone(), nearest });
    }
    // Where one value is put into brackets, the line numbers of the text no longer matter.
    let mut bracketed = false;
    for key in T::LISTS {
        if let Some(one @ toml::Value::String(_)) = table.get(*key).cloned() {
            table.insert((*key).into(), toml::Value::Array(vec![one]));
            bracketed = true;
        }
    }
    if bracketed { table.try_into().map_err(wrong) } else { toml::from_str(text).map_err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Overrides, Preset, Settings};

    fn read(text: &str) -> Result<Overrides, SettingsError> {
        Overrides::from_toml(text, Path::new("s.toml"))
    }

    #[test]
    fn every_preset_comes_back_from_its_own_text() {
        for preset in [Preset::Article, Preset::Default, Preset::Fast, Preset::Best] {
            let settings = Settings { size: Some(300), threads: Some(2), ..Settings::preset(preset) };
            let all = Overrides { save_every: Some(5), ..Overrides::from(&settings) };
            let back = read(&all.to_toml().unwrap()).unwrap();
            assert_eq!(back, all);
            assert_eq!(back.settings(), Settings { save_every: Some(5), ..settings });
        }
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest() {
        let message = read("style_wieght = 3").unwrap_err().to_string();
        assert_eq!(
            message,
            "the settings file `s.toml` has an unknown key `style_wieght`: did you mean `style_weight`?"
        );
        assert!(read("zzzzzzzzzzzzzzzzzz = 3").unwrap_err().to_string().ends_with("`zzzzzzzzzzzzzzzzzz`"));
    }

    #[test]
    fn a_wrong_value_is_answered_with_its_line() {
        let message = read("size = 3\niterations = \"many\"\n").unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains("many"), "{message}");
        let message = read("optimizer = \"sgd\"").unwrap_err().to_string();
        assert!(message.contains("`adam` or `lbfgs`"), "{message}");
        assert!(read("size = ").unwrap_err().to_string().contains("line 1"));
    }

    #[test]
    fn flags_lie_over_the_file_and_the_file_over_the_preset() {
        let file = read("preset = \"article\"\nstyle_weight = 7\niterations = 9\nstyle = \"a.jpg:2\"").unwrap();
        let flags = Overrides { iterations: Some(3), ..Overrides::default() };
        let all = flags.over(file);
        assert_eq!(all.style[0].weight, 2.0);
        let expected = Settings { style_weight: 7.0, iterations: 3, ..Settings::preset(Preset::Article) };
        assert_eq!(all.settings(), expected);
    }
}

//! The JSON schema of a settings file.

use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::Range;

/// Settings that are declared once for flags, files and schema.
pub(crate) trait Declared: DeserializeOwned + Serialize + JsonSchema {
    /// Every key of a settings file, lists first.
    const KEYS: &'static [&'static str];

    /// The keys that hold lists, of which one may stand without brackets.
    const LISTS: &'static [&'static str];

    /// Keys and their ranges.
    const RANGES: &'static [(&'static str, Range)];
}

/// The schema of a settings file (JSON Schema draft 2020-12), with these defaults.
pub(crate) fn schema<T: Declared>(defaults: &T) -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
    let defaults = serde_json::to_value(defaults).unwrap_or_default();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return schema };
    for (key, property) in properties.iter_mut() {
        let Some(property) = property.as_object_mut() else { continue };
        without_null(property);
        property.remove("default");
        if let Some(default) = defaults.get(key) {
            property.insert("default".into(), default.clone());
        }
        if let Some((_, range)) = T::RANGES.iter().find(|(name, _)| name == key) {
            limit(property, range);
        }
        if T::LISTS.contains(&key.as_str()) {
            one_or_list(property);
        }
    }
    schema
}

/// A settings file has no null: a setting is left out instead.
fn without_null(property: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            property.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(values)) = property.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(mut choices)) = property.remove("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        match &choices[..] {
            [Value::Object(only)] => only.iter().for_each(|(key, value)| {
                property.entry(key.clone()).or_insert_with(|| value.clone());
            }),
            _ => {
                property.insert("anyOf".into(), choices.into());
            }
        }
    }
}

fn limit(property: &mut Map<String, Value>, range: &Range) {
    let number = |value: f64| if range.step > 0 { json!(value as u64) } else { json!(value) };
    property.remove("minimum");
    let least = if range.above_least { "exclusiveMinimum" } else { "minimum" };
    property.insert(least.into(), number(range.least));
    if range.most < f64::MAX {
        let most = if range.below_most { "exclusiveMaximum" } else { "maximum" };
        property.insert(most.into(), number(range.most));
    }
    if range.step > 1 {
        property.insert("multipleOf".into(), json!(range.step));
    }
}

/// One value may stand without brackets.
fn one_or_list(property: &mut Map<String, Value>) {
    let (items, list) = (property.remove("items").unwrap_or(json!({"type": "string"})), property.remove("type"));
    let list = json!({"type": list.unwrap_or(json!("array")), "items": items.clone()});
    property.insert("anyOf".into(), json!([items, list]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Overrides, Preset, Settings};
    use crate::stylize::StylizeOverrides;
    use crate::train::{TrainOverrides, TrainSettings};

    /// What a settings file holds, as JSON.
    fn json_of(toml: &str) -> Value {
        serde_json::to_value(toml.parse::<toml::Table>().unwrap()).unwrap()
    }

    #[test]
    fn every_preset_is_valid_and_defaults_are_told() {
        let validator = jsonschema::validator_for(&Overrides::schema()).unwrap();
        for preset in [Preset::Article, Preset::Default, Preset::Fast, Preset::Best] {
            let all = Overrides {
                content: Some("c.png".into()),
                style: vec!["a.png:2".parse().unwrap(), "b.png".parse().unwrap()],
                depth: Some(crate::picture::BitDepth::Sixteen),
                keep_gps: Some(true),
                memory: Some("2GiB".parse().unwrap()),
                ..Overrides::from(&Settings::preset(preset))
            };
            validator.validate(&json_of(&all.to_toml().unwrap())).unwrap();
        }
        let training = TrainOverrides { minutes: Some(2.5), ..TrainOverrides::from(&TrainSettings::default()) };
        let schema = TrainOverrides::schema();
        jsonschema::validate(&schema, &json_of(&training.to_toml().unwrap())).unwrap();
        assert_eq!(schema["properties"]["batch"]["default"], 4);
        assert_eq!(Overrides::schema()["properties"]["style_weight"]["default"], 6.25);
        assert_eq!(Overrides::schema()["properties"]["size"].get("default"), None);
        assert_eq!(StylizeOverrides::schema()["properties"]["strength"]["default"], 1.0);
    }

    /// What the schema refuses is what reading and checking refuse, and the other way round.
    #[test]
    fn schema_and_program_agree_on_values() {
        let validator = jsonschema::validator_for(&Overrides::schema()).unwrap();
        let read = |text: &str| Overrides::from_toml(text, "s.toml".as_ref()).and_then(|o| o.settings().check());
        for (text, good) in [
            ("size = 1", true),
            ("size = 0", false),
            ("size = 100001", false),
            ("size = 3.5", false),
            ("size = \"large\"", false),
            ("strength = 1.0", true),
            ("strength = 1.01", false),
            ("average = 0.999", true),
            ("average = 1.0", false),
            ("learning_rate = 0.0", false),
            ("style_weight = -1.0", false),
            ("iterations = 0", false),
            ("min_size = 7", false),
            ("optimizer = \"adam\"", true),
            ("optimizer = \"sgd\"", false),
            ("style = \"one.png\"", true),
            ("style = [\"one.png\", \"two.png:3\"]", true),
            ("style = 3", false),
            ("depth = 16", true),
            ("depth = 12", false),
            ("memory = \"1.5 GB\"", true),
            ("memory = \"much\"", false),
            ("max_pixels = \"500MP\"", true),
            ("max_pixels = \"500 boxes\"", false),
            ("style_wieght = 3.0", false),
            ("[style_layers]\nconv1_1 = 0.5", true),
            ("[style_layers]\nrelu4_2 = 0.5", true),
            ("[style_layers]\nconv1_1 = -0.5", false),
        ] {
            assert_eq!(read(text).is_ok(), good, "reading `{text}`: {:?}", read(text));
            assert_eq!(validator.is_valid(&json_of(text)), good, "the schema on `{text}`");
        }
        let validator = jsonschema::validator_for(&TrainOverrides::schema()).unwrap();
        for (text, good) in [
            ("image_size = 64", true),
            ("image_size = 66", false),
            ("width = 24", false),
            ("minutes = 0.0", false),
            ("validate_every = \"200steps\"", true),
            ("validate_every = \"often\"", false),
            ("style = [\"a=b.png:2\"]", true),
        ] {
            let read = TrainOverrides::from_toml(text, "s.toml".as_ref()).and_then(|o| o.settings().check());
            assert_eq!(read.is_ok(), good, "reading `{text}`: {read:?}");
            assert_eq!(validator.is_valid(&json_of(text)), good, "the schema on `{text}`");
        }
    }

    #[test]
    fn every_setting_is_described() {
        for schema in [Overrides::schema(), TrainOverrides::schema(), StylizeOverrides::schema()] {
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert_eq!(schema["additionalProperties"], false);
            for (key, property) in schema["properties"].as_object().unwrap() {
                assert!(property["description"].as_str().is_some_and(|text| text.len() > 10), "{key}: {property}");
                assert!(!property.to_string().contains("null"), "{key}: {property}");
            }
        }
    }
}

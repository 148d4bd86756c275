//! Layers of the network and their weights.

use std::fmt;
use std::str::FromStr;

use impasto_nn::vgg::VggKind;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{SettingsError, in_range, named_numbers, named_numbers_text, nearest};
use crate::value::inline_schema;

/// Layers by name and their weights. In text: `conv4_2=0.5,conv5_2=0.5`; a layer without a number weighs 1.
///
/// `conv4_2` and `relu4_2` name the same thing: the output of that convolution behind its ReLU, which is what the
/// article and the programs of the field compare.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerWeights(Vec<(String, f64)>);

impl LayerWeights {
    /// From names and weights.
    pub fn new<N: Into<String>>(layers: impl IntoIterator<Item = (N, f64)>) -> Self {
        Self(layers.into_iter().map(|(name, weight)| (name.into(), weight)).collect())
    }

    /// Whether any layer has a weight above 0.
    pub fn any(&self) -> bool {
        self.0.iter().any(|(_, weight)| *weight > 0.0)
    }

    /// Every weight is a number of at least 0, no layer stands twice.
    ///
    /// # Errors
    /// The first layer of which that is not so.
    pub fn check(&self) -> Result<(), SettingsError> {
        for (i, (name, weight)) in self.0.iter().enumerate() {
            let good = weight.is_finite() && *weight >= 0.0;
            in_range(&format!("the weight of layer `{name}`"), weight, good, "a number of at least 0")?;
            if self.0[..i].iter().any(|(other, _)| plain(other) == plain(name)) {
                return Err(SettingsError::LayerTwice(name.clone()));
            }
        }
        Ok(())
    }

    /// The taps that these layers stand for in a network, with their weights divided by the number of layers: the
    /// loss is averaged over the layers, as in the article. Layers of weight 0 count, but are not tapped.
    ///
    /// # Errors
    /// If the network has no layer of a name.
    pub fn taps(&self, network: VggKind) -> Result<Vec<(usize, f64)>, SettingsError> {
        let known = network.layer_names();
        let mut taps = Vec::new();
        for (name, weight) in &self.0 {
            let Some(tap) = known.iter().position(|layer| *layer == plain(name)) else {
                let nearest = nearest(&plain(name), known.iter().map(String::as_str));
                return Err(SettingsError::UnknownLayer { layer: name.clone(), nearest });
            };
            if *weight > 0.0 {
                taps.push((tap, weight / self.0.len() as f64));
            }
        }
        taps.sort_by_key(|(tap, _)| *tap);
        Ok(taps)
    }
}

fn plain(name: &str) -> String {
    name.strip_prefix("relu").map_or_else(|| name.to_owned(), |number| format!("conv{number}"))
}

impl fmt::Display for LayerWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&named_numbers_text(&self.0))
    }
}

impl FromStr for LayerWeights {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let layers =
            Self(named_numbers(text, "layer with a weight", "a name, `=` and a number, such as `conv4_2=0.5`")?);
        layers.check().map(|()| layers)
    }
}

inline_schema!(LayerWeights, {
    "type": "object",
    "propertyNames": {"pattern": "^(conv|relu)[1-5]_[1-4]$"},
    "additionalProperties": {"type": "number", "minimum": 0}
});

impl Serialize for LayerWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, weight) in &self.0 {
            map.serialize_entry(name, weight)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for LayerWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::collections::BTreeMap::<String, f64>::deserialize(deserializer).map(Self::new)
    }
}

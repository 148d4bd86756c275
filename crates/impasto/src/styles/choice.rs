//! A style as it is asked for.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::settings::{SettingsError, StyleFile};

/// A style as it is asked for, and its share of a blend. In text: `NAME`, `MODEL` or `MODEL#NAME`, and `:WEIGHT` behind
/// it unless that is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleChoice {
    /// `NAME`, `MODEL` or `MODEL#NAME`.
    pub style: String,
    /// Its share before the shares are made to sum to 1; 0 or above.
    pub weight: f64,
}

impl StyleChoice {
    /// A style alone.
    pub fn new(style: impl Into<String>) -> Self {
        Self { style: style.into(), weight: 1.0 }
    }

    /// The same with a model file named without its folder.
    #[must_use]
    pub fn with_file_name(&self) -> Self {
        let style = Path::new(&self.style).file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { style, weight: self.weight }
    }
}

impl fmt::Display for StyleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.style, self.weight)
    }
}

impl FromStr for StyleChoice {
    type Err = SettingsError;

    /// What stands behind the last colon is the weight if it is a number, as in [`StyleFile`].
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let StyleFile { path, weight } = text.parse()?;
        Ok(Self { style: path.to_string_lossy().into_owned(), weight })
    }
}

impl Serialize for StyleChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

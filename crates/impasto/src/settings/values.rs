//! The values that a setting can take, as text and back.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use impasto_nn::kernels::Pooling;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SettingsError;

/// An enumeration with one name for each value, in text, TOML and JSON alike.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident, $what:literal, $expected:literal, { $($(#[$variant_doc:meta])* $variant:ident = $name:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant),*
        }

        impl $type {
            /// All names.
            pub const NAMES: &'static [&'static str] = &[$($name),*];
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $name),* })
            }
        }

        impl FromStr for $type {
            type Err = SettingsError;

            fn from_str(text: &str) -> Result<Self, SettingsError> {
                match text {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(SettingsError::Value { what: $what, value: text.into(), expected: $expected }),
                }
            }
        }

        text_in_serde!($type);
    };
}

/// Serde through `Display` and `FromStr`.
macro_rules! text_in_serde {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use {named, text_in_serde};

named! {
    /// A choice of all settings at once.
    Preset, "preset", "`article`, `default` or `fast`", {
        /// The article to the letter.
        Article = "article",
        /// What looks best in the least time.
        Default = "default",
        /// A quick look.
        Fast = "fast",
    }
}

named! {
    /// What takes the steps.
    OptimizerKind, "optimizer", "`adam` or `lbfgs`", {
        /// Adam (Kingma & Ba 2015).
        Adam = "adam",
        /// L-BFGS with a strong Wolfe line search (Nocedal & Wright 2006).
        Lbfgs = "lbfgs",
    }
}

named! {
    /// How the network pools: see [`Pooling`].
    PoolingKind, "pooling", "`average`, `max` or `l2`", {
        /// The mean of each window.
        Average = "average",
        /// The largest value of each window.
        Max = "max",
        /// The root of the sum of squares of each window.
        L2 = "l2",
    }
}

named! {
    /// Whose colours a painting has: see [`colors`](crate::colors).
    Colors, "choice of colours", "`style`, `content`, `match` or `histogram`", {
        /// Those of the style.
        Style = "style",
        /// Those of the photograph, under the brightness of the painting.
        Content = "content",
        /// Mean and covariance of the photograph's.
        Match = "match",
        /// The histogram of the photograph's red, green and blue.
        Histogram = "histogram",
    }
}

named! {
    /// What computes.
    Device, "device", "`auto` or `cpu`", {
        /// The fastest there is.
        Auto = "auto",
        /// The processor.
        Cpu = "cpu",
    }
}

impl From<PoolingKind> for Pooling {
    fn from(kind: PoolingKind) -> Self {
        match kind {
            PoolingKind::Average => Self::Average,
            PoolingKind::Max => Self::Max,
            PoolingKind::L2 => Self::L2,
        }
    }
}

/// Where a painting starts. In text: `content`, `noise`, `mix`, `mix=0.3`, `style`, or the name of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    /// The content picture.
    Content,
    /// The network's mean colour with uniform noise of ±20.
    Noise,
    /// This share of noise, the rest of the content, both taken from the network's mean colour.
    Mix(f64),
    /// The first style picture, stretched to the content's size.
    Style,
    /// Any picture, stretched to the content's size.
    File(PathBuf),
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Content => f.write_str("content"),
            Self::Noise => f.write_str("noise"),
            Self::Mix(share) => write!(f, "mix={share}"),
            Self::Style => f.write_str("style"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for Init {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let share = |number: &str| {
            let expected = "`mix=` and a number from 0 to 1";
            let wrong = || SettingsError::Value { what: "start", value: text.into(), expected };
            number.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Self::Mix).ok_or_else(wrong)
        };
        match text {
            "content" => Ok(Self::Content),
            "noise" => Ok(Self::Noise),
            "mix" => Ok(Self::Mix(0.5)),
            "style" => Ok(Self::Style),
            "" => Err(SettingsError::Value {
                what: "start",
                value: text.into(),
                expected: "`content`, `noise`, `mix`, `style` or the name of a picture",
            }),
            _ => text.strip_prefix("mix=").map_or_else(|| Ok(Self::File(text.into())), share),
        }
    }
}

text_in_serde!(Init);

/// A style picture and its share of the blend. In text: `FILE` or `FILE:WEIGHT`.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleFile {
    /// The picture.
    pub path: PathBuf,
    /// Its share before the shares are made to sum to 1.
    pub weight: f64,
}

impl fmt::Display for StyleFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.weight)
    }
}

impl FromStr for StyleFile {
    type Err = SettingsError;

    /// What stands behind the last colon is the weight if it is a number; else it belongs to the name.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let split = text.rsplit_once(':').and_then(|(path, weight)| Some((path, weight.trim().parse::<f64>().ok()?)));
        let (path, weight) = split.unwrap_or((text, 1.0));
        if !(weight.is_finite() && weight >= 0.0) {
            let name = format!("the weight of the style `{path}`");
            return Err(SettingsError::Range { name, value: weight.to_string(), expected: "a number of at least 0" });
        }
        Ok(Self { path: path.into(), weight })
    }
}

text_in_serde!(StyleFile);

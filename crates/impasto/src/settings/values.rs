//! The values that a setting can take, as text and back.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use impasto_nn::kernels::{Border, Pooling};

use super::SettingsError;
use crate::value::{ValueError, inline_schema, named, text_in_serde};

/// Names with numbers from `first=0.5,second`; a name without a number has 1. Errors say `what` a part is not, and what
/// was `expected`.
pub(crate) fn named_numbers(
    text: &str,
    what: &'static str,
    expected: &'static str,
) -> Result<Vec<(String, f64)>, ValueError> {
    let number = |part: &str| {
        let (name, number) = part.split_once('=').unwrap_or((part, "1"));
        let number = number.trim().parse().ok().filter(|_| !name.trim().is_empty());
        let wrong = || ValueError { what, value: part.into(), expected };
        number.map(|number| (name.trim().to_owned(), number)).ok_or_else(wrong)
    };
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(number).collect()
}

/// The text that [`named_numbers`] reads.
pub(crate) fn named_numbers_text(numbers: &[(String, f64)]) -> String {
    numbers.iter().map(|(name, number)| format!("{name}={number}")).collect::<Vec<_>>().join(",")
}

named! {
    /// A choice of all settings at once.
    Preset, "preset", "`article`, `default`, `fast` or `best`", {
        /// The article to the letter.
        Article = "article",
        /// What looks best in the least time.
        Default = "default",
        /// A quick look.
        Fast = "fast",
        /// The best there is, whatever the time it takes.
        Best = "best",
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
    /// How a style is compared.
    StyleLossKind, "style loss", "`gram`, `wasserstein` or `sliced`", {
        /// By its Gram matrices: [`gram_loss`](crate::objective::gram_loss).
        Gram = "gram",
        /// By means and covariances: [`WassersteinTarget`](crate::objective::WassersteinTarget).
        Wasserstein = "wasserstein",
        /// By the features themselves, along random directions (Heitz et al. 2021).
        Sliced = "sliced",
    }
}

named! {
    /// In which units the losses are: see [`Weights`](crate::objective::Weights).
    LossScale, "loss scale", "`absolute` or `relative`", {
        /// As the papers have them: they grow with the features of the network.
        Absolute = "absolute",
        /// As shares of the features' energy: a weight means the same for every network, layer, size and style.
        Relative = "relative",
    }
}

named! {
    /// What the network sees beyond the picture: see [`Border`].
    BorderKind, "border", "`zero`, `replicate` or `mirror`", {
        /// Zeros, as VGG was trained with.
        Zero = "zero",
        /// The first layer sees the nearest pixel of the picture, the others zeros.
        Replicate = "replicate",
        /// Picture and painting continued as in a mirror by a few pixels, which do not count for any loss.
        Mirror = "mirror",
    }
}

named! {
    /// What computes.
    Device, "device", "`auto`, `cpu` or `reference`", {
        /// The fastest there is.
        Auto = "auto",
        /// The processor.
        Cpu = "cpu",
        /// Plain loops in double precision, very slow: what the others are tested against.
        Reference = "reference",
    }
}

impl From<BorderKind> for Border {
    fn from(kind: BorderKind) -> Self {
        match kind {
            BorderKind::Zero => Self::Zero,
            BorderKind::Replicate | BorderKind::Mirror => Self::Replicate,
        }
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

/// An amount of memory in bytes. In text: a number with `KiB`, `MiB`, `GiB`, `TiB`, `kB`, `MB`, `GB`, `TB`, `B` or
/// nothing behind it, such as `2GiB` or `1.5 GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySize(pub u64);

/// Units and what they stand for; `G` and the like are taken for `GiB`.
const UNITS: [(&str, f64); 14] = [
    ("", 1.0),
    ("b", 1.0),
    ("k", 1024.0),
    ("kb", 1e3),
    ("kib", 1024.0),
    ("m", 1_048_576.0),
    ("mb", 1e6),
    ("mib", 1_048_576.0),
    ("g", 1_073_741_824.0),
    ("gb", 1e9),
    ("gib", 1_073_741_824.0),
    ("t", 1_099_511_627_776.0),
    ("tb", 1e12),
    ("tib", 1_099_511_627_776.0),
];

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match units.iter().find(|(_, bits)| self.0 > 0 && self.0.trailing_zeros() >= *bits) {
            Some((unit, bits)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for MemorySize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError {
            what: "amount of memory",
            value: text.into(),
            expected: "a number and a unit, such as `2GiB` or `800MB`",
        };
        let plain = text.trim().to_ascii_lowercase();
        let digits = plain.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(plain.len());
        let (number, unit) = plain.split_at(digits);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(wrong)?;
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * factor;
        // Above 2⁵³ nobody counts single bytes; below 1 there is nothing.
        (1.0..1e18).contains(&bytes).then_some(Self(bytes as u64)).ok_or_else(wrong)
    }
}

text_in_serde!(MemorySize);
inline_schema!(MemorySize, {"type": "string", "pattern": r"^\s*[0-9.]+\s*([kKmMgGtT]([iI]?[bB])?|[bB])?\s*$"});

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
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let share = |number: &str| {
            let expected = "`mix=` and a number from 0 to 1";
            let wrong = || ValueError { what: "start", value: text.into(), expected };
            number.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Self::Mix).ok_or_else(wrong)
        };
        match text {
            "content" => Ok(Self::Content),
            "noise" => Ok(Self::Noise),
            "mix" => Ok(Self::Mix(0.5)),
            "style" => Ok(Self::Style),
            "" => Err(ValueError {
                what: "start",
                value: text.into(),
                expected: "`content`, `noise`, `mix`, `style` or the name of a picture",
            }),
            _ => text.strip_prefix("mix=").map_or_else(|| Ok(Self::File(text.into())), share),
        }
    }
}

text_in_serde!(Init);
inline_schema!(Init, {"type": "string", "pattern": "^.+$"});

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
inline_schema!(StyleFile, {"type": "string", "pattern": "^.+$"});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_the_units_that_people_use() {
        let bytes = |text: &str| text.parse::<MemorySize>().map(|size| size.0).ok();
        let good = [("2GiB", 2 << 30), ("1.5 GB", 1_500_000_000), ("800mb", 800_000_000), ("64MiB", 64 << 20)];
        for (text, expected) in good.into_iter().chain([("4096", 4096), ("3G", 3 << 30), ("10 KiB", 10 << 10)]) {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "GiB", "-1GiB", "2 GiBs", "1e99", "0", "1.2.3MB", "∞"] {
            assert_eq!(bytes(text), None, "{text}");
        }
        for size in [MemorySize(3 << 30), MemorySize(1_500_000_000), MemorySize(640 << 20), MemorySize(1)] {
            assert_eq!(size.to_string().parse::<MemorySize>().unwrap(), size);
        }
    }
}

//! The values that a setting of a training can take, as text and back.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::settings::{SettingsError, in_range};
use crate::value::{ValueError, inline_schema, named, text_in_serde};

named! {
    /// How the learning rate goes from the first step to the last; each begins with a short linear warm-up.
    Schedule, "schedule", "`cosine` or `constant`", {
        /// Half a wave of the cosine, from the whole rate to nothing (Loshchilov & Hutter 2017, arXiv:1608.03983).
        Cosine = "cosine",
        /// The whole rate to the end.
        Constant = "constant",
    }
}

named! {
    /// What takes the steps of a training.
    TrainOptimizer, "optimizer", "`muon` or `adam`", {
        /// Muon for the 3×3 convolutions (Jordan et al. 2024), Adam for all else: lower losses in as many steps.
        Muon = "muon",
        /// Adam (Kingma & Ba 2015), as Johnson et al. 2016 have it.
        Adam = "adam",
    }
}

/// How often a run validates, shows a preview and writes a checkpoint. In text: minutes, or `200steps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Every {
    /// After this many minutes, by the speed of the first steps.
    Minutes(f64),
    /// After this many steps, so that two runs validate at the same steps.
    Steps(usize),
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutes(minutes) => write!(f, "{minutes}"),
            Self::Steps(steps) => write!(f, "{steps}steps"),
        }
    }
}

impl FromStr for Every {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError {
            what: "time between validations",
            value: text.into(),
            expected: "a number of minutes above 0, or a number of steps such as `200steps`",
        };
        let every = match text.strip_suffix("steps") {
            Some(steps) => steps.trim().parse().ok().map(Self::Steps),
            None => text.trim().parse().ok().map(Self::Minutes),
        };
        let good = |every: &Self| match every {
            Self::Minutes(minutes) => minutes.is_finite() && *minutes > 0.0,
            Self::Steps(steps) => *steps > 0,
        };
        every.filter(good).ok_or_else(wrong)
    }
}

text_in_serde!(Every);
inline_schema!(Every, {"type": "string", "pattern": r"^\s*[0-9.eE+]+\s*(steps)?\s*$"});

/// A painting to learn. In text: `FILE`, `NAME=FILE`, and a weight behind either, as in `wave=great-wave.jpg:2`.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainStyle {
    /// What the style will be asked for by; the file's name without its ending where none is given.
    pub name: String,
    /// The picture.
    pub path: PathBuf,
    /// A factor of the style weight for this painting alone.
    pub weight: f64,
}

impl fmt::Display for TrainStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that is the file's may have signs in it that a name of its own may not.
        if self.name != stem(&self.path) {
            write!(f, "{}=", self.name)?;
        }
        write!(f, "{}:{}", self.path.display(), self.weight)
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

impl FromStr for TrainStyle {
    type Err = SettingsError;

    /// What stands before the first `=` is the name unless it could be part of a path; what stands behind the last
    /// colon is the weight if it is a number.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '\\', '.', ':']);
        let (name, file) = match text.split_once('=') {
            Some((name, file)) if is_name(name) => (Some(name), file),
            _ => (None, text),
        };
        let split = file.rsplit_once(':').and_then(|(path, weight)| Some((path, weight.trim().parse::<f64>().ok()?)));
        let (path, weight) = split.unwrap_or((file, 1.0));
        let what = format!("the weight of the style `{path}`");
        in_range(&what, weight, weight.is_finite() && weight > 0.0, "a number above 0")?;
        let name = name.map_or_else(|| stem(Path::new(path)), str::to_owned);
        if name.is_empty() {
            let expected = "`FILE` or `NAME=FILE`";
            return Err(ValueError { what: "style", value: text.into(), expected }.into());
        }
        Ok(Self { name, path: path.into(), weight })
    }
}

text_in_serde!(TrainStyle);
inline_schema!(TrainStyle, {"type": "string", "pattern": "^.+$"});

/// What a training starts from. In text: `any`, `nothing`, or a model's file; a file of such a name is `./any`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrainFrom {
    /// The network of any style inside the program; a new style begins as it paints it.
    Any,
    /// Random weights.
    Nothing,
    /// A model.
    Model(PathBuf),
}

impl TrainFrom {
    /// The model's file, if it is one.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Model(path) => Some(path),
            Self::Any | Self::Nothing => None,
        }
    }

    /// The same with another path for a model's file.
    pub(super) fn map_path(self, to: impl Fn(&Path) -> PathBuf) -> Self {
        match self {
            Self::Model(path) => Self::Model(to(&path)),
            other => other,
        }
    }
}

impl fmt::Display for TrainFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Nothing => f.write_str("nothing"),
            // Written so that it is a path again.
            Self::Model(path) if ["any", "nothing"].iter().any(|word| path.as_os_str() == *word) => {
                write!(f, "{}", Path::new(".").join(path).display())
            }
            Self::Model(path) => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for TrainFrom {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        match text {
            "" => Err(ValueError { what: "start", value: text.into(), expected: "`any`, `nothing` or a file" }.into()),
            "any" => Ok(Self::Any),
            "nothing" => Ok(Self::Nothing),
            path => Ok(Self::Model(path.into())),
        }
    }
}

text_in_serde!(TrainFrom);
inline_schema!(TrainFrom, {"type": "string", "pattern": "^.+$"});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_or_a_file() {
        let from = |text: &str| text.parse::<TrainFrom>().unwrap();
        assert_eq!([from("any"), from("nothing")], [TrainFrom::Any, TrainFrom::Nothing]);
        for text in ["m.safetensors", "./any"] {
            assert_eq!(from(text), TrainFrom::Model(text.into()));
            assert_eq!(from(&from(text).to_string()), from(text));
        }
        assert_eq!(TrainFrom::Model("any".into()).to_string(), "./any");
    }

    #[test]
    fn a_style_has_a_name_and_a_weight_of_its_own() {
        let style = |text: &str| text.parse::<TrainStyle>().unwrap();
        let is = |text: &str, name: &str, path: &str, weight: f64| {
            assert_eq!(style(text), TrainStyle { name: name.into(), path: path.into(), weight }, "{text}");
            assert_eq!(style(&style(text).to_string()), style(text), "{text}");
        };
        is("art/night.jpg", "night", "art/night.jpg", 1.0);
        is("wave=art/x.png", "wave", "art/x.png", 1.0);
        is("wave=art/x.png:2.5", "wave", "art/x.png", 2.5);
        is("a/b=c.png", "b=c", "a/b=c.png", 1.0);
        is("v1.2.png:3", "v1.2", "v1.2.png", 3.0);
        assert!("x.png:0".parse::<TrainStyle>().is_err() && "".parse::<TrainStyle>().is_err());
    }

    #[test]
    fn validations_come_by_minutes_or_by_steps() {
        for every in [Every::Minutes(2.5), Every::Steps(40)] {
            assert_eq!(every.to_string().parse::<Every>().unwrap(), every);
        }
        for text in ["0", "-1", "nan", "0steps", "often", ""] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }
}

//! What a network is trained with, and every default of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::shares::StyleShares;
use crate::picture::ReadLimits;
use crate::settings::{
    LayerWeights, MaxPixels, PoolingKind, Preset, Settings, SettingsError, in_range, named, text_in_serde,
};

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

/// How often a run looks at itself: validation, preview and checkpoint. In text: minutes, or `200steps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Every {
    /// After so many minutes, by the speed of the first steps.
    Minutes(f64),
    /// After so many steps, so that two runs look at themselves at the same places.
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
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let wrong = || SettingsError::Value {
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
            return Err(SettingsError::Value { what: "style", value: text.into(), expected });
        }
        Ok(Self { name, path: path.into(), weight })
    }
}

text_in_serde!(TrainStyle);

/// Everything the training of a network depends on but its pictures.
///
/// The losses are those of [`paint`](crate::paint()), in the same units, so that what a network paints and what painting
/// reaches can be compared by one number.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainSettings {
    /// Side of the square crops it is trained on, in pixels; a multiple of 4.
    pub image_size: usize,
    /// The longer side at which each painting is looked at, in pixels. It sets the stroke size: the network learns
    /// strokes as many pixels wide as they are in the painting at this size.
    pub style_size: usize,
    /// Photographs in a step.
    pub batch: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Minutes that the whole run should take, if they may end it before the steps do: they become a number of steps
    /// by the speed of the first ones. From then on the run counts steps, so it ends later where the machine slows down.
    pub minutes: Option<f64>,
    /// How often styles have their turn, in relation to each other.
    pub style_shares: StyleShares,
    /// What takes the steps.
    pub optimizer: TrainOptimizer,
    /// The optimiser's step size at its height.
    pub learning_rate: f64,
    /// How it falls.
    pub schedule: Schedule,
    /// The factor α of the content loss.
    pub content_weight: f64,
    /// The factor β of the style loss.
    pub style_weight: f64,
    /// The factor of the total variation.
    pub tv_weight: f64,
    /// How the network of the losses pools.
    pub pooling: PoolingKind,
    /// The network of the losses: `vgg19`, `vgg16`, or a file.
    pub network: String,
    /// Channels of the trained network's widest-resolution layers, a multiple of 16.
    pub width: usize,
    /// Its residual blocks.
    pub residual_blocks: usize,
    /// Threads of the CPU; all cores where there is none.
    pub threads: Option<usize>,
    /// The most pixels of a picture that is read.
    pub max_pixels: MaxPixels,
    /// The seed of the first weights, of the order of the photographs and of their crops.
    pub seed: u64,
    /// How often the run looks at itself.
    pub validate_every: Every,
    /// Layers at which the content is compared.
    pub content_layers: LayerWeights,
    /// Layers at which the style is compared.
    pub style_layers: LayerWeights,
}

impl Default for TrainSettings {
    /// Johnson et al. 2016 for the network, the batch, the size and the rate; the layers of most programs of the
    /// field that use VGG19; 8000 steps, where the eye sees little change with the cosine schedule.
    fn default() -> Self {
        Self {
            image_size: 256,
            style_size: 512,
            batch: 4,
            steps: 8000,
            minutes: None,
            style_shares: StyleShares::default(),
            optimizer: TrainOptimizer::Muon,
            learning_rate: 1e-3,
            schedule: Schedule::Cosine,
            content_weight: 1.0,
            style_weight: 0.05,
            tv_weight: 0.0,
            pooling: PoolingKind::Average,
            network: "vgg19".into(),
            width: 32,
            residual_blocks: 5,
            threads: None,
            max_pixels: MaxPixels::default(),
            seed: 0,
            validate_every: Every::Minutes(5.0),
            content_layers: LayerWeights::new([("conv4_2", 1.0)]),
            style_layers: LayerWeights::new(["conv1_1", "conv2_1", "conv3_1", "conv4_1"].map(|layer| (layer, 0.25))),
        }
    }
}

impl TrainSettings {
    /// Checks every number, so that nothing can go wrong later that could be known now.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        let size = |n: usize, least: usize, most: usize| (least..=most).contains(&n);
        let image_good = size(self.image_size, 32, 1024) && self.image_size.is_multiple_of(4);
        in_range("the image size", self.image_size, image_good, "a multiple of 4 from 32 to 1024")?;
        in_range("the style size", self.style_size, size(self.style_size, 16, 4096), "from 16 to 4096")?;
        in_range("the batch", self.batch, size(self.batch, 1, 256), "from 1 to 256")?;
        in_range("the number of steps", self.steps, size(self.steps, 1, 10_000_000), "from 1 to 10000000")?;
        if let Some(minutes) = self.minutes {
            in_range("the number of minutes", minutes, minutes.is_finite() && minutes > 0.0, "a number above 0")?;
        }
        let width_good = size(self.width, 16, 256) && self.width.is_multiple_of(16);
        in_range("the width", self.width, width_good, "a multiple of 16 from 16 to 256")?;
        let blocks = self.residual_blocks;
        in_range("the number of residual blocks", blocks, size(blocks, 0, 32), "from 0 to 32")?;
        self.style_shares.check()?;
        self.to_paint().check()
    }

    /// What reading a photograph or a painting may take.
    pub(super) fn read_limits(&self) -> ReadLimits {
        ReadLimits::new(self.max_pixels, None)
    }

    /// The settings of a painting with the same losses.
    pub fn to_paint(&self) -> Settings {
        Settings {
            learning_rate: self.learning_rate,
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            tv_weight: self.tv_weight,
            pooling: self.pooling,
            network: self.network.clone(),
            threads: self.threads,
            max_pixels: self.max_pixels,
            seed: self.seed,
            content_layers: self.content_layers.clone(),
            style_layers: self.style_layers.clone(),
            ..Settings::preset(Preset::Article)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_defaults_are_in_range() {
        TrainSettings::default().check().unwrap();
        let refused = TrainSettings { image_size: 254, ..TrainSettings::default() }.check().unwrap_err().to_string();
        assert_eq!(refused, "the image size is 254, but must be a multiple of 4 from 32 to 1024");
    }
}

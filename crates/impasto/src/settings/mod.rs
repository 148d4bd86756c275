//! What a painting is made with: presets, a settings file over them, flags over both.

mod declare;
mod file;
mod layers;
mod max_pixels;
mod overrides;
mod paths;
mod presets;
mod strength;
mod values;

use std::path::PathBuf;

use serde::Serialize;

use crate::picture::MIN_SIDE;

pub(crate) use declare::overrides;
pub(crate) use file::{read_text, read_toml, to_toml};
pub use layers::LayerWeights;
pub use max_pixels::MaxPixels;
pub use overrides::Overrides;
pub use values::{
    BorderKind, Colors, Device, Init, LossScale, MemorySize, OptimizerKind, PoolingKind, Preset, StyleFile,
    StyleLossKind,
};
pub(crate) use values::{named, named_numbers, named_numbers_text, text_in_serde};

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file could not be read.
    #[error("cannot read the settings file `{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The settings file is not TOML, or a value has the wrong type.
    #[error("the settings file `{}` is not right: {reason}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        reason: String,
    },
    /// A key that means nothing.
    #[error("the settings file `{}` has an unknown key `{key}`{}", path.display(), suggestion(nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A file name that cannot stand in a settings file.
    #[error("the name `{}` has bytes in it that are no text: rename the file", .0.display())]
    NoText(PathBuf),
    /// A value of an enumeration that is none of them.
    #[error("`{value}` is no {what}: use {expected}")]
    Value {
        /// What was to be given.
        what: &'static str,
        /// What was given.
        value: String,
        /// What could have been.
        expected: &'static str,
    },
    /// A number outside its range.
    #[error("{name} is {value}, but must be {expected}")]
    Range {
        /// The setting.
        name: String,
        /// What was given.
        value: String,
        /// Its range.
        expected: &'static str,
    },
    /// A layer that the network does not have.
    #[error("the network has no layer `{layer}`{}", suggestion(nearest))]
    UnknownLayer {
        /// What was given.
        layer: String,
        /// The layer that is most like it.
        nearest: Option<String>,
    },
    /// A share of a style that is not trained.
    #[error("none of the paintings is called `{style}`{}", suggestion(nearest))]
    UnknownShare {
        /// What was given.
        style: String,
        /// The style that is most like it.
        nearest: Option<String>,
    },
    /// A layer named twice.
    #[error("the layer `{0}` is named twice")]
    LayerTwice(String),
    /// Neither content nor style would be looked at.
    #[error("nothing to paint by: give at least one content or style layer a weight above 0")]
    Nothing,
    /// Something that a run cannot do without.
    #[error("no {0} is named: give it on the command line or in the settings file")]
    Unnamed(&'static str),
}

/// What a value should look like, to be shown behind a message.
fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
}

/// The known name that is most like the given one, if any is like it at all.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |name: &str| strsim::damerau_levenshtein(&given.to_lowercase(), name);
    let best = known.min_by_key(|name| likeness(name))?;
    (likeness(best) <= 1 + given.len() / 2).then(|| best.to_owned())
}

/// Everything a painting depends on but the pictures themselves. Every field's default is that of [`Preset::Default`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// The longer side to paint at, in pixels; the content's own size where there is none.
    pub size: Option<usize>,
    /// How often the loss and its gradient are evaluated at the size that is painted, at least 1; the smaller sizes on
    /// the way there have fewer, see [`scales`](crate::paint::scales).
    pub iterations: usize,
    /// The longer side of the smallest size on the way, at least, in pixels.
    pub min_size: usize,
    /// How many sizes there are on the way at most, the last included: 1 paints at one size from the start. As many as
    /// fit between `min_size` and `size` where there is none.
    pub scales: Option<usize>,
    /// Adam: the decay of the average of the pictures on the way, which is the answer where its loss is lower; 0 for
    /// none.
    pub average: f64,
    /// The longer side of the styles, as a multiple of that of the picture: above 1 strokes grow, below they shrink.
    pub style_scale: f64,
    /// From 0, the photograph, to 1, nearly only the style; it takes the place of the style weight and the loss scale,
    /// and means the same for every network, style and size. 0.5 is the default preset.
    pub strength: Option<f64>,
    /// What takes the steps.
    pub optimizer: OptimizerKind,
    /// Adam: how far a pixel moves in a step, in units of 0–255. L-BFGS: how far it moves on average in the first one.
    pub learning_rate: f64,
    /// The factor α of the content loss.
    pub content_weight: f64,
    /// The factor β of the style loss.
    pub style_weight: f64,
    /// The factor of the total variation.
    pub tv_weight: f64,
    /// Whose colours the painting has.
    pub colors: Colors,
    /// Where the painting starts.
    pub init: Init,
    /// How the style is compared.
    pub style_loss: StyleLossKind,
    /// In which units the losses are.
    pub loss_scale: LossScale,
    /// How the network pools.
    pub pooling: PoolingKind,
    /// What comes out of every pooling is multiplied by this, above 0: other poolings than the largest value make
    /// features smaller or larger than the network is used to.
    pub pooling_scale: f64,
    /// What the network sees beyond the picture.
    pub border: BorderKind,
    /// `vgg19`, `vgg16`, or a file.
    pub network: String,
    /// What computes.
    pub device: Device,
    /// Threads of the CPU; all cores where there is none.
    pub threads: Option<usize>,
    /// The most memory that the program may take, in bytes; a share of what is free where there is none.
    pub memory: Option<MemorySize>,
    /// The most pixels of a picture that is read.
    pub max_pixels: MaxPixels,
    /// The seed of the noise.
    pub seed: u64,
    /// Write the picture as it stands after every so many iterations.
    pub save_every: Option<usize>,
    /// Layers at which the content is compared.
    pub content_layers: LayerWeights,
    /// Layers at which the style is compared.
    pub style_layers: LayerWeights,
}

impl Default for Settings {
    fn default() -> Self {
        Self::preset(Preset::Default)
    }
}

impl Settings {
    /// Checks every number, so that nothing can go wrong later that could be known now.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        for (name, value) in [
            ("the content weight", self.content_weight),
            ("the style weight", self.style_weight),
            ("the total-variation weight", self.tv_weight),
        ] {
            in_range(name, value, value.is_finite() && value >= 0.0, "a number of at least 0")?;
        }
        let rate = self.learning_rate;
        in_range("the learning rate", rate, rate.is_finite() && rate > 0.0, "a number above 0")?;
        let scale = self.pooling_scale;
        in_range("the pooling scale", scale, (0.01..=100.0).contains(&scale), "from 0.01 to 100")?;
        in_range("the number of iterations", self.iterations, self.iterations > 0, "at least 1")?;
        in_range(
            "the smallest size",
            self.min_size,
            (MIN_SIDE..=100_000).contains(&self.min_size),
            "from 8 to 100000",
        )?;
        in_range("the number of scales", self.scales.unwrap_or(1), self.scales != Some(0), "at least 1")?;
        in_range("the decay of the average", self.average, (0.0..1.0).contains(&self.average), "from 0 to below 1")?;
        let (scale, strength) = (self.style_scale, self.strength.unwrap_or(0.5));
        in_range("the style scale", scale, (0.05..=20.0).contains(&scale), "from 0.05 to 20")?;
        in_range("the strength", strength, (0.0..=1.0).contains(&strength), "from 0 to 1")?;
        in_range("the size", self.size.unwrap_or(8), !matches!(self.size, Some(0 | 100_001..)), "from 1 to 100000")?;
        in_range("the number of threads", self.threads.unwrap_or(1), self.threads != Some(0), "at least 1")?;
        in_range("save-every", self.save_every.unwrap_or(1), self.save_every != Some(0), "at least 1")?;
        if let Init::Mix(share) = self.init {
            in_range("the share of noise in the start", share, (0.0..=1.0).contains(&share), "from 0 to 1")?;
        }
        self.content_layers.check()?;
        self.style_layers.check()?;
        let content = self.content_weight > 0.0 && self.content_layers.any();
        let style = self.style_weight > 0.0 && self.style_layers.any();
        if content || style { Ok(()) } else { Err(SettingsError::Nothing) }
    }
}

/// Whether a number is good, and the sentence if not.
pub(crate) fn in_range(
    name: &str,
    value: impl ToString,
    good: bool,
    expected: &'static str,
) -> Result<(), SettingsError> {
    let error = || SettingsError::Range { name: name.into(), value: value.to_string(), expected };
    good.then_some(()).ok_or_else(error)
}

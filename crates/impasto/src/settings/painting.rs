//! The settings of a painting.

use std::path::PathBuf;

use super::{
    BorderKind, Colors, Device, Init, LayerWeights, LossScale, MaxPixels, MemorySize, OptimizerKind, PoolingKind,
    Preset, StyleFile, StyleLossKind,
};
use super::{Range, SettingsError, declare, in_range, schema, to_toml};
use crate::picture::{BitDepth, MIN_SIDE};

/// Shared by every command.
pub(crate) const SIZE: Range = Range::whole("the size", "from 1 to 100000", 1, 100_000);
pub(crate) const STRENGTH: Range = Range::new("the strength", "from 0 to 1", 0.0, 1.0);
pub(crate) const THREADS: Range = Range::count("the number of threads");
pub(crate) const LEARNING_RATE: Range = Range::positive("the learning rate");
pub(crate) const CONTENT_WEIGHT: Range = Range::not_negative("the content weight");
pub(crate) const STYLE_WEIGHT: Range = Range::not_negative("the style weight");
pub(crate) const TV_WEIGHT: Range = Range::not_negative("the total-variation weight");

declare! {
    /// Any subset of the settings, and of the files of a run.
    Overrides over
    /// Everything a painting depends on but the pictures themselves. Every field's default is that of
    /// [`Preset::Default`]; `None` is what the description calls default.
    Settings
    lists {
        /// A painting to paint it like; several are blended, each with its weight.
        #[arg(short, long, value_name = "FILE[:WEIGHT]")]
        style: StyleFile;
        /// Where the style of the same number counts: a grey picture, white for all, or `none` for everywhere.
        #[arg(long, value_name = "FILE|none")]
        mask: PathBuf;
    }
    files {
        /// The photograph to paint.
        content: PathBuf;
        /// Where to write the picture: .png, .jpg, .webp or .tiff [default: CONTENT-STYLE.png].
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf;
        /// Draw the losses: .svg, .png, or .csv for a table.
        #[arg(long, value_name = "FILE", help_heading = "Progress")]
        curve: PathBuf;
        /// Bits of a channel: 8 or, in PNG and TIFF, 16 [default: those of the photograph where the format holds them].
        #[arg(long, value_name = "BITS")]
        depth: BitDepth;
        /// Keep the photograph's EXIF, XMP and IPTC, without thumbnails and the place where it was taken.
        #[arg(long, num_args = 0, default_missing_value = "true")]
        keep_metadata: bool;
        /// Keep the metadata, and the place where the photograph was taken.
        #[arg(long, num_args = 0, default_missing_value = "true")]
        keep_gps: bool;
        /// Write no settings into the picture: neither what it was made with, nor the names of its files.
        #[arg(long, num_args = 0, default_missing_value = "true")]
        no_settings: bool;
        /// Where to keep the run while it is not finished [default: OUTPUT.png-checkpoint.safetensors].
        #[arg(long, value_name = "FILE", help_heading = "Progress")]
        checkpoint: PathBuf;
        /// Keep the run every X seconds, 0 for never [default: 30].
        #[arg(long, value_name = "X", help_heading = "Progress", allow_negative_numbers = true)]
        checkpoint_every: f64;
        /// A mask of what stays as in the photograph: a grey picture, white stays.
        #[arg(long, value_name = "FILE")]
        protect: PathBuf;
        /// All settings at once: `article`, `default`, `fast` or `best`.
        #[arg(short, long, help_heading = "Settings")]
        preset: Preset;
    }
    settings "Settings" {
        /// The longer side of the picture in pixels [default: the content's].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        option size: usize where SIZE;
        /// Iterations at the last size: evaluations of the loss and its gradient. The smaller sizes before it may have
        /// more.
        #[arg(short = 'n', value_name = "N", allow_negative_numbers = true)]
        value iterations: usize where Range::count("the number of iterations");
        /// How many sizes to paint at, each √2 times the one before: 1 for the last one only [default: all that fit].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        option scales: usize where Range::count("the number of scales");
        /// The longer side of the first and smallest size, at least.
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value min_size: usize where Range::whole("the smallest size", "from 8 to 100000", MIN_SIDE as u32, 100_000);
        /// The amount of style, from 0, the photograph, through 0.5, the default preset, to 1, nearly only style; replaces
        /// the style weight and the loss scale.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        option strength: f64 where STRENGTH;
        /// The size of the strokes: the styles are X times as large as the picture.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value style_scale: f64 where Range::new("the style scale", "from 0.05 to 20", 0.05, 20.0);
        /// The optimiser: `adam` or `lbfgs`.
        value optimizer: OptimizerKind;
        /// How far a pixel moves in a step, of 255 (for lbfgs: in the first one, on average).
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value learning_rate: f64 where LEARNING_RATE;
        /// For adam: the decay of the average of the pictures on the way, which is the result where its loss is lower; 0
        /// for none.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value average: f64 where Range::new("the decay of the average", "from 0 to below 1", 0.0, 1.0).without_most();
        /// The factor of the content loss (ALPHA).
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value content_weight: f64 where CONTENT_WEIGHT;
        /// The factor of the style loss (BETA).
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value style_weight: f64 where STYLE_WEIGHT;
        /// The factor of the total variation, which smooths.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value tv_weight: f64 where TV_WEIGHT;
        /// Layers at which the content is compared, such as `conv4_2=0.5,conv5_2=0.5`.
        #[arg(value_name = "LAYER=X,…")]
        value content_layers: LayerWeights;
        /// Layers at which the style is compared, such as `conv1_1=0.2,conv2_1=0.2`.
        #[arg(value_name = "LAYER=X,…")]
        value style_layers: LayerWeights;
        /// The colours of the painting: those of the `style`; of the `content`, where only brightness is painted; or the
        /// style with the content's by `match`, mean and covariance, or by `histogram`.
        #[arg(value_name = "WHOSE")]
        value colors: Colors;
        /// Where to start: `content`, `noise`, `mix` (half of each), `mix=0.3` (share of noise), `style`, or a picture.
        #[arg(value_name = "START")]
        value init: Init;
        /// The style loss: by `gram` matrices; `wasserstein`, by means and covariances; or `sliced`, by the features
        /// themselves, which takes more time and memory.
        #[arg(value_name = "LOSS")]
        value style_loss: StyleLossKind;
        /// The units of the losses: `relative`, shares that mean the same for every network, size and style, or
        /// `absolute`, as the papers have them.
        #[arg(value_name = "UNITS")]
        value loss_scale: LossScale;
        /// A factor of the output of every pooling layer, above 0: other poolings than the largest value make features
        /// smaller or larger than the network is used to.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value pooling_scale: f64 where Range::new("the pooling scale", "from 0.01 to 100", 0.01, 100.0);
        /// What the network sees beyond the edges: `zero`; `replicate`, its nearest pixel for the first layer; or
        /// `mirror`, some of the picture again, which does not count.
        value border: BorderKind;
        /// How the network pools: `average`, `max` or `l2`.
        value pooling: PoolingKind;
        /// The seed of the noise.
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value seed: u64;
    }
    settings "Machine" {
        /// The network: `vgg19` (built in), `vgg16`, or a weight file (.mat, .pth, .safetensors).
        #[arg(value_name = "NAME|FILE")]
        value network: String;
        /// The device to compute on: `auto`, `cpu` or `reference` (plain loops, very slow, to check the others).
        value device: Device;
        /// Threads of the CPU [default: all cores].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        option threads: usize where THREADS;
        /// The most memory to use, such as `2GiB`: larger pictures are processed in bands or tiles [default: 75% of free
        /// RAM].
        #[arg(value_name = "SIZE", allow_hyphen_values = true)]
        option memory: MemorySize;
        /// The most pixels of a picture to read, such as `500MP` [default: 200MP].
        #[arg(value_name = "N")]
        value max_pixels: MaxPixels;
    }
    settings "Progress" {
        /// Also write the picture after every N iterations, as OUTPUT-0050.png and so on.
        #[arg(value_name = "N", allow_negative_numbers = true)]
        option save_every: usize where Range::count("save-every");
    }
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
        self.check_ranges()?;
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

impl Overrides {
    /// The settings: what is given here, the rest from the preset.
    pub fn settings(&self) -> Settings {
        self.over_settings(Settings::preset(self.preset.unwrap_or(Preset::Default)))
    }

    /// The JSON schema (draft 2020-12) of a settings file, with the defaults of the preset `default`.
    pub fn schema() -> serde_json::Value {
        schema(&Self::from(&Settings::default()))
    }

    /// Settings that are in a picture: weights from before there was a loss scale are absolute.
    #[must_use]
    pub(crate) fn with_recorded_loss_scale(self) -> Self {
        let older = self.loss_scale.is_none() && self.style_weight.is_some();
        Self { loss_scale: self.loss_scale.or(older.then_some(LossScale::Absolute)), ..self }
    }

    /// The same as TOML.
    ///
    /// # Errors
    /// If the name of a file is no text.
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        let files = [&self.content, &self.output, &self.curve, &self.checkpoint, &self.protect]
            .into_iter()
            .flatten()
            .chain(&self.mask);
        to_toml(self, files.chain(self.style.iter().map(|style| &style.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Declared;

    #[test]
    fn weights_of_older_pictures_are_absolute() {
        let new = Overrides::from(&Settings::default());
        assert_eq!(new.clone().with_recorded_loss_scale().loss_scale, Some(LossScale::Relative));
        let older = Overrides { loss_scale: None, ..new };
        assert_eq!(older.with_recorded_loss_scale().loss_scale, Some(LossScale::Absolute));
    }

    #[test]
    fn the_known_keys_are_those_of_the_structure() {
        let all = Overrides {
            content: Some("c".into()),
            style: vec!["s:2".parse().unwrap()],
            output: Some("o".into()),
            curve: Some("k".into()),
            depth: Some(BitDepth::Sixteen),
            keep_metadata: Some(true),
            keep_gps: Some(true),
            no_settings: Some(true),
            mask: vec!["m".into()],
            protect: Some("q".into()),
            checkpoint: Some("p".into()),
            checkpoint_every: Some(5.0),
            preset: Some(Preset::Fast),
            size: Some(1),
            scales: Some(1),
            strength: Some(0.5),
            threads: Some(1),
            memory: Some("2GiB".parse().unwrap()),
            save_every: Some(1),
            ..Overrides::from(&Settings::default())
        };
        let table: toml::Table = toml::from_str(&all.to_toml().unwrap()).unwrap();
        let mut keys: Vec<&str> = Overrides::KEYS.to_vec();
        keys.sort_unstable();
        assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), keys);
    }
}

//! The settings of a training: what a network is trained with, and every default of it.

use std::path::PathBuf;

use super::shares::StyleShares;
use super::values::{Every, Schedule, TrainFrom, TrainOptimizer, TrainStyle};
use crate::picture::ReadLimits;
use crate::settings::{
    CONTENT_WEIGHT, Device, LEARNING_RATE, LayerWeights, LossScale, MaxPixels, PoolingKind, Preset, Range,
    STYLE_WEIGHT, Settings, SettingsError, THREADS, TV_WEIGHT, declare, schema, to_toml,
};

declare! {
    /// Any subset of the settings of a training, and of its files.
    TrainOverrides over
    /// Everything the training of a network depends on but its pictures.
    ///
    /// The losses are those of [`paint`](crate::paint()), in the same units, so that what a network paints and what
    /// painting reaches can be compared by one number.
    TrainSettings
    lists {
        /// A painting to learn, with a name for its style and a weight where wanted; several become styles of one network,
        /// also of one of any style.
        #[arg(short, long, value_name = "[NAME=]FILE[:WEIGHT]", num_args = 1..)]
        style: TrainStyle;
        /// A folder of photographs to train on, with all folders in it; several may be named [default: a few free ones
        /// inside the program].
        #[arg(long, value_name = "DIR", num_args = 1..)]
        photos: PathBuf;
        /// A folder of paintings to learn any style from, with all folders in it; with `--any`.
        #[arg(long, value_name = "DIR", num_args = 1..)]
        styles: PathBuf;
    }
    files {
        /// The model to write. A checkpoint, a preview and the curve of the losses lie beside it.
        #[arg(short, long, value_name = "MODEL.safetensors")]
        output: PathBuf;
        /// Start from `any`, the network of any style inside the program, from `nothing`, or from a model of the same width
        /// and depth; a new style gets what a network of any style predicts for it, else the mean of those that the network
        /// has [default: any, for a network of its width and depth].
        #[arg(long, value_name = "any|nothing|MODEL")]
        from: TrainFrom;
        /// Where to show what the network makes of photographs held out [default: MODEL-preview.jpg].
        #[arg(long, value_name = "FILE", help_heading = "Progress")]
        preview: PathBuf;
        /// Where to draw the losses: .svg, .png, or .csv for a table [default: MODEL-curve.png].
        #[arg(long, value_name = "FILE", help_heading = "Progress")]
        curve: PathBuf;
        /// What the model is called [default: the output's name].
        #[arg(long, value_name = "TEXT", help_heading = "Description")]
        name: String;
        /// Who made the model.
        #[arg(long, value_name = "TEXT", help_heading = "Description")]
        author: String;
        /// The terms that the model comes under, such as `CC0-1.0`.
        #[arg(long, value_name = "TEXT", help_heading = "Description")]
        license: String;
    }
    settings "Settings" {
        /// Train a network that paints in the style of any painting: one that predicts scales and shifts from it.
        #[arg(num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "true|false")]
        value any: bool;
        /// Side of the square crops to train on, in pixels, a multiple of 4 [default: 256].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value image_size: usize
            where Range::whole("the image size", "a multiple of 4 from 32 to 1024", 32, 1024).multiples_of(4);
        /// Longer side at which the paintings are compared [default: 512]. It sets the stroke size: strokes become as
        /// many pixels wide as they are in the painting at this size.
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value style_size: usize where Range::whole("the style size", "from 16 to 4096", 16, 4096);
        /// Photographs in a step [default: 4].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value batch: usize where Range::whole("the batch", "from 1 to 256", 1, 256);
        /// Steps of the whole run [default: 8000].
        #[arg(short = 'n', value_name = "N", allow_negative_numbers = true)]
        value steps: usize where Range::whole("the number of steps", "from 1 to 10000000", 1, 10_000_000);
        /// Minutes that the whole run should take: they become a number of steps by the speed of the first ones, and
        /// `--steps` is the most. From then on steps are counted, also after `--resume`: a machine that slows down takes
        /// longer.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        option minutes: f64 where Range::positive("the number of minutes");
        /// How often styles have their turn, in relation to each other, where one of several looks worse than the others;
        /// 1 for those not named.
        #[arg(value_name = "NAME=X,…")]
        value style_shares: StyleShares;
        /// With `--any` and `--style`: the share of the crops that are painted in the network's own styles, the rest in
        /// those of the paintings [default: 0.25].
        #[arg(value_name = "0…1", allow_negative_numbers = true)]
        value own_share: f64 where Range::new("the share of the network's own styles", "from 0 to 1", 0.0, 1.0);
        /// The optimiser: `muon` for the 3×3 convolutions with Adam for all else, or `adam` alone [default: muon].
        value optimizer: TrainOptimizer;
        /// The optimiser's step size at its height [default: 0.001].
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value learning_rate: f64 where LEARNING_RATE;
        /// How the learning rate goes: `cosine` or `constant`, each after a short warm-up.
        value schedule: Schedule;
        /// The factor of the content loss.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value content_weight: f64 where CONTENT_WEIGHT;
        /// The factor of the style loss.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value style_weight: f64 where STYLE_WEIGHT;
        /// The factor of the total variation, which smooths.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value tv_weight: f64 where TV_WEIGHT;
        /// Layers at which the content is compared, such as `conv4_2=1`.
        #[arg(value_name = "LAYER=X,…")]
        value content_layers: LayerWeights;
        /// Layers at which the style is compared, such as `conv1_1=0.25,conv2_1=0.25`.
        #[arg(value_name = "LAYER=X,…")]
        value style_layers: LayerWeights;
        /// How the network of the losses pools: `average`, `max` or `l2`.
        value pooling: PoolingKind;
        /// Channels of the trained network's first layer, a multiple of 16 [default: 32].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value width: usize where Range::whole("the width", "a multiple of 16 from 16 to 256", 16, 256).multiples_of(16);
        /// Residual blocks of the trained network [default: 5].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value residual_blocks: usize where Range::whole("the number of residual blocks", "from 0 to 32", 0, 32);
        /// The seed of the first weights, of the order of the photographs and of their crops.
        #[arg(value_name = "N", allow_negative_numbers = true)]
        value seed: u64;
    }
    settings "Machine" {
        /// The network of the losses: `vgg19` (built in), `vgg16`, or a weight file (.mat, .pth, .safetensors).
        #[arg(value_name = "NAME|FILE")]
        value network: String;
        /// The device to compute on: `auto`, `cpu` or `reference` (plain loops, very slow, to check the others).
        value device: Device;
        /// Threads of the CPU [default: all cores].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        option threads: usize where THREADS;
        /// The most pixels of a picture to read, such as `500MP` [default: 200MP].
        #[arg(value_name = "N")]
        value max_pixels: MaxPixels;
    }
    settings "Progress" {
        /// How often to validate, draw the preview and write the checkpoint: in minutes by the speed of the first steps,
        /// or as `200steps` [default: 5].
        #[arg(value_name = "MINUTES|Nsteps", allow_hyphen_values = true)]
        value validate_every: Every;
    }
}

impl Default for TrainSettings {
    /// Johnson et al. 2016 for the network, the batch, the size and the rate; the layers of most programs of the
    /// field that use VGG19; 8000 steps, where the eye sees little change with the cosine schedule.
    fn default() -> Self {
        Self {
            any: false,
            image_size: 256,
            style_size: 512,
            batch: 4,
            steps: 8000,
            minutes: None,
            style_shares: StyleShares::default(),
            own_share: 0.25,
            optimizer: TrainOptimizer::Muon,
            learning_rate: 1e-3,
            schedule: Schedule::Cosine,
            content_weight: 1.0,
            style_weight: 0.05,
            tv_weight: 0.0,
            pooling: PoolingKind::Average,
            network: "vgg19".into(),
            device: Device::Auto,
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
        self.check_ranges()?;
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
            device: self.device,
            threads: self.threads,
            max_pixels: self.max_pixels,
            seed: self.seed,
            content_layers: self.content_layers.clone(),
            style_layers: self.style_layers.clone(),
            loss_scale: if self.any { LossScale::Relative } else { LossScale::Absolute },
            ..Settings::preset(Preset::Article)
        }
    }
}

impl TrainOverrides {
    /// The settings: what is given here, the rest by default.
    pub fn settings(&self) -> TrainSettings {
        self.over_settings(TrainSettings::default())
    }

    /// The JSON schema (draft 2020-12) of a settings file, with its defaults.
    pub fn schema() -> serde_json::Value {
        schema(&Self::from(&TrainSettings::default()))
    }

    /// The same as TOML.
    ///
    /// # Errors
    /// If the name of a file is no text.
    pub fn to_toml(&self) -> Result<String, SettingsError> {
        let files = [&self.output, &self.preview, &self.curve].into_iter().flatten();
        let files = files.chain(self.from.as_ref().and_then(TrainFrom::path));
        to_toml(self, files.chain(&self.photos).chain(&self.styles).chain(self.style.iter().map(|style| &style.path)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::Declared;

    fn all() -> TrainOverrides {
        TrainOverrides {
            style: vec!["wave=w.jpg:2".parse().unwrap(), "n.png".parse().unwrap()],
            photos: vec!["photos".into()],
            styles: vec!["paintings".into()],
            output: Some("o".into()),
            from: Some(TrainFrom::Model("f".into())),
            preview: Some("p".into()),
            curve: Some("k".into()),
            name: Some("n".into()),
            author: Some("a".into()),
            license: Some("l".into()),
            minutes: Some(1.5),
            threads: Some(2),
            ..TrainOverrides::from(&TrainSettings::default())
        }
    }

    #[test]
    fn everything_comes_back_from_its_own_text() {
        let back = TrainOverrides::from_toml(&all().to_toml().unwrap(), Path::new("s.toml")).unwrap();
        assert_eq!(back, all());
        let settings = TrainSettings { minutes: Some(1.5), threads: Some(2), ..TrainSettings::default() };
        assert_eq!(back.settings(), settings);
    }

    #[test]
    fn the_known_keys_are_those_of_the_structure() {
        let table: toml::Table = toml::from_str(&all().to_toml().unwrap()).unwrap();
        let mut keys: Vec<&str> = TrainOverrides::KEYS.to_vec();
        keys.sort_unstable();
        assert_eq!(table.keys().map(String::as_str).collect::<Vec<_>>(), keys);
    }

    #[test]
    fn one_style_may_stand_without_brackets_and_unknown_keys_are_answered() {
        let read = |text: &str| TrainOverrides::from_toml(text, Path::new("s.toml"));
        assert_eq!(read("style = \"a.jpg\"\nphotos = \"p\"").unwrap().style[0].name, "a");
        let message = read("bacth = 3").unwrap_err().to_string();
        assert_eq!(message, "the settings file `s.toml` has an unknown key `bacth`: did you mean `batch`?");
    }

    #[test]
    fn the_defaults_are_in_range() {
        TrainSettings::default().check().unwrap();
        let refused = TrainSettings { image_size: 254, ..TrainSettings::default() }.check().unwrap_err().to_string();
        assert_eq!(refused, "the image size is 254, but must be a multiple of 4 from 32 to 1024");
    }
}

//! The arguments of `impasto train` as they are typed.

use std::path::PathBuf;

use impasto::settings::{LayerWeights, MaxPixels, PoolingKind};
use impasto::train::{Every, Schedule, StyleShares, TrainOptimizer, TrainOverrides, TrainStyle};

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    /// A painting to learn; several make one network with several styles. Its name is the file's unless it is given; a
    /// weight multiplies the style weight for this painting.
    #[arg(short, long, value_name = "[NAME=]FILE[:WEIGHT]", num_args = 1..)]
    pub(crate) style: Vec<TrainStyle>,

    /// A folder of photographs to train on, with all folders in it; several may be named.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    pub(crate) photos: Vec<PathBuf>,

    /// The model to write. A checkpoint, a preview and the curve of the losses lie beside it.
    #[arg(short, long, value_name = "MODEL.safetensors")]
    pub(crate) output: Option<PathBuf>,

    /// Resume from the checkpoint beside the output; the result is that of an uninterrupted run.
    #[arg(long)]
    pub(crate) resume: bool,

    /// Start from a network of the same width and depth; a new style gets the mean of those it has.
    #[arg(long, value_name = "MODEL")]
    pub(crate) from: Option<PathBuf>,

    /// A settings file; flags override it.
    #[arg(short, long, value_name = "FILE.toml", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    /// Print all settings as a settings file, and do nothing else.
    #[arg(long, help_heading = "Settings")]
    pub(crate) print_config: bool,

    /// Side of the square crops to train on, in pixels, a multiple of 4 [default: 256].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) image_size: Option<usize>,

    /// Longer side at which the paintings are looked at [default: 512]. It sets the stroke size: strokes become as many
    /// pixels wide as they are in the painting at this size.
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) style_size: Option<usize>,

    /// Photographs in a step [default: 4].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) batch: Option<usize>,

    /// Steps of the whole run [default: 8000].
    #[arg(short = 'n', long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) steps: Option<usize>,

    /// Minutes that the whole run should take: they become a number of steps by the speed of the first ones, and
    /// `--steps` is the most. From then on steps are counted, also after `--resume`: a machine that slows down takes
    /// longer.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) minutes: Option<f64>,

    /// How often styles have their turn, in relation to each other, where one of several looks worse than the others;
    /// 1 for those not named.
    #[arg(long, value_name = "NAME=X,…", help_heading = "Settings")]
    pub(crate) style_shares: Option<StyleShares>,

    /// The optimiser: `muon` for the 3×3 convolutions with Adam for all else [default], or `adam` alone.
    #[arg(long, help_heading = "Settings")]
    pub(crate) optimizer: Option<TrainOptimizer>,

    /// The optimiser's step size at its height [default: 0.001].
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,

    /// How the learning rate goes: `cosine` or `constant`, each after a short warm-up.
    #[arg(long, help_heading = "Settings")]
    pub(crate) schedule: Option<Schedule>,

    /// The factor of the content loss.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) content_weight: Option<f64>,

    /// The factor of the style loss.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) style_weight: Option<f64>,

    /// The factor of the total variation, which smooths.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) tv_weight: Option<f64>,

    /// Layers at which the content is compared, such as `conv4_2=1`.
    #[arg(long, value_name = "LAYER=X,…", help_heading = "Settings")]
    pub(crate) content_layers: Option<LayerWeights>,

    /// Layers at which the style is compared, such as `conv1_1=0.25,conv2_1=0.25`.
    #[arg(long, value_name = "LAYER=X,…", help_heading = "Settings")]
    pub(crate) style_layers: Option<LayerWeights>,

    /// How the network of the losses pools: `average`, `max` or `l2`.
    #[arg(long, help_heading = "Settings")]
    pub(crate) pooling: Option<PoolingKind>,

    /// Channels of the trained network's first layer, a multiple of 16 [default: 32].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) width: Option<usize>,

    /// Residual blocks of the trained network [default: 5].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) residual_blocks: Option<usize>,

    /// The seed of the first weights, of the order of the photographs and of their crops.
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,

    /// What the model is called [default: the output's name].
    #[arg(long, value_name = "TEXT", help_heading = "Description")]
    pub(crate) name: Option<String>,

    /// Who made the model.
    #[arg(long, value_name = "TEXT", help_heading = "Description")]
    pub(crate) author: Option<String>,

    /// The terms that the model comes under, such as `CC0-1.0`.
    #[arg(long, value_name = "TEXT", help_heading = "Description")]
    pub(crate) license: Option<String>,

    /// The network of the losses: `vgg19` (built in), `vgg16`, or a weight file (.mat, .pth, .safetensors).
    #[arg(long, value_name = "NAME|FILE", help_heading = "Machine")]
    pub(crate) network: Option<String>,

    /// Threads of the CPU [default: all cores].
    #[arg(long, value_name = "N", help_heading = "Machine", allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,

    /// The most pixels of a picture to read, such as `500MP` [default: 200MP].
    #[arg(long, value_name = "N", help_heading = "Machine")]
    pub(crate) max_pixels: Option<MaxPixels>,

    /// How often to validate, draw the preview and write the checkpoint: in minutes by the speed of
    /// the first steps, or as `200steps` [default: 5].
    #[arg(long, value_name = "MINUTES|Nsteps", help_heading = "Progress", allow_hyphen_values = true)]
    pub(crate) validate_every: Option<Every>,

    /// Where to show what the network makes of photographs held out [default: MODEL-preview.jpg].
    #[arg(long, value_name = "FILE", help_heading = "Progress")]
    pub(crate) preview: Option<PathBuf>,

    /// Where to draw the losses: .svg, .png, or .csv for a table [default: MODEL-curve.png].
    #[arg(long, value_name = "FILE", help_heading = "Progress")]
    pub(crate) curve: Option<PathBuf>,

    /// Write one event a line as JSON to stdout.
    #[arg(long, help_heading = "Progress")]
    pub(crate) json: bool,

    /// Print errors only.
    #[arg(short, long, help_heading = "Progress")]
    pub(crate) quiet: bool,

    /// Print every step, and each style's validation.
    #[arg(short, long, help_heading = "Progress", conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

impl TrainArgs {
    /// What the flags say of the settings.
    pub(crate) fn overrides(&self) -> TrainOverrides {
        TrainOverrides {
            style: self.style.clone(),
            photos: self.photos.clone(),
            output: self.output.clone(),
            from: self.from.clone(),
            preview: self.preview.clone(),
            curve: self.curve.clone(),
            name: self.name.clone(),
            author: self.author.clone(),
            license: self.license.clone(),
            image_size: self.image_size,
            style_size: self.style_size,
            batch: self.batch,
            steps: self.steps,
            minutes: self.minutes,
            style_shares: self.style_shares.clone(),
            optimizer: self.optimizer,
            learning_rate: self.learning_rate,
            schedule: self.schedule,
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            tv_weight: self.tv_weight,
            pooling: self.pooling,
            network: self.network.clone(),
            width: self.width,
            residual_blocks: self.residual_blocks,
            threads: self.threads,
            max_pixels: self.max_pixels,
            seed: self.seed,
            validate_every: self.validate_every,
            content_layers: self.content_layers.clone(),
            style_layers: self.style_layers.clone(),
        }
    }
}

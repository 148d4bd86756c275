//! Arguments as they are typed.

use std::error::Error;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use impasto::paint::Axis;
use impasto::picture::BitDepth;
use impasto::settings::{
    BorderKind, Colors, Device, Init, LayerWeights, LossScale, MaxPixels, MemorySize, OptimizerKind, Overrides,
    PoolingKind, Preset, StyleFile, StyleLossKind,
};

use crate::eval::EvalArgs;
use crate::models::ModelsArgs;
use crate::show::ShowArgs;
use crate::stylize::StylizeArgs;
use crate::train::TrainArgs;
use crate::{Ending, output, version};

/// Neural style transfer: paint a photograph in the style of a painting.
#[derive(Debug, Parser)]
#[command(name = "impasto", version, long_version = version::LONG, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Paint a photograph in the style of one or more paintings.
    #[command(args_override_self = true)]
    Paint(Box<PaintArgs>),
    /// Paint photographs in a style that a network has learned, in one pass each.
    #[command(args_override_self = true)]
    Stylize(Box<StylizeArgs>),
    /// Train a network that paints any photograph like one or more paintings in one pass.
    #[command(args_override_self = true)]
    Train(Box<TrainArgs>),
    /// Measure paintings: how far from the photograph, how far from the style, and what flaws.
    Eval(EvalArgs),
    /// Print the settings that a picture was painted with.
    Show(ShowArgs),
    /// List, show and download networks.
    Models(ModelsArgs),
    /// Print a script that completes commands and flags in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct PaintArgs {
    /// The photograph to paint.
    pub(crate) content: Option<PathBuf>,

    /// A painting to paint it like; several are blended, each with its weight.
    #[arg(short, long, value_name = "FILE[:WEIGHT]")]
    pub(crate) style: Vec<StyleFile>,

    /// Where the style of the same number counts: a grey picture, white for all, or `none` for everywhere.
    #[arg(long, value_name = "FILE|none")]
    pub(crate) mask: Vec<PathBuf>,

    /// A mask of what stays as in the photograph: a grey picture, white stays.
    #[arg(long, value_name = "FILE")]
    pub(crate) protect: Option<PathBuf>,

    /// Where to write the picture: .png, .jpg, .webp or .tiff [default: CONTENT-STYLE.png].
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Bits of a channel: 8 or, in PNG and TIFF, 16 [default: those of the photograph where the format holds them].
    #[arg(long, value_name = "BITS")]
    pub(crate) depth: Option<BitDepth>,

    /// Keep the photograph's EXIF, XMP and IPTC, without thumbnails and the place where it was taken.
    #[arg(long)]
    pub(crate) keep_metadata: bool,

    /// Keep the metadata, and the place where the photograph was taken.
    #[arg(long)]
    pub(crate) keep_gps: bool,

    /// Write no settings into the picture: neither what it was made with, nor the names of its files.
    #[arg(long)]
    pub(crate) no_settings: bool,

    /// All settings at once: `article`, `default`, `fast` or `best`.
    #[arg(short, long, help_heading = "Settings")]
    pub(crate) preset: Option<Preset>,

    /// A settings file; it overrides the preset, flags override both.
    #[arg(short, long, value_name = "FILE.toml", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    /// The settings stored in a picture that impasto painted; flags override them [output: PICTURE-again.png].
    #[arg(long, value_name = "PICTURE", help_heading = "Settings", conflicts_with = "preset")]
    pub(crate) again: Option<PathBuf>,

    /// Paint small for each value of a setting, and write all on one sheet; twice for two settings.
    #[arg(long, value_name = "SETTING=X,Y,…", help_heading = "Settings", conflicts_with_all = ["resume", "print_config"])]
    pub(crate) sweep: Vec<Axis>,

    /// Print all settings as a settings file, and do nothing else.
    #[arg(long, help_heading = "Settings")]
    pub(crate) print_config: bool,

    /// The longer side of the picture in pixels [default: the content's].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) size: Option<usize>,

    /// Iterations at the last size: evaluations of the loss and its gradient.
    #[arg(short = 'n', long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) iterations: Option<usize>,

    /// How many sizes to paint at, each √2 times the one before: 1 for the last one only [default: all that fit].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) scales: Option<usize>,

    /// The longer side of the first and smallest size, at least.
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) min_size: Option<usize>,

    /// The amount of style, from 0, the photograph, through 0.5, the default preset, to 1, nearly only style; replaces
    /// --style-weight.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) strength: Option<f64>,

    /// The size of the strokes: the styles are X times as large as the picture.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) style_scale: Option<f64>,

    /// The optimiser: `adam` or `lbfgs`.
    #[arg(long, help_heading = "Settings")]
    pub(crate) optimizer: Option<OptimizerKind>,

    /// How far a pixel moves in a step, of 255 (for lbfgs: in the first one, on average).
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,

    /// For adam: the decay of the average of the pictures on the way, 0 for none.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) average: Option<f64>,

    /// The factor of the content loss (ALPHA).
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) content_weight: Option<f64>,

    /// The factor of the style loss (BETA).
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) style_weight: Option<f64>,

    /// The factor of the total variation, which smooths.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) tv_weight: Option<f64>,

    /// Layers at which the content is compared, such as `conv4_2=0.5,conv5_2=0.5`.
    #[arg(long, value_name = "LAYER=X,…", help_heading = "Settings")]
    pub(crate) content_layers: Option<LayerWeights>,

    /// Layers at which the style is compared, such as `conv1_1=0.2,conv2_1=0.2`.
    #[arg(long, value_name = "LAYER=X,…", help_heading = "Settings")]
    pub(crate) style_layers: Option<LayerWeights>,

    /// The colours of the painting: those of the `style`; of the `content`, where only brightness is painted; or the
    /// style with the content's by `match`, mean and covariance, or by `histogram`.
    #[arg(long, value_name = "WHOSE", help_heading = "Settings")]
    pub(crate) colors: Option<Colors>,

    /// Where to start: `content`, `noise`, `mix` (half of each), `mix=0.3` (share of noise), `style`, or a picture.
    #[arg(long, value_name = "START", help_heading = "Settings")]
    pub(crate) init: Option<Init>,

    /// The style loss: by `gram` matrices, or `wasserstein` by means and covariances.
    #[arg(long, value_name = "LOSS", help_heading = "Settings")]
    pub(crate) style_loss: Option<StyleLossKind>,

    /// The units of the losses: `relative`, shares that mean the same for every network, size and style, or `absolute`,
    /// as the papers have them.
    #[arg(long, value_name = "UNITS", help_heading = "Settings")]
    pub(crate) loss_scale: Option<LossScale>,

    /// A factor of the output of every pooling layer, above 0.
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) pooling_scale: Option<f64>,

    /// What the network sees beyond the edges: `zero`; `replicate`, its nearest pixel for the first
    /// layer; or `mirror`, some of the picture again, which does not count.
    #[arg(long, help_heading = "Settings")]
    pub(crate) border: Option<BorderKind>,

    /// How the network pools: `average`, `max` or `l2`.
    #[arg(long, help_heading = "Settings")]
    pub(crate) pooling: Option<PoolingKind>,

    /// The seed of the noise.
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,

    /// The network: `vgg19` (built in), `vgg16`, or a weight file (.mat, .pth, .safetensors).
    #[arg(long, value_name = "NAME|FILE", help_heading = "Machine")]
    pub(crate) network: Option<String>,

    /// The device to compute on: `auto` or `cpu`.
    #[arg(long, help_heading = "Machine")]
    pub(crate) device: Option<Device>,

    /// Threads of the CPU [default: all cores].
    #[arg(long, value_name = "N", help_heading = "Machine", allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,

    /// The most memory to use, such as `2GiB`: larger pictures are processed in bands or tiles [default: 75% of free RAM].
    #[arg(long, value_name = "SIZE", help_heading = "Machine", allow_hyphen_values = true)]
    pub(crate) memory: Option<MemorySize>,

    /// The most pixels of a picture to read, such as `500MP` [default: 200MP].
    #[arg(long, value_name = "N", help_heading = "Machine")]
    pub(crate) max_pixels: Option<MaxPixels>,

    /// Print sizes, tiles, memory and time, and do nothing else.
    #[arg(long, help_heading = "Machine", conflicts_with = "resume")]
    pub(crate) plan: bool,

    /// Also write the picture after every N iterations, as OUTPUT-0050.png and so on.
    #[arg(long, value_name = "N", help_heading = "Progress", allow_negative_numbers = true)]
    pub(crate) save_every: Option<usize>,

    /// Draw the losses: .svg, .png, or .csv for a table.
    #[arg(long, value_name = "FILE", help_heading = "Progress")]
    pub(crate) curve: Option<PathBuf>,

    /// Where to keep the run while it is not finished [default: OUTPUT.png-checkpoint.safetensors].
    #[arg(long, value_name = "FILE", help_heading = "Progress", conflicts_with = "resume")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Keep the run every X seconds, 0 for never [default: 30].
    #[arg(long, value_name = "X", help_heading = "Progress", allow_negative_numbers = true)]
    pub(crate) checkpoint_every: Option<f64>,

    /// Resume the painting kept in this file; the result is that of an uninterrupted run, bit for bit.
    #[arg(long, value_name = "FILE", help_heading = "Progress", conflicts_with_all = ["preset", "config", "again"])]
    pub(crate) resume: Option<PathBuf>,

    /// Write one event a line as JSON to stdout.
    #[arg(long, help_heading = "Progress")]
    pub(crate) json: bool,

    /// Print errors only.
    #[arg(short, long, help_heading = "Progress")]
    pub(crate) quiet: bool,

    /// Print every step, and the device.
    #[arg(short, long, help_heading = "Progress", conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

impl PaintArgs {
    /// What the flags say of the settings.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            content: self.content.clone(),
            style: self.style.clone(),
            mask: self.mask.clone(),
            protect: self.protect.clone(),
            output: self.output.clone(),
            curve: self.curve.clone(),
            depth: self.depth,
            keep_metadata: self.keep_metadata.then_some(true),
            keep_gps: self.keep_gps.then_some(true),
            no_settings: self.no_settings.then_some(true),
            checkpoint: self.checkpoint.clone(),
            checkpoint_every: self.checkpoint_every,
            preset: self.preset,
            size: self.size,
            iterations: self.iterations,
            min_size: self.min_size,
            scales: self.scales,
            average: self.average,
            style_scale: self.style_scale,
            strength: self.strength,
            optimizer: self.optimizer,
            learning_rate: self.learning_rate,
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            tv_weight: self.tv_weight,
            colors: self.colors,
            init: self.init.clone(),
            style_loss: self.style_loss,
            loss_scale: self.loss_scale,
            pooling: self.pooling,
            pooling_scale: self.pooling_scale,
            border: self.border,
            network: self.network.clone(),
            device: self.device,
            threads: self.threads,
            memory: self.memory,
            max_pixels: self.max_pixels,
            seed: self.seed,
            save_every: self.save_every,
            content_layers: self.content_layers.clone(),
            style_layers: self.style_layers.clone(),
        }
    }
}

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<Ending, Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "impasto", &mut script);
    output::print_exact(&String::from_utf8(script)?)?;
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}

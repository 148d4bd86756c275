//! Arguments as they are typed.

use std::error::Error;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use impasto::picture::BitDepth;
use impasto::settings::{Colors, Device, Init, LayerWeights, OptimizerKind, Overrides, PoolingKind, Preset, StyleFile};

use crate::models::ModelsArgs;
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

    /// All settings at once: `article`, `default` or `fast`.
    #[arg(short, long, help_heading = "Settings")]
    pub(crate) preset: Option<Preset>,

    /// A settings file over the preset; flags lie over both.
    #[arg(short, long, value_name = "FILE.toml", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    /// Print all settings as a settings file, and do nothing else.
    #[arg(long, help_heading = "Settings")]
    pub(crate) print_config: bool,

    /// The longer side of the picture in pixels [default: the content's].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) size: Option<usize>,

    /// How often the loss and its gradient are evaluated.
    #[arg(short = 'n', long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) iterations: Option<usize>,

    /// What takes the steps: `adam` or `lbfgs`.
    #[arg(long, help_heading = "Settings")]
    pub(crate) optimizer: Option<OptimizerKind>,

    /// How far a pixel moves in a step, of 255 (for lbfgs: in the first one, on average).
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) learning_rate: Option<f64>,

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

    /// Whose colours the painting has: those of the `style`; of the `content`, where only brightness is painted; or the
    /// style with the content's by `match`, mean and covariance, or by `histogram`.
    #[arg(long, value_name = "WHOSE", help_heading = "Settings")]
    pub(crate) colors: Option<Colors>,

    /// Where to start: `content`, `noise`, `mix` (half of each), `mix=0.3` (share of noise), `style`, or a picture.
    #[arg(long, value_name = "START", help_heading = "Settings")]
    pub(crate) init: Option<Init>,

    /// How the network pools: `average`, `max` or `l2`.
    #[arg(long, help_heading = "Settings")]
    pub(crate) pooling: Option<PoolingKind>,

    /// The seed of the noise.
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,

    /// The network: `vgg19` (built in), `vgg16`, or a weight file (.mat, .pth, .safetensors).
    #[arg(long, value_name = "NAME|FILE", help_heading = "Machine")]
    pub(crate) network: Option<String>,

    /// What computes: `auto` or `cpu`.
    #[arg(long, help_heading = "Machine")]
    pub(crate) device: Option<Device>,

    /// Threads of the CPU [default: all cores].
    #[arg(long, value_name = "N", help_heading = "Machine", allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,

    /// Also write the picture after every N iterations, as OUTPUT-0050.png and so on.
    #[arg(long, value_name = "N", help_heading = "Progress", allow_negative_numbers = true)]
    pub(crate) save_every: Option<usize>,

    /// Draw the losses: .svg, .png, or .csv for a table.
    #[arg(long, value_name = "FILE", help_heading = "Progress")]
    pub(crate) curve: Option<PathBuf>,

    /// Write one event a line as JSON to stdout.
    #[arg(long, help_heading = "Progress")]
    pub(crate) json: bool,

    /// Say nothing but errors.
    #[arg(short, long, help_heading = "Progress")]
    pub(crate) quiet: bool,

    /// Say more: every step, and what computes.
    #[arg(short, long, help_heading = "Progress", conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

impl PaintArgs {
    /// What the flags say of the settings.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            content: self.content.clone(),
            style: self.style.clone(),
            output: self.output.clone(),
            curve: self.curve.clone(),
            depth: self.depth,
            keep_metadata: self.keep_metadata.then_some(true),
            keep_gps: self.keep_gps.then_some(true),
            preset: self.preset,
            size: self.size,
            iterations: self.iterations,
            optimizer: self.optimizer,
            learning_rate: self.learning_rate,
            content_weight: self.content_weight,
            style_weight: self.style_weight,
            tv_weight: self.tv_weight,
            colors: self.colors,
            init: self.init.clone(),
            pooling: self.pooling,
            network: self.network.clone(),
            device: self.device,
            threads: self.threads,
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
    output::print(&String::from_utf8(script)?)?;
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

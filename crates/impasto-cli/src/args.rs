//! Arguments as they are typed.

use std::error::Error;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use impasto::paint::Axis;
use impasto::settings::Overrides;

use crate::ending::Ending;
use crate::eval::EvalArgs;
use crate::models::ModelsArgs;
use crate::show::ShowArgs;
use crate::styles::StylesArgs;
use crate::stylize::StylizeArgs;
use crate::train::TrainArgs;
use crate::{output, version};

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
    /// List the styles inside the program, keep pictures as styles of your own, remove them.
    Styles(StylesArgs),
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
    #[command(flatten)]
    pub(crate) overrides: Overrides,

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

    /// Print the JSON schema of a settings file, and do nothing else.
    #[arg(long, help_heading = "Settings")]
    pub(crate) print_schema: bool,

    /// Print sizes, tiles, memory and time, and do nothing else.
    #[arg(long, help_heading = "Machine", conflicts_with = "resume")]
    pub(crate) plan: bool,

    /// Resume the painting kept in this file; the result is that of an uninterrupted run, bit for bit.
    #[arg(long, value_name = "FILE", help_heading = "Progress",
          conflicts_with_all = ["preset", "config", "again", "checkpoint"])]
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

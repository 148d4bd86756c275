//! Arguments of a training as they are typed.

use std::path::PathBuf;

use impasto::train::TrainOverrides;

#[derive(Debug, clap::Args)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) overrides: TrainOverrides,

    /// Resume from the checkpoint beside the output; the result is that of an uninterrupted run.
    #[arg(long)]
    pub(crate) resume: bool,

    /// A settings file; flags override it.
    #[arg(short, long, value_name = "FILE.toml", help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,

    /// Print all settings as a settings file, and do nothing else.
    #[arg(long, help_heading = "Settings")]
    pub(crate) print_config: bool,

    /// Print the JSON schema of a settings file, and do nothing else.
    #[arg(long, help_heading = "Settings")]
    pub(crate) print_schema: bool,

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

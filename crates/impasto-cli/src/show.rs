//! `impasto show`.

use std::error::Error;
use std::path::PathBuf;

use impasto::paint::shown;

use crate::output;

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// A picture that impasto wrote.
    picture: PathBuf,

    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &ShowArgs) -> Result<(), Box<dyn Error>> {
    let settings = shown(&args.picture)?;
    if args.json {
        output::print_json(&settings.parse::<toml::Table>()?)?;
    } else {
        output::print(&format!("{}\n", settings.trim_end()))?;
    }
    Ok(())
}

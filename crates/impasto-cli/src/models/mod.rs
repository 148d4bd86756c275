//! `impasto models`: what is built in, what a file holds, fetching more, and converting from and for other programs.

mod convert;
mod error;
mod sheet;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use impasto::job::{Context, Job};
use impasto::models::{BUILT_IN, Manifest, PullError, PullJob, PullOptions, default_dir, list_in, show_in};
use serde::Serialize;

use self::convert::{ExportArgs, ImportArgs};
use self::error::ModelsError;
use self::sheet::{sheet, table};
use crate::ending::Ending;
use crate::{interrupt, output, watch};

/// `impasto models …`
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what is built in, what has been pulled, and what can be pulled
    List(ListArgs),
    /// Show what a model or a weight file holds
    Show(ShowArgs),
    /// Download a model, check it, and keep it in the cache folder
    Pull(PullArgs),
    /// Convert a fast_neural_style checkpoint of pytorch/examples, or an ONNX file of such a network, to a style model
    Import(ImportArgs),
    /// Write a style model for other programs: ONNX, PyTorch, safetensors
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Print a JSON list
    #[arg(long)]
    json: bool,
    /// The folder of pulled models, in place of $IMPASTO_MODELS or the cache folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// A name of `impasto models list`, `styles` for all built-in ones, or a .mat, .pth, .onnx or .safetensors file
    #[arg(value_name = "NAME|FILE")]
    model: String,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// The folder of pulled models, in place of $IMPASTO_MODELS or the cache folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PullArgs {
    /// A name of `impasto models list`, or of the manifest
    name: String,
    /// Keep the file here, in place of $IMPASTO_MODELS or the cache folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Look the name up in this file (TOML) instead of the program's own list
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Fetch the file from URL/FILENAME instead of its own address
    #[arg(long, value_name = "URL")]
    url_base: Option<String>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Does what the arguments say.
pub(crate) fn run(args: ModelsArgs) -> Result<Ending, ModelsError> {
    let done = match args.command {
        Command::Pull(args) => return run_pull(args),
        Command::List(args) => {
            let models = list_in(args.dir.or(default_dir().ok()).as_deref());
            if args.json { json(&models) } else { text(|out| table(out, &models)) }
        }
        Command::Show(args) => {
            let shown = show_in(&args.model, args.dir.or(default_dir().ok()).as_deref())?;
            if args.json { json(&shown) } else { text(|out| sheet(out, &shown)) }
        }
        Command::Import(args) => convert::import(&args),
        Command::Export(args) => convert::export(&args),
    };
    done.map(|()| Ending::Done)
}

fn run_pull(args: PullArgs) -> Result<Ending, ModelsError> {
    let built_in = args.name == BUILT_IN || impasto::styles::find(&args.name).is_some();
    if built_in && args.manifest.is_none() {
        return Err(ModelsError::BuiltIn(args.name));
    }
    let own = args.manifest.as_deref().map(Manifest::load).transpose()?;
    let mut entry = own.as_ref().unwrap_or(Manifest::built_in()).get(&args.name)?.clone();
    if let Some(base) = &args.url_base {
        entry = entry.with_base(base)?;
    }
    let dir = args.dir.map_or_else(default_dir, Ok)?;
    let watch = watch::pull(args.quiet);
    let context = Context::new(&watch).with_control(&interrupt::control());
    let path = PullJob { entry, dir, options: PullOptions::default() }.run(&context);
    drop(watch);
    let path = match path {
        Err(error @ PullError::Stopped) => {
            output::complain(&error);
            return Ok(Ending::Interrupted);
        }
        path => path?,
    };
    if !args.quiet {
        output::print_path(&path)?;
    }
    Ok(Ending::Done)
}

/// Writes lines to standard output.
fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ModelsError> {
    let mut out = Vec::new();
    write(&mut out)?;
    Ok(output::print(&String::from_utf8_lossy(&out))?)
}

/// Writes a value as JSON to standard output.
fn json(value: &impl Serialize) -> Result<(), ModelsError> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    Ok(output::print_exact(&format!("{}\n", output::safe_json(&text)))?)
}

//! `impasto styles`: those inside the program, and pictures that are kept as styles.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use impasto::picture::ReadLimits;
use impasto::settings::{Device, MaxPixels};
use impasto::styles::{self, AddStyle, StyleCard, StyleFolder};
use serde::Serialize;

use crate::ending::Ending;
use crate::output;

/// `impasto styles …`
#[derive(Debug, Args)]
pub(crate) struct StylesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the styles inside the program and those that are kept
    List {
        /// Print a JSON list
        #[arg(long)]
        json: bool,
    },
    /// Show what is known of a style
    Show {
        /// A name of `impasto styles list`
        name: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Look at a picture once and keep it as a style, a few kilobytes, in $IMPASTO_STYLES or the folder for your data
    Add(AddArgs),
    /// Remove a style that was kept
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Any picture
    #[arg(value_name = "PICTURE")]
    picture: PathBuf,
    /// What to call the style, in place of the file's name
    #[arg(long)]
    name: Option<String>,
    /// Painter and painting
    #[arg(long)]
    title: Option<String>,
    /// The most pixels of the picture, such as `500MP` [default: 200MP]
    #[arg(long, value_name = "N", default_value_t, hide_default_value = true)]
    max_pixels: MaxPixels,
    /// The device to compute on: `auto`, `cpu` or `reference` (plain loops, very slow, to check the others)
    #[arg(long)]
    device: Option<Device>,
    /// Threads of the CPU [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// A style as it is listed.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    name: &'a str,
    built_in: bool,
    title: Option<&'a str>,
    picture_sha256: Option<&'a str>,
    /// Bytes of the small picture that is kept with it.
    thumbnail_bytes: Option<usize>,
}

impl<'a> Listed<'a> {
    fn new(card: &'a StyleCard, built_in: bool) -> Self {
        Self {
            name: &card.name,
            built_in,
            title: card.title.as_deref(),
            picture_sha256: card.picture_sha256.as_deref(),
            thumbnail_bytes: card.thumbnail.as_ref().map(Vec::len),
        }
    }

    fn origin(&self) -> &'static str {
        if self.built_in { "built in" } else { "kept" }
    }
}

/// Does what the arguments say.
pub(crate) fn run(args: StylesArgs) -> Result<Ending, Box<dyn Error>> {
    match args.command {
        Command::List { json } => list(json)?,
        Command::Show { name, json } => show(&name, json)?,
        Command::Add(args) => {
            let limits = ReadLimits::new(args.max_pixels, None);
            let AddArgs { picture, name, title, device, threads, .. } = args;
            let device = device.unwrap_or(Device::Auto);
            let kept = StyleFolder::of_user()?.add(&AddStyle { picture, name, title, limits, device, threads })?;
            output::print(&format!("{}\n", kept.card.name))?;
        }
        Command::Remove { name } => StyleFolder::of_user()?.remove(&name)?,
    }
    Ok(Ending::Done)
}

/// A style that is kept and cannot be read takes nothing from the others: it is told and left out.
fn list(json: bool) -> Result<(), Box<dyn Error>> {
    let mut kept = Vec::new();
    if let Ok(folder) = StyleFolder::of_user() {
        for name in folder.names() {
            match folder.get(&name) {
                Ok(style) => kept.push(style.card),
                Err(error) => output::complain(&error),
            }
        }
    }
    let built_in = styles::built_in().card.styles.iter().map(|card| Listed::new(card, true));
    let all: Vec<Listed<'_>> = built_in.chain(kept.iter().map(|card| Listed::new(card, false))).collect();
    if json {
        return Ok(output::print_json(&all)?);
    }
    let width = all.iter().map(|style| style.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for style in &all {
        let line = format!("{:width$}  {:8}  {}", style.name, style.origin(), style.title.unwrap_or_default());
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(output::print(&text)?)
}

fn show(name: &str, json: bool) -> Result<(), Box<dyn Error>> {
    let kept;
    let style = match styles::find(name) {
        Some(number) => Listed::new(&styles::built_in().card.styles[number], true),
        None => {
            kept = StyleFolder::of_user()?.get(name)?;
            Listed::new(&kept.card, false)
        }
    };
    if json {
        return Ok(output::print_json(&style)?);
    }
    let mut text = format!("{:14} {}\n{:14} {}\n", "name", style.name, "origin", style.origin());
    for (key, value) in [("title", style.title), ("picture SHA-256", style.picture_sha256)] {
        if let Some(value) = value {
            writeln!(text, "{key:14} {value}")?;
        }
    }
    Ok(output::print(&text)?)
}

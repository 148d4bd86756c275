//! `impasto models`: what is built in, what a file holds, and fetching more.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use impasto::models::{
    BUILT_IN, Listed, Manifest, ManifestError, ModelKind, NoFolder, PullError, PullEvent, PullOptions, ShowError,
    Shown, default_dir, list_in, pull, show_in,
};
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use serde::Serialize;
use thiserror::Error;

/// Lines of progress where there is no bar: one for each of so many parts of the file.
const LINES: u64 = 10;

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
    /// A name of `impasto models list`, or a .mat, .pth or .safetensors file
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

/// Why a `models` command failed: one sentence each.
#[derive(Debug, Error)]
pub(crate) enum ModelsError {
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Folder(#[from] NoFolder),
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Show(#[from] ShowError),
    #[error("`{0}` is built in, so there is nothing to pull")]
    BuiltIn(&'static str),
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

/// Does what the arguments say.
pub(crate) fn run(args: ModelsArgs) -> Result<(), ModelsError> {
    match args.command {
        Command::List(args) => {
            let models = list_in(args.dir.or(default_dir().ok()).as_deref());
            print(|out| if args.json { json(out, &models) } else { table(out, &models) })
        }
        Command::Show(args) => {
            let shown = show_in(&args.model, args.dir.or(default_dir().ok()).as_deref())?;
            print(|out| if args.json { json(out, &shown) } else { sheet(out, &shown) })
        }
        Command::Pull(args) => run_pull(args),
    }
}

fn run_pull(args: PullArgs) -> Result<(), ModelsError> {
    if args.name == BUILT_IN && args.manifest.is_none() {
        return Err(ModelsError::BuiltIn(BUILT_IN));
    }
    let own = args.manifest.as_deref().map(Manifest::load).transpose()?;
    let mut entry = own.as_ref().unwrap_or(Manifest::built_in()).get(&args.name)?.clone();
    if let Some(base) = &args.url_base {
        entry = entry.with_base(base)?;
    }
    let dir = args.dir.map_or_else(default_dir, Ok)?;
    let mut progress = Progress::new(args.quiet);
    let path = pull(&entry, &dir, &PullOptions::default(), &mut |event| progress.tell(&event));
    progress.clear();
    let path = path?;
    if args.quiet { Ok(()) } else { print(|out| writeln!(out, "{}", path.display())) }
}

/// Writes to standard output. Somebody who stops reading, as `head` does, is no error.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), ModelsError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// The list as an aligned table.
fn table(out: &mut dyn Write, models: &[Listed]) -> io::Result<()> {
    let row = |model: &Listed| {
        let (kind, size, state) =
            (model.kind.to_string(), DecimalBytes(model.size).to_string(), model.state.to_string());
        [model.name.clone(), kind, size, state, model.licence.clone(), model.origin.clone()]
    };
    let heading = ["name", "kind", "size", "state", "licence", "origin"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading).chain(models.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    for [name, kind, size, state, licence, origin] in &rows {
        let [w_name, w_kind, w_size, w_state, w_licence, _] = widths;
        write!(out, "{name:w_name$}  {kind:w_kind$}  {size:>w_size$}  {state:w_state$}  ")?;
        writeln!(out, "{licence:w_licence$}  {origin}")?;
    }
    Ok(())
}

/// What a model holds, key by key, then its tensors.
fn sheet(out: &mut dyn Write, shown: &Shown) -> io::Result<()> {
    let mut line = |key: &str, value: &str| writeln!(out, "{key:14} {value}");
    line("name", &shown.name)?;
    if let Some(state) = shown.state {
        line("state", &state.to_string())?;
    }
    if let Some(path) = &shown.path {
        line("file", &path.display().to_string())?;
    }
    line("size", &DecimalBytes(shown.size).to_string())?;
    line("format", &shown.format)?;
    line("kind", kind_text(shown.kind))?;
    if let Some(network) = shown.network {
        line("network", network.name())?;
    }
    if let Some(p) = shown.preprocessing {
        line("preprocessing", &format!("(rgb − {}) · {}, rgb 0–255", triple(p.mean), triple(p.scale)))?;
    }
    for (key, value) in [("problem", &shown.problem), ("origin", &shown.origin), ("licence", &shown.licence)] {
        if let Some(value) = value {
            line(key, value)?;
        }
    }
    line("parameters", &grouped(shown.parameters))?;
    for (key, value) in &shown.metadata {
        line("metadata", &format!("{key} = {value}"))?;
    }
    let width = shown.tensors.iter().map(|tensor| tensor.name.chars().count()).max().unwrap_or(0);
    for (i, tensor) in shown.tensors.iter().enumerate() {
        let shape = tensor.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        let text = format!("{:width$}  {shape}  {}", tensor.name, tensor.dtype);
        line(if i == 0 { "tensors" } else { "" }, &text)?;
    }
    Ok(())
}

fn kind_text(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Network => "network",
        ModelKind::Style => "style",
        ModelKind::Unknown => "nothing that impasto paints with",
    }
}

/// Three numbers to four places; one if they are equal.
fn triple(numbers: [f32; 3]) -> String {
    match numbers.map(|number| (number * 1e4).round() / 1e4) {
        [r, g, b] if r == g && g == b => format!("{r}"),
        [r, g, b] => format!("({r}, {g}, {b})"),
    }
}

/// A number with its digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect::<Vec<_>>();
    groups.join(" ")
}

/// Shows a pull on standard error: a bar on a terminal, plain lines elsewhere, nothing when quiet.
struct Progress {
    bar: ProgressBar,
    lines: bool,
    /// Parts of the file that a line has been written for.
    told: u64,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = if quiet || !terminal { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let style = "{wide_bar} {decimal_bytes} of {decimal_total_bytes}, {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, lines: !quiet && !terminal, told: 0 }
    }

    fn tell(&mut self, event: &PullEvent) {
        match event {
            PullEvent::Started { url, have: 0, .. } => self.line(&format!("pulling {url}")),
            PullEvent::Started { url, have, total } => {
                self.line(&format!("pulling {url}, going on from {} of {}", DecimalBytes(*have), DecimalBytes(*total)));
            }
            PullEvent::Progress { bytes, total, rate } => self.advance(*bytes, *total, *rate),
            PullEvent::Retrying { reason, pause, .. } => {
                self.line(&format!("{reason}; trying again in {} s", pause.as_secs_f32()));
            }
            PullEvent::Elsewhere { reason } => self.line(&format!("{reason}; trying another address")),
            PullEvent::Checking { path } => self.line(&format!("checking {}", path.display())),
            PullEvent::Done { already: true, .. } => self.line("the file is there already, and right"),
            PullEvent::Done { .. } => self.line("the checksum is right"),
            _ => {}
        }
    }

    fn advance(&mut self, bytes: u64, total: u64, rate: f64) {
        let left = Duration::from_secs_f64(((total - bytes) as f64 / rate.max(1.0)).min(1e6));
        let message = format!("{}/s, {} s left", DecimalBytes(rate as u64), left.as_secs());
        self.bar.set_length(total);
        self.bar.set_position(bytes);
        self.bar.set_message(message.clone());
        let part = bytes * LINES / total.max(1);
        if self.lines && part != self.told {
            self.told = part;
            self.line(&format!("{} of {}, {message}", DecimalBytes(bytes), DecimalBytes(total)));
        }
    }

    /// Writes a line, above the bar where there is one.
    fn line(&self, text: &str) {
        if self.lines {
            // Nobody may be listening: progress is not worth failing for.
            let _ = writeln!(io::stderr(), "{text}");
        } else {
            self.bar.println(text);
        }
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_is_aligned() {
        let text = text(|out| table(out, &list_in(None)));
        let column = text.lines().next().unwrap().find("licence").unwrap();
        assert!(text.lines().count() > 4);
        for line in text.lines() {
            assert!(line.is_char_boundary(column) && &line[column - 2..column] == "  ", "{line}");
            assert!(!line[column..].starts_with(' ') && !line.ends_with(' '), "{line}");
        }
    }

    #[test]
    fn the_sheet_of_the_built_in_network_says_what_matters() {
        let text = text(|out| sheet(out, &show_in("vgg19", None).unwrap()));
        for part in ["VGG19", "(123.68, 116.779, 103.939)", "CC BY 4.0", "20 024 384", "conv5_4.weight  512×512×3×3"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn numbers_are_grouped_in_threes() {
        assert_eq!([0, 999, 1_000, 143_667_240].map(grouped), ["0", "999", "1 000", "143 667 240"]);
    }

    #[test]
    fn a_reader_that_leaves_is_no_error() {
        assert!(print(|_| Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(print(|_| Err(io::ErrorKind::StorageFull.into())).is_err());
    }
}

//! `impasto models`: what is built in, what a file holds, and fetching more.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use impasto::models::{
    Listed, Manifest, ManifestError, NoFolder, PullError, PullEvent, PullOptions, ShowError, Shown, default_dir,
    list_in, pull, show_in,
};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
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
        let (kind, size, state) = (model.kind.to_string(), megabytes(model.size), model.state.to_string());
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
    line("size", &megabytes(shown.size))?;
    line("format", &shown.format)?;
    line("network", shown.network.map_or("none that impasto paints with", |kind| kind.name()))?;
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

/// Three numbers; one if they are equal.
fn triple(numbers: [f32; 3]) -> String {
    match numbers {
        [r, g, b] if r == g && g == b => format!("{r}"),
        [r, g, b] => format!("({r:.4}, {g:.4}, {b:.4})"),
    }
}

/// Bytes as megabytes of 10⁶.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
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
        let style = "{wide_bar} {bytes} of {total_bytes}, {msg}";
        bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar, lines: !quiet && !terminal, told: 0 }
    }

    fn tell(&mut self, event: &PullEvent) {
        match event {
            PullEvent::Started { url, have: 0, .. } => self.line(&format!("pulling {url}")),
            PullEvent::Started { url, have, total } => {
                self.line(&format!("pulling {url}, going on from {} of {}", megabytes(*have), megabytes(*total)));
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
        let message = format!("{}/s, {} s left", HumanBytes(rate as u64), left.as_secs());
        self.bar.set_length(total);
        self.bar.set_position(bytes);
        self.bar.set_message(message.clone());
        let part = bytes * LINES / total.max(1);
        if self.lines && part != self.told {
            self.told = part;
            self.line(&format!("{} of {}, {message}", megabytes(bytes), megabytes(total)));
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

//! `impasto stylize`.

use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use impasto::picture::{BitDepth, KeptOfInput, PictureFormat};
use impasto::progress::{End, Flow};
use impasto::settings::{Colors, Device, MaxPixels};
use impasto::styles::StyleChoice;
use impasto::stylize::{StylizeEvent, StylizeSummary};
use impasto::{StylizeJob, StylizeSettings};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use thiserror::Error;

use crate::{Ending, interrupt, output};

/// `impasto stylize …`
#[derive(Debug, clap::Args)]
pub(crate) struct StylizeArgs {
    /// Photographs: files, folders with all that is in them, patterns such as `*.jpg`, or `-` for standard input.
    input: Vec<PathBuf>,

    /// A built-in style, a model file, or one style of a model file; several of one network are blended, each with its
    /// weight.
    #[arg(short, long, value_name = "NAME|MODEL[#NAME][:WEIGHT]")]
    style: Vec<StyleChoice>,

    /// A file, a folder, or `-` for standard output [default: NAME-STYLE.EXT beside each input].
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,

    /// The format of all outputs: png, jpg, webp or tiff [default: that of the output's name, else of the input's].
    #[arg(long, value_name = "FORMAT")]
    format: Option<PictureFormat>,

    /// Pass over pictures whose output is already there.
    #[arg(long)]
    skip_existing: bool,

    /// Bits of a channel: 8 or, in PNG and TIFF, 16 [default: those of the input where the format holds them].
    #[arg(long, value_name = "BITS")]
    depth: Option<BitDepth>,

    /// Keep EXIF, XMP and IPTC of each photograph, without thumbnails and the place where it was taken.
    #[arg(long)]
    keep_metadata: bool,

    /// Keep the metadata, and the place where the photograph was taken.
    #[arg(long)]
    keep_gps: bool,

    /// Write no settings into the picture: neither what it was made with, nor the names of its files.
    #[arg(long)]
    no_settings: bool,

    /// How much of the painting is in the result: 0 is the photograph, 1 the style as it was trained [default: 1].
    #[arg(long, value_name = "0…1", help_heading = "Settings", allow_negative_numbers = true)]
    strength: Option<f64>,

    /// How large the strokes are, from 0.25 to 4; 1 is as trained [default: 1].
    #[arg(long, value_name = "X", help_heading = "Settings", allow_negative_numbers = true)]
    stroke_size: Option<f64>,

    /// The colours of the result: those of the `style`; of the `content`, where only brightness is painted; or the
    /// content's by `match`, mean and covariance, or by `histogram` [default: style].
    #[arg(long, value_name = "WHOSE", help_heading = "Settings")]
    colors: Option<Colors>,

    /// Keep the photograph's colours: the same as `--colors content`.
    #[arg(long, help_heading = "Settings", conflicts_with = "colors")]
    keep_colors: bool,

    /// The longer side of the result in pixels [default: the photograph's].
    #[arg(long, value_name = "N", help_heading = "Settings", allow_negative_numbers = true)]
    size: Option<usize>,

    /// Memory that may be taken, such as `2GiB`: what needs more goes in strips, which is slower [default: by what is
    /// free, at most 1.9 GiB up to 12 megapixels].
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    memory: Option<ByteSize>,

    /// The most pixels of a picture to read, such as `500MP` [default: 200MP].
    #[arg(long, value_name = "N", help_heading = "Machine")]
    max_pixels: Option<MaxPixels>,

    /// The device to compute on: `auto` or `cpu`.
    #[arg(long, help_heading = "Machine")]
    device: Option<Device>,

    /// Threads of the CPU [default: all cores].
    #[arg(long, value_name = "N", help_heading = "Machine", allow_negative_numbers = true)]
    threads: Option<usize>,

    /// Pictures at work at once: one is painted while the others are read and written [default: 2].
    #[arg(short, long, value_name = "N", help_heading = "Machine", allow_negative_numbers = true)]
    jobs: Option<usize>,

    /// Write one line a picture as JSON to stdout.
    #[arg(long, help_heading = "Progress")]
    json: bool,

    /// Print errors only.
    #[arg(short, long, help_heading = "Progress")]
    quiet: bool,

    /// Print the device, and the time of each picture.
    #[arg(short, long, help_heading = "Progress", conflicts_with = "quiet")]
    verbose: bool,
}

/// Why not every picture was made.
#[derive(Debug, Error)]
enum StylizeCliError {
    #[error("`--json` writes to standard output, where the picture goes: name a file with `-o`")]
    JsonAndPicture,
}

/// Does what the arguments say.
pub(crate) fn run(args: StylizeArgs) -> Result<Ending, Box<dyn Error>> {
    let to_stdout = args.to_stdout();
    if args.json && to_stdout {
        return Err(StylizeCliError::JsonAndPicture.into());
    }
    let mut watch = Watch::new(&args);
    let job = args.job();
    interrupt::watch();
    let summary = job.run(&mut |event: &StylizeEvent| watch.event(event))?;
    watch.close(&summary);
    let interrupted = summary.end == End::Stopped || interrupt::requested();
    let ending = if interrupted { Ending::Interrupted } else { Ending::Done };
    if summary.failures.is_empty() {
        return Ok(ending);
    }
    complain(&summary);
    Ok(if interrupted { ending } else { Ending::Refused })
}

impl StylizeArgs {
    fn to_stdout(&self) -> bool {
        let is_stream = |path: &Path| path == "-";
        self.output.as_deref().map_or_else(|| self.input.iter().any(|input| is_stream(input)), is_stream)
    }

    fn job(self) -> StylizeJob {
        let (job, settings) = (StylizeJob::default(), StylizeSettings::default());
        StylizeJob {
            inputs: self.input,
            styles: self.style,
            output: self.output,
            format: self.format,
            skip_existing: self.skip_existing,
            kept: KeptOfInput { depth: self.depth, metadata: self.keep_metadata, gps: self.keep_gps },
            embed_settings: !self.no_settings,
            jobs: self.jobs.unwrap_or(job.jobs),
            settings: StylizeSettings {
                size: self.size,
                strength: self.strength.unwrap_or(settings.strength),
                stroke_size: self.stroke_size.unwrap_or(settings.stroke_size),
                colors: self.colors.unwrap_or(if self.keep_colors { Colors::Content } else { settings.colors }),
                memory: self.memory.map(|memory| memory.as_u64()),
                max_pixels: self.max_pixels.unwrap_or_default(),
                device: self.device.unwrap_or(settings.device),
                threads: self.threads,
            },
        }
    }
}

/// One failure is its own sentence; of many pictures, it is said how many succeeded.
fn complain(summary: &StylizeSummary) {
    let StylizeSummary { done, skipped, failures, .. } = summary;
    if let ([only], 0, 0) = (&failures[..], done, skipped) {
        return output::complain(only);
    }
    let (failed, pictures) = (failures.len(), done + skipped + failures.len());
    let line = format!("error: {failed} of {pictures} inputs failed, {done} done{}:", skipped_text(*skipped));
    output::note_list(&line, failures.iter().map(ToString::to_string));
}

fn skipped_text(skipped: usize) -> String {
    if skipped == 0 { String::new() } else { format!(", {skipped} already there") }
}

/// A bar where a person looks at a terminal and there is more than one picture, plain lines where not, JSON where a
/// program reads.
struct Watch {
    json: bool,
    quiet: bool,
    verbose: bool,
    bar: Option<ProgressBar>,
    begun: Instant,
}

impl Watch {
    fn new(args: &StylizeArgs) -> Self {
        let lines = args.json || args.quiet || args.verbose || !std::io::stderr().is_terminal();
        let bar = (!lines).then(|| {
            let bar = ProgressBar::new(0);
            let template = "{bar:20.cyan/blue} {pos}/{len}  {wide_msg}";
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { json: args.json, quiet: args.quiet, verbose: args.verbose, bar, begun: Instant::now() }
    }

    fn event(&mut self, event: &StylizeEvent) -> Flow {
        if let StylizeEvent::Warning { input, message } = event {
            self.warn(input, message);
        } else if let (true, true) = (self.json, event.ends_a_picture()) {
            if let Err(error) = output::print_json(event) {
                output::complain(&error);
            }
        } else if let Some(bar) = &self.bar {
            advance(bar, event, self.begun);
        } else if !self.json && !self.quiet {
            self.line(event);
        }
        if interrupt::requested() { Flow::Stop } else { Flow::Continue }
    }

    fn warn(&self, input: &Path, message: &str) {
        let warn = || output::note(&format!("warning: `{}`: {message}", input.display()));
        match &self.bar {
            _ if self.quiet => {}
            Some(bar) => bar.suspend(warn),
            None => warn(),
        }
    }

    fn line(&self, event: &StylizeEvent) {
        match event {
            StylizeEvent::Started { pictures, style, device } if self.verbose => {
                output::note(&format!("painting {pictures} pictures as {style} on {device}"));
            }
            StylizeEvent::Done { output, width, height, network_seconds, seconds, network_bytes, .. } => {
                let details = if self.verbose {
                    let memory = ByteSize(*network_bytes as u64).display().iec();
                    format!(": {width}×{height} in {seconds:.2} s, the network {network_seconds:.2} s with {memory}")
                } else {
                    String::new()
                };
                output::note(&format!("wrote {}{details}", shown(output)));
            }
            StylizeEvent::Skipped { output, .. } => output::note(&format!("{} is already there", output.display())),
            StylizeEvent::Started { .. }
            | StylizeEvent::Painting { .. }
            | StylizeEvent::Warning { .. }
            | StylizeEvent::Failed { .. } => {}
        }
    }

    fn close(self, summary: &StylizeSummary) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let StylizeSummary { done, skipped, failures, seconds, .. } = summary;
        if self.quiet || self.json || done + skipped + failures.len() < 2 {
            return;
        }
        output::note(&format!("{done} pictures in {seconds:.1} s{}", skipped_text(*skipped)));
    }
}

/// Moves the bar; what one picture alone leaves is said in a line.
fn advance(bar: &ProgressBar, event: &StylizeEvent, begun: Instant) {
    match event {
        StylizeEvent::Started { pictures, .. } => bar.set_length(*pictures as u64),
        StylizeEvent::Painting { input, .. } => {
            let (done, all) = (bar.position(), bar.length().unwrap_or(0));
            let left = begun.elapsed().as_secs_f64() / done.max(1) as f64 * all.saturating_sub(done) as f64;
            let left = if done == 0 { String::new() } else { format!("{:#} left  ", rounded(left)) };
            bar.set_message(output::safe(&format!("{left}{}", input.display())));
        }
        StylizeEvent::Done { output, .. } if bar.length() == Some(1) => {
            bar.suspend(|| output::note(&format!("wrote {}", shown(output))));
        }
        _ => bar.inc(1),
    }
}

fn rounded(seconds: f64) -> HumanDuration {
    HumanDuration(Duration::from_secs_f64(seconds.clamp(0.0, 1e8).round()))
}

fn shown(output: &Path) -> String {
    if output == "-" { "to standard output".into() } else { output.display().to_string() }
}

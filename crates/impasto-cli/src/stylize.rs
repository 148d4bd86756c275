//! `impasto stylize`.

use std::error::Error;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use impasto::job::{Context, End, Job, Streams};
use impasto::picture::{BitDepth, KeptOfInput, PictureFormat};
use impasto::settings::Colors;
use impasto::styles::StyleChoice;
use impasto::stylize::{StylizeJobError, StylizeOverrides, StylizeSummary};
use impasto::{StylizeJob, StylizeSettings};
use thiserror::Error;

use crate::ending::Ending;
use crate::watch::{self, Watch, Wish, skipped_text};
use crate::{interrupt, output};

/// `impasto stylize …`
#[derive(Debug, clap::Args)]
pub(crate) struct StylizeArgs {
    /// Photographs: files, folders with all that is in them, patterns such as `*.jpg`, or `-` for standard input.
    input: Vec<PathBuf>,

    /// A built-in style, any picture, a model file, one style of a model file, or any picture as a model of any style sees
    /// it; several of one network are blended, each with its weight.
    #[arg(short, long, value_name = "NAME|PICTURE|MODEL[#NAME|#PICTURE][:WEIGHT]")]
    style: Vec<StyleChoice>,

    /// Where the style of the same number counts: a grey picture of any size, white for all, or `none` for everywhere. Where
    /// no mask covers, the photograph stays. Styles with masks may be of several networks.
    #[arg(long, value_name = "FILE|none")]
    mask: Vec<PathBuf>,

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

    #[command(flatten)]
    overrides: StylizeOverrides,

    /// Keep the photograph's colours: the same as `--colors content`.
    #[arg(long, help_heading = "Settings", conflicts_with = "colors")]
    keep_colors: bool,

    /// Print the JSON schema of the settings, and do nothing else.
    #[arg(long, help_heading = "Settings")]
    print_schema: bool,

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

/// Standard input and output.
struct StandardStreams;

impl Streams for StandardStreams {
    fn input(&self) -> Box<dyn Read + '_> {
        Box::new(io::stdin().lock())
    }

    fn output(&self) -> Box<dyn Write + '_> {
        Box::new(io::stdout().lock())
    }
}

/// Does what the arguments say.
pub(crate) fn run(args: StylizeArgs) -> Result<Ending, Box<dyn Error>> {
    if args.print_schema {
        output::print_schema(&StylizeOverrides::schema())?;
        return Ok(Ending::Done);
    }
    let to_stdout = args.to_stdout();
    if args.json && to_stdout {
        return Err(StylizeCliError::JsonAndPicture.into());
    }
    let wish = Wish { json: args.json, quiet: args.quiet, verbose: args.verbose };
    let job = args.job();
    let watch = Watch::new(wish, watch::Stylize);
    let context = Context::new(&watch).with_control(&interrupt::control()).with_streams(StandardStreams);
    let summary = match job.run(&context) {
        Err(StylizeJobError::Stopped(stopped)) => return Ok(Ending::stopped(stopped)),
        summary => summary?,
    };
    drop(watch);
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
        let settings = self.overrides.settings();
        StylizeJob {
            inputs: self.input,
            styles: self.style,
            masks: self.mask,
            output: self.output,
            format: self.format,
            skip_existing: self.skip_existing,
            kept: KeptOfInput { depth: self.depth, metadata: self.keep_metadata, gps: self.keep_gps },
            embed_settings: !self.no_settings,
            jobs: self.jobs.unwrap_or(StylizeJob::default().jobs),
            settings: if self.keep_colors { StylizeSettings { colors: Colors::Content, ..settings } } else { settings },
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

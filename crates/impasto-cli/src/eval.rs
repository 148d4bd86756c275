//! `impasto eval`.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use impasto::eval::{EvalEvent, EvalJob, EvalJobError, Evaluation};
use impasto::job::{Context, Event, Job};
use impasto::settings::{Device, LayerWeights, MaxPixels, Preset, Settings};
use serde::Serialize;

use crate::ending::Ending;
use crate::{interrupt, output};

#[derive(Debug, clap::Args)]
pub(crate) struct EvalArgs {
    /// Paintings of the photograph.
    #[arg(required = true, value_name = "OUT")]
    paintings: Vec<PathBuf>,

    /// The photograph.
    #[arg(short, long, value_name = "FILE")]
    content: PathBuf,

    /// The painting that they should look like.
    #[arg(short, long, value_name = "FILE")]
    style: PathBuf,

    /// The longer side at which to measure, in pixels [default: each painting's own].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    size: Option<usize>,

    /// Layers at which the content is compared, such as `conv4_2,conv5_2`.
    #[arg(long, value_name = "LAYER,…")]
    content_layers: Option<LayerWeights>,

    /// Layers at which the style is compared, such as `conv1_1,conv2_1`.
    #[arg(long, value_name = "LAYER,…")]
    style_layers: Option<LayerWeights>,

    /// The network: `vgg19` (built in), `vgg16`, or a weight file (.mat, .pth, .safetensors).
    #[arg(long, value_name = "NAME|FILE", default_value = "vgg19")]
    network: String,

    /// The device to compute on: `auto`, `cpu` or `reference` (plain loops, very slow, to check the others).
    #[arg(long, default_value = "auto")]
    device: Device,

    /// Threads of the CPU [default: all cores].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    threads: Option<usize>,

    /// The most pixels of a picture to read, such as `500MP` [default: 200MP].
    #[arg(long, value_name = "N")]
    max_pixels: Option<MaxPixels>,

    /// Write one line of JSON for each painting.
    #[arg(long)]
    json: bool,
}

/// What is told of one painting.
#[derive(Serialize)]
struct Told<'a> {
    path: &'a Path,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
}

pub(crate) fn run(args: EvalArgs) -> Result<Ending, Box<dyn Error>> {
    // Layers, pooling and border of the article: figures stay comparable while the presets change.
    let article = Settings::preset(Preset::Article);
    let settings = Settings {
        size: args.size,
        device: args.device,
        threads: args.threads,
        max_pixels: args.max_pixels.unwrap_or_default(),
        network: args.network.clone(),
        content_layers: args.content_layers.unwrap_or(article.content_layers.clone()),
        style_layers: args.style_layers.unwrap_or(article.style_layers.clone()),
        ..article
    };
    let job = EvalJob { content: args.content, style: args.style, paintings: args.paintings, settings };
    let json = args.json;
    let show = move |event: &Event| {
        if let Event::Eval(EvalEvent::Done { path, evaluation }) = event
            && let Err(error) = print(path, evaluation, json)
        {
            output::complain(&error);
        }
    };
    match job.run(&Context::new(&show).with_control(&interrupt::control())) {
        Err(EvalJobError::Stopped(stopped)) => Ok(Ending::stopped(stopped)),
        evaluations => evaluations.map(|_| Ending::Done).map_err(Into::into),
    }
}

/// Prints what was measured of a painting.
fn print(path: &Path, evaluation: &Evaluation, json: bool) -> io::Result<()> {
    if json {
        return output::print_json(&Told { path, evaluation });
    }
    let mut text = Vec::new();
    table(&mut text, path, evaluation)?;
    output::print(&String::from_utf8_lossy(&text))
}

/// One painting: its distances by layer, then what concerns all of it.
fn table(out: &mut dyn Write, path: &Path, of: &Evaluation) -> io::Result<()> {
    writeln!(out, "{} ({}×{})", output::safe(&path.display().to_string()), of.width, of.height)?;
    writeln!(out, "  {:10} {:>9} {:>9} {:>12} {:>9}", "layer", "content", "gram", "wasserstein", "sliced")?;
    let layers: BTreeSet<&String> = of.content.keys().chain(of.gram.keys()).collect();
    for layer in layers {
        let value = |of: Option<&f64>| of.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        let (content, gram) = (value(of.content.get(layer)), value(of.gram.get(layer)));
        let (moments, sliced) = (value(of.wasserstein.get(layer)), value(of.sliced_wasserstein.get(layer)));
        writeln!(out, "  {layer:10} {content:>9} {gram:>9} {moments:>12} {sliced:>9}")?;
    }
    let (grid, grain, surface) = (of.checkerboard, of.surface.grain, of.surface);
    writeln!(out, "  structure kept (SSIM)            {:.4}", of.ssim)?;
    writeln!(out, "  border against the photograph's  {:.4}", of.border)?;
    writeln!(out, "  grid at periods of 2 and 4       {:.1} and {:.1} dB", grid.period_2, grid.period_4)?;
    writeln!(out, "  grain against the style's        {:.2} ({:.2} levels)", grain.luma_ratio, grain.luma)?;
    writeln!(out, "  coloured grain                   {:.2} ({:.2} levels)", grain.chroma_ratio, grain.chroma)?;
    writeln!(out, "  spots of 1000 pixels             {:.2} (style {:.2})", surface.spots, surface.style_spots)?;
    writeln!(out, "  areas without texture            {:.1} %", 100.0 * surface.dead)
}

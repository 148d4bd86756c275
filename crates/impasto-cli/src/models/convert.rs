//! `impasto models import` and `export`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use impasto::models::{self, Exports, ImportOptions, StyleDtype, default_dir};
use impasto::settings::StyleFile;

use super::error::ModelsError;
use crate::output;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A .pth, .model, .safetensors or .onnx file with the network of pytorch/examples' fast_neural_style
    file: PathBuf,
    /// The style model to write
    #[arg(short, long, value_name = "OUT.safetensors")]
    output: PathBuf,
    /// What to call the model, in place of the file's name
    #[arg(long)]
    name: Option<String>,
    /// What to call its style, in place of the model's name
    #[arg(long, value_name = "NAME")]
    style_name: Option<String>,
    /// Painter and painting
    #[arg(long)]
    title: Option<String>,
    /// Who made it
    #[arg(long)]
    author: Option<String>,
    /// The terms it comes under, as an SPDX expression or in words
    #[arg(long)]
    license: Option<String>,
    /// Where it comes from, in place of the file's name
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// Store 16-bit numbers: half the size
    #[arg(long)]
    f16: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("targets").required(true).multiple(true))]
pub(super) struct ExportArgs {
    /// A built-in style or one of `impasto styles list`, `styles` for all that are built in, `any` for the network of any
    /// style, a style model's file, or any picture as a style; behind a model may stand `#NAME` or `#PICTURE`
    #[arg(value_name = "NAME|FILE|PICTURE")]
    model: String,
    /// One of its styles, or several to be blended by their weights
    #[arg(short, long, value_name = "NAME[:WEIGHT]")]
    style: Vec<StyleFile>,
    /// Write ONNX: one style, or any as a second input; pictures of any size, 1×3×H×W, RGB 0–255
    #[arg(long, value_name = "OUT.onnx", group = "targets")]
    onnx: Option<PathBuf>,
    /// Write what TransformerNet of pytorch/examples loads: one style
    #[arg(long, value_name = "OUT.safetensors", group = "targets")]
    pytorch: Option<PathBuf>,
    /// Write impasto's own format: all styles unless --style is given
    #[arg(long, value_name = "OUT.safetensors", group = "targets")]
    safetensors: Option<PathBuf>,
    /// Store 16-bit numbers in impasto's own format: half the size
    #[arg(long, requires = "safetensors")]
    f16: bool,
    /// The folder of pulled models, in place of $IMPASTO_MODELS or the cache folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Converts a file, and prints where to.
pub(super) fn import(args: &ImportArgs) -> Result<(), ModelsError> {
    let options = ImportOptions {
        name: args.name.clone(),
        style_name: args.style_name.clone(),
        title: args.title.clone(),
        author: args.author.clone(),
        license: args.license.clone(),
        source: args.source.clone(),
        dtype: dtype(args.f16),
    };
    models::import(&args.file, &args.output, &options)?;
    Ok(output::print_path(&args.output)?)
}

/// Writes what is asked for, and prints where to.
pub(super) fn export(args: &ExportArgs) -> Result<(), ModelsError> {
    let styles: Vec<_> = args.style.iter().map(|s| (s.path.to_string_lossy().into_owned(), s.weight)).collect();
    let exports = Exports {
        onnx: args.onnx.clone(),
        pytorch: args.pytorch.clone(),
        safetensors: args.safetensors.clone(),
        dtype: dtype(args.f16),
    };
    models::export(&args.model, &styles, &exports, args.dir.clone().or(default_dir().ok()).as_deref())?;
    let written = [&args.onnx, &args.pytorch, &args.safetensors];
    Ok(written.into_iter().flatten().try_for_each(|path| output::print_path(path))?)
}

fn dtype(f16: bool) -> StyleDtype {
    if f16 { StyleDtype::F16 } else { StyleDtype::F32 }
}

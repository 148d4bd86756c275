//! A sheet of small paintings that differ in one setting or two, to choose by eye.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use impasto_nn::vgg::Vgg;
use plotters::prelude::*;

use super::inputs::{InputReader, read_limits};
use super::job::{JobError, PaintJob};
use super::{PaintError, PaintEvent, Painting, paint};
use crate::curve::register_fonts;
use crate::job::{Context, End};
use crate::network::network;
use crate::picture::{Picture, WriteError};
use crate::settings::Overrides;

/// The longer side of the paintings where no size is given.
const SIZE: usize = 256;

/// Pixels between the paintings, and of the labels.
const GAP: usize = 8;
const LABEL: usize = 22;

/// Why there is no sheet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// An axis that cannot be read.
    #[error("`{0}` is no sweep: give a setting, `=` and values, such as `strength=0.2,0.5,0.8`")]
    Axis(String),
    /// More axes than a sheet has, or one twice.
    #[error("a sheet has one axis or two different ones: give `--sweep` once or twice")]
    Axes,
    /// A setting that is none, or one that names a file.
    #[error("`{0}` cannot be swept: name a setting of `impasto paint --print-config`")]
    Setting(String),
    /// A painting cannot be made.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The sheet cannot be drawn.
    #[error("cannot draw the sheet: {0}")]
    Draw(String),
}

/// A setting and the values that it takes in turn. In text: `strength=0.2,0.5,0.8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The key of the setting.
    pub key: String,
    /// Its values, as text.
    pub values: Vec<String>,
}

impl FromStr for Axis {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Self, SweepError> {
        let wrong = || SweepError::Axis(text.into());
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> = values.split(',').map(|value| value.trim().to_owned()).collect();
        let key = key.trim().trim_start_matches('-').replace('-', "_");
        let good = !key.is_empty() && values.iter().all(|value| !value.is_empty());
        good.then_some(Self { key, values }).ok_or_else(wrong)
    }
}

/// One painting of a sheet.
struct Cell {
    row: usize,
    column: usize,
    label: String,
    job: PaintJob,
}

impl Cell {
    fn paint(
        &self,
        mut inputs: InputReader,
        network: Arc<Vgg>,
        context: &Context<'_>,
    ) -> Result<(Painting, InputReader), JobError> {
        let job = self.job.clone();
        let (scene, inputs) = context.abandonable(move || (job.read(&mut inputs), inputs))?;
        Ok((paint(&scene?, &self.job.settings, network, context)?, inputs))
    }
}

/// Paints what is given once for every value of the first axis, and again for every value of the second, and writes
/// the sheet: the first axis goes across, the second down. At 256 pixels, unless a size is given.
///
/// # Errors
/// If a setting cannot be swept, or a painting cannot be made. A sheet that is stopped is written with what there is.
pub fn sweep(given: &Overrides, axes: &[Axis], context: &Context<'_>) -> Result<End, SweepError> {
    let cells = cells(given, axes)?;
    let output = cells[0].job.output.clone();
    cells.iter().try_for_each(|cell| cell.job.check_outputs())?;
    let name = cells[0].job.settings.network.clone();
    let network = context.abandonable(move || network(&name)).map_err(JobError::from)?.map_err(JobError::from)?;
    let (mut painted, mut end) = (Vec::new(), End::Complete);
    let mut inputs = InputReader::new(read_limits(&cells[0].job.settings));
    for (i, cell) in cells.iter().enumerate() {
        let label = cell.label.clone();
        context.tell(PaintEvent::Cell { cell: i + 1, cells: cells.len(), label });
        let painting = match cell.paint(inputs, network.clone(), context) {
            Ok((painting, reader)) => {
                inputs = reader;
                painting
            }
            Err(JobError::Stopped(_) | JobError::Paint(PaintError::Stopped(_))) if !painted.is_empty() => {
                end = End::Stopped;
                break;
            }
            Err(error) => return Err(error.into()),
        };
        painted.push((cell.row, cell.column, cell.label.clone(), painting.picture));
        if painting.end == End::Stopped {
            end = End::Stopped;
            break;
        }
    }
    let recorded = Overrides { loss_scale: Some(given.settings().loss_scale), ..given.clone() };
    let embedded = cells[0].job.embed_settings.then(|| recorded.with_file_names().to_toml());
    write(&painted, &output, embedded.transpose().map_err(JobError::from)?.as_deref())?;
    context.tell(PaintEvent::Saved { iteration: painted.len(), path: output });
    Ok(end)
}

/// Every painting, checked before the first is begun.
fn cells(given: &Overrides, axes: &[Axis]) -> Result<Vec<Cell>, SweepError> {
    let (first, second) = match axes {
        [first] => (first, None),
        [first, second] if first.key != second.key => (first, Some(second)),
        _ => return Err(SweepError::Axes),
    };
    // Only the sheet is written.
    let unwritten = Overrides { save_every: None, curve: None, checkpoint: None, ..given.clone() };
    let given = Overrides { size: given.size.or(Some(SIZE)), checkpoint_every: Some(0.0), ..unwritten };
    let rows = second.map_or(1, |second| second.values.len());
    let mut cells = Vec::new();
    for row in 0..rows {
        for (column, value) in first.values.iter().enumerate() {
            let mut set = vec![(&first.key, value)];
            set.extend(second.map(|second| (&second.key, &second.values[row])));
            let label = set.iter().map(|(key, value)| format!("{} {value}", key.replace('_', " ")));
            let label = label.collect::<Vec<_>>().join("   ");
            cells.push(Cell { row, column, label, job: job(&given, &set)? });
        }
    }
    Ok(cells)
}

/// The job with some settings set to values that are given as text.
fn job(given: &Overrides, set: &[(&String, &String)]) -> Result<PaintJob, SweepError> {
    let given = Overrides { output: given.output.clone().or_else(|| Some(default_output(given))), ..given.clone() };
    let toml = given.to_toml().map_err(JobError::from)?;
    let mut table: toml::Table = toml.parse().unwrap_or_default();
    let known: toml::Table =
        Overrides::from(&given.settings()).to_toml().map_err(JobError::from)?.parse().unwrap_or_default();
    for (key, value) in set {
        let optional = ["size", "scales", "strength", "threads"].contains(&key.as_str());
        if !optional && !known.contains_key(key.as_str()) {
            return Err(SweepError::Setting((*key).clone()));
        }
        let parsed = format!("v = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
        table.insert((*key).clone(), parsed.unwrap_or_else(|| toml::Value::String((*value).clone())));
    }
    let text = toml::to_string(&table).map_err(|error| SweepError::Draw(error.to_string()))?;
    let overrides = Overrides::from_toml(&text, Path::new("--sweep")).map_err(JobError::from)?;
    let job = PaintJob::new(overrides).map_err(JobError::from)?;
    job.settings.check().map_err(JobError::from)?;
    Ok(job)
}

fn default_output(given: &Overrides) -> PathBuf {
    let stem = given.content.as_deref().and_then(Path::file_stem).unwrap_or_default();
    impasto_files::names::fitted(stem, "-sweep.png").into()
}

/// Draws the paintings side by side, each under its label.
fn write(painted: &[(usize, usize, String, Picture)], output: &Path, settings: Option<&str>) -> Result<(), SweepError> {
    let most = |side: fn(&(usize, usize, String, Picture)) -> usize| painted.iter().map(side).max().unwrap_or(0);
    let (height, width) = (most(|p| p.3.height()), most(|p| p.3.width()).max(200));
    let (rows, columns) = (most(|p| p.0) + 1, most(|p| p.1) + 1);
    let (sheet_height, sheet_width) = (rows * (height + LABEL + GAP) + GAP, columns * (width + GAP) + GAP);
    let mut rgb = vec![255u8; 3 * sheet_height * sheet_width];
    let corner = |row: usize, column: usize| (GAP + row * (height + LABEL + GAP), GAP + column * (width + GAP));
    for (row, column, _, picture) in painted {
        let (top, left) = corner(*row, *column);
        for (y, line) in picture.to_rgb8().chunks_exact(3 * picture.width()).enumerate() {
            let from = 3 * ((top + LABEL + y) * sheet_width + left);
            rgb[from..from + line.len()].copy_from_slice(line);
        }
    }
    {
        register_fonts();
        let told = |error: String| SweepError::Draw(error);
        let size = (sheet_width as u32, sheet_height as u32);
        let area = BitMapBackend::with_buffer(&mut rgb, size).into_drawing_area();
        for (row, column, label, _) in painted {
            let (top, left) = corner(*row, *column);
            let place = (left as i32 + 2, top as i32 + 2);
            let text = Text::new(label.clone(), place, ("sans-serif", 16));
            area.draw(&text).map_err(|error| told(error.to_string()))?;
        }
        area.present().map_err(|error| told(error.to_string()))?;
    }
    let sheet = Picture::from_rgb8(sheet_height, sheet_width, &rgb);
    sheet.write(output, settings).map_err(|error: WriteError| JobError::from(error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Overrides {
        Overrides { content: Some("cat.png".into()), style: vec!["night.png".parse().unwrap()], ..Overrides::default() }
    }

    #[test]
    fn every_pair_of_values_is_a_job_of_its_own() {
        let axes: Vec<Axis> = ["strength=0.2,0.8", "--optimizer=adam,lbfgs"].map(|text| text.parse().unwrap()).into();
        let cells = cells(&given(), &axes).unwrap();
        let strengths: Vec<_> = cells.iter().map(|cell| cell.job.settings.strength.unwrap()).collect();
        assert_eq!(strengths, [0.2, 0.8, 0.2, 0.8]);
        assert_eq!(cells[2].label, "strength 0.2   optimizer lbfgs");
        assert_eq!((cells[2].row, cells[2].column), (1, 0));
        assert_eq!(cells[0].job.settings.size, Some(SIZE));
        assert_eq!(cells[0].job.output, Path::new("cat-sweep.png"));
    }

    #[test]
    fn what_cannot_be_swept_is_told() {
        let sentence = |axes: &[&str]| {
            let axes: Result<Vec<Axis>, _> = axes.iter().map(|text| text.parse()).collect();
            axes.and_then(|axes| cells(&given(), &axes)).err().unwrap().to_string()
        };
        assert!(sentence(&["strength"]).contains("`strength` is no sweep"));
        assert!(sentence(&["strength=0.2,"]).contains("is no sweep"));
        assert!(sentence(&["style_wieght=3"]).contains("`style_wieght` cannot be swept"));
        assert!(sentence(&["output=a,b"]).contains("`output` cannot be swept"));
        assert!(sentence(&["strength=2"]).contains("the strength is 2"));
        assert!(sentence(&["size=9", "size=8"]).contains("one axis or two"));
    }
}

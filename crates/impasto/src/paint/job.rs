//! A painting from files to a file.

use std::path::{Path, PathBuf};

use super::{PaintError, Painting, Scene, paint};
use crate::curve::{self, CurveFormat};
use crate::network::{NetworkError, network};
use crate::picture::{KeptOfInput, Picture, PictureFile, PictureFormat, PictureOutput, ReadError, WriteError};
use crate::progress::{Event, Flow, Observer};
use crate::settings::{Init, Overrides, Settings, SettingsError, StyleFile};

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[allow(missing_docs, reason = "each is described where it is made")]
pub enum JobError {
    Settings(#[from] SettingsError),
    Read(#[from] ReadError),
    Write(#[from] WriteError),
    Network(#[from] NetworkError),
    Paint(#[from] PaintError),
    /// The output would take the place of an input.
    #[error("`{}` is also an input: choose another name for the output", .0.display())]
    OverInput(PathBuf),
    /// The picture was painted, but could not be written where it should.
    #[error("{error}; the picture is kept in `{}`", kept.display())]
    Kept {
        /// Why not there.
        error: WriteError,
        /// Where it is instead.
        kept: PathBuf,
    },
}

/// What to paint, how, and where to put it.
#[derive(Clone, Debug, PartialEq)]
pub struct PaintJob {
    /// The photograph.
    pub content: PathBuf,
    /// The paintings, and each one's share.
    pub styles: Vec<StyleFile>,
    /// The file to write; its ending tells the format.
    pub output: PathBuf,
    /// Where to draw the losses, if anywhere: `.svg`, `.png` or `.csv`.
    pub curve: Option<PathBuf>,
    /// What the file keeps of the photograph's.
    pub kept: KeptOfInput,
    /// How.
    pub settings: Settings,
}

impl PaintJob {
    /// The job that is given, the rest from the preset. Without an output it is named after content and style, in the
    /// folder that the program runs in.
    ///
    /// # Errors
    /// If there is no content or no style.
    pub fn new(given: Overrides) -> Result<Self, SettingsError> {
        let settings = given.settings();
        let content = given.content.ok_or(SettingsError::Unnamed("content picture"))?;
        let first = given.style.first().ok_or(SettingsError::Unnamed("style picture"))?;
        let output = given.output.unwrap_or_else(|| {
            let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            format!("{}-{}.png", stem(&content), stem(&first.path)).into()
        });
        let kept = KeptOfInput {
            depth: given.depth,
            metadata: given.keep_metadata.unwrap_or(false),
            gps: given.keep_gps.unwrap_or(false),
        };
        Ok(Self { content, styles: given.style, output, curve: given.curve, kept, settings })
    }

    /// The job as settings that make it again.
    pub fn to_overrides(&self) -> Overrides {
        Overrides {
            content: Some(self.content.clone()),
            style: self.styles.clone(),
            output: Some(self.output.clone()),
            curve: self.curve.clone(),
            depth: self.kept.depth,
            keep_metadata: self.kept.metadata.then_some(true),
            keep_gps: self.kept.gps.then_some(true),
            ..Overrides::from(&self.settings)
        }
    }

    /// Checks settings and files, paints, writes the picture and the curve.
    ///
    /// # Errors
    /// Everything that can be known is found before the first step. Once a picture is painted it is not lost: where
    /// it cannot be written to its place, it goes into the folder for temporary files.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<Painting, JobError> {
        self.settings.check()?;
        self.to_overrides().to_toml()?;
        self.check_outputs()?;
        let (scene, mut output) = self.read()?;
        output.settings = Some(self.to_overrides().to_toml()?);
        let network = network(&self.settings.network)?;
        let mut saver = Saver { job: self, observer };
        let painting = paint(&scene, &self.settings, network, &mut saver)?;
        self.save(&painting, &output, observer)?;
        if let Some(path) = &self.curve {
            curve::write(&painting.history, path)?;
        }
        Ok(painting)
    }

    fn check_outputs(&self) -> Result<(), JobError> {
        Picture::check_writable(&self.output)?;
        self.kept.check(PictureFormat::of(&self.output)?)?;
        if let Some(curve) = &self.curve {
            CurveFormat::check_writable(curve)?;
        }
        let inputs = self.styles.iter().map(|style| &style.path).chain([&self.content]);
        let Ok(output) = self.output.canonicalize() else { return Ok(()) };
        for input in inputs {
            if input.canonicalize().is_ok_and(|input| input == output) {
                return Err(JobError::OverInput(self.output.clone()));
            }
        }
        Ok(())
    }

    /// The pictures, and what is written beside the painting.
    fn read(&self) -> Result<(Scene, PictureOutput), JobError> {
        let content = PictureFile::read(&self.content)?;
        let output = self.kept.output(PictureFormat::of(&self.output)?, &content);
        let content = content.picture;
        let style = |style: &StyleFile| Ok((Picture::read(&style.path)?, style.weight));
        let styles = self.styles.iter().map(style).collect::<Result<_, ReadError>>()?;
        let start = match &self.settings.init {
            Init::File(path) => Some(Picture::read(path)?),
            _ => None,
        };
        Ok((Scene { content, styles, start }, output))
    }

    fn save(&self, painting: &Painting, output: &PictureOutput, observer: &mut dyn Observer) -> Result<(), JobError> {
        let (iteration, format) = (painting.history.len(), PictureFormat::of(&self.output)?);
        if painting.picture.alpha().is_some() && !format.holds_alpha() {
            let message = "JPEG cannot hold transparency: the painting lies on white".into();
            observer.event(&Event::Warning { message });
        }
        if let Err(error) = painting.picture.write_with(format, &self.output, output) {
            let kept = std::env::temp_dir().join(format!("impasto-{}.png", std::process::id()));
            return Err(match painting.picture.write_with(PictureFormat::Png, &kept, output) {
                Ok(()) => JobError::Kept { error, kept },
                Err(_) => JobError::Write(error),
            });
        }
        observer.event(&Event::Saved { iteration, path: self.output.clone() });
        Ok(())
    }

    /// `out.png` after 50 of 1000 iterations: `out-0050.png`.
    fn snapshot_path(&self, iteration: usize) -> PathBuf {
        let digits = self.settings.iterations.to_string().len();
        let stem = self.output.file_stem().unwrap_or_default().to_string_lossy();
        let ending = self.output.extension().unwrap_or_default().to_string_lossy();
        self.output.with_file_name(format!("{stem}-{iteration:0digits$}.{ending}"))
    }
}

/// Writes the pictures on the way; a failure of that is told, and does not stop the run.
struct Saver<'a> {
    job: &'a PaintJob,
    observer: &'a mut dyn Observer,
}

impl Observer for Saver<'_> {
    fn event(&mut self, event: &Event) -> Flow {
        self.observer.event(event)
    }

    fn picture(&mut self, iteration: usize, picture: &Picture) {
        let path = self.job.snapshot_path(iteration);
        let event = match picture.write(&path, None) {
            Ok(()) => Event::Saved { iteration, path },
            Err(error) => Event::Warning { message: error.to_string() },
        };
        self.observer.event(&event);
        self.observer.picture(iteration, picture);
    }
}

//! A painting from files to a file.

use std::path::{Path, PathBuf};

use impasto_files::{Clash, FileError, Lock};

use super::checkpoint::{Keeper, Kept, checkpoint_path};
use super::in_memory::paint_kept;
use super::inputs::{InputHash, InputReader, read_limits};
use super::last_checkpoint::Writing;
use super::pyramid::scales;
use super::run::{Keeping, Ran};
use super::{CheckpointError, MaskError, Masks, PaintError, PaintEvent, PaintPlan, Painting, Scene, plan};
use crate::curve::{self, CurveFormat};
use crate::job::{Context, End, Job, Stopped};
use crate::network::{NetworkError, network};
use crate::own_runs;
use crate::picture::{KeptOfInput, Picture, PictureFile, PictureFormat, PictureOutput, ReadError, WriteError};
use crate::recorded::{Finder, MissingFiles, first_other};
use crate::settings::{Init, Overrides, Settings, SettingsError, StyleFile, in_range};

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error(transparent)]
#[allow(missing_docs, reason = "each is described where it is made")]
pub enum JobError {
    Settings(#[from] SettingsError),
    Read(#[from] ReadError),
    Write(#[from] WriteError),
    Network(#[from] NetworkError),
    Paint(#[from] PaintError),
    Checkpoint(#[from] CheckpointError),
    Mask(#[from] MaskError),
    /// A file would be written over another.
    Clash(#[from] Clash),
    /// A file cannot be written where it should.
    File(#[from] FileError),
    /// Where a snapshot would be written lies something else.
    #[error(
        "`{}` is in the way of a snapshot (`--save-every`), and nothing in it says that impasto painted it: move it, or \
         choose another name with `-o`",
        .0.display()
    )]
    ForeignSnapshot(PathBuf),
    MissingFiles(#[from] MissingFiles),
    Stopped(#[from] Stopped),
    /// A checkpoint from elsewhere would write over a file.
    #[error("`{}` is there already: say where to write with `-o`", .0.display())]
    OutputExists(PathBuf),
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
    /// Where each style counts, in the order of the styles; [`NO_MASK`](super::NO_MASK) for everywhere.
    pub masks: Vec<PathBuf>,
    /// What stays as it is in the photograph.
    pub protect: Option<PathBuf>,
    /// The file to write; its ending tells the format.
    pub output: PathBuf,
    /// Where to draw the losses, if anywhere: `.svg`, `.png` or `.csv`.
    pub curve: Option<PathBuf>,
    /// What the file keeps of the photograph's.
    pub kept: KeptOfInput,
    /// Where the run is kept while it is not finished, beside the output unless told otherwise.
    pub checkpoint: PathBuf,
    /// The seconds between two checkpoints, at least; 0 for none.
    pub checkpoint_every: f64,
    /// Whether to resume from the checkpoint.
    pub resume: bool,
    /// Whether the picture holds the settings that make it again.
    pub embed_settings: bool,
    /// Files that the settings were read from, which the job must not overwrite. Empty unless the caller says so.
    pub settings_files: Vec<PathBuf>,
    /// How.
    pub settings: Settings,
}

/// What a job reads.
struct Inputs {
    scene: Scene,
    output: PictureOutput,
    hashes: Vec<InputHash>,
}

/// Settings that a resumed painting may change: they change nothing in it. Files are compared by
/// what is in them.
const FREE: [&str; 15] = [
    "depth",
    "keep_metadata",
    "keep_gps",
    "no_settings",
    "content",
    "style",
    "output",
    "curve",
    "checkpoint",
    "checkpoint_every",
    "threads",
    "max_pixels",
    "save_every",
    "mask",
    "protect",
];

/// The seconds between two checkpoints.
const CHECKPOINT_EVERY: f64 = 30.0;

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
        let output = given.output.unwrap_or_else(|| Self::default_output(&content, &first.path));
        let kept = KeptOfInput {
            depth: given.depth,
            metadata: given.keep_metadata.unwrap_or(false),
            gps: given.keep_gps.unwrap_or(false),
        };
        let checkpoint = given.checkpoint.unwrap_or_else(|| checkpoint_path(&output));
        let checkpoint_every = given.checkpoint_every.unwrap_or(CHECKPOINT_EVERY);
        let (styles, curve) = (given.style, given.curve);
        let (masks, protect) = (given.mask, given.protect);
        Ok(Self {
            content,
            styles,
            masks,
            protect,
            output,
            curve,
            checkpoint,
            checkpoint_every,
            resume: false,
            kept,
            embed_settings: !given.no_settings.unwrap_or(false),
            settings_files: Vec::new(),
            settings,
        })
    }

    /// The job of a checkpoint, to be resumed. What is given must be as it was; the places of files, and what
    /// changes nothing in the picture, may be others.
    ///
    /// # Errors
    /// If there is no checkpoint, or it was made with other settings.
    pub fn resume(path: &Path, given: Overrides) -> Result<Self, JobError> {
        let kept = Kept::read(path)?;
        let run = kept.run().to_owned();
        let made = kept.settings;
        refuse_other_settings(path, &given, &made)?;
        let made = with_paths(path, &run, &given, made)?;
        let given = Overrides { checkpoint: Some(path.into()), ..given };
        Ok(Self { resume: true, ..Self::new(given.over(made))? })
    }

    /// The job as settings that make it again.
    pub fn to_overrides(&self) -> Overrides {
        Overrides {
            content: Some(self.content.clone()),
            style: self.styles.clone(),
            mask: self.masks.clone(),
            protect: self.protect.clone(),
            output: Some(self.output.clone()),
            curve: self.curve.clone(),
            depth: self.kept.depth,
            keep_metadata: self.kept.metadata.then_some(true),
            keep_gps: self.kept.gps.then_some(true),
            no_settings: (!self.embed_settings).then_some(true),
            checkpoint: Some(self.checkpoint.clone()).filter(|path| *path != checkpoint_path(&self.output)),
            checkpoint_every: Some(self.checkpoint_every).filter(|seconds| *seconds != CHECKPOINT_EVERY),
            ..Overrides::from(&self.settings)
        }
    }

    /// Paints from the start, or from the checkpoint, until it is done or its memory is wanted.
    fn attempt(&self, context: &Context<'_>) -> Result<Option<Painting>, JobError> {
        let format = PictureFormat::of(&self.output)?;
        let job = self.clone();
        let Inputs { scene, mut output, hashes } = context.abandonable(move || job.inputs(format))??;
        output.settings = self.embedded()?;
        let (keeping, _lock) = self.keeping(hashes)?;
        let sizes = scales(scene.working_size(self.settings.size), &self.settings);
        self.check_snapshots(sizes.iter().map(|scale| scale.iterations).sum())?;
        let name = self.settings.network.clone();
        let network = context.abandonable(move || network(&name))??;
        let save_snapshot =
            |iteration, picture: &Picture| self.save_snapshot(iteration, picture, output.settings.as_deref(), context);
        let keeping = Keeping { save_snapshot: Some(&save_snapshot), ..keeping };
        let ran = paint_kept(scene, &self.settings, network, keeping, context).inspect_err(|_| {
            if !self.resume && self.checkpoint_every > 0.0 {
                // No step was made, so there is nothing to resume.
                let _ = impasto_files::remove(&self.checkpoint);
            }
        })?;
        let Ran::Painted(painting, checkpoint) = ran else { return Ok(None) };
        self.save(&painting, &output, context)?;
        if let Some(event) = checkpoint.and_then(Writing::end) {
            context.tell(event);
        }
        context.tell(PaintEvent::Saved { iteration: painting.history.len(), path: self.output.clone() });
        if let Some(path) = &self.curve {
            curve::write(&painting.history, &painting.begun, path)?;
        }
        if painting.end != End::Stopped && self.checkpoint_every > 0.0 {
            // All that was painted is on the disk; a checkpoint that stays behind only asks to be removed.
            let _ = impasto_files::remove(&self.checkpoint);
        }
        Ok(Some(painting))
    }

    /// All that is read, and what the picture's file keeps of the photograph's.
    fn inputs(&self, format: PictureFormat) -> Result<Inputs, JobError> {
        let mut inputs = InputReader::new(read_limits(&self.settings));
        let file = inputs.file(&self.content)?;
        let output = self.kept.output(format, &file);
        let PictureFile { picture, .. } = file;
        let scene = self.scene(picture, &mut inputs)?;
        Ok(Inputs { scene, output, hashes: inputs.into_hashes() })
    }

    /// Writes the picture on its way; a failure of that is told, and does not stop the run. The settings in it tell a
    /// later run that the file is a snapshot.
    fn save_snapshot(&self, iteration: usize, picture: &Picture, settings: Option<&str>, context: &Context<'_>) {
        let path = self.snapshot_path(iteration);
        context.tell(match picture.write(&path, settings) {
            Ok(()) => PaintEvent::Saved { iteration, path },
            Err(error) => PaintEvent::Warning { message: error.to_string() },
        });
    }

    /// Checks settings and files, and plans what [`run`](Job::run) will take; nothing is written.
    ///
    /// # Errors
    /// As [`run`](Job::run) before its first step.
    pub fn plan(&self) -> Result<PaintPlan, JobError> {
        self.settings.check()?;
        let scene = self.read(&mut InputReader::new(read_limits(&self.settings)))?;
        Ok(plan(&scene, &self.settings, network(&self.settings.network)?)?)
    }

    /// What the run is kept in, what was kept of it, and the lock of that. A painting that was not finished is not thrown
    /// away.
    fn keeping(&self, inputs: Vec<InputHash>) -> Result<(Keeping<'_>, Option<Lock>), JobError> {
        let seconds = self.checkpoint_every;
        in_range("the time between checkpoints", seconds, seconds.is_finite() && seconds >= 0.0, "at least 0 seconds")?;
        if seconds == 0.0 && !self.resume {
            return Ok(Default::default());
        }
        let lock = if seconds > 0.0 {
            impasto_files::check(&self.checkpoint)?;
            Some(Lock::of(&self.checkpoint).map_err(CheckpointError::from)?)
        } else {
            None
        };
        let kept = self.resume.then(|| Kept::read(&self.checkpoint)).transpose()?;
        if !self.resume && self.checkpoint.exists() {
            let (iteration, iterations) = Kept::read(&self.checkpoint)?.iterations();
            return Err(CheckpointError::Unfinished { path: self.checkpoint.clone(), iteration, iterations }.into());
        }
        if let Some(kept) = &kept {
            kept.check_inputs(&inputs)?;
        }
        let hashes = inputs.into_iter().map(|(_, hash)| hash).collect();
        let settings = self.to_overrides().with_file_names().to_toml()?;
        let paths = self.to_overrides().absolute_paths().to_toml()?;
        let keeper = (seconds > 0.0).then(|| {
            let run = own_runs::remember(&paths, &self.checkpoint);
            Keeper::new(self.checkpoint.clone(), seconds, settings, hashes).of_run(run)
        });
        Ok((Keeping { keeper, kept, save_snapshot: None }, lock))
    }

    /// What the picture holds of its settings: files by their names alone.
    fn embedded(&self) -> Result<Option<String>, SettingsError> {
        self.embed_settings.then(|| self.to_overrides().with_file_names().to_toml()).transpose()
    }

    pub(super) fn check_outputs(&self) -> Result<(), JobError> {
        Picture::check_writable(&self.output)?;
        self.kept.check(PictureFormat::of(&self.output)?)?;
        if let Some(curve) = &self.curve {
            CurveFormat::check_writable(curve)?;
        }
        self.places()?;
        Ok(())
    }

    pub(super) fn read(&self, inputs: &mut InputReader) -> Result<Scene, JobError> {
        inputs.begin(read_limits(&self.settings));
        let content = inputs.picture(&self.content)?;
        self.scene(content, inputs)
    }

    /// The content with all that is read beside it. The order of reading is that of the hashes in a checkpoint.
    fn scene(&self, content: Picture, inputs: &mut InputReader) -> Result<Scene, JobError> {
        let style = |style: &StyleFile| Ok((inputs.picture(&style.path)?, style.weight));
        let styles = self.styles.iter().map(style).collect::<Result<_, ReadError>>()?;
        let start = match &self.settings.init {
            Init::File(path) => Some(inputs.picture(path)?),
            _ => None,
        };
        inputs.add_network(&self.settings.network);
        let read = &mut |path: &Path| inputs.picture(path);
        let masks = Masks::read_with(&self.masks, self.styles.len(), self.protect.as_deref(), read)?;
        Ok(Scene { content, styles, start, masks })
    }

    fn save(&self, painting: &Painting, output: &PictureOutput, context: &Context<'_>) -> Result<(), JobError> {
        let format = PictureFormat::of(&self.output)?;
        if let Some(message) = format.loss(&painting.picture) {
            context.tell(PaintEvent::Warning { message: message.into() });
        }
        if let Err(error) = painting.picture.write_with(format, &self.output, output) {
            return Err(match painting.picture.write_to_temporary_folder(output) {
                Ok(kept) => JobError::Kept { error, kept },
                Err(_) => JobError::Write(error),
            });
        }
        Ok(())
    }
}

impl Job for PaintJob {
    type Output = Painting;
    type Error = JobError;

    /// Checks settings and files, paints, writes the picture and the curve.
    ///
    /// # Errors
    /// Everything that can be known is found before the first step. Once a picture is painted it is not lost: where
    /// it cannot be written to its place, it goes into the folder for temporary files. A job that is stopped before its
    /// first step leaves nothing; later, the picture as it stands, and a checkpoint.
    fn run(&self, context: &Context<'_>) -> Result<Painting, JobError> {
        self.settings.check()?;
        self.to_overrides().to_toml()?;
        self.check_outputs()?;
        let mut painted = self.attempt(context)?;
        loop {
            if let Some(painting) = painted {
                return Ok(painting);
            }
            // Its memory was wanted; all of it is in the checkpoint.
            context.control().wait()?;
            painted = Self { resume: true, ..self.clone() }.attempt(context)?;
        }
    }
}

/// What a checkpoint was made with, with the paths that are kept for it on this machine; else with files beside it.
fn with_paths(path: &Path, run: &str, given: &Overrides, made: Overrides) -> Result<Overrides, JobError> {
    if let Some(own) = own_runs::recall(run).and_then(|text| Overrides::from_toml(&text, path).ok()) {
        return Ok(own.shown_paths().over(made));
    }
    let mut finder = Finder::new(path);
    let output = made.output.clone().filter(|_| given.output.is_none()).map(|output| finder.place(&output));
    let found = made.found_beside(&mut finder, given);
    finder.check("paint", &format!("--resume {}", path.display()))?;
    if let Some(output) = output.clone().filter(|output| output.exists()) {
        return Err(JobError::OutputExists(output));
    }
    Ok(Overrides { output, curve: None, save_every: None, memory: None, max_pixels: None, ..found })
}

/// Compares all that is given with what a checkpoint was made with; of files, the names.
fn refuse_other_settings(path: &Path, given: &Overrides, made: &Overrides) -> Result<(), JobError> {
    let refuse = |setting: String, was| Err(CheckpointError::OtherSetting { path: path.into(), setting, was }.into());
    let text = |overrides: &Overrides| overrides.clone().with_file_names().to_toml();
    if let Some((setting, was)) = first_other(&text(given)?, &text(made)?, &FREE) {
        return refuse(setting, was);
    }
    let weights = |styles: &[StyleFile]| styles.iter().map(|style| style.weight).collect::<Vec<_>>();
    if !given.style.is_empty() && weights(&given.style) != weights(&made.style) {
        return refuse("style".into(), made.style.iter().map(StyleFile::to_string).collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

//! A training from files to a file.

use std::path::{Path, PathBuf};

use impasto_files::{Lock, Places};
use impasto_nn::kernels::StyleNetShape;

use super::TrainError;
use super::checkpoint::{Checkpoint, beside, checkpoint_path};
use super::settings::TrainOverrides;
use super::settings::TrainSettings;
use super::values::{TrainFrom, TrainStyle};
use crate::curve::CurveFormat;
use crate::own_runs;
use crate::picture::{Picture, PictureFormat, settings_of};
use crate::recorded::{Finder, first_other};
use crate::settings::SettingsError;

/// Settings that a resumed run may change: they end it sooner or later, or change nothing in it.
const FREE: [&str; 14] = [
    "style",
    "photos",
    "styles",
    "output",
    "from",
    "preview",
    "curve",
    "name",
    "author",
    "license",
    "steps",
    "minutes",
    "threads",
    "max_pixels",
];

/// What the preview and the curve are called, behind the name of the model.
const PREVIEW: &str = "preview.jpg";
const CURVE: &str = "curve.png";

/// The style of a network of any style that has no other of its own.
const MEAN_STYLE: &str = "mean";

/// What to learn, from what, how, and where to put it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainJob {
    /// The paintings; each becomes a style of the network.
    pub styles: Vec<TrainStyle>,
    /// Folders with photographs; none for those inside the program.
    pub photos: Vec<PathBuf>,
    /// Folders with paintings, for a network of any style.
    pub style_folders: Vec<PathBuf>,
    /// The model to write. The checkpoint lies beside it, see [`checkpoint_path`].
    pub output: PathBuf,
    /// What to start from.
    pub from: TrainFrom,
    /// Whether to resume from the checkpoint.
    pub resume: bool,
    /// Where to show what the network makes of photographs.
    pub preview: PathBuf,
    /// Where to draw the losses: `.svg`, `.png` or `.csv`.
    pub curve: PathBuf,
    /// What the model is called.
    pub name: String,
    /// Who made it.
    pub author: Option<String>,
    /// The terms that it comes under.
    pub license: Option<String>,
    /// Files that the settings were read from, which the job must not overwrite. Empty unless the caller says so.
    pub settings_files: Vec<PathBuf>,
    /// How.
    pub settings: TrainSettings,
}

impl TrainJob {
    /// The job that is given, the rest by default: the preview and the curve lie beside the model.
    ///
    /// # Errors
    /// If there is no style or no output.
    pub fn new(given: TrainOverrides) -> Result<Self, SettingsError> {
        let settings = given.settings();
        match (settings.any, given.style.is_empty(), given.styles.is_empty()) {
            (false, true, _) => return Err(SettingsError::Unnamed("style picture (`--style`)")),
            (true, _, true) => return Err(SettingsError::Unnamed("folder of paintings (`--styles`)")),
            (false, _, false) => return Err(SettingsError::Needs { setting: "--styles", needed: "`--any`" }),
            (false, false, true) | (true, _, false) => {}
        }
        let output = given.output.ok_or(SettingsError::Unnamed("model to write (`-o`)"))?;
        let stem = || output.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            preview: given.preview.unwrap_or_else(|| beside(&output, PREVIEW)),
            curve: given.curve.unwrap_or_else(|| beside(&output, CURVE)),
            name: given.name.unwrap_or_else(stem),
            styles: given.style,
            photos: given.photos,
            style_folders: given.styles,
            from: given.from.unwrap_or_else(|| default_start(&settings)),
            resume: false,
            author: given.author,
            license: given.license,
            settings_files: Vec::new(),
            settings,
            output,
        })
    }

    /// The job of the checkpoint that lies beside the output, to be resumed. What is given must be as it was;
    /// steps, minutes, threads and the places of files may be others.
    ///
    /// # Errors
    /// If there is no checkpoint, or it was made with other settings.
    pub fn resume(given: TrainOverrides) -> Result<Self, TrainError> {
        let output = given.output.clone().ok_or(SettingsError::Unnamed("model to write (`-o`)"))?;
        let path = checkpoint_path(&output);
        let checkpoint = Checkpoint::read(&path)?;
        let run = checkpoint.run().to_owned();
        let made = checkpoint.settings;
        refuse_other_settings(&path, &given, &made)?;
        let mut made = with_paths(&path, &run, &given, made)?;
        // What lay beside the model goes with it where it was moved.
        let beside_it = |what: &str| made.output.as_deref().map(|output| beside(output, what));
        let (preview, curve) = (beside_it(PREVIEW), beside_it(CURVE));
        made.preview = made.preview.filter(|path| Some(path) != preview.as_ref());
        made.curve = made.curve.filter(|path| Some(path) != curve.as_ref());
        // Whether a run started afresh stays as it was.
        let from = made.from.clone();
        let job = Self::new(given.over(made))?;
        Ok(Self { resume: true, from: from.unwrap_or(TrainFrom::Nothing), ..job })
    }

    /// The names of the styles that the network holds.
    pub(super) fn style_names(&self) -> Vec<String> {
        if self.settings.any && self.styles.is_empty() {
            return vec![MEAN_STYLE.into()];
        }
        self.styles.iter().map(|style| style.name.clone()).collect()
    }

    /// Keeps the paths of the run on this machine: the checkpoint has file names only.
    pub(super) fn remember_paths(&self) -> String {
        let paths = self.to_overrides().absolute_paths().to_toml().ok();
        paths.and_then(|paths| own_runs::remember(&paths, &checkpoint_path(&self.output))).unwrap_or_default()
    }

    /// The job as settings that make it again.
    pub fn to_overrides(&self) -> TrainOverrides {
        TrainOverrides {
            style: self.styles.clone(),
            photos: self.photos.clone(),
            styles: self.style_folders.clone(),
            output: Some(self.output.clone()),
            from: Some(self.from.clone()),
            preview: Some(self.preview.clone()),
            curve: Some(self.curve.clone()),
            name: Some(self.name.clone()),
            author: self.author.clone(),
            license: self.license.clone(),
            ..TrainOverrides::from(&self.settings)
        }
    }

    /// Checks the settings, and that everything can be written where it should.
    pub(super) fn check(&self) -> Result<(), TrainError> {
        self.settings.check()?;
        self.settings.style_shares.turns(&self.styles)?;
        self.to_overrides().to_toml()?;
        for (i, style) in self.styles.iter().enumerate() {
            if self.styles[..i].iter().any(|other| other.name == style.name) {
                return Err(TrainError::StyleTwice(style.name.clone()));
            }
        }
        if self.output.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("safetensors")) {
            return Err(TrainError::Ending(self.output.clone()));
        }
        impasto_files::check(&self.output)?;
        Picture::check_writable(&self.preview)?;
        CurveFormat::check_writable(&self.curve)?;
        self.check_places()
    }

    /// No output takes the place of an input or of another output.
    fn check_places(&self) -> Result<(), TrainError> {
        let mut places = Places::default();
        for style in &self.styles {
            places.input("the painting (`--style`)", &style.path)?;
        }
        if let Some(from) = self.from.path() {
            places.input("the model (`--from`)", from)?;
        }
        let network = Path::new(&self.settings.network);
        if network.is_file() {
            places.input("the network (`--network`)", network)?;
        }
        for file in &self.settings_files {
            places.input("the file that the settings are read from,", file)?;
        }
        for (path, label) in [(&self.preview, "the preview (`--preview`)"), (&self.curve, "the curve (`--curve`)")] {
            if self.photos.iter().any(|folder| is_photograph_in(path, folder)) {
                places.input("the photograph", path)?;
            }
            places.output(label, path)?;
        }
        places.output("the model (`-o`)", &self.output)?;
        places.output("the checkpoint", &checkpoint_path(&self.output))?;
        Ok(())
    }

    /// Keeps the checkpoint for this run, as long as the lock lives.
    ///
    /// # Errors
    /// If another run has it, or there is something that must not be lost: a run that is not finished, or anything that
    /// is not a checkpoint of a training.
    pub(super) fn lock_checkpoint(&self) -> Result<Lock, TrainError> {
        let path = checkpoint_path(&self.output);
        impasto_files::check(&path)?;
        let lock = Lock::of(&path)?;
        if self.resume || path.symlink_metadata().is_err() {
            return Ok(lock);
        }
        match Checkpoint::read(&path) {
            Ok(checkpoint) if !checkpoint.finished() => {
                let steps = checkpoint.settings.settings().steps;
                Err(TrainError::Unfinished { step: checkpoint.step(), path, steps })
            }
            Ok(_) | Err(TrainError::NoCheckpoint(_)) => Ok(lock),
            Err(error) => Err(TrainError::Occupied { path, error: error.into() }),
        }
    }
}

/// The network of any style inside the program, where it is of the width and depth that are wanted.
fn default_start(settings: &TrainSettings) -> TrainFrom {
    let StyleNetShape { width, residual_blocks, .. } = StyleNetShape::JOHNSON;
    let same = (settings.width, settings.residual_blocks) == (width, residual_blocks);
    if same { TrainFrom::Any } else { TrainFrom::Nothing }
}

/// Whether there is a picture in a folder, at any depth, which is not what an earlier run left there.
fn is_photograph_in(path: &Path, folder: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let inside = real(path).zip(real(folder)).is_some_and(|(path, folder)| path.starts_with(folder));
    inside && PictureFormat::of(path).is_ok() && settings_of(path).is_none()
}

/// What a checkpoint was made with, with the paths that are kept for it on this machine; else with files beside it.
fn with_paths(
    path: &Path,
    run: &str,
    given: &TrainOverrides,
    made: TrainOverrides,
) -> Result<TrainOverrides, TrainError> {
    if let Some(own) = own_runs::recall(run).and_then(|text| TrainOverrides::from_toml(&text, path).ok()) {
        return Ok(own.shown_paths().over(made));
    }
    let mut finder = Finder::new(path);
    let found = made.found_beside(&mut finder, given);
    let output = given.output.as_deref().unwrap_or(Path::new("MODEL"));
    finder.check("train", &format!("-o {} --resume", output.display()))?;
    Ok(found)
}

/// Compares all that is given with what a checkpoint was made with; of files, the names.
fn refuse_other_settings(path: &Path, given: &TrainOverrides, made: &TrainOverrides) -> Result<(), TrainError> {
    let refuse = |setting: String, was| Err(TrainError::OtherSetting { path: path.into(), setting, was });
    let text = |overrides: &TrainOverrides| overrides.clone().with_file_names().to_toml();
    if let Some((setting, was)) = first_other(&text(given)?, &text(made)?, &FREE) {
        return refuse(setting, was);
    }
    let names = |styles: &[TrainStyle]| styles.iter().map(|s| format!("{}:{}", s.name, s.weight)).collect::<Vec<_>>();
    if !given.style.is_empty() && names(&given.style) != names(&made.style) {
        return refuse("style".into(), names(&made.style).join(", "));
    }
    Ok(())
}

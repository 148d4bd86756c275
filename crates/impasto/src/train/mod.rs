//! Training: Johnson et al. 2016. A network learns to paint any photograph like a painting, or like several of them.
//!
//! What the network paints is held against the photograph and the painting by the very losses of
//! [`paint`](crate::paint()); a step of Muon or Adam follows the mean gradient of a batch. Samples take the styles in turn.
//!
//! ```no_run
//! use impasto::job::{Context, Event, Job};
//! use impasto::train::{TrainJob, TrainOverrides, TrainSettings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = TrainSettings { minutes: Some(30.0), ..TrainSettings::default() };
//! let job = TrainJob::new(TrainOverrides {
//!     style: vec!["night=starry-night.jpg".parse()?],
//!     photos: vec!["photos".into()],
//!     output: Some("night.safetensors".into()),
//!     ..TrainOverrides::from(&settings)
//! })?;
//! let sink = |event: &Event| println!("{event:?}");
//! let trained = job.run(&Context::new(&sink))?;
//! println!("a loss of {:.3e} on photographs not trained on", trained.losses.loss);
//! # Ok(())
//! # }
//! ```

mod any_styles;
mod checkpoint;
mod error;
mod events;
mod job;
mod learner;
mod muon;
mod pace;
mod paths;
mod photos;
mod probe;
mod run;
mod samples;
mod schedule;
mod settings;
mod shares;
mod start;
mod validation;
mod values;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use impasto_nn::backend::Backend;
use impasto_nn::kernels::StyleNetShape;
use impasto_nn::style_model::{ModelCard, StyleCard, StyleDtype, StyleModel};
use sha2::{Digest, Sha256};

pub use checkpoint::checkpoint_path;
pub use error::TrainError;
pub use events::{Skipped, StyleLosses, TrainEvent};
pub use job::TrainJob;
pub use photos::{ReportPhotos, report_photos};
#[doc(hidden)]
pub use probe::probe;
pub use settings::{TrainOverrides, TrainSettings};
pub use shares::StyleShares;
pub use values::{Every, Schedule, TrainFrom, TrainOptimizer, TrainStyle};

use crate::bytes::hexadecimal;
use crate::curve;
use crate::device;
use crate::job::{Context, End, Interruption, Job, OnRelease};
use crate::network::network;
use crate::objective::Losses;
use crate::picture::{Picture, PictureFormat, ReadLimits, load};
use crate::styles::{self, StylePictureError, StyleReader};
use any_styles::PaintingFiles;
use checkpoint::{Checkpoint, State};
use learner::{Learner, StyleSource};
use pace::Pace;
use photos::{Photo, Photos};
use run::{Clock, Run};
use samples::{Reading, Samples};
use shares::{Epochs, Turns};
use validation::{HeldOut, Validation};

/// The longer side of a painting in a model's card, in pixels.
const THUMBNAIL: usize = 128;

/// What a card says of a network whose weights come from those inside the program, with the terms of these.
const STARTED_FROM_ANY: &str =
    "started from impasto's network of any style: see its NOTICES for what that was trained on";

/// Batches of crops that wait to be learnt from.
const BATCHES_AHEAD: usize = 2;

/// What a training leaves.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The best network by validation, as it was written; of a run that was stopped the newest, unless it got worse.
    pub model: StyleModel,
    /// Its losses on the photographs held out; 0 if it was not validated, since the run was stopped.
    pub losses: Losses,
    /// Seconds and losses of every step.
    pub history: Vec<(f64, Losses)>,
    /// Photographs that could not be used.
    pub skipped: Vec<Skipped>,
    /// Why it ended.
    pub end: End,
}

/// The paintings as they are learnt from.
struct Paintings {
    /// Those of the network's own styles, at the style size, with the weight of each.
    own: Vec<(Picture, f64)>,
    /// SHA-256 of each file of these, in hexadecimal.
    hashes: Vec<String>,
    /// Each of these as a small JPEG.
    thumbnails: Vec<Option<Vec<u8>>>,
    /// Those that any style is learnt from.
    any: Option<AnyPaintings>,
}

/// The paintings that any style is learnt from.
struct AnyPaintings {
    files: PaintingFiles,
    /// Those held out, at the style size.
    held_out: Vec<Picture>,
    /// A digest of all names and sizes, in hexadecimal.
    fingerprint: String,
}

impl Job for TrainJob {
    type Output = Trained;
    type Error = TrainError;

    /// Checks settings and files, trains, writes the model and the curve of its losses.
    ///
    /// # Errors
    /// Everything that can be known is found before the first step. Once a network is trained it is not lost: where it
    /// cannot be written to its place, it goes into the folder for temporary files, and it is in the checkpoint as well.
    /// A job that is stopped before its first validation leaves nothing.
    fn run(&self, context: &Context<'_>) -> Result<Trained, TrainError> {
        self.check()?;
        let _lock = self.lock_checkpoint()?;
        let Ready { paintings, photos, shape, learner, validation, skipped, mut state } = Ready::new(self, context)?;
        let settings = &self.settings;
        let ahead = BATCHES_AHEAD * settings.batch;
        let reading = Reading { size: settings.image_size, limits: settings.read_limits() };
        let samples = Samples::start(photos.training.clone(), reading, settings.seed, state.progress.sample, ahead);
        context.tell(started(self, &photos, &validation, &state, shape, &state.backend.name()));
        for skipped in skipped {
            if !state.progress.skipped.contains(&skipped) {
                context.tell(TrainEvent::Skipped(skipped.clone()));
                state.progress.skipped.push(skipped);
            }
        }
        let clock = Clock::new(state.elapsed, context.control());
        let turns = self.turns(&paintings)?;
        state.progress.run = self.remember_paths();
        let settings = self.to_overrides().with_file_names();
        let interruption = Interruption::new(learner.threads(), context.control(), OnRelease::Wait);
        let mut run =
            Run { job: self, settings, learner, samples, turns, validation, state, clock, interruption, context };
        let end = run.run()?;
        let state = run.state;
        finish(self, shape, state, paintings, end, context)
    }
}

/// All that is read and prepared before the first step.
struct Ready {
    paintings: Paintings,
    photos: Photos,
    shape: StyleNetShape,
    learner: Learner,
    validation: Validation,
    /// Photographs held out that cannot be used.
    skipped: Vec<Skipped>,
    state: State,
}

impl TrainJob {
    /// Whose turn it is when.
    fn turns(&self, paintings: &Paintings) -> Result<Turns, TrainError> {
        let own = self.settings.style_shares.turns(&self.styles)?;
        let Some(any) = &paintings.any else { return Ok(own) };
        let (seed, count) = (self.settings.seed, any.files.training.len());
        Ok(own.with_paintings(self.settings.own_share, Epochs { seed, count }))
    }
}

impl Ready {
    fn new(job: &TrainJob, context: &Context<'_>) -> Result<Self, TrainError> {
        let names = job.style_names();
        let (width, residual_blocks) = (job.settings.width, job.settings.residual_blocks);
        let shape = StyleNetShape { width, residual_blocks, styles: names.len(), ..StyleNetShape::JOHNSON };
        let owned = job.clone();
        let (paintings, photos) = context.abandonable(move || {
            let paintings = Paintings::read(&owned)?;
            let photos = Photos::of(&owned.photos, &[&owned.preview, &owned.curve])?;
            Ok::<_, TrainError>((paintings, photos))
        })??;
        let backend = device::backend(job.settings.device, job.settings.threads)?;
        let (owned, found) = (job.clone(), photos.clone());
        let (paintings, learner, validation, skipped, state) = context.abandonable(move || {
            let settings = &owned.settings;
            let mut learner =
                Learner::new(backend.clone(), settings, network(&settings.network)?, shape, paintings.source())?;
            let state = begin(&owned, shape, &names, &found, &paintings, backend, &mut learner)?;
            learner.set_parameters(&state.parameters)?;
            let held_out = paintings.held_out(&owned);
            let (validation, skipped) = Validation::read(&found, &mut learner, held_out, settings)?;
            Ok::<_, TrainError>((paintings, learner, validation, skipped, state))
        })??;
        Ok(Self { paintings, photos, shape, learner, validation, skipped, state })
    }
}

/// The state that the run begins with: the checkpoint's, that of another model, or a new one.
fn begin(
    job: &TrainJob,
    shape: StyleNetShape,
    names: &[String],
    photos: &Photos,
    paintings: &Paintings,
    backend: Arc<dyn Backend>,
    learner: &mut Learner,
) -> Result<State, TrainError> {
    if job.resume {
        let path = checkpoint_path(&job.output);
        let checkpoint = Checkpoint::read(&path)?;
        let was = checkpoint.settings.settings();
        let mut state = checkpoint.state(learner::parameter_count(shape, job.settings.any), backend)?;
        if (was.steps, was.minutes) != (job.settings.steps, job.settings.minutes) {
            state.change_length(&job.settings);
        }
        let other = |setting: &str, was: &str| TrainError::OtherSetting {
            path: path.clone(),
            setting: setting.into(),
            was: was.into(),
        };
        if state.progress.photos != photos.fingerprint {
            return Err(other("photos", "other files are in the folders now"));
        }
        if state.progress.style_hashes != paintings.digests() {
            return Err(other("style", "the file of a painting is another one now"));
        }
        return Ok(state);
    }
    let from = match &job.from {
        TrainFrom::Nothing => None,
        TrainFrom::Any => Some(Cow::Borrowed(styles::any())),
        TrainFrom::Model(path) => Some(Cow::Owned(StyleModel::load(path)?)),
    };
    let mut parameters = match &from {
        Some(model) => {
            let predicted = paintings.predicted_by(model, job)?;
            start::from_model(&job.from, model, shape, names, &predicted)?
        }
        None => start::fresh(shape, job.settings.seed),
    };
    let expected = learner::parameter_count(shape, job.settings.any) - parameters.len();
    let predictor = from.as_ref().and_then(|model| model.predictor.as_ref()).map(|predictor| &predictor.parameters);
    match predictor.filter(|predictor| predictor.len() == expected) {
        Some(predictor) => parameters.extend_from_slice(predictor),
        None => parameters.extend(learner.fresh_predictor(&parameters, job.settings.seed)?),
    }
    let mut state = State::new(parameters, backend);
    state.progress.pace = Pace::of_steps(&job.settings);
    state.progress.photos.clone_from(&photos.fingerprint);
    state.progress.style_hashes = paintings.digests();
    Ok(state)
}

fn started(
    job: &TrainJob,
    photos: &Photos,
    validation: &Validation,
    state: &State,
    shape: StyleNetShape,
    device: &str,
) -> TrainEvent {
    let settings = &job.settings;
    TrainEvent::Started {
        photographs: photos.training.len(),
        held_out: validation.photographs(),
        report: photos.report.len(),
        styles: job.style_names(),
        image_size: settings.image_size,
        batch: settings.batch,
        step: state.progress.step,
        steps: settings.steps,
        minutes: settings.minutes,
        parameters: learner::parameter_count(shape, settings.any),
        network: settings.network.clone(),
        device: device.into(),
    }
}

/// Writes the model and the curve, and tells of them.
fn finish(
    job: &TrainJob,
    shape: StyleNetShape,
    state: State,
    paintings: Paintings,
    end: End,
    context: &Context<'_>,
) -> Result<Trained, TrainError> {
    let losses = state.best_losses().unwrap_or_default();
    let progress = &state.progress;
    let card = card(job, &state, paintings, losses);
    let mut parameters = state.backend.take(state.best);
    let predictor = parameters.split_off(shape.parameter_count());
    let predictor = job.settings.any.then(|| any_styles::finished(shape, predictor));
    if let Some(predictor) = predictor.as_ref().filter(|_| job.styles.is_empty()) {
        shape.set_normalisation(0, &predictor.predict_mean(), &mut parameters);
    }
    let model = StyleModel { shape, parameters, predictor, card };
    context.tell(TrainEvent::Finished {
        step: progress.step,
        elapsed: state.elapsed,
        end: end.clone(),
        best_step: progress.best_step,
        losses,
        skipped: progress.skipped.clone(),
    });
    save(job, &model)?;
    context.tell(TrainEvent::Saved { step: progress.best_step, path: job.output.clone() });
    if !state.history.is_empty() {
        context.tell(match curve::write(&smooth(&state.history), &[], &job.curve) {
            Ok(()) => TrainEvent::Saved { step: progress.step, path: job.curve.clone() },
            Err(error) => TrainEvent::Warning { message: error.to_string() },
        });
    }
    Ok(Trained { model, losses, history: state.history, skipped: state.progress.skipped, end })
}

fn save(job: &TrainJob, model: &StyleModel) -> Result<(), TrainError> {
    let Err(error) = model.save(&job.output, StyleDtype::F32) else { return Ok(()) };
    let kept = model
        .to_bytes(StyleDtype::F32)
        .ok()
        .and_then(|bytes| impasto_files::write_to_temporary_folder("safetensors", |out| out.write_all(&bytes)).ok());
    Err(match kept {
        Some(kept) => TrainError::Kept { error: error.into(), kept },
        None => TrainError::Model(error),
    })
}

/// What should be known about the model. It names no place on this machine.
fn card(job: &TrainJob, state: &State, paintings: Paintings, losses: Losses) -> ModelCard {
    let mut settings = TrainOverrides::from(&job.settings);
    settings.threads = None;
    settings.max_pixels = None;
    settings.network =
        settings.network.map(|name| Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned());
    let weights = job.styles.iter().map(|style| style.weight).collect::<Vec<_>>();
    let training = serde_json::json!({
        "settings": settings,
        "style_weights": weights,
        "photos": state.progress.photos,
        "steps": state.progress.best_step,
        "photographs": state.progress.best_step * job.settings.batch,
        "seconds": state.elapsed.round(),
        "validation": losses,
        "impasto": env!("CARGO_PKG_VERSION"),
    });
    let Paintings { hashes, thumbnails, .. } = paintings;
    let styles = job.style_names().into_iter().enumerate().map(|(i, name)| StyleCard {
        name,
        title: None,
        picture_sha256: hashes.get(i).cloned(),
        thumbnail: thumbnails.get(i).cloned().flatten(),
    });
    ModelCard {
        name: job.name.clone(),
        author: job.author.clone(),
        license: job.license.clone(),
        source: (job.from == TrainFrom::Any).then(|| STARTED_FROM_ANY.into()),
        styles: styles.collect(),
        training: Some(training),
    }
}

impl Paintings {
    fn read(job: &TrainJob) -> Result<Self, TrainError> {
        let any = job.settings.any.then(|| AnyPaintings::find(job)).transpose()?;
        let mut paintings = Self { own: Vec::new(), hashes: Vec::new(), thumbnails: Vec::new(), any };
        for style in &job.styles {
            let limits = job.settings.read_limits();
            let bytes = load(&style.path, &limits)?;
            let picture = Picture::from_file_bytes_within(&bytes, &style.path, &limits)?;
            paintings.hashes.push(hexadecimal(&Sha256::digest(&bytes)));
            paintings
                .thumbnails
                .push(picture.resized_to_longer_side(THUMBNAIL).to_file_bytes(PictureFormat::Jpeg, None).ok());
            paintings.own.push((picture.resized_to_longer_side(job.settings.style_size), style.weight));
        }
        Ok(paintings)
    }

    /// What changes where another painting is learnt from.
    fn digests(&self) -> Vec<String> {
        self.any.iter().map(|any| any.fingerprint.clone()).chain(self.hashes.iter().cloned()).collect()
    }

    /// What a learner makes targets of.
    fn source(&self) -> StyleSource<'_> {
        StyleSource { own: &self.own, paintings: self.any.as_ref().map(|any| any.files.clone()) }
    }

    /// The scales and shifts that a network of any style predicts for the paintings of the network's own styles; nothing
    /// of another network.
    fn predicted_by(&self, model: &StyleModel, job: &TrainJob) -> Result<Vec<Vec<f32>>, StylePictureError> {
        let Some(predictor) = &model.predictor else { return Ok(Vec::new()) };
        let mut reader = StyleReader::new(model, job.settings.device, job.settings.threads)?;
        Ok(self.own.iter().map(|(picture, _)| reader.normalisation(predictor, picture)).collect())
    }

    /// The paintings that validation is held against: those of the network's own styles, and those held out.
    fn held_out(&self, job: &TrainJob) -> Vec<HeldOut> {
        let own = self.own.iter().zip(&job.styles).map(|((picture, _), style)| (style.name.clone(), picture.clone()));
        let own = own.enumerate().map(|(number, (name, picture))| HeldOut { number, name, picture });
        let others = self.any.iter().flat_map(|any| any.held_out_from(self.own.len()));
        own.chain(others).collect()
    }
}

impl AnyPaintings {
    fn find(job: &TrainJob) -> Result<Self, TrainError> {
        let Photos { training, validation, fingerprint, .. } = Photos::find(&job.style_folders, &[])?;
        let (size, limits) = (job.settings.style_size, job.settings.read_limits());
        let paths = |photos: Vec<Photo>| photos.iter().map(|photo| photo.path().to_owned()).collect();
        let (validation, held_out) = held_out(paths(validation), size, &limits)?.into_iter().unzip();
        Ok(Self { files: PaintingFiles { training: paths(training), validation, size, limits }, held_out, fingerprint })
    }

    /// Those held out, where the first painting to learn from has this number.
    fn held_out_from(&self, first: usize) -> impl Iterator<Item = HeldOut> {
        let first = first + self.files.training.len();
        let held_out = self.files.validation.iter().zip(&self.held_out).enumerate();
        held_out.map(move |(i, (path, picture))| HeldOut {
            number: first + i,
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            picture: picture.clone(),
        })
    }
}

/// The paintings held out that can be read, at the style size: no other takes the place of one that cannot.
///
/// # Errors
/// If none can be read.
fn held_out(paths: Vec<PathBuf>, size: usize, limits: &ReadLimits) -> Result<Vec<(PathBuf, Picture)>, TrainError> {
    let (count, mut read, mut reason) = (paths.len(), Vec::new(), String::new());
    for path in paths {
        match Picture::read_within(&path, limits) {
            Ok(picture) => read.push((path, picture.resized_to_longer_side(size))),
            Err(error) => reason = error.to_string(),
        }
    }
    if read.is_empty() {
        return Err(TrainError::NoGoodPainting { count, reason });
    }
    Ok(read)
}

/// The mean over the last hundredth of the run at every step: single batches differ too much to see anything.
fn smooth(history: &[(f64, Losses)]) -> Vec<(f64, Losses)> {
    let window = history.len().div_ceil(100);
    let mean = |end: usize| {
        let last = &history[(end + 1).saturating_sub(window)..=end];
        let mut mean = Losses::default();
        last.iter().for_each(|(_, losses)| mean += *losses * (1.0 / last.len() as f64));
        (history[end].0, mean)
    };
    (0..history.len()).map(mean).collect()
}

//! Stylising from files to files, several at a time: while one picture passes through the network, others are read and
//! written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::allowance::MemoryPool;
use super::inputs::{self, Found, InputError, is_many, is_stream};
use super::outputs::{Naming, OutputError, Place, Places, real};
use super::{MaskedStyle, StylizeError, StylizeEvent, StylizeSettings, Stylized, Stylizer, masked};
use crate::job::{Context, End, Job, Stopped, Streams};
use crate::paint::{MaskError, Masks};
use crate::picture::{
    self, KeptOfInput, Picture, PictureFile, PictureFormat, PictureOutput, ReadError, ReadLimits, WriteError, cost_of,
    cost_of_bytes,
};
use crate::recorded::file_name;
use crate::settings::{SettingsError, in_range};
use crate::styles::{StyleChoice, StylesError};

/// Pictures at work at once, where nothing is said: one passes through the network on all cores while the other is
/// read or written.
const JOBS: usize = 2;

/// Why a picture, or all of them, were not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error(transparent)]
#[allow(missing_docs, reason = "each is described where it is made")]
pub enum StylizeJobError {
    Settings(#[from] SettingsError),
    Styles(#[from] StylesError),
    Mask(#[from] MaskError),
    Input(#[from] InputError),
    Output(#[from] OutputError),
    Read(#[from] ReadError),
    Write(#[from] WriteError),
    Stylize(#[from] StylizeError),
    Stopped(#[from] Stopped),
}

/// What to stylise, how, and where to put it.
#[derive(Clone, Debug, PartialEq)]
pub struct StylizeJob {
    /// Files, folders, patterns such as `*.jpg`, or `-` for standard input.
    pub inputs: Vec<PathBuf>,
    /// The styles and each one's share; without masks all of one network.
    pub styles: Vec<StyleChoice>,
    /// Where each style counts, in the order of the styles; [`NO_MASK`](crate::paint::NO_MASK) for everywhere. Where none
    /// covers, the photograph stays.
    pub masks: Vec<PathBuf>,
    /// A file, a folder, or `-` for standard output. Without it every picture goes beside its input, as
    /// `NAME-STYLE.EXT`, and standard input to standard output.
    pub output: Option<PathBuf>,
    /// The format of all outputs; without it, that of the output's name, else that of the input's, else PNG.
    pub format: Option<PictureFormat>,
    /// Pass over pictures whose output is already there.
    pub skip_existing: bool,
    /// What each file keeps of its photograph's.
    pub kept: KeptOfInput,
    /// Whether each picture holds the settings that it was made with.
    pub embed_settings: bool,
    /// Pictures at work at once, at least 1.
    pub jobs: usize,
    /// How.
    pub settings: StylizeSettings,
}

impl Default for StylizeJob {
    fn default() -> Self {
        Self {
            inputs: vec![],
            styles: vec![],
            masks: vec![],
            output: None,
            format: None,
            skip_existing: false,
            kept: KeptOfInput::default(),
            embed_settings: true,
            jobs: JOBS,
            settings: StylizeSettings::default(),
        }
    }
}

/// How a run went.
#[derive(Debug)]
pub struct StylizeSummary {
    /// Pictures written.
    pub done: usize,
    /// Pictures passed over because their output was there.
    pub skipped: usize,
    /// Pictures that were not made, and why.
    pub failures: Vec<Failure>,
    /// Seconds from beginning to end.
    pub seconds: f64,
    /// Complete or stopped.
    pub end: End,
}

/// A picture that was not made.
#[derive(Debug)]
pub struct Failure {
    /// What was named: a file, a folder, a pattern, or `-`.
    pub input: PathBuf,
    /// Why.
    pub error: StylizeJobError,
}

impl fmt::Display for Failure {
    /// One sentence that names the input.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (input, error) = (format!("`{}`", self.input.display()), self.error.to_string());
        if error.contains(&input) { f.write_str(&error) } else { write!(f, "{input}: {error}") }
    }
}

impl std::error::Error for Failure {}

/// A picture to be made, from a file or `-` to a place.
struct Task {
    input: PathBuf,
    place: Place,
}

impl Job for StylizeJob {
    type Output = StylizeSummary;
    type Error = StylizeJobError;

    /// Finds the pictures, paints each, and writes it. A picture that fails does not stop the batch. Where the job is
    /// stopped, a picture is either written whole or not at all.
    ///
    /// # Errors
    /// If nothing can be painted at all: a setting, a style, or the output as a whole is wrong, or the job is stopped
    /// before the first picture.
    fn run(&self, context: &Context<'_>) -> Result<StylizeSummary, StylizeJobError> {
        let begun = Instant::now();
        self.settings.check()?;
        in_range("the number of jobs", self.jobs, self.jobs > 0, "at least 1")?;
        let job = self.clone();
        let styles = context.abandonable(move || job.masked_styles())??;
        let label = masked::label(&styles);
        let (tasks, failures) = self.plan(&label)?;
        let piped = tasks.iter().any(|task| is_stream(&task.input) || is_stream(&task.place.path));
        if piped && context.streams().is_none() {
            return Err(InputError::NoStreams.into());
        }
        // Packing takes some milliseconds, which a thread of its own would double.
        let stylizer = Stylizer::masked(styles, &self.settings)?;
        context.control().wait()?;
        let pictures = tasks.len() + failures.len();
        context.tell(StylizeEvent::Started { pictures, style: label, device: stylizer.device().to_owned() });
        let batch = Batch::new(self, &stylizer, tasks, context);
        failures.into_iter().for_each(|failure| batch.fail(failure));
        batch.work();
        let summary = batch.summary(pictures, begun);
        let StylizeSummary { done, skipped, ref failures, seconds, ref end } = summary;
        let (failed, end) = (failures.len(), end.clone());
        context.tell(StylizeEvent::Finished { done, skipped, failed, elapsed: seconds, end });
        Ok(summary)
    }
}

impl StylizeJob {
    /// The styles and where each counts.
    fn masked_styles(&self) -> Result<Vec<MaskedStyle>, StylizeJobError> {
        let limits = self.settings.read_limits();
        let masks = Masks::read(&self.masks, self.styles.len(), None, &limits)?;
        Ok(MaskedStyle::find(&self.styles, masks, self.settings.device, self.settings.threads, &limits)?)
    }

    /// What is to be made of what is named, and what cannot be.
    fn plan(&self, label: &str) -> Result<(Vec<Task>, Vec<Failure>), StylizeJobError> {
        let from_stream = self.inputs.iter().any(|input| is_stream(input));
        let first = self.inputs.first().ok_or(InputError::Nothing)?;
        let many = self.inputs.len() > 1 || is_many(first);
        if from_stream && many {
            return Err(InputError::NotAlone.into());
        }
        let naming = Naming::new(self.output.as_deref(), from_stream, many, label.to_owned())?;
        let (found, mut failures) = self.find(&naming);
        let mut places = Places::new(found.iter().map(|found| found.path.as_path()), &self.styles, &self.masks);
        let mut tasks = Vec::new();
        for Found { path: input, inner, named } in found {
            let place = naming.place(&Found { path: input.clone(), inner, named }, self.format);
            match place.and_then(|place| places.take(&place, &input).map(|()| place)) {
                Ok(place) => tasks.push(Task { input, place }),
                Err(error) => failures.push(Failure { input, error: error.into() }),
            }
        }
        Ok((tasks, failures))
    }

    /// All pictures that are meant, each once. What an earlier run has put beside its inputs is not meant, unless it is
    /// named itself.
    fn find(&self, naming: &Naming) -> (Vec<Found>, Vec<Failure>) {
        let (mut found, mut failures, mut seen) = (Vec::<Found>::new(), Vec::new(), std::collections::HashSet::new());
        for named in &self.inputs {
            for one in inputs::find(named, naming.folder()) {
                match one {
                    Ok(one) if seen.insert(real(&one.path)) => found.push(one),
                    Ok(_) => {}
                    Err(error) => failures.push(Failure { input: named.clone(), error: error.into() }),
                }
            }
        }
        if matches!(naming, Naming::Beside { .. }) {
            let places = found.iter().filter_map(|found| naming.place(found, self.format).ok());
            let outputs: Vec<PathBuf> = places.map(|place| real(&place.path)).collect();
            found.retain(|found| found.named || !outputs.contains(&real(&found.path)));
        }
        (found, failures)
    }

    /// What is stored in the picture: everything that makes it again, as TOML; files by their names alone.
    fn record(&self, task: &Task) -> String {
        #[derive(Serialize)]
        struct Record<'a> {
            command: &'static str,
            input: String,
            style: &'a [StyleChoice],
            #[serde(skip_serializing_if = "Vec::is_empty")]
            mask: Vec<PathBuf>,
            #[serde(flatten)]
            settings: &'a StylizeSettings,
        }
        let input = task.input.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let style: Vec<StyleChoice> = self.styles.iter().map(StyleChoice::with_file_name).collect();
        let mask = self.masks.iter().map(|mask| file_name(mask)).collect();
        let record = Record { command: "stylize", input, style: &style, mask, settings: &self.settings };
        toml::to_string(&record).unwrap_or_default()
    }
}

/// The pictures of a job, which several threads work through.
struct Batch<'a> {
    job: &'a StylizeJob,
    stylizer: &'a Stylizer,
    tasks: Vec<Task>,
    next: AtomicUsize,
    memory: MemoryPool,
    context: &'a Context<'a>,
    outcome: Mutex<Outcome>,
}

#[derive(Default)]
struct Outcome {
    done: usize,
    skipped: usize,
    failures: Vec<Failure>,
}

impl<'a> Batch<'a> {
    fn new(job: &'a StylizeJob, stylizer: &'a Stylizer, tasks: Vec<Task>, context: &'a Context<'a>) -> Self {
        Self {
            job,
            stylizer,
            tasks,
            next: AtomicUsize::new(0),
            memory: MemoryPool::new(stylizer.allowance.pictures()),
            context,
            outcome: Mutex::new(Outcome::default()),
        }
    }

    /// Works until all pictures are done, or it is stopped.
    fn work(&self) {
        let helpers = self.job.jobs.min(self.tasks.len()).saturating_sub(1);
        std::thread::scope(|scope| {
            for _ in 0..helpers {
                // Where the system refuses a thread, those that there are do the work.
                let _ = std::thread::Builder::new().spawn_scoped(scope, || self.work_alone());
            }
            self.work_alone();
        });
    }

    fn work_alone(&self) {
        while let Some(task) = self.next_task() {
            match self.make(task) {
                Ok(event) => {
                    let mut outcome = lock(&self.outcome);
                    match event {
                        StylizeEvent::Skipped { .. } => outcome.skipped += 1,
                        _ => outcome.done += 1,
                    }
                    drop(outcome);
                    self.context.tell(event);
                }
                Err(StylizeJobError::Stopped(_) | StylizeJobError::Stylize(StylizeError::Stopped(_))) => {}
                Err(error) => self.fail(Failure { input: task.input.clone(), error }),
            }
        }
    }

    fn next_task(&self) -> Option<&Task> {
        self.context.control().wait().ok()?;
        self.tasks.get(self.next.fetch_add(1, Ordering::SeqCst))
    }

    /// One picture from file to file.
    fn make(&self, task: &Task) -> Result<StylizeEvent, StylizeJobError> {
        let (input, output) = (task.input.clone(), task.place.path.clone());
        if self.job.skip_existing && !is_stream(&output) && output.exists() {
            return Ok(StylizeEvent::Skipped { input, output });
        }
        let reservation = self.memory.lend(self.expected_bytes(task));
        let begun = Instant::now();
        self.job.kept.check(task.place.format)?;
        let file = self.read(&task.input)?;
        let mut kept = self.job.kept.output(task.place.format, &file);
        kept.settings = self.job.embed_settings.then(|| self.job.record(task));
        let photo = file.picture;
        self.stylizer.check(photo.height(), photo.width())?;
        check_place(&task.place)?;
        let begins = |height, width| self.context.tell(StylizeEvent::Painting { input: input.clone(), width, height });
        let stylized = self.stylizer.stylize_in(photo, self.context, &begins)?;
        let Stylized { picture, network_seconds, network_bytes, waited } = stylized;
        write(&picture, &task.place, &kept, self.context.streams().map(|streams| &**streams))?;
        drop(reservation);
        if let Some(message) = task.place.format.loss(&picture) {
            self.context.tell(StylizeEvent::Warning { input: input.clone(), message: message.into() });
        }
        let seconds = begun.elapsed().as_secs_f64() - waited;
        let (width, height) = (picture.width(), picture.height());
        if let Some(previews) = self.context.due_previews() {
            previews.offer(lock(&self.outcome).done + 1, move || picture);
        }
        Ok(StylizeEvent::Done { input, output, width, height, network_seconds, seconds, network_bytes })
    }

    /// What a picture will take in memory, by the head of its file. A picture that cannot be read takes nothing.
    fn expected_bytes(&self, task: &Task) -> u64 {
        if self.tasks.len() == 1 {
            return 0;
        }
        let Some(cost) = cost_of(&task.input) else { return 0 };
        self.stylizer.expected_bytes(cost.height, cost.width).max(cost.bytes)
    }

    /// Reads a picture, unless its head says that it cannot be painted.
    fn read(&self, input: &Path) -> Result<PictureFile, StylizeJobError> {
        let (limits, path) = (self.stylizer.read_limits(), input.to_owned());
        let streams = self.context.streams().cloned();
        let (bytes, name) = self.context.abandonable(move || load(path, streams.as_deref(), &limits))??;
        let cost = cost_of_bytes(&bytes, &name, &limits);
        if let Some(cost) = cost.filter(|cost| (cost.width * cost.height) as u64 <= limits.max_pixels.0) {
            self.stylizer.check(cost.height, cost.width)?;
        }
        Ok(self.context.abandonable(move || PictureFile::from_bytes_within(&bytes, &name, &limits))??)
    }

    fn fail(&self, failure: Failure) {
        self.context.tell(StylizeEvent::Failed { input: failure.input.clone(), error: failure.to_string() });
        lock(&self.outcome).failures.push(failure);
    }

    fn summary(self, pictures: usize, begun: Instant) -> StylizeSummary {
        let Outcome { done, skipped, failures } = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        let end = if done + skipped + failures.len() < pictures { End::Stopped } else { End::Complete };
        StylizeSummary { done, skipped, failures, seconds: begun.elapsed().as_secs_f64(), end }
    }
}

/// The bytes of a file or of standard input, and what they are called.
fn load(input: PathBuf, streams: Option<&dyn Streams>, limits: &ReadLimits) -> Result<(Vec<u8>, PathBuf), ReadError> {
    match streams.filter(|_| is_stream(&input)) {
        Some(streams) => {
            let name = PathBuf::from("standard input");
            Ok((picture::load_stream(&mut streams.input(), &name, limits)?, name))
        }
        None => Ok((picture::load(&input, limits)?, input)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds out before the work whether its result can be written, and makes the folder for it.
fn check_place(place: &Place) -> Result<(), StylizeJobError> {
    if is_stream(&place.path) {
        return Ok(());
    }
    if let Some(folder) = place.path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        std::fs::create_dir_all(folder).map_err(|error| OutputError::Folder { folder: folder.to_owned(), error })?;
    }
    Ok(impasto_files::check(&place.path).map_err(WriteError::from)?)
}

fn write(
    picture: &Picture,
    place: &Place,
    output: &PictureOutput,
    streams: Option<&dyn Streams>,
) -> Result<(), WriteError> {
    let Some(streams) = streams.filter(|_| is_stream(&place.path)) else {
        return picture.write_with(place.format, &place.path, output);
    };
    let bytes = picture.to_file_bytes_with(place.format, output)?;
    let mut stream = streams.output();
    stream.write_all(&bytes).and_then(|()| stream.flush()).map_err(WriteError::Stdout)
}

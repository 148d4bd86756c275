//! The checkpoint: everything that a painting needs to resume as if it had never stopped, in one safetensors file.
//!
//! ```text
//! picture, average                the picture that is evaluated next; the average, where there is one
//! optimizer.0, optimizer.1, …     what the optimiser knows, each as long as the picture, in floats or halves
//! optimizer                       f64: its numbers
//! numbers                         f64: seconds, the weight of the average, the losses of the best
//! history                         f64, evaluations × 5: seconds, loss, content, style, total variation
//! metadata  format                impasto-painting 3
//!           settings              TOML, as `impasto paint --print-config` writes it
//!           progress              JSON: the sizes, how far the run is, hashes of the pictures
//! ```

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use impasto_files::{FileError, LockError, names};
use impasto_nn::backend::Backend;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Scale;
use super::state::{Average, State};
use crate::bytes::hexadecimal;
use crate::memory::Plan;
use crate::objective::Losses;
use crate::optimizer::{Numbers, Optimizer, Slice};
use crate::settings::Overrides;
use crate::tensors::{self, Tensors, Values};

const FORMAT: &str = "impasto-painting 3";

/// Writing may take one part of this many of the time.
const SHARE: f64 = 20.0;

/// Why a painting cannot be resumed, or must not be begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// There is no file of this name.
    #[error("there is no checkpoint `{}`: name the file of a painting that was not finished", .0.display())]
    Missing(PathBuf),
    /// The file is something else.
    #[error("`{}` is not a checkpoint of a painting: name another file", .0.display())]
    Foreign(PathBuf),
    /// The file cannot be used.
    #[error("cannot resume from the checkpoint `{}`: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A picture changed since.
    #[error(
        "`{}` is not what the painting in `{}` was begun with: put the file from then in its place, or start anew",
        input.display(), path.display()
    )]
    OtherInput {
        /// The picture or the network.
        input: PathBuf,
        /// The checkpoint.
        path: PathBuf,
    },
    /// A setting is not as it was.
    #[error("the painting in `{}` was begun with {setting} = {was}: leave `--{setting}` away, or start anew", path.display())]
    OtherSetting {
        /// The checkpoint.
        path: PathBuf,
        /// The setting.
        setting: String,
        /// What it was.
        was: String,
    },
    /// Another run has it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A painting that is not finished lies where this one would be kept.
    #[error(
        "`{}` holds a painting that is not finished, {iteration} of {iterations} iterations: resume it with \
         `impasto paint --resume {}`, or remove the file",
        path.display(), path.display()
    )]
    Unfinished {
        /// The checkpoint.
        path: PathBuf,
        /// The iterations made.
        iteration: usize,
        /// The iterations wanted.
        iterations: usize,
    },
}

/// The file beside a picture in which its painting is kept while it runs: `out.png-checkpoint.safetensors`. A training's
/// is called otherwise, see [`train::checkpoint_path`](crate::train::checkpoint_path).
pub fn checkpoint_path(output: &Path) -> PathBuf {
    names::beside(output, "-checkpoint.safetensors")
}

/// The SHA-256 of a file, as text.
pub(super) fn hash(path: &Path) -> io::Result<String> {
    let mut sha = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hexadecimal(&sha.finalize())),
            read => sha.update(&buffer[..read]),
        }
    }
}

/// Numbers that are small and exact in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    scales: Vec<Scale>,
    /// How each size passes through the network: sums are taken in another order where that differs.
    plans: Vec<Plan>,
    scale: usize,
    iteration: usize,
    begun: Vec<usize>,
    device: String,
    /// The SHA-256 of every file that is read, in order.
    inputs: Vec<String>,
    /// The name under which the paths of the run are kept on this machine, if they are.
    #[serde(default)]
    run: String,
}

/// A run as it stands, to be written.
pub(super) struct Snapshot<'a> {
    pub(super) state: &'a State,
    pub(super) optimizer: &'a dyn Optimizer,
    pub(super) scales: &'a [Scale],
    pub(super) plans: &'a [Plan],
    pub(super) backend: &'a dyn Backend,
    /// Seconds over all sessions.
    pub(super) elapsed: f64,
}

/// Writes the checkpoint of a run, now and then.
pub(super) struct Keeper {
    path: PathBuf,
    every: Duration,
    settings: String,
    inputs: Vec<String>,
    run: String,
    last: Instant,
    /// Seconds that writing took.
    cost: f64,
}

impl Keeper {
    /// Keeps a run with these settings and hashes of files at this place, after this many seconds each time, or more
    /// where writing takes long.
    pub(super) fn new(path: PathBuf, every: f64, settings: String, inputs: Vec<String>) -> Self {
        let every = Duration::from_secs_f64(every.min(1e9));
        Self { path, every, settings, inputs, run: String::new(), last: Instant::now(), cost: 0.0 }
    }

    /// The same for a run whose paths are kept on this machine under this name.
    pub(super) fn of_run(self, run: Option<String>) -> Self {
        Self { run: run.unwrap_or_default(), ..self }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is time.
    pub(super) fn due(&self) -> bool {
        self.last.elapsed() >= self.every.max(Duration::from_secs_f64(SHARE * self.cost))
    }

    /// Writes the run as it stands.
    pub(super) fn keep(&mut self, now: Snapshot<'_>) -> Result<(), FileError> {
        let begun = Instant::now();
        let Snapshot { state, optimizer, scales, plans, backend, elapsed } = now;
        let progress = Progress {
            scales: scales.to_vec(),
            plans: plans.to_vec(),
            scale: state.scale,
            iteration: state.iteration,
            begun: state.begun.clone(),
            device: backend.name(),
            inputs: self.inputs.clone(),
            run: self.run.clone(),
        };
        let progress = serde_json::to_string(&progress).map_err(|error| FileError::of(&self.path, error.into()))?;
        let texts = [("format", FORMAT.into()), ("settings", self.settings.clone()), ("progress", progress)];
        let texts: HashMap<String, String> = texts.map(|(key, value)| (key.into(), value)).into();
        let row = |(seconds, losses): &(f64, Losses)| [&[*seconds][..], &losses.numbers()].concat();
        let history: Vec<f64> = state.history.iter().flat_map(row).collect();
        let best = state.best.unwrap_or(Losses { loss: f64::NAN, ..Losses::default() });
        let weight = state.average.as_ref().map_or(0.0, |average| average.weight);
        let numbers = [&[elapsed, weight][..], &best.numbers()].concat();
        let memory = optimizer.memory();
        let floats = [
            ("picture".to_owned(), Some(backend.download(&state.picture))),
            ("average".to_owned(), state.average.as_ref().map(|average| backend.download(&average.sum))),
        ];
        let doubles = [("numbers", &numbers[..]), ("history", &history), ("optimizer", &memory.numbers)];
        let mut all: Vec<(String, Values<'_>)> =
            doubles.map(|(name, values)| (name.to_owned(), Values::Doubles(values))).into();
        all.extend(floats.iter().filter_map(|(name, values)| Some((name.clone(), Values::Floats(values.as_deref()?)))));
        all.extend(memory.slices.iter().enumerate().map(|(i, slice)| (format!("optimizer.{i}"), values(slice))));
        let written = tensors::write(&self.path, texts, &all);
        self.last = Instant::now();
        self.cost = begun.elapsed().as_secs_f64();
        written
    }
}

/// What an optimiser knows, to be written.
fn values<'a>(slice: &'a Slice<'_>) -> Values<'a> {
    match slice {
        Slice::Floats(values) => Values::Floats(values),
        Slice::Halves(values) => Values::Halves(values),
    }
}

/// A painting as it was kept.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    tensors: Tensors,
    progress: Progress,
    /// What it was begun with.
    pub(super) settings: Overrides,
}

impl Kept {
    /// Reads what is needed to know a checkpoint by.
    pub(super) fn read(path: &Path) -> Result<Self, CheckpointError> {
        let damaged = |reason: String| CheckpointError::Damaged { path: path.into(), reason };
        let tensors = Tensors::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => CheckpointError::Missing(path.into()),
            _ => damaged(error.to_string()),
        })?;
        let tensors = tensors.ok_or_else(|| damaged("it is damaged, cut short, or something else".into()))?;
        if tensors.text("format") != FORMAT {
            return Err(CheckpointError::Foreign(path.into()));
        }
        let settings = Overrides::from_toml(tensors.text("settings"), path).map_err(|e| damaged(e.to_string()))?;
        let progress: Progress =
            serde_json::from_str(tensors.text("progress")).map_err(|_| damaged("it is damaged".into()))?;
        let scale = progress.scales.get(progress.scale);
        let planned = progress.plans.len() == progress.scales.len();
        if !planned || scale.is_none_or(|scale| progress.iteration > scale.iterations) {
            return Err(damaged("it is damaged".into()));
        }
        Ok(Self { path: path.into(), tensors, progress, settings })
    }

    /// The iterations made and those wanted.
    pub(super) fn iterations(&mut self) -> (usize, usize) {
        let made = self.tensors.doubles("history").map_or(0, |history| history.len() / 5);
        let to_come = self.progress.scales[self.progress.scale..].iter().map(|scale| scale.iterations).sum::<usize>();
        (made, made + to_come - self.progress.iteration)
    }

    /// The name under which the paths of the run are kept on this machine.
    pub(super) fn run(&self) -> &str {
        &self.progress.run
    }

    /// The sizes.
    pub(super) fn scales(&self) -> &[Scale] {
        &self.progress.scales
    }

    /// How each size passed, or would have passed, through the network.
    pub(super) fn plans(&self) -> &[Plan] {
        &self.progress.plans
    }

    /// What computed.
    pub(super) fn device(&self) -> &str {
        &self.progress.device
    }

    /// Whether the files are those that the run was begun with; one without a hash could not be read, which whoever
    /// reads it tells better.
    pub(super) fn check_inputs(&self, inputs: &[(PathBuf, String)]) -> Result<(), CheckpointError> {
        let was = |i: usize| self.progress.inputs.get(i).map(String::as_str);
        match inputs.iter().enumerate().find(|(i, (_, hash))| !hash.is_empty() && was(*i) != Some(hash)) {
            None => Ok(()),
            Some((_, (input, _))) => Err(CheckpointError::OtherInput { input: input.clone(), path: self.path.clone() }),
        }
    }

    /// The run and its seconds; the optimiser is told what it knew.
    pub(super) fn state(
        mut self,
        optimizer: &mut dyn Optimizer,
        backend: &dyn Backend,
    ) -> Result<(State, f64), CheckpointError> {
        let path = self.path.clone();
        self.try_state(optimizer, backend)
            .ok_or_else(|| CheckpointError::Damaged { path, reason: "it is damaged or of another version".into() })
    }

    fn try_state(&mut self, optimizer: &mut dyn Optimizer, backend: &dyn Backend) -> Option<(State, f64)> {
        let Progress { scale, iteration, begun, scales, .. } = self.progress.clone();
        let len = 3 * scales[scale].height * scales[scale].width;
        let mut floats = |name: &str| self.tensors.floats(name).filter(|values| values.len() == len);
        let picture = backend.upload(floats("picture")?);
        let sum = floats("average").map(|sum| backend.upload(sum));
        let slice = |i| {
            let name = format!("optimizer.{i}");
            let floats = self.tensors.floats(&name).map(Numbers::Floats);
            floats.or_else(|| self.tensors.halves(&name).map(Numbers::Halves))
        };
        let slices: Vec<_> = (0..).map_while(slice).collect();
        if slices.iter().any(|slice| slice.len() != len && !slice.is_empty()) {
            return None;
        }
        optimizer.recall(&self.tensors.doubles("optimizer")?, slices)?;
        let numbers: [f64; 6] = self.tensors.doubles("numbers")?.try_into().ok()?;
        let [elapsed, weight, best_losses @ ..] = numbers;
        let history = self.tensors.doubles("history")?;
        let history = history.chunks_exact(5).map(|row| (row[0], Losses::from_numbers(&row[1..]))).collect();
        let best = Some(Losses::from_numbers(&best_losses)).filter(|best| !best.loss.is_nan());
        let average = sum.map(|sum| Average { sum, weight });
        Some((State { scale, iteration, picture, best, average, history, begun }, elapsed))
    }
}

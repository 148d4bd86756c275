//! The checkpoint: everything that a painting needs to resume as if it had never stopped, in one safetensors file.
//!
//! ```text
//! picture, average                the picture that is evaluated next; the average, where there is one
//! optimizer.NAME                  what the optimiser knows: one f64, or as long as the picture, in floats or halves
//! elapsed, average_weight         f64: seconds over all sessions; the weight of the average
//! best_losses                     f64, 4: of the best picture, where there is one: loss, content, style, total variation
//! history                         f64, evaluations × 5: seconds, loss, content, style, total variation
//! metadata  format                impasto-painting 4
//!           settings              TOML, as `impasto paint --print-config` writes it
//!           progress              JSON: the sizes, how far the run is, hashes of the pictures
//! ```

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use impasto_files::{FileError, LockError, names};
use impasto_nn::backend::Backend;
use impasto_nn::formats::{NamedTensor, TensorValues};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::state::{Average, State};
use super::{PaintEvent, Scale};
use crate::bytes::hexadecimal;
use crate::history;
use crate::memory::Plan;
use crate::objective::Losses;
use crate::optimizer::{Memory, Numbers, Optimizer, Slice};
use crate::settings::Overrides;
use crate::tensors::{self, Tensors};

const FORMAT: &str = "impasto-painting 4";

/// What the name of the format begins with, whatever its version.
const FORMAT_NAME: &str = "impasto-painting ";

/// What the names of the optimiser's tensors begin with.
const OPTIMIZER: &str = "optimizer.";

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

    /// Whether it is time.
    pub(super) fn due(&self) -> bool {
        self.last.elapsed() >= self.every.max(Duration::from_secs_f64(SHARE * self.cost))
    }

    /// Writes the run as it stands; what to tell of it. Where that fails the checkpoint before it stays.
    pub(super) fn keep(&mut self, now: Snapshot<'_>) -> PaintEvent {
        let (begun, iteration) = (Instant::now(), now.state.history.len());
        let written = self.write(now);
        self.last = Instant::now();
        self.cost = begun.elapsed().as_secs_f64();
        match written {
            Ok(()) => PaintEvent::Checkpoint { iteration, path: self.path.clone() },
            Err(error) => PaintEvent::Warning { message: error.to_string() },
        }
    }

    fn write(&self, now: Snapshot<'_>) -> Result<(), FileError> {
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
        let texts = [("format", FORMAT.to_owned()), ("settings", self.settings.clone()), ("progress", progress)];
        let mut tensors = vec![
            doubles("elapsed", vec![elapsed]),
            doubles("history", history::to_rows(state.history.iter().map(|(seconds, losses)| (*seconds, losses)))),
            NamedTensor::flat("picture", TensorValues::F32(backend.download(&state.picture))),
        ];
        if let Some(best) = &state.best {
            tensors.push(doubles("best_losses", best.numbers().into()));
        }
        if let Some(average) = &state.average {
            tensors.push(doubles("average_weight", vec![average.weight]));
            tensors.push(NamedTensor::flat("average", TensorValues::F32(backend.download(&average.sum))));
        }
        tensors.extend(of_optimizer(optimizer.memory()));
        tensors::write(&self.path, &texts.into(), &tensors)
    }
}

fn doubles(name: &str, values: Vec<f64>) -> NamedTensor<'_> {
    NamedTensor::flat(name, TensorValues::F64(values.into()))
}

/// What an optimiser knows, to be written.
fn of_optimizer(memory: Memory<Slice<'_>>) -> impl Iterator<Item = NamedTensor<'_>> {
    let numbers = memory.numbers.into_iter().map(|(name, number)| (name, TensorValues::F64(vec![number].into())));
    let vectors = memory.vectors.into_iter().map(|(name, vector)| match vector {
        Slice::Floats(values) => (name, TensorValues::F32(values)),
        Slice::Halves(values) => (name, TensorValues::F16(values)),
    });
    numbers.chain(vectors).map(|(name, values)| NamedTensor::flat(format!("{OPTIMIZER}{name}"), values))
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
        match tensors.text("format") {
            FORMAT => {}
            other if other.starts_with(FORMAT_NAME) => {
                return Err(damaged("another version of impasto wrote it; resume it with that version".into()));
            }
            _ => return Err(CheckpointError::Foreign(path.into())),
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
        let made = self.tensors.doubles("history").map_or(0, |history| history.len() / history::COLUMNS);
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
        let average = match sum {
            Some(sum) => Some(Average { sum, weight: self.number("average_weight")? }),
            None => None,
        };
        optimizer.recall(self.memory(len)?)?;
        let elapsed = self.number("elapsed")?;
        let history = history::of_rows(&self.tensors.doubles("history")?);
        let best = self.tensors.doubles("best_losses").map(|numbers| Losses::from_numbers(&numbers));
        Some((State { scale, iteration, picture, best, average, history, begun }, elapsed))
    }

    /// A tensor of one number.
    fn number(&mut self, name: &str) -> Option<f64> {
        let [number] = self.tensors.doubles(name)?.try_into().ok()?;
        Some(number)
    }

    /// What the optimiser knew of a picture of `len` values.
    fn memory(&mut self, len: usize) -> Option<Memory<Numbers>> {
        let mut memory = Memory::default();
        for tensor in self.tensors.names() {
            let Some(name) = tensor.strip_prefix(OPTIMIZER).map(str::to_owned) else { continue };
            if let Some(number) = self.number(&tensor) {
                memory.numbers.insert(name, number);
                continue;
            }
            let floats = self.tensors.floats(&tensor).map(Numbers::Floats);
            let vector = floats.or_else(|| self.tensors.halves(&tensor).map(Numbers::Halves))?;
            memory.vectors.insert(name, Some(vector).filter(|vector| vector.len() == len)?);
        }
        Some(memory)
    }
}

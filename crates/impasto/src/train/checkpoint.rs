//! The checkpoint: everything that a run needs to resume as if it had never stopped, in one safetensors file.
//!
//! ```text
//! parameters, good, best          the network, the last one whose loss was finite, the best by validation
//! adam.first, adam.second         Adam's moments
//! elapsed                         f64: seconds, over all sessions
//! history                         f64, steps × 5: seconds, loss, content, style, total variation
//! validations                     f64, n × 5: the same of every validation
//! validation_steps                f64, n: the steps made before each
//! metadata  format                impasto-checkpoint 3
//!           settings              TOML, as `impasto train --print-config` writes it
//!           progress              JSON: steps, position in the data, and what else counts
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use impasto_files::{FileError, names};
use impasto_nn::backend::{Backend, Tensor};
use impasto_nn::formats::{NamedTensor, TensorValues};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::events::Skipped;
use super::learner::Moments;
use super::pace::{Measured, Pace};
use super::settings::TrainOverrides;
use super::settings::TrainSettings;
use crate::history;
use crate::objective::Losses;
use crate::tensors::{self, Tensors};

const FORMAT: &str = "impasto-checkpoint 3";

/// The file beside a model in which its run is kept.
pub fn checkpoint_path(model: &Path) -> PathBuf {
    beside(model, "checkpoint.safetensors")
}

/// `MODEL-what` beside the model.
pub(super) fn beside(model: &Path, what: &str) -> PathBuf {
    names::beside_stem(model, &format!("-{what}"))
}

/// The speed of a run that is resumed with another length, and the loss of one that is stopped, are those of this many
/// steps.
const SPEED_OVER: usize = 20;

/// Numbers that are small and exact in JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Steps that were made.
    pub(super) step: usize,
    /// The number of the next sample: epoch · photographs + index.
    pub(super) sample: u64,
    /// Steps in Adam's moments.
    pub(super) adam_steps: u32,
    /// How often the run went back since it was last well, and how many good steps were made since.
    pub(super) setbacks: u32,
    pub(super) good_steps: u32,
    /// How often the learning rate was halved.
    pub(super) halvings: u32,
    /// Whether the run came to its end by itself.
    pub(super) finished: bool,
    /// Steps behind the best network.
    pub(super) best_step: usize,
    /// What the pictures were.
    pub(super) photos: String,
    pub(super) style_hashes: Vec<String>,
    /// The name under which the paths of the run are kept on this machine, if they are.
    #[serde(default)]
    pub(super) run: String,
    pub(super) skipped: Vec<Skipped>,
    /// The length of the run, once it is known.
    pub(super) pace: Option<Pace>,
}

/// A run, as it stands between two steps.
#[derive(Debug)]
pub(super) struct State {
    /// What the tensors are on.
    pub(super) backend: Arc<dyn Backend>,
    pub(super) progress: Progress,
    /// Seconds, over all sessions.
    pub(super) elapsed: f64,
    pub(super) parameters: Tensor,
    /// The parameters whose loss was last found finite.
    pub(super) good: Tensor,
    pub(super) moments: Moments,
    /// The best parameters by validation.
    pub(super) best: Tensor,
    /// Seconds and losses of every step.
    pub(super) history: Vec<(f64, Losses)>,
    /// Step, seconds and losses of every validation.
    pub(super) validations: Vec<(usize, f64, Losses)>,
}

impl State {
    /// Before the first step.
    pub(super) fn new(parameters: Vec<f32>, backend: Arc<dyn Backend>) -> Self {
        let parameters = backend.upload(parameters);
        Self {
            progress: Progress::default(),
            elapsed: 0.0,
            good: parameters.clone(),
            best: parameters.clone(),
            moments: Moments::new(parameters.len(), &*backend),
            backend,
            parameters,
            history: Vec::new(),
            validations: Vec::new(),
        }
    }

    /// Another length for a run that is resumed with other steps or minutes: by the speed of its last steps.
    pub(super) fn change_length(&mut self, settings: &TrainSettings) {
        let step = self.progress.step;
        let Some(pace) = self.progress.pace else { return };
        let last = &self.history[step.saturating_sub(SPEED_OVER)..];
        let measured = Pace::of_steps(settings).or_else(|| {
            let ((first, _), (end, _)) = last.first().zip(last.last()).filter(|_| last.len() > 1)?;
            let step_seconds = (end - first) / (last.len() - 1) as f64;
            let measured = Measured { step, elapsed: self.elapsed, step_seconds, validation_seconds: 0.0 };
            Some(Pace::measured(settings, measured))
        });
        self.progress.pace =
            measured.map(|new| Pace { begins: pace.begins, validate_every: pace.validate_every, ..new });
    }

    /// The losses of the best network; nothing if it was not validated.
    pub(super) fn best_losses(&self) -> Option<Losses> {
        let of_best = |(step, _, _): &&(usize, f64, Losses)| *step == self.progress.best_step;
        self.validations.iter().rev().find(of_best).map(|(_, _, losses)| *losses)
    }

    /// Makes the network of a run that was stopped the one that is left: as it stands, since it is newer than the best by
    /// validation, unless it got worse by the mean loss of the last steps.
    pub(super) fn leave_latest(&mut self) {
        let (step, best_step) = (self.progress.step, self.progress.best_step);
        let mean = |end: usize| {
            let last = &self.history[end.saturating_sub(SPEED_OVER)..end];
            last.iter().map(|(_, losses)| losses.loss).sum::<f64>() / last.len() as f64
        };
        if step > best_step && (best_step == 0 || mean(step) <= mean(best_step)) {
            self.backend.copy(&self.parameters, &mut self.best);
            self.progress.best_step = step;
        }
    }

    /// Writes the run beside its model, durably.
    ///
    /// # Errors
    /// If it cannot be written; then the one before it is as it was.
    pub(super) fn save(&self, path: &Path, settings: &TrainOverrides) -> Result<(), FileError> {
        let failed = |error| FileError::of(path, error);
        let progress = Progress { adam_steps: self.moments.steps, ..self.progress.clone() };
        let progress = serde_json::to_string(&progress).map_err(|error| failed(error.into()))?;
        let settings = settings.to_toml().map_err(|error| failed(io::Error::other(error)))?;
        let metadata = [("format", FORMAT.to_owned()), ("settings", settings), ("progress", progress)];
        let floats = |name, tensor| NamedTensor::flat(name, TensorValues::F32(self.backend.download(tensor)));
        let doubles = |name, values: Vec<f64>| NamedTensor::flat(name, TensorValues::F64(values.into()));
        let validations = || self.validations.iter();
        let tensors = [
            floats("parameters", &self.parameters),
            floats("good", &self.good),
            floats("best", &self.best),
            floats("adam.first", &self.moments.first),
            floats("adam.second", &self.moments.second),
            doubles("history", history::to_rows(self.history.iter().map(|(seconds, losses)| (*seconds, losses)))),
            doubles("validations", history::to_rows(validations().map(|(_, seconds, losses)| (*seconds, losses)))),
            doubles("validation_steps", validations().map(|(step, ..)| *step as f64).collect()),
            doubles("elapsed", vec![self.elapsed]),
        ];
        tensors::write(path, &metadata.into(), &tensors)
    }
}

/// A checkpoint as it lies on the disk.
pub(super) struct Checkpoint {
    path: PathBuf,
    tensors: Tensors,
    /// What the run was started with.
    pub(super) settings: TrainOverrides,
    progress: Progress,
}

impl Checkpoint {
    /// Reads what is needed to know a checkpoint by.
    ///
    /// # Errors
    /// If there is none, or it is none of this version.
    pub(super) fn read(path: &Path) -> Result<Self, TrainError> {
        let wrong = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
        let damaged = || wrong("it is damaged or cut short; start again under another name".into());
        let tensors = Tensors::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => TrainError::NoCheckpoint(path.into()),
            _ => wrong(error.to_string()),
        })?;
        let tensors = tensors.ok_or_else(damaged)?;
        if tensors.text("format") != FORMAT {
            return Err(wrong("it is not one that this impasto wrote; use the impasto that did".into()));
        }
        let settings = TrainOverrides::from_toml(tensors.text("settings"), path)?;
        let progress = serde_json::from_str(tensors.text("progress")).map_err(|_| damaged())?;
        Ok(Self { path: path.into(), tensors, settings, progress })
    }

    /// Steps that were made.
    pub(super) fn step(&self) -> usize {
        self.progress.step
    }

    /// The name under which the paths of the run are kept on this machine.
    pub(super) fn run(&self) -> &str {
        &self.progress.run
    }

    /// Whether the run came to its end by itself.
    pub(super) fn finished(&self) -> bool {
        self.progress.finished
    }

    /// The run, for a network of this many parameters.
    ///
    /// # Errors
    /// If anything is missing or has the wrong size.
    pub(super) fn state(mut self, parameters: usize, backend: Arc<dyn Backend>) -> Result<State, TrainError> {
        let reason = "it is damaged or of another network; start again under another name".into();
        self.try_state(parameters, backend).ok_or(TrainError::Checkpoint { path: self.path, reason })
    }

    fn try_state(&mut self, parameters: usize, backend: Arc<dyn Backend>) -> Option<State> {
        let mut floats = |name: &str| {
            let values = self.tensors.floats(name).filter(|values| values.len() == parameters)?;
            Some(backend.upload(values))
        };
        let moments =
            Moments { steps: self.progress.adam_steps, first: floats("adam.first")?, second: floats("adam.second")? };
        let (parameters, good, best) = (floats("parameters")?, floats("good")?, floats("best")?);
        let history = history::of_rows(&self.tensors.doubles("history")?);
        let steps = self.tensors.doubles("validation_steps")?;
        let validations = history::of_rows(&self.tensors.doubles("validations")?);
        let validations = steps.iter().zip(validations).map(|(step, (seconds, l))| (*step as usize, seconds, l));
        let validations = validations.collect();
        let elapsed = *self.tensors.doubles("elapsed")?.first()?;
        let progress = Some(self.progress.clone()).filter(|progress| progress.step == history.len())?;
        Some(State { backend, progress, elapsed, parameters, good, moments, best, history, validations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;
    use crate::train::TrainSettings;

    /// All that is in a state.
    fn content(state: &State) -> (String, Vec<f32>) {
        let State { progress, elapsed, history, validations, .. } = state;
        let rest = format!("{progress:?} {elapsed:?} {history:?} {validations:?} {}", state.moments.steps);
        let Moments { first, second, .. } = &state.moments;
        let tensors = [&state.parameters, &state.good, &state.best, first, second];
        (rest, tensors.into_iter().flat_map(|tensor| state.backend.download(tensor).into_owned()).collect())
    }

    fn state() -> State {
        let mut state = State::new(vec![1.0, -2.5, 3e-30], cpu_backend());
        state.progress = Progress { step: 2, sample: 9, adam_steps: 2, best_step: 1, ..Progress::default() };
        let backend = cpu_backend();
        let (first, second) = (backend.upload(vec![0.1; 3]), backend.upload(vec![0.2; 3]));
        state.moments = Moments { steps: 2, first, second };
        let losses = Losses { loss: 0.1 + 0.2, content: 0.1, style: 0.2, total_variation: 0.0 };
        state.history = vec![(1.0 / 3.0, losses), (0.7, losses * 0.5)];
        state.validations = vec![(0, 0.1, losses), (1, 0.5, losses * 0.25)];
        state.elapsed = 0.7123;
        state
    }

    #[test]
    fn a_run_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = checkpoint_path(&folder.path().join("model.safetensors"));
        assert!(path.ends_with("model-checkpoint.safetensors"));
        let settings = TrainOverrides::from(&TrainSettings { learning_rate: 1.0 / 3.0, ..TrainSettings::default() });
        state().save(&path, &settings).unwrap();
        let checkpoint = Checkpoint::read(&path).unwrap();
        assert_eq!(checkpoint.settings, settings);
        let back = checkpoint.state(3, cpu_backend()).unwrap();
        assert_eq!(content(&back), content(&state()));
        assert_eq!(back.best_losses(), Some(state().validations[1].2));
        assert!(Checkpoint::read(&path).unwrap().state(4, cpu_backend()).is_err());
    }

    #[test]
    fn a_checkpoint_cut_anywhere_is_refused_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        state().save(&path, &TrainOverrides::default()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 7, 50, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let error = Checkpoint::read(&path).and_then(|checkpoint| checkpoint.state(3, cpu_backend())).unwrap_err();
            assert!(error.to_string().starts_with("cannot resume from the checkpoint"), "{len}: {error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Checkpoint::read(&path), Err(TrainError::NoCheckpoint(_))));
    }
}

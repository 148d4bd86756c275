//! The checkpoint: everything that a run needs to go on as if it had never stopped, in one safetensors file.
//!
//! ```text
//! parameters, good, best          the network, the last one whose loss was finite, the best by validation
//! adam.first, adam.second         Adam's moments
//! history                         f64, steps × 5: seconds, loss, content, style, total variation
//! validations                     f64, n × 6: step, seconds, loss, content, style, total variation
//! metadata  format                impasto-checkpoint 1
//!           settings              TOML, as `impasto train --print-config` writes it
//!           progress              JSON: steps, position in the data, and what else counts
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use super::TrainError;
use super::events::Skipped;
use super::learner::Moments;
use super::overrides::TrainOverrides;
use crate::objective::Losses;
use crate::picture::{WriteError, write_durable};

const FORMAT: &str = "impasto-checkpoint 1";

/// The file beside a model in which its run is kept.
pub fn checkpoint_path(model: &Path) -> PathBuf {
    beside(model, "checkpoint.safetensors")
}

/// `MODEL-what` beside the model.
pub(super) fn beside(model: &Path, what: &str) -> PathBuf {
    let stem = model.file_stem().unwrap_or_default().to_string_lossy();
    model.with_file_name(format!("{stem}-{what}"))
}

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
    pub(super) skipped: Vec<Skipped>,
}

/// A run, as it stands between two steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    pub(super) progress: Progress,
    /// Seconds, over all sessions.
    pub(super) elapsed: f64,
    pub(super) parameters: Vec<f32>,
    /// The parameters whose loss was last found finite.
    pub(super) good: Vec<f32>,
    pub(super) moments: Moments,
    /// The best parameters by validation.
    pub(super) best: Vec<f32>,
    /// Seconds and losses of every step.
    pub(super) history: Vec<(f64, Losses)>,
    /// Step, seconds and losses of every validation.
    pub(super) validations: Vec<(usize, f64, Losses)>,
}

impl State {
    /// Before the first step.
    pub(super) fn new(parameters: Vec<f32>) -> Self {
        Self {
            progress: Progress::default(),
            elapsed: 0.0,
            good: parameters.clone(),
            best: parameters.clone(),
            moments: Moments::new(parameters.len()),
            parameters,
            history: Vec::new(),
            validations: Vec::new(),
        }
    }

    /// The losses of the best network.
    pub(super) fn best_losses(&self) -> Option<Losses> {
        let of_best = |(step, _, _): &&(usize, f64, Losses)| *step == self.progress.best_step;
        self.validations.iter().rev().find(of_best).map(|(_, _, losses)| *losses)
    }

    /// Writes the run beside its model: under a temporary name, to the disk, then renamed.
    ///
    /// # Errors
    /// If it cannot be written; then the one before it is as it was.
    pub(super) fn save(&self, path: &Path, settings: &TrainOverrides) -> Result<(), WriteError> {
        let failed = |reason: String| WriteError::File { path: path.into(), reason };
        let progress = Progress { adam_steps: self.moments.steps, ..self.progress.clone() };
        let progress = serde_json::to_string(&progress).map_err(|error| failed(error.to_string()))?;
        let settings = settings.to_toml().map_err(|error| failed(error.to_string()))?;
        let metadata = [("format", FORMAT.into()), ("settings", settings), ("progress", progress)];
        let metadata: HashMap<String, String> = metadata.map(|(key, value)| (key.into(), value)).into();
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let history = self.history.iter().flat_map(|(seconds, l)| row(&[*seconds], l)).collect::<Vec<u8>>();
        let row_of = |(step, seconds, l): &(usize, f64, Losses)| row(&[*step as f64, *seconds], l);
        let validations = self.validations.iter().flat_map(row_of).collect::<Vec<u8>>();
        let (n, elapsed) = (self.parameters.len(), self.elapsed.to_le_bytes().to_vec());
        let tensors = [
            ("parameters", Dtype::F32, vec![n], bytes(&self.parameters)),
            ("good", Dtype::F32, vec![n], bytes(&self.good)),
            ("best", Dtype::F32, vec![n], bytes(&self.best)),
            ("adam.first", Dtype::F32, vec![n], bytes(&self.moments.first)),
            ("adam.second", Dtype::F32, vec![n], bytes(&self.moments.second)),
            ("history", Dtype::F64, vec![self.history.len(), 5], history),
            ("validations", Dtype::F64, vec![self.validations.len(), 6], validations),
            ("elapsed", Dtype::F64, vec![1], elapsed),
        ];
        let mut views = Vec::new();
        for (name, dtype, shape, data) in &tensors {
            let view = TensorView::new(*dtype, shape.clone(), data).map_err(|error| failed(error.to_string()))?;
            views.push((*name, view));
        }
        let file = serialize(views, Some(metadata)).map_err(|error| failed(error.to_string()))?;
        write_durable(path, |out| out.write_all(&file))
    }
}

/// A checkpoint as it lies on the disk.
pub(super) struct Checkpoint {
    path: PathBuf,
    bytes: Vec<u8>,
    /// What the run was started with.
    pub(super) settings: TrainOverrides,
    progress: Progress,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If there is none, or it is none of this version.
    pub(super) fn read(path: &Path) -> Result<Self, TrainError> {
        let wrong = |reason: String| TrainError::Checkpoint { path: path.into(), reason };
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => TrainError::NoCheckpoint(path.into()),
            _ => wrong(error.to_string()),
        })?;
        let damaged = || wrong("it is damaged or cut short; start anew under another name".into());
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| damaged())?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let text = |key: &str| metadata.get(key).map(String::as_str);
        if text("format") != Some(FORMAT) {
            return Err(wrong("it is not one that this impasto wrote; use the impasto that did".into()));
        }
        let settings = TrainOverrides::from_toml(text("settings").unwrap_or_default(), path)?;
        let progress = serde_json::from_str(text("progress").unwrap_or_default()).map_err(|_| damaged())?;
        Ok(Self { path: path.into(), bytes, settings, progress })
    }

    /// Steps that were made.
    pub(super) fn step(&self) -> usize {
        self.progress.step
    }

    /// Whether the run came to its end by itself.
    pub(super) fn finished(&self) -> bool {
        self.progress.finished
    }

    /// The run, for a network of so many parameters.
    ///
    /// # Errors
    /// If anything is missing or has the wrong size.
    pub(super) fn state(self, parameters: usize) -> Result<State, TrainError> {
        let reason = "it is damaged or of another network; start anew under another name";
        let damaged = || TrainError::Checkpoint { path: self.path.clone(), reason: reason.into() };
        let file = SafeTensors::deserialize(&self.bytes).map_err(|_| damaged())?;
        let floats = |name: &str| {
            let view = file.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32).ok_or_else(damaged)?;
            let values = view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            Some(values.collect::<Vec<f32>>()).filter(|values| values.len() == parameters).ok_or_else(damaged)
        };
        let rows = |name: &str| {
            let view = file.tensor(name).ok().filter(|view| view.dtype() == Dtype::F64).ok_or_else(damaged)?;
            let number = |b: &[u8]| f64::from_le_bytes(b.try_into().unwrap_or_default());
            Ok::<_, TrainError>(view.data().chunks_exact(8).map(number).collect::<Vec<f64>>())
        };
        let losses = |r: &[f64]| Losses { loss: r[0], content: r[1], style: r[2], total_variation: r[3] };
        let history: Vec<_> = rows("history")?.chunks_exact(5).map(|r| (r[0], losses(&r[1..]))).collect();
        let validations = rows("validations")?;
        let validations = validations.chunks_exact(6).map(|r| (r[0] as usize, r[1], losses(&r[2..]))).collect();
        let moments =
            Moments { steps: self.progress.adam_steps, first: floats("adam.first")?, second: floats("adam.second")? };
        if history.len() != self.progress.step {
            return Err(damaged());
        }
        let elapsed = *rows("elapsed")?.first().ok_or_else(damaged)?;
        let (parameters, good, best) = (floats("parameters")?, floats("good")?, floats("best")?);
        Ok(State { progress: self.progress.clone(), elapsed, parameters, good, moments, best, history, validations })
    }
}

fn row(before: &[f64], l: &Losses) -> Vec<u8> {
    let losses = [l.loss, l.content, l.style, l.total_variation];
    before.iter().chain(&losses).flat_map(|v| v.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::TrainSettings;

    fn state() -> State {
        let mut state = State::new(vec![1.0, -2.5, 3e-30]);
        state.progress = Progress { step: 2, sample: 9, adam_steps: 2, best_step: 1, ..Progress::default() };
        state.moments = Moments { steps: 2, first: vec![0.1; 3], second: vec![0.2; 3] };
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
        let back = checkpoint.state(3).unwrap();
        assert_eq!(back, state());
        assert_eq!(back.best_losses(), Some(state().validations[1].2));
        assert!(Checkpoint::read(&path).unwrap().state(4).is_err());
    }

    #[test]
    fn a_checkpoint_cut_anywhere_is_refused_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        state().save(&path, &TrainOverrides::default()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 7, 50, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            let error = Checkpoint::read(&path).and_then(|checkpoint| checkpoint.state(3)).unwrap_err();
            assert!(error.to_string().starts_with("cannot go on from the checkpoint"), "{len}: {error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Checkpoint::read(&path), Err(TrainError::NoCheckpoint(_))));
    }
}

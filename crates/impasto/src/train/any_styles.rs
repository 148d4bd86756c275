//! Any style: a predictor in training, the paintings that it learns from, and what they are held against.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;

use impasto_nn::kernels::StyleNetShape;
use impasto_nn::style_predictor::{PredictorShape, STATISTICS, STYLE_TAPS, StylePredictor, statistics};
use impasto_nn::trunk::Moments;
use impasto_nn::vgg::VggKind;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::TrainError;
use super::events::Skipped;
use super::samples::order_of_paintings;
use crate::free_memory;
use crate::objective::{Perceptual, StyleTarget, Weights};
use crate::picture::{Picture, ReadLimits};
use crate::settings::SettingsError;

/// Values of the predictor's hidden layer.
const HIDDEN: usize = 384;

/// The statistics are standardised by those of this many paintings.
const STANDARDISED_BY: usize = 200;

/// Paintings that are learnt from stay measured within this share of the memory that is free at the start, and at least this
/// many; others are measured again when their turn comes.
const KEPT_SHARE: f64 = 0.25;
const LEAST_KEPT: usize = 256;

/// Deviations of statistics count as at least this.
const LEAST_DEVIATION: f32 = 1e-2;

/// The bounds of the first weights: √6 for the hidden layer, whose inputs are divided by the root of their number (He et
/// al. 2015), and so little behind it that every painting begins with about the same scales and shifts.
const HIDDEN_BOUND: f32 = 2.449_489_7;
const OUTPUT_BOUND: f32 = 0.1;

/// The paintings of a training, divided once and for all.
#[derive(Clone, Debug)]
pub(super) struct PaintingFiles {
    /// To learn from.
    pub(super) training: Vec<PathBuf>,
    /// Held out to choose the best network by.
    pub(super) validation: Vec<PathBuf>,
    /// Their longer side when they are measured, in pixels.
    pub(super) size: usize,
    /// What reading one may take.
    pub(super) limits: ReadLimits,
}

/// A painting as it is learnt from.
pub(super) struct Painting {
    statistics: Vec<f32>,
    pub(super) target: StyleTarget,
}

/// A predictor and its paintings: those to learn from first, those held out behind them. Each is measured when it is first
/// needed.
pub(super) struct AnyStyles {
    shape: PredictorShape,
    files: PaintingFiles,
    /// Where the moments of [`STYLE_TAPS`] are among those of the style layers.
    layers: [usize; STYLE_TAPS.len()],
    known: HashMap<usize, Painting>,
    /// Those of them that are learnt from, the one that was measured first in front.
    order: VecDeque<usize>,
    /// Bytes that are free for these.
    memory: u64,
    bad: HashSet<usize>,
    skipped: Vec<Skipped>,
    parameters: Vec<f32>,
    gradient: Vec<f32>,
}

/// The predictor of a network of this shape.
pub(super) fn predictor_shape(shape: StyleNetShape) -> PredictorShape {
    PredictorShape { hidden: HIDDEN, outputs: shape.normalisation_len() }
}

/// A predictor that was trained.
pub(super) fn finished(shape: StyleNetShape, parameters: Vec<f32>) -> StylePredictor {
    StylePredictor { shape: predictor_shape(shape), parameters }
}

impl AnyStyles {
    /// Paintings for a predictor of a network of this shape.
    ///
    /// # Errors
    /// If the style layers are not those that a predictor reads.
    pub(super) fn new(
        shape: StyleNetShape,
        files: PaintingFiles,
        weights: &Weights,
        network: VggKind,
    ) -> Result<Self, SettingsError> {
        let names = network.layer_names();
        let tap = |name: &str| names.iter().position(|known| known.replace("conv", "relu") == name);
        let place = |name: &str| {
            let tap = tap(name)?;
            weights.style_taps().position(|style| style == tap)
        };
        let mut layers = [0; STYLE_TAPS.len()];
        for (layer, name) in layers.iter_mut().zip(STYLE_TAPS) {
            *layer = place(name).ok_or(SettingsError::Needs {
                setting: "--any",
                needed: "a weight for conv1_1, conv2_1, conv3_1 and conv4_1 in `--style-layers`",
            })?;
        }
        let shape = predictor_shape(shape);
        let (parameters, gradient) = (Vec::new(), vec![0.0; shape.parameter_count()]);
        let (known, order, bad, skipped) = (HashMap::new(), VecDeque::new(), HashSet::new(), Vec::new());
        let memory = free_memory::available().map_or(u64::MAX, |free| (free as f64 * KEPT_SHARE) as u64);
        Ok(Self { shape, files, layers, known, order, memory, bad, skipped, parameters, gradient })
    }

    /// Measures a painting to learn from and the first one held out: from here on there is one of each.
    ///
    /// # Errors
    /// If none of them can be read.
    pub(super) fn measure_first(&mut self, perceptual: &mut Perceptual) -> Result<(), TrainError> {
        let found = self.measure(0, perceptual).and_then(|_| self.measure(self.training(), perceptual));
        found.map(|_| ()).ok_or_else(|| self.nothing())
    }

    /// How many paintings are learnt from.
    pub(super) fn training(&self) -> usize {
        self.files.training.len()
    }

    /// A predictor that gives every painting about these scales and shifts.
    ///
    /// # Errors
    /// If no painting can be read.
    pub(super) fn fresh(
        &mut self,
        normalisation: &[f32],
        seed: u64,
        perceptual: &mut Perceptual,
    ) -> Result<Vec<f32>, TrainError> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut parameters = vec![0.0; self.shape.parameter_count()];
        self.standardise(seed, perceptual, &mut parameters)?;
        for part in self.shape.parameters() {
            let bound = match &*part.name {
                "predictor.hidden.weight" => HIDDEN_BOUND,
                "predictor.output.weight" => OUTPUT_BOUND,
                _ => continue,
            };
            parameters[part.range].fill_with(|| random.random_range(-bound..bound));
        }
        parameters[self.shape.output_bias()].copy_from_slice(normalisation);
        Ok(parameters)
    }

    /// Measures what the statistics of paintings are standardised by.
    fn standardise(
        &mut self,
        seed: u64,
        perceptual: &mut Perceptual,
        parameters: &mut [f32],
    ) -> Result<(), TrainError> {
        let some = order_of_paintings(seed, 0, self.training());
        let mut found: Vec<usize> = Vec::new();
        for index in some.into_iter().take(STANDARDISED_BY) {
            found.push(self.measure(index, perceptual).ok_or_else(|| self.nothing())?);
        }
        let (mean, factor) = parameters[..2 * STATISTICS].split_at_mut(STATISTICS);
        for i in 0..STATISTICS {
            let values = || found.iter().map(|index| self.known[index].statistics[i]);
            mean[i] = values().sum::<f32>() / found.len() as f32;
            let variance = values().map(|value| (value - mean[i]).powi(2)).sum::<f32>() / found.len() as f32;
            factor[i] = 1.0 / (variance.sqrt().max(LEAST_DEVIATION) * (STATISTICS as f32).sqrt());
        }
        Ok(())
    }

    fn nothing(&self) -> TrainError {
        let reason = self.skipped.first().map_or_else(String::new, |skipped| skipped.reason.clone());
        TrainError::NoGoodPainting { count: self.bad.len(), reason }
    }

    /// The predictor's parameters that are used from here on.
    pub(super) fn set_parameters(&mut self, parameters: &[f32]) {
        self.parameters = parameters.to_vec();
    }

    /// Sees to it that a painting is measured; where it cannot be read, the next one takes its place. Nothing if none can
    /// be read.
    pub(super) fn measure(&mut self, index: usize, perceptual: &mut Perceptual) -> Option<usize> {
        let training = self.training();
        let group = if index < training { 0..training } else { training..training + self.files.validation.len() };
        let (len, first) = (group.len(), index - group.start);
        for index in (0..len).map(|i| group.start + (first + i) % len) {
            if self.known.contains_key(&index) {
                return Some(index);
            }
            if self.bad.contains(&index) {
                continue;
            }
            match self.read(index) {
                Ok(picture) => {
                    let (target, moments) = perceptual.style_with_moments(&picture);
                    let read: Vec<Moments> = self.layers.iter().map(|layer| moments[*layer].clone()).collect();
                    self.known.insert(index, Painting { statistics: statistics(&read), target });
                    if index < training {
                        self.forget_for(index, moments.iter().map(|layer| 4 * layer.second.len() as u64).sum());
                    }
                    return Some(index);
                }
                Err(skipped) => {
                    self.skipped.push(skipped);
                    self.bad.insert(index);
                }
            }
        }
        None
    }

    /// Forgets paintings so that one which was just measured and takes these bytes has room.
    fn forget_for(&mut self, index: usize, bytes: u64) {
        self.order.push_back(index);
        let most = LEAST_KEPT.max((self.memory / bytes.max(1)) as usize);
        while self.order.len() > most {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
    }

    fn read(&self, index: usize) -> Result<Picture, Skipped> {
        let PaintingFiles { training, validation, size, limits } = &self.files;
        let path = training.get(index).unwrap_or_else(|| &validation[index - training.len()]);
        let picture = Picture::read_within(path, limits).map_err(|error| Skipped::new(path, error))?;
        Ok(picture.resized_to_longer_side(*size))
    }

    /// Paintings that could not be read since the last call.
    pub(super) fn take_skipped(&mut self) -> Vec<Skipped> {
        std::mem::take(&mut self.skipped)
    }

    /// A painting that was measured.
    pub(super) fn painting_mut(&mut self, index: usize) -> &mut Painting {
        self.known.get_mut(&index).expect("it was measured")
    }

    /// The scales and shifts of a painting that was measured, with these parameters of the predictor.
    pub(super) fn predict_with(&self, parameters: &[f32], index: usize) -> Vec<f32> {
        self.shape.predict(parameters, &self.known[&index].statistics).values
    }

    /// The same with those that are used.
    pub(super) fn predict(&self, index: usize) -> Vec<f32> {
        self.predict_with(&self.parameters, index)
    }

    /// Adds the gradient with respect to the predictor's parameters, from that with respect to what it predicted for a
    /// painting.
    pub(super) fn add_gradient(&mut self, index: usize, of_normalisation: &[f32]) {
        let statistics = &self.known[&index].statistics;
        let prediction = self.shape.predict(&self.parameters, statistics);
        self.shape.add_gradient(&self.parameters, statistics, &prediction, of_normalisation, &mut self.gradient);
    }

    /// Writes `factor` times the sum of all gradients since the last call, and begins a new sum.
    pub(super) fn take_gradient(&mut self, factor: f32, gradient: &mut [f32]) {
        for (to, sum) in gradient.iter_mut().zip(&mut self.gradient) {
            *to = factor * std::mem::take(sum);
        }
    }
}

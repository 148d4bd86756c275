//! Everything that the next step of a painting depends on, but what the optimiser knows.

use impasto_nn::backend::{Backend, Tensor};

use crate::objective::Losses;
use crate::optimizer::Optimizer;

/// A painting between two evaluations.
#[derive(Debug)]
pub(super) struct State {
    /// The index of the size that is painted at.
    pub(super) scale: usize,
    /// The evaluations made at this size.
    pub(super) iteration: usize,
    /// The picture that is evaluated next.
    pub(super) picture: Tensor,
    /// The losses of the best picture evaluated at this size, which the optimiser knows: the answer of a line search.
    pub(super) best: Option<Losses>,
    /// The average of the pictures at this size, where the settings want one.
    pub(super) average: Option<Average>,
    /// Seconds and losses of every evaluation.
    pub(super) history: Vec<(f64, Losses)>,
    /// The evaluations made before each size that was begun.
    pub(super) begun: Vec<usize>,
}

impl State {
    /// Before the first step.
    pub(super) fn new(picture: Tensor) -> Self {
        let (history, begun) = (Vec::new(), vec![0]);
        Self { scale: 0, iteration: 0, picture, best: None, average: None, history, begun }
    }

    /// Keeps the losses that an optimiser was just told if their picture has become its best.
    pub(super) fn remember_best(&mut self, losses: Losses, optimizer: &dyn Optimizer) {
        let told = optimizer.best_loss().is_none_or(|best| best == losses.loss);
        if told && self.best.is_none_or(|best| losses.loss <= best.loss) {
            self.best = Some(losses);
        }
    }

    /// The picture as it would be left now.
    pub(super) fn shown(&self, optimizer: &dyn Optimizer, backend: &dyn Backend) -> Tensor {
        let average = || self.average.as_ref().map(|average| average.picture(backend));
        optimizer.best().or_else(average).unwrap_or_else(|| self.picture.clone())
    }

    /// Begins the next size with this picture.
    pub(super) fn grow(&mut self, picture: Tensor) {
        self.scale += 1;
        self.iteration = 0;
        self.begun.push(self.history.len());
        self.best = None;
        self.average = None;
        self.picture = picture;
    }
}

/// An exponential moving average of pictures, without the pull to 0 that its start would have.
#[derive(Debug)]
pub(super) struct Average {
    /// `Σ (1 − decay) · decay^(n−i) · xᵢ`.
    pub(super) sum: Tensor,
    /// The sum of these factors.
    pub(super) weight: f64,
}

impl Average {
    pub(super) fn new(len: usize, backend: &dyn Backend) -> Self {
        Self { sum: backend.zeros(len), weight: 0.0 }
    }

    /// Takes one more picture in.
    pub(super) fn add(&mut self, picture: &Tensor, decay: f64, backend: &dyn Backend) {
        backend.scale(&mut self.sum, decay);
        backend.add_scaled(&mut self.sum, 1.0 - decay, picture);
        self.weight = decay * self.weight + (1.0 - decay);
    }

    /// The average.
    pub(super) fn picture(&self, backend: &dyn Backend) -> Tensor {
        let mut picture = self.sum.clone();
        backend.scale(&mut picture, 1.0 / self.weight);
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;

    #[test]
    fn an_average_is_that_of_what_came_last() {
        let backend = &*cpu_backend();
        let mut average = Average::new(2, backend);
        let near = |average: &Average, expected: [f32; 2], tolerance: f32| {
            let picture = backend.take(average.picture(backend));
            assert!(picture.iter().zip(expected).all(|(a, b)| (a - b).abs() < tolerance), "{picture:?}");
        };
        average.add(&backend.upload(vec![8.0, -4.0]), 0.9, backend);
        near(&average, [8.0, -4.0], 1e-5);
        average.add(&backend.upload(vec![0.0, -4.0]), 0.9, backend);
        // 8 · 0.9 / 1.9.
        near(&average, [3.78947, -4.0], 1e-4);
    }
}

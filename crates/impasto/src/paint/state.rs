//! Everything that the next step of a painting depends on, but what the optimiser knows.

use crate::device::Cpu;
use crate::objective::Losses;
use crate::optimizer::Optimizer;
use crate::picture::Picture;

/// A painting between two evaluations.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// The index of the size that is painted at.
    pub(super) scale: usize,
    /// The evaluations made at this size.
    pub(super) iteration: usize,
    /// The picture that is evaluated next.
    pub(super) picture: Vec<f32>,
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
    pub(super) fn new(picture: Vec<f32>) -> Self {
        Self { picture, begun: vec![0], ..Self::default() }
    }

    /// Keeps the losses that an optimiser was just told if their picture has become its best.
    pub(super) fn remember_best(&mut self, losses: Losses, optimizer: &dyn Optimizer) {
        let told = optimizer.best_loss().is_none_or(|best| best == losses.loss);
        if told && self.best.is_none_or(|best| losses.loss <= best.loss) {
            self.best = Some(losses);
        }
    }

    /// The picture as it would be left now, of so many rows and columns.
    pub(super) fn shown(&self, (height, width): (usize, usize), optimizer: &dyn Optimizer) -> Picture {
        let average = || self.average.as_ref().map(Average::picture);
        let data = optimizer.best().or_else(average).unwrap_or_else(|| self.picture.clone());
        Picture::from_planar(height, width, data)
    }

    /// Goes on to the next size with this picture.
    pub(super) fn grow(&mut self, picture: Vec<f32>) {
        self.scale += 1;
        self.iteration = 0;
        self.begun.push(self.history.len());
        self.best = None;
        self.average = None;
        self.picture = picture;
    }
}

/// An exponential moving average of pictures, without the pull to 0 that its start would have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Average {
    /// `Σ (1 − decay) · decay^(n−i) · xᵢ`.
    pub(super) sum: Vec<f32>,
    /// The sum of these factors.
    pub(super) weight: f64,
}

impl Average {
    pub(super) fn new(len: usize) -> Self {
        Self { sum: vec![0.0; len], weight: 0.0 }
    }

    /// Takes one more picture in.
    pub(super) fn add(&mut self, picture: &[f32], decay: f64, cpu: &Cpu) {
        cpu.scale(&mut self.sum, decay);
        cpu.add_scaled(&mut self.sum, 1.0 - decay, picture);
        self.weight = decay * self.weight + (1.0 - decay);
    }

    /// The average.
    pub(super) fn picture(&self) -> Vec<f32> {
        let factor = (1.0 / self.weight) as f32;
        self.sum.iter().map(|sum| sum * factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_that_of_what_came_last() {
        let mut average = Average::new(2);
        average.add(&[8.0, -4.0], 0.9, &Cpu::new(1));
        assert!(average.picture().iter().zip([8.0, -4.0]).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-5));
        average.add(&[0.0, -4.0], 0.9, &Cpu::new(1));
        // 8 · 0.9 / 1.9.
        assert!(average.picture().iter().zip([3.78947, -4.0]).all(|(a, b): (&f32, f32)| (a - b).abs() < 1e-4));
    }
}

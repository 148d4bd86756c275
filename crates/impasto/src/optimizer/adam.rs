//! Adam: Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1, with its β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸.

use impasto_nn::kernels::vector;

use super::{Memory, Numbers, Optimizer, Outcome, Slice, enlarged, is_finite, shrinkage};
use crate::device::Cpu;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Adam's state for one picture.
pub struct Adam {
    cpu: Cpu,
    learning_rate: f64,
    steps: u32,
    first: Vec<f32>,
    second: Vec<f32>,
    /// The last picture whose loss was finite.
    good: Vec<f32>,
}

impl Adam {
    /// `learning_rate` is about how far a value moves in a step.
    pub fn new(learning_rate: f64, cpu: Cpu) -> Self {
        Self { cpu, learning_rate, steps: 0, first: Vec::new(), second: Vec::new(), good: Vec::new() }
    }

    fn roll_back(&mut self, picture: &mut [f32]) -> Outcome {
        picture.copy_from_slice(&self.good);
        self.learning_rate /= 2.0;
        self.steps = 0;
        self.first.fill(0.0);
        self.second.fill(0.0);
        Outcome::RolledBack(format!("the learning rate is {} from here on", self.learning_rate))
    }
}

impl Optimizer for Adam {
    fn tell(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Outcome {
        if !is_finite(&self.cpu, loss, gradient) && !self.good.is_empty() {
            return self.roll_back(picture);
        }
        self.good.clear();
        self.good.extend_from_slice(picture);
        self.first.resize(picture.len(), 0.0);
        self.second.resize(picture.len(), 0.0);
        self.steps += 1;
        let learning_rate = self.learning_rate as f32;
        let adam = vector::Adam { step: self.steps, learning_rate, beta1: BETA1, beta2: BETA2, epsilon: EPSILON };
        self.cpu.adam_step(adam, gradient, picture, &mut self.first, &mut self.second);
        Outcome::Moved
    }

    /// Both moments grow with the picture, in the units of its new gradient; Lanczos' filter overshoots, and a second
    /// moment below what it was anywhere nearby would make a step without bounds, so it is kept from falling below a
    /// hundredth of its mean.
    fn enlarge(&mut self, from: (usize, usize), to: (usize, usize)) {
        if self.first.is_empty() {
            return;
        }
        let factor = shrinkage(from, to);
        enlarged(&mut self.first, from, to, factor);
        enlarged(&mut self.second, from, to, factor * factor);
        enlarged(&mut self.good, from, to, 1.0);
        let mean = self.second.iter().map(|v| f64::from(v.max(0.0))).sum::<f64>() / self.second.len() as f64;
        let least = (0.01 * mean) as f32;
        self.second.iter_mut().for_each(|v| *v = v.max(least));
    }

    fn memory(&self) -> Memory<'_> {
        let numbers = vec![self.learning_rate, f64::from(self.steps)];
        Memory { numbers, slices: [&self.first, &self.second, &self.good].map(|slice| Slice::Floats(slice)).into() }
    }

    fn recall(&mut self, numbers: &[f64], slices: Vec<Numbers>) -> Option<()> {
        let &[learning_rate, steps] = numbers else { return None };
        let slices: Vec<_> = slices.into_iter().map(Numbers::floats).collect::<Option<_>>()?;
        let slices: [Vec<f32>; 3] = slices.try_into().ok()?;
        // Before the first step all are empty, and none is after it.
        if slices.iter().any(|slice| slice.is_empty() != slices[0].is_empty()) {
            return None;
        }
        [self.first, self.second, self.good] = slices;
        (self.learning_rate, self.steps) = (learning_rate, steps as u32);
        Some(())
    }

    fn keeps_best(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_of_which_a_part_is_empty_is_refused() {
        let slices = |lengths: [usize; 3]| lengths.map(|length| Numbers::Floats(vec![0.5; length])).into();
        let recalled = |lengths| Adam::new(0.1, Cpu::new(1)).recall(&[0.1, 3.0], slices(lengths));
        assert_eq!((recalled([6, 6, 6]), recalled([0, 0, 0])), (Some(()), Some(())));
        assert_eq!((recalled([6, 0, 6]), recalled([6, 6, 0]), recalled([0, 6, 6])), (None, None, None));
    }

    #[test]
    fn the_first_steps_are_those_of_the_papers_algorithm() {
        let (mut x, mut adam) = ([1.0f32, -2.0], Adam::new(0.1, Cpu::new(1)));
        let (mut m, mut v, mut expected) = ([0.0f64; 2], [0.0f64; 2], [1.0f64, -2.0]);
        for t in 1..=5 {
            let gradient = x.map(|x| 2.0 * x);
            for i in 0..2 {
                let g = 2.0 * expected[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m, v) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                expected[i] -= 0.1 * m / (v.sqrt() + 1e-8);
            }
            assert_eq!(adam.tell(&mut x, 0.0, &gradient), Outcome::Moved);
            for i in 0..2 {
                assert!((f64::from(x[i]) - expected[i]).abs() < 1e-6, "step {t}: {} against {}", x[i], expected[i]);
            }
        }
    }

    #[test]
    fn its_moments_grow_with_the_picture_and_the_second_stays_positive() {
        let mut adam = Adam::new(1.0, Cpu::new(1));
        let mut x = vec![0.0f32; 3 * 8 * 8];
        let gradient: Vec<f32> = (0..x.len()).map(|i| if i % 64 < 32 { 4.0 } else { 0.0 }).collect();
        adam.tell(&mut x, 1.0, &gradient);
        let (first, second) = (adam.first[0], adam.second[0]);
        adam.enlarge((8, 8), (16, 16));
        assert_eq!((adam.first.len(), adam.second.len(), adam.good.len(), adam.steps), (768, 768, 768, 1));
        assert!((adam.first[0] / first - 0.25).abs() < 1e-3, "a pixel of four times as many has a fourth of the slope");
        assert!((adam.second[0] / second - 0.0625).abs() < 1e-3);
        assert!(adam.second.iter().all(|v| *v > 0.0));
    }

    #[test]
    fn a_loss_that_is_not_finite_takes_the_last_step_back_and_halves_the_next() {
        let (mut x, mut adam) = ([1.0f32], Adam::new(0.5, Cpu::new(1)));
        adam.tell(&mut x, 1.0, &[2.0]);
        assert!((x[0] - 0.5).abs() < 1e-6);
        assert!(matches!(adam.tell(&mut x, f64::INFINITY, &[f32::NAN]), Outcome::RolledBack(_)));
        assert_eq!(x, [1.0]);
        adam.tell(&mut x, 1.0, &[2.0]);
        assert!((x[0] - 0.75).abs() < 1e-6);
    }
}

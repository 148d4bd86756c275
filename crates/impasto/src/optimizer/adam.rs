//! Adam: Kingma & Ba 2015 (arXiv:1412.6980), algorithm 1, with its β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸.

use std::sync::Arc;

use impasto_nn::backend::{AdamVectors, Backend, Tensor};
use impasto_nn::kernels::vector;

use super::{Growth, Memory, Numbers, Optimizer, Outcome, Slice, enlarged, is_finite};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Adam's state for one picture.
pub struct Adam {
    backend: Arc<dyn Backend>,
    learning_rate: f64,
    steps: u32,
    vectors: Option<Vectors>,
}

/// What is there from the first step on, each as long as the picture.
struct Vectors {
    first: Tensor,
    second: Tensor,
    /// The last picture whose loss was finite.
    good: Tensor,
}

impl Adam {
    /// `learning_rate` is about how far a value moves in a step.
    pub fn new(learning_rate: f64, backend: Arc<dyn Backend>) -> Self {
        Self { backend, learning_rate, steps: 0, vectors: None }
    }
}

impl Optimizer for Adam {
    fn tell(&mut self, picture: &mut Tensor, loss: f64, gradient: &Tensor) -> Outcome {
        let backend = &*self.backend;
        if let Some(Vectors { first, second, good }) = &mut self.vectors {
            if !is_finite(backend, loss, gradient) {
                backend.copy(good, picture);
                backend.clear(first);
                backend.clear(second);
                self.learning_rate /= 2.0;
                self.steps = 0;
                return Outcome::RolledBack(format!("the learning rate is {} from here on", self.learning_rate));
            }
            backend.copy(picture, good);
        }
        let new = || Vectors {
            first: backend.zeros(picture.len()),
            second: backend.zeros(picture.len()),
            good: picture.clone(),
        };
        let Vectors { first, second, .. } = self.vectors.get_or_insert_with(new);
        self.steps = self.steps.saturating_add(1);
        let learning_rate = self.learning_rate as f32;
        let adam = vector::Adam { step: self.steps, learning_rate, beta1: BETA1, beta2: BETA2, epsilon: EPSILON };
        let all = 0..picture.len();
        backend.adam_step(adam, all, AdamVectors { gradient, values: picture, first, second });
        Outcome::Moved
    }

    /// Both moments grow with the picture, in the units of its new gradient; Lanczos' filter overshoots, and a second
    /// moment below what it was anywhere nearby would make a step without bounds, so it is kept from falling below a
    /// hundredth of its mean.
    fn enlarge(&mut self, growth: Growth) {
        let Some(Vectors { first, second, good }) = self.vectors.take() else { return };
        let factor = growth.shrinkage();
        let larger = |tensor: Tensor, factor: f64| enlarged(self.backend.take(tensor), growth, factor);
        let mut squares = larger(second, factor * factor);
        let mean = squares.iter().map(|v| f64::from(v.max(0.0))).sum::<f64>() / squares.len() as f64;
        let least = (0.01 * mean) as f32;
        squares.iter_mut().for_each(|v| *v = v.max(least));
        self.vectors = Some(Vectors {
            first: self.backend.upload(larger(first, factor)),
            second: self.backend.upload(squares),
            good: self.backend.upload(larger(good, 1.0)),
        });
    }

    fn memory(&self) -> Memory<Slice<'_>> {
        let mut memory = Memory::default();
        memory.keep_number("learning_rate", self.learning_rate);
        memory.keep_number("steps", self.steps.into());
        if let Some(Vectors { first, second, good }) = &self.vectors {
            memory.keep_vector("first_moment", self.backend.stored(first));
            memory.keep_vector("second_moment", self.backend.stored(second));
            memory.keep_vector("good_picture", self.backend.stored(good));
        }
        memory
    }

    fn recall(&mut self, mut memory: Memory<Numbers>) -> Option<()> {
        self.learning_rate = memory.take_number("learning_rate")?;
        self.steps = memory.take_number("steps")? as u32;
        self.vectors = None;
        if !memory.vectors.is_empty() {
            let mut vector = |name| memory.take_exact(name, &*self.backend);
            let (first, second) = (vector("first_moment")?, vector("second_moment")?);
            self.vectors = Some(Vectors { first, second, good: vector("good_picture")? });
        }
        memory.is_empty().then_some(())
    }

    fn keeps_best(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;

    #[test]
    fn a_memory_of_which_a_part_is_missing_or_left_over_is_refused() {
        let whole = ["first_moment", "second_moment", "good_picture"];
        let recalled = |names: &[&str]| {
            let mut memory = Memory::default();
            memory.keep_number("learning_rate", 0.1);
            memory.keep_number("steps", 3.0);
            names.iter().for_each(|name| memory.keep_vector(*name, Numbers::Floats(vec![0.5; 6])));
            Adam::new(0.1, cpu_backend()).recall(memory)
        };
        assert_eq!((recalled(&whole), recalled(&[])), (Some(()), Some(())));
        assert_eq!((recalled(&whole[1..]), recalled(&whole[..2])), (None, None));
        assert_eq!(recalled(&[&whole[..], &["search.origin"]].concat()), None);
        assert_eq!(Adam::new(0.1, cpu_backend()).recall(Memory::default()), None);
    }

    #[test]
    fn the_first_steps_are_those_of_the_papers_algorithm() {
        let (backend, mut adam) = (cpu_backend(), Adam::new(0.1, cpu_backend()));
        let mut x = backend.upload(vec![1.0, -2.0]);
        let (mut m, mut v, mut expected) = ([0.0f64; 2], [0.0f64; 2], [1.0f64, -2.0]);
        for t in 1..=5 {
            let gradient = backend.upload(backend.download(&x).iter().map(|x| 2.0 * x).collect());
            for i in 0..2 {
                let g = 2.0 * expected[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m, v) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                expected[i] -= 0.1 * m / (v.sqrt() + 1e-8);
            }
            assert_eq!(adam.tell(&mut x, 0.0, &gradient), Outcome::Moved);
            for i in 0..2 {
                let x = backend.download(&x);
                assert!((f64::from(x[i]) - expected[i]).abs() < 1e-6, "step {t}: {} against {}", x[i], expected[i]);
            }
        }
    }

    #[test]
    fn its_moments_grow_with_the_picture_and_the_second_stays_positive() {
        let (backend, mut adam) = (cpu_backend(), Adam::new(1.0, cpu_backend()));
        let mut x = backend.zeros(3 * 8 * 8);
        let gradient = (0..x.len()).map(|i| if i % 64 < 32 { 4.0 } else { 0.0 }).collect();
        adam.tell(&mut x, 1.0, &backend.upload(gradient));
        let moments = |adam: &Adam| {
            let Vectors { first, second, good } = adam.vectors.as_ref().unwrap();
            [first, second, good].map(|tensor| backend.download(tensor).to_vec())
        };
        let [before, squares_before, _] = moments(&adam);
        adam.enlarge(Growth { from: (8, 8), to: (16, 16) });
        let [first, second, good] = moments(&adam);
        assert_eq!((first.len(), second.len(), good.len(), adam.steps), (768, 768, 768, 1));
        assert!((first[0] / before[0] - 0.25).abs() < 1e-3, "a pixel of four times as many has a fourth of the slope");
        assert!((second[0] / squares_before[0] - 0.0625).abs() < 1e-3);
        assert!(second.iter().all(|v| *v > 0.0));
    }

    #[test]
    fn a_loss_that_is_not_finite_takes_the_last_step_back_and_halves_the_next() {
        let (backend, mut adam) = (cpu_backend(), Adam::new(0.5, cpu_backend()));
        let mut x = backend.upload(vec![1.0]);
        let slope = |slope: f32| backend.upload(vec![slope]);
        adam.tell(&mut x, 1.0, &slope(2.0));
        assert!((backend.download(&x)[0] - 0.5).abs() < 1e-6);
        assert!(matches!(adam.tell(&mut x, f64::INFINITY, &slope(f32::NAN)), Outcome::RolledBack(_)));
        assert_eq!(backend.download(&x)[..], [1.0]);
        adam.tell(&mut x, 1.0, &slope(2.0));
        assert!((backend.download(&x)[0] - 0.75).abs() < 1e-6);
    }
}

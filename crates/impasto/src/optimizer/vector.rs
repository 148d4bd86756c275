//! Vectors as long as a picture that an optimiser remembers: exact, or of a large picture in half the memory.

use impasto_nn::backend::{Backend, Tensor};

use super::{Growth, enlarged};

/// A vector: numbers times a factor, which brings halves into their range whatever the units are.
#[derive(Clone, Debug)]
pub(super) struct Vector {
    pub(super) numbers: Tensor,
    pub(super) factor: f64,
}

impl Vector {
    /// A vector, exact or in half the memory.
    pub(super) fn new(values: Tensor, halves: bool, backend: &dyn Backend) -> Self {
        let (numbers, factor) = if halves { backend.halved(values) } else { (values, 1.0) };
        Self { numbers, factor }
    }

    /// `self · other`
    pub(super) fn dot(&self, other: &Tensor, backend: &dyn Backend) -> f64 {
        self.factor * backend.dot(&self.numbers, other)
    }

    /// `self · other`
    pub(super) fn dot_vector(&self, other: &Self, backend: &dyn Backend) -> f64 {
        self.factor * other.factor * backend.dot(&self.numbers, &other.numbers)
    }

    /// `y += factor · self`
    pub(super) fn add_to(&self, y: &mut Tensor, factor: f64, backend: &dyn Backend) {
        backend.add_scaled(y, factor * self.factor, &self.numbers);
    }

    /// The same at another size of the picture, times a factor, in halves or not.
    pub(super) fn enlarge(self, growth: Growth, factor: f64, halves: bool, backend: &dyn Backend) -> Self {
        let values = enlarged(backend.take(self.numbers), growth, factor * self.factor);
        Self::new(backend.upload(values), halves, backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;
    use crate::optimizer::Slice;

    #[test]
    fn halves_are_the_vector_to_eleven_bits_whatever_its_units() {
        let backend = &*cpu_backend();
        for unit in [1e-30f32, 1.0, 1e20] {
            let len = (1 << 16) + 1000;
            let values = backend.upload((0..len).map(|i| (i as f32 * 0.37).sin() * unit).collect());
            let other = backend.upload((0..len).map(|i| (i as f32 * 0.11).cos() + 0.3).collect());
            let exact = Vector::new(values.clone(), false, backend);
            let half = Vector::new(values.clone(), true, backend);
            assert!(matches!(backend.stored(&half.numbers), Slice::Halves(_)));
            assert!(matches!(backend.stored(&exact.numbers), Slice::Floats(_)) && exact.factor == 1.0);
            let length = exact.dot_vector(&exact, backend).sqrt() * backend.dot(&other, &other).sqrt();
            assert!((half.dot(&other, backend) - exact.dot(&other, backend)).abs() < 1e-5 * length);
            let squared = exact.dot_vector(&exact, backend);
            for (a, b) in [(&half, &half), (&half, &exact), (&exact, &half)] {
                assert!((a.dot_vector(b, backend) / squared - 1.0).abs() < 1e-4, "{unit}");
            }
            let mut y = values;
            half.add_to(&mut y, -1.0, backend);
            let left = backend.download(&y).iter().fold(0.0f32, |left, value| left.max(value.abs()));
            assert!(left < 3e-4 * unit && left > 0.0, "{left} of {unit}");
        }
        let nothing = Vector::new(backend.zeros(5), true, backend);
        assert_eq!(nothing.dot(&backend.upload(vec![1.0; 5]), backend), 0.0);
    }
}

//! Vectors as long as a picture that an optimiser remembers: exact, or of a large picture in half the memory.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::enlarged;
use crate::device::Cpu;

/// How many values are turned from halves to floats, or back, at a time.
const CHUNK: usize = 1 << 16;

/// Numbers as they lie in memory and in a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Exact.
    Floats(Vec<f32>),
    /// Eleven bits of each.
    Halves(Vec<f16>),
}

/// The same, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slice<'a> {
    /// Exact.
    Floats(&'a [f32]),
    /// Eleven bits of each.
    Halves(&'a [f16]),
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Halves(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, if they are exact.
    pub fn floats(self) -> Option<Vec<f32>> {
        match self {
            Self::Floats(values) => Some(values),
            Self::Halves(_) => None,
        }
    }

    /// Themselves, to be looked at.
    pub fn as_slice(&self) -> Slice<'_> {
        match self {
            Self::Floats(values) => Slice::Floats(values),
            Self::Halves(values) => Slice::Halves(values),
        }
    }
}

/// A vector: numbers times a factor, which brings halves into their range whatever the units are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Vector {
    pub(super) numbers: Numbers,
    pub(super) factor: f64,
}

impl Vector {
    /// A vector in floats, or in halves, whose largest number then is 1.
    pub(super) fn new(values: Vec<f32>, halves: bool) -> Self {
        let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        if !halves || largest == 0.0 || !largest.is_finite() {
            return Self { numbers: Numbers::Floats(values), factor: 1.0 };
        }
        let mut numbers = vec![f16::ZERO; values.len()];
        let mut scaled = Vec::with_capacity(CHUNK);
        for (values, numbers) in values.chunks(CHUNK).zip(numbers.chunks_mut(CHUNK)) {
            scaled.clear();
            scaled.extend(values.iter().map(|value| value / largest));
            numbers.convert_from_f32_slice(&scaled);
        }
        Self { numbers: Numbers::Halves(numbers), factor: f64::from(largest) }
    }

    /// Shows it to `see` a part at a time, with where each begins; what is seen lacks the factor.
    fn each(&self, mut see: impl FnMut(usize, &[f32])) {
        match &self.numbers {
            Numbers::Floats(values) => see(0, values),
            Numbers::Halves(values) => {
                let mut floats = vec![0.0; CHUNK.min(values.len())];
                for (index, halves) in values.chunks(CHUNK).enumerate() {
                    let floats = &mut floats[..halves.len()];
                    halves.convert_to_f32_slice(floats);
                    see(index * CHUNK, floats);
                }
            }
        }
    }

    /// `self · other`
    pub(super) fn dot(&self, other: &[f32], cpu: &Cpu) -> f64 {
        let mut sum = 0.0;
        self.each(|at, values| sum += cpu.dot(values, &other[at..at + values.len()]));
        self.factor * sum
    }

    /// `self · other`
    pub(super) fn dot_vector(&self, other: &Self, cpu: &Cpu) -> f64 {
        let mut sum = 0.0;
        match &other.numbers {
            Numbers::Floats(values) => sum = self.dot(values, cpu) / self.factor,
            // Both come in the same parts, or this one in one.
            Numbers::Halves(_) => other.each(|at, theirs| sum += self.dot_part(at, theirs, cpu)),
        }
        self.factor * other.factor * sum
    }

    /// The sum over the part that begins at `at`, without the factor.
    fn dot_part(&self, at: usize, other: &[f32], cpu: &Cpu) -> f64 {
        match &self.numbers {
            Numbers::Floats(values) => cpu.dot(&values[at..at + other.len()], other),
            Numbers::Halves(values) => {
                let mut floats = vec![0.0; other.len()];
                values[at..at + other.len()].convert_to_f32_slice(&mut floats);
                cpu.dot(&floats, other)
            }
        }
    }

    /// `y += factor · self`
    pub(super) fn add_to(&self, y: &mut [f32], factor: f64, cpu: &Cpu) {
        let factor = factor * self.factor;
        self.each(|at, values| cpu.add_scaled(&mut y[at..at + values.len()], factor, values));
    }

    /// The same at another size of the picture, times a factor, in halves or not.
    pub(super) fn enlarge(&mut self, from: (usize, usize), to: (usize, usize), factor: f64, halves: bool) {
        let mut values = vec![0.0; self.numbers.len()];
        self.each(|at, part| values[at..at + part.len()].copy_from_slice(part));
        enlarged(&mut values, from, to, factor * self.factor);
        *self = Self::new(values, halves);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_the_vector_to_eleven_bits_whatever_its_units() {
        let cpu = Cpu::new(2);
        for unit in [1e-30f32, 1.0, 1e20] {
            let values: Vec<f32> = (0..CHUNK + 1000).map(|i| (i as f32 * 0.37).sin() * unit).collect();
            let other: Vec<f32> = (0..CHUNK + 1000).map(|i| (i as f32 * 0.11).cos() + 0.3).collect();
            let exact = Vector::new(values.clone(), false);
            let half = Vector::new(values.clone(), true);
            assert!(matches!(half.numbers, Numbers::Halves(_)) && matches!(exact.numbers, Numbers::Floats(_)));
            let length = exact.dot_vector(&exact, &cpu).sqrt() * cpu.dot(&other, &other).sqrt();
            assert!((half.dot(&other, &cpu) - exact.dot(&other, &cpu)).abs() < 1e-5 * length);
            let squared = exact.dot_vector(&exact, &cpu);
            for (a, b) in [(&half, &half), (&half, &exact), (&exact, &half)] {
                assert!((a.dot_vector(b, &cpu) / squared - 1.0).abs() < 1e-4, "{unit}");
            }
            let mut y = values.clone();
            half.add_to(&mut y, -1.0, &cpu);
            let left = y.iter().fold(0.0f32, |left, value| left.max(value.abs()));
            assert!(left < 3e-4 * unit && left > 0.0, "{left} of {unit}");
        }
        let nothing = Vector::new(vec![0.0; 5], true);
        assert_eq!(nothing.dot(&[1.0; 5], &cpu), 0.0);
    }
}

//! What an optimiser knows, as it travels to a checkpoint and back.

use std::collections::BTreeMap;

use impasto_nn::backend::{Backend, Numbers, Tensor};

/// Everything that the next step of an optimiser depends on: numbers and vectors, each under its name. `V` is how a
/// vector is held: [`Slice`](super::Slice) where it is given, [`Numbers`] where it is taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory<V> {
    /// Single numbers, which may be infinite or no number.
    pub numbers: BTreeMap<String, f64>,
    /// Vectors, each as long as the picture.
    pub vectors: BTreeMap<String, V>,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        Self { numbers: BTreeMap::new(), vectors: BTreeMap::new() }
    }
}

impl<V> Memory<V> {
    pub(super) fn keep_number(&mut self, name: impl Into<String>, number: f64) {
        self.numbers.insert(name.into(), number);
    }

    pub(super) fn keep_vector(&mut self, name: impl Into<String>, vector: V) {
        self.vectors.insert(name.into(), vector);
    }

    pub(super) fn take_number(&mut self, name: &str) -> Option<f64> {
        self.numbers.remove(name)
    }

    /// Whether everything was taken.
    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.vectors.is_empty()
    }
}

impl Memory<Numbers> {
    pub(super) fn take_vector(&mut self, name: &str, backend: &dyn Backend) -> Option<Tensor> {
        self.vectors.remove(name).map(|numbers| backend.restore(numbers))
    }

    /// A vector that is nothing unless it is exact.
    pub(super) fn take_exact(&mut self, name: &str, backend: &dyn Backend) -> Option<Tensor> {
        self.vectors.remove(name).filter(Numbers::is_exact).map(|numbers| backend.restore(numbers))
    }
}

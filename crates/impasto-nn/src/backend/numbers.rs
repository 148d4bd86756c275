//! Vectors as checkpoints keep them.

use std::borrow::Cow;

use half::f16;

/// Numbers of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Exact.
    Floats(Vec<f32>),
    /// Eleven bits of each.
    Halves(Vec<f16>),
}

/// The same, borrowed where the device's memory is the host's.
#[derive(Clone, Debug, PartialEq)]
pub enum Slice<'a> {
    /// Exact.
    Floats(Cow<'a, [f32]>),
    /// Eleven bits of each.
    Halves(Cow<'a, [f16]>),
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

    /// Whether they are exact.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Floats(_))
    }
}

impl Slice<'_> {
    /// A copy.
    pub fn to_numbers(&self) -> Numbers {
        match self {
            Self::Floats(values) => Numbers::Floats(values.to_vec()),
            Self::Halves(values) => Numbers::Halves(values.to_vec()),
        }
    }
}

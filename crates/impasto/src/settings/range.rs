//! The range of a setting, which its check and its schema share.

use super::SettingsError;

/// Numbers that a setting may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// What the setting is called in a sentence, such as `the strength`.
    pub name: &'static str,
    /// The range in words, such as `from 0 to 1`.
    pub expected: &'static str,
    /// The smallest number.
    pub least: f64,
    /// The largest number.
    pub most: f64,
    /// Whether the smallest number itself is out of the range.
    pub above_least: bool,
    /// Whether the largest number itself is out of the range.
    pub below_most: bool,
    /// A whole number that it must be a multiple of; 1 for any whole number, 0 for any number at all.
    pub step: u32,
}

/// A number that can be in a range.
pub(crate) trait Number: Copy + ToString {
    fn to_f64(self) -> f64;
}

impl Number for f64 {
    fn to_f64(self) -> f64 {
        self
    }
}

impl Number for usize {
    fn to_f64(self) -> f64 {
        self as f64
    }
}

impl Range {
    /// Numbers from `least` to `most`, both included.
    pub(crate) const fn new(name: &'static str, expected: &'static str, least: f64, most: f64) -> Self {
        Self { name, expected, least, most, above_least: false, below_most: false, step: 0 }
    }

    /// Finite numbers of at least 0.
    pub(crate) const fn not_negative(name: &'static str) -> Self {
        Self::new(name, "a number of at least 0", 0.0, f64::MAX)
    }

    /// Finite numbers above 0.
    pub(crate) const fn positive(name: &'static str) -> Self {
        Self { above_least: true, ..Self::new(name, "a number above 0", 0.0, f64::MAX) }
    }

    /// Whole numbers from `least` to `most`.
    pub(crate) const fn whole(name: &'static str, expected: &'static str, least: u32, most: u32) -> Self {
        Self { step: 1, ..Self::new(name, expected, least as f64, most as f64) }
    }

    /// Whole numbers of at least 1.
    pub(crate) const fn count(name: &'static str) -> Self {
        Self { step: 1, ..Self::new(name, "at least 1", 1.0, f64::MAX) }
    }

    /// The multiples of a whole number among these.
    pub(crate) const fn multiples_of(self, step: u32) -> Self {
        Self { step, ..self }
    }

    /// Without the largest number.
    pub(crate) const fn without_most(self) -> Self {
        Self { below_most: true, ..self }
    }

    /// Whether a number is in the range.
    pub fn contains(&self, value: f64) -> bool {
        let above = if self.above_least { value > self.least } else { value >= self.least };
        let below = if self.below_most { value < self.most } else { value <= self.most };
        above && below && (self.step < 2 || value % f64::from(self.step) == 0.0)
    }

    /// Whether a setting is in its range; one that is not set is.
    pub(crate) fn check(&self, value: Option<impl Number>) -> Result<(), SettingsError> {
        match value {
            Some(value) if !self.contains(value.to_f64()) => {
                Err(SettingsError::Range { name: self.name.into(), value: value.to_string(), expected: self.expected })
            }
            _ => Ok(()),
        }
    }
}

/// Whether a number is good, and the sentence if not.
pub(crate) fn in_range(
    name: &str,
    value: impl ToString,
    good: bool,
    expected: &'static str,
) -> Result<(), SettingsError> {
    let error = || SettingsError::Range { name: name.into(), value: value.to_string(), expected };
    good.then_some(()).ok_or_else(error)
}

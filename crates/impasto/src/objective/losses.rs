//! The parts of a loss.

use std::ops::{AddAssign, Mul};

use serde::{Deserialize, Deserializer, Serialize};

/// The parts of a loss, each with its weight already in it: they sum up to `loss`. In JSON, a part that is not finite is
/// `null`, which reads back as NaN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Losses {
    /// The whole.
    #[serde(deserialize_with = "number_or_nan")]
    pub loss: f64,
    /// The content's share.
    #[serde(deserialize_with = "number_or_nan")]
    pub content: f64,
    /// The style's share.
    #[serde(deserialize_with = "number_or_nan")]
    pub style: f64,
    /// The share of the total variation.
    #[serde(deserialize_with = "number_or_nan")]
    pub total_variation: f64,
}

/// JSON has no number for what is not finite.
fn number_or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl Losses {
    /// Loss, content, style and total variation, as checkpoints keep them.
    pub(crate) fn numbers(&self) -> [f64; 4] {
        [self.loss, self.content, self.style, self.total_variation]
    }

    /// Those of a checkpoint again, from the first four numbers.
    pub(crate) fn from_numbers(numbers: &[f64]) -> Self {
        let [loss, content, style, total_variation, ..] = *numbers else { return Self::default() };
        Self { loss, content, style, total_variation }
    }
}

impl AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.content += other.content;
        self.style += other.style;
        self.total_variation += other.total_variation;
    }
}

impl Mul<f64> for Losses {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self {
            loss: self.loss * factor,
            content: self.content * factor,
            style: self.style * factor,
            total_variation: self.total_variation * factor,
        }
    }
}

//! Whose turn it is: which style a crop is painted in while a network with several styles is trained.

use std::fmt;
use std::str::FromStr;

use super::samples::order_of_paintings;
use super::values::TrainStyle;
use crate::settings::{SettingsError, in_range, named_numbers, named_numbers_text, nearest};
use crate::value::{inline_schema, text_in_serde};

/// How often styles have their turn in a training, in relation to each other; 1 for those that are not named. In text:
/// `great-wave=2,shipwreck=0.5`.
///
/// Styles of one network share its weights, and what one gains another may lose: more turns for the style that looks
/// worst make them even.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StyleShares(Vec<(String, f64)>);

impl StyleShares {
    /// Every share is a number above 0, none stands twice.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        for (i, (name, share)) in self.0.iter().enumerate() {
            let good = share.is_finite() && *share > 0.0 && self.0[..i].iter().all(|(other, _)| other != name);
            in_range(&format!("the share of the style `{name}`"), share, good, "one number above 0")?;
        }
        Ok(())
    }

    /// The turns of these styles.
    ///
    /// # Errors
    /// If a style is named that is none of them.
    pub(super) fn turns(&self, styles: &[TrainStyle]) -> Result<Turns, SettingsError> {
        let names = || styles.iter().map(|style| style.name.as_str());
        if let Some((style, _)) = self.0.iter().find(|(name, _)| names().all(|style| style != name)) {
            return Err(SettingsError::UnknownShare { style: style.clone(), nearest: nearest(style, names()) });
        }
        let share = |style: &str| self.0.iter().find(|(name, _)| name == style).map_or(1.0, |(_, share)| *share);
        Ok(Turns { own: names().map(share).collect(), paintings: None })
    }
}

impl fmt::Display for StyleShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&named_numbers_text(&self.0))
    }
}

impl FromStr for StyleShares {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let expected = "a style's name, `=` and a number, such as `great-wave=2`";
        let shares = Self(named_numbers(text, "share of a style", expected)?);
        shares.check().map(|()| shares)
    }
}

text_in_serde!(StyleShares);
inline_schema!(StyleShares, {"type": "string", "pattern": r"^([^=,]+(=[0-9.eE+-]+)?(,|$))*$"});

/// Which style has its turn when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turns {
    /// The share of each of the network's own styles.
    own: Vec<f64>,
    paintings: Option<Paintings>,
}

/// The turns of paintings among those of a network's own styles.
#[derive(Clone, Debug, PartialEq)]
struct Paintings {
    /// The share of samples that are of the network's own styles.
    own_share: f64,
    epochs: Epochs,
}

/// Paintings, each of which has its turn once in an epoch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Epochs {
    /// Of their order.
    pub(super) seed: u64,
    /// How many there are.
    pub(super) count: usize,
}

impl Turns {
    /// The same with paintings, which are numbered behind the network's own styles; those have this share of all turns.
    pub(super) fn with_paintings(self, own_share: f64, epochs: Epochs) -> Self {
        let own_share = if self.own.is_empty() { 0.0 } else { own_share };
        Self { paintings: Some(Paintings { own_share, epochs }), ..self }
    }

    /// The style whose turn it is at a sample, a pure function of its number.
    pub(super) fn style(&self, sample: u64) -> usize {
        let Some(Paintings { own_share, epochs }) = &self.paintings else { return self.own_style(sample) };
        // How many samples before this one, and this one with them, are of the network's own styles.
        let own = |samples: u64| (samples as f64 * own_share).floor() as u64;
        let before = own(sample);
        if own(sample + 1) > before {
            self.own_style(before)
        } else {
            self.own.len() + epochs.painting(sample - before)
        }
    }

    /// One style after the other where all have the same share, else by the multiples of the golden ratio, which spread
    /// evenly over every stretch of a run.
    fn own_style(&self, sample: u64) -> usize {
        let shares = &self.own;
        if shares.iter().all(|share| *share == shares[0]) {
            return (sample % shares.len() as u64) as usize;
        }
        let golden = 0.5 * (5.0f64.sqrt() - 1.0);
        let mut place = (sample as f64 * golden).fract() * shares.iter().sum::<f64>();
        let reached = |share: &f64| {
            place -= share;
            place < 0.0
        };
        shares.iter().position(reached).unwrap_or(shares.len() - 1)
    }
}

impl Epochs {
    fn painting(&self, sample: u64) -> usize {
        let (epoch, index) = (sample / self.count as u64, (sample % self.count as u64) as usize);
        order_of_paintings(self.seed, epoch, self.count)[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn styles() -> Vec<TrainStyle> {
        ["night.jpg", "wave.jpg", "ship.jpg"].map(|file| file.parse().unwrap()).into()
    }

    fn turns(text: &str) -> Turns {
        text.parse::<StyleShares>().unwrap().turns(&styles()).unwrap()
    }

    #[test]
    fn equal_styles_take_turns() {
        let order = |turns: Turns| (0..6).map(|sample| turns.style(sample)).collect::<Vec<_>>();
        assert_eq!(order(turns("")), [0, 1, 2, 0, 1, 2]);
        assert_eq!(order(turns("night=2,wave=2,ship=2")), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn shares_hold_over_short_and_long_stretches() {
        let turns = turns("wave=2.5,ship=0.5");
        for (first, count) in [(0, 40), (1000, 400), (1 << 40, 4000)] {
            let mut seen = [0; 3];
            (first..first + count).for_each(|sample| seen[turns.style(sample)] += 1);
            for (seen, share) in seen.iter().zip([0.25, 0.625, 0.125]) {
                assert!((f64::from(*seen) - share * count as f64).abs() < 4.0, "{seen} of {count}: {share}");
            }
        }
    }

    #[test]
    fn a_share_of_the_turns_is_of_the_own_styles_and_the_rest_of_paintings() {
        let turns = turns("").with_paintings(0.25, Epochs { seed: 1, count: 5 });
        let order: Vec<usize> = (0..60).map(|sample| turns.style(sample)).collect();
        let own: Vec<usize> = order.iter().copied().filter(|style| *style < 3).collect();
        assert_eq!(own, (0..15).map(|i| i % 3).collect::<Vec<_>>());
        assert!(order.chunks(4).all(|four| four.iter().filter(|style| **style < 3).count() == 1), "{order:?}");
        let mut epoch: Vec<usize> = order.into_iter().filter(|style| *style >= 3).take(5).collect();
        epoch.sort_unstable();
        assert_eq!(epoch, [3, 4, 5, 6, 7]);
        let alone = StyleShares::default().turns(&[]).unwrap().with_paintings(0.25, Epochs { seed: 1, count: 5 });
        assert!((0..20).all(|sample| alone.style(sample) < 5));
    }

    #[test]
    fn shares_come_back_from_their_own_text_and_wrong_ones_are_told() {
        let shares: StyleShares = "wave=2.5, ship=0.5".parse().unwrap();
        assert_eq!(shares.to_string(), "wave=2.5,ship=0.5");
        for text in ["wave=0", "wave=-1", "wave=x", "=2", "wave=1,wave=2", "wave=nan"] {
            assert!(text.parse::<StyleShares>().is_err(), "{text}");
        }
        let unknown = "wav=2".parse::<StyleShares>().unwrap().turns(&styles()).unwrap_err().to_string();
        assert_eq!(unknown, "none of the paintings is called `wav`: did you mean `wave`?");
    }
}

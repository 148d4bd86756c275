//! One control for how much style: `--strength`.
//!
//! Relative losses are shares: 0 is the same as the target, 1 is as far from it as features of zeros. So one number
//! says how much of the style is worth how much of the photograph, whatever the network, the size, the masks and the
//! pictures are: a strength `s` gives the style `(s / (1 − s))²` times its default weight. It is squared because the
//! losses are squares of distances.

use super::{LossScale, Preset, Settings};

/// From here on the content is hardly seen, and a weight without bounds would only hide it from the optimiser.
const MOST: f64 = 0.97;

impl Settings {
    /// The settings with the style weight and the loss scale that a strength stands for, where there is one.
    pub(crate) fn with_strength(&self) -> Self {
        let Some(strength) = self.strength else { return self.clone() };
        let default = Self::preset(Preset::Default);
        let style_weight = default.style_weight * odds(strength);
        let tv_weight = if self.loss_scale == LossScale::Relative { self.tv_weight } else { default.tv_weight };
        // The smoothing is for painted strokes: without style the picture is the photograph.
        let tv_weight = tv_weight * odds(strength).min(1.0);
        Self { style_weight, tv_weight, loss_scale: LossScale::Relative, ..self.clone() }
    }
}

/// `(s / (1 − s))²`: 0 for nothing, 1 in the middle.
fn odds(strength: f64) -> f64 {
    let strength = strength.min(MOST);
    (strength / (1.0 - strength)).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odds_rise_from_nothing_through_one() {
        assert_eq!((odds(0.0), odds(0.5)), (0.0, 1.0));
        let rising: Vec<f64> = (0..=100).map(|i| odds(f64::from(i) / 100.0)).collect();
        assert!(rising.is_sorted() && rising[100].is_finite());
        assert!((odds(0.8) * odds(0.2) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_middle_is_the_default_and_every_preset_takes_a_strength() {
        let default = Settings::default();
        let middle = Settings { strength: Some(0.5), ..default.clone() }.with_strength();
        assert_eq!(Settings { strength: None, ..middle }, default);
        let article = Settings { strength: Some(0.5), ..Settings::preset(Preset::Article) }.with_strength();
        assert_eq!((article.style_weight, article.loss_scale), (default.style_weight, LossScale::Relative));
        let none = Settings { strength: Some(0.0), ..default }.with_strength();
        assert_eq!((none.style_weight, none.tv_weight), (0.0, 0.0));
    }
}

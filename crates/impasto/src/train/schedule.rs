//! How long the steps of a run are, by its progress.

use super::settings::TrainSettings;
use super::values::Schedule;

/// The warm-up takes this many steps, or a tenth of the run if that is less: Adam's second moment is a poor guess at
/// first.
const WARM_UP: usize = 50;

/// The style weight grows to its full over this part of the run, from this share.
///
/// A fresh network's style loss is a hundred times its content loss. Given both from the start it learns colours and
/// strokes that have nothing to do with the photograph, and takes long to find back to it. Measured with five paintings
/// at 128², losses at style weight 0.02: after 600 steps at a tenth of it, content 34,600 and style 330,000; after 600
/// steps at 2.5 times it, content 51,500 and style 490,000 (the latter run also followed the loss itself, not its
/// logarithm: which of the two counts for more was not measured).
const STYLE_GROWS: f64 = 0.2;
const STYLE_BEGINS: f64 = 0.1;

/// The share of the style weight that counts. It grows in a run that starts `afresh`; a network that learned before
/// knows content already, and a smaller style weight would only make it forget its strokes.
pub(super) fn style_share(progress: f64, afresh: bool) -> f64 {
    if afresh { STYLE_BEGINS.powf((1.0 - progress / STYLE_GROWS).max(0.0)) } else { 1.0 }
}

/// The learning rate of the step behind `step` finished ones, at this progress of the run from 0 to 1.
pub(super) fn learning_rate(settings: &TrainSettings, step: usize, progress: f64) -> f64 {
    let warm_up = WARM_UP.min(settings.steps / 10).max(1);
    let warm = ((step + 1) as f64 / warm_up as f64).min(1.0);
    let share = match settings.schedule {
        Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        Schedule::Constant => 1.0,
    };
    settings.learning_rate * warm * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_weight_grows_to_its_full() {
        let afresh = |progress| style_share(progress, true);
        assert!((afresh(0.0) - 0.1).abs() < 1e-12 && (afresh(0.1) - 0.1f64.sqrt()).abs() < 1e-12);
        assert_eq!([afresh(0.2), afresh(1.0), style_share(0.0, false)], [1.0; 3]);
    }

    #[test]
    fn the_rate_rises_then_falls() {
        let settings = TrainSettings { steps: 1000, learning_rate: 2.0, ..TrainSettings::default() };
        let at = |step: usize| learning_rate(&settings, step, step as f64 / 1000.0);
        assert!((at(0) - 2.0 / 50.0).abs() < 1e-4);
        assert!(at(49) > 1.98 && (at(500) - 1.0).abs() < 1e-9 && at(999) < 1e-4 && at(999) > 0.0);
        let constant = TrainSettings { schedule: Schedule::Constant, ..settings };
        assert_eq!(learning_rate(&constant, 900, 0.9), 2.0);
    }
}

//! One control for how much style: it means the same for every style and every size.
//!
//! Both losses are measured against how large they can be: the style loss of the photograph, of which nothing is
//! painted yet, and the content loss of the painting, in which nothing of the photograph is. In these units the style
//! weighs `BALANCE · (s / (1 − s))⁴` times the content: a Gram loss is a square of squares of the features. Both are measured at one size, whatever the size to paint.

use super::Scene;
use crate::objective::Objective;
use crate::picture::Picture;

/// The longer side at which the losses are measured, at most.
pub(super) const SIDE: usize = 256;

/// How much the style weighs at a strength of 0.5: what the default style weight of 0.2 comes to in these units, the
/// geometric mean over 4 photographs and 4 paintings at 256 pixels; one pair differs from it by up to 1.8 times.
const BALANCE: f64 = 560.0;

/// From here on the content is hardly seen, and a weight without bounds would only blind the optimiser for it.
const MOST: f64 = 0.97;

/// The factor of the style loss for a strength from 0 to 1, by an objective that looks at `scene`, whose style weight
/// is 1.
pub(super) fn style_share(strength: f64, objective: &mut Objective, scene: &Scene) -> f64 {
    let content = &scene.content;
    let (height, width) = (content.height(), content.width());
    let distance = |objective: &mut Objective, (style, share): &(Picture, f64)| {
        share * objective.value(style.resized(height, width).data()).content
    };
    let style = objective.value(content.data()).style;
    let content: f64 = scene.styles.iter().map(|style| distance(objective, style)).sum();
    let unit = if style > 0.0 && content > 0.0 { content / style } else { 1.0 };
    BALANCE * unit * odds(strength)
}

/// `(s / (1 − s))⁴`: 0 for nothing, 1 in the middle.
fn odds(strength: f64) -> f64 {
    let strength = strength.min(MOST);
    (strength / (1.0 - strength)).powi(4)
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
}

//! Coarse to fine: which sizes a painting goes through, and how often the loss is evaluated at each.
//!
//! Large strokes are cheap to lay while the picture is small, so a painting begins small and grows by √2 until it has
//! its size. An evaluation costs half of one at the next size.

use serde::{Deserialize, Serialize};

use crate::picture::{MIN_SIDE, size_with_longer_side};
use crate::settings::Settings;

/// One size of the pyramid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// How often the loss and its gradient are evaluated at this size.
    pub iterations: usize,
}

impl Scale {
    /// What the scale costs: pixels times iterations.
    pub fn work(&self) -> f64 {
        (self.height * self.width) as f64 * self.iterations as f64
    }
}

/// The sizes of a painting of `size` rows and columns, the smallest first; the last is `size` itself, with
/// [`Settings::iterations`]. A smaller one is there only where its longer side is at least [`Settings::min_size`], and
/// at most [`Settings::scales`] are there in all.
pub fn scales(size: (usize, usize), settings: &Settings) -> Vec<Scale> {
    let longer = size.0.max(size.1);
    let most = settings.scales.unwrap_or(usize::MAX);
    let mut scales = vec![Scale { height: size.0, width: size.1, iterations: settings.iterations }];
    while scales.len() < most {
        let below = scales.len();
        let side = (longer as f64 / 2f64.powf(below as f64 / 2.0)).round() as usize;
        let (height, width) = size_with_longer_side(size, side.max(1));
        if side < settings.min_size || height.min(width) < MIN_SIDE {
            break;
        }
        scales.push(Scale { height, width, iterations: iterations(settings.iterations, below) });
    }
    scales.reverse();
    scales
}

/// The iterations of the size `below` steps below the last. Steps are spent where they cost least: large shapes and
/// colours are settled while the picture is small, the last size only adds what the smaller ones cannot hold. All sizes
/// together cost at most 2.5 times the last.
fn iterations(last: usize, below: usize) -> usize {
    let share = match below {
        0 | 1 => 1.0,
        2 => 1.5,
        3 => 2.0,
        _ => 2.5,
    };
    (last as f64 * share).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_by_the_root_of_two_up_to_the_whole() {
        let settings = Settings { scales: None, min_size: 128, iterations: 100, ..Settings::default() };
        let all = scales((768, 1024), &settings);
        let sides: Vec<usize> = all.iter().map(|scale| scale.width).collect();
        assert_eq!(sides, [128, 181, 256, 362, 512, 724, 1024]);
        assert_eq!(*all.last().unwrap(), Scale { height: 768, width: 1024, iterations: 100 });
        assert!(all.iter().all(|scale| scale.iterations > 0 && scale.height * 4 <= scale.width * 3 + 4));
    }

    #[test]
    fn small_sizes_have_more_iterations_and_cost_less() {
        for (size, iterations) in [((1536, 2048), 100), ((3072, 4096), 100), ((384, 512), 37)] {
            let settings = Settings { iterations, ..Settings::default() };
            let all = scales(size, &settings);
            let work: f64 = all.iter().map(Scale::work).sum();
            let last = all.last().unwrap().work();
            assert!(work < 2.55 * last, "{size:?}: {} of the last", work / last);
            assert!(all.is_sorted_by(|small, large| small.iterations >= large.iterations), "{all:?}");
            assert!(all.is_sorted_by(|small, large| small.work() < large.work()), "{all:?}");
        }
    }

    #[test]
    fn there_is_one_scale_where_none_is_wanted_or_none_would_fit() {
        let one = |size, settings: Settings| assert_eq!(scales(size, &settings).len(), 1);
        one((768, 1024), Settings { scales: Some(1), ..Settings::default() });
        one((768, 1024), Settings { min_size: 1024, ..Settings::default() });
        one((96, 128), Settings { min_size: 128, ..Settings::default() });
        one((MIN_SIDE, 4000), Settings::default());
        assert_eq!(scales((768, 1024), &Settings { scales: Some(3), ..Settings::default() }).len(), 3);
    }
}

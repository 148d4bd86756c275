//! Coarse to fine: which sizes a painting goes through, and how often the loss is evaluated at each.
//!
//! Large strokes are cheap to lay while the picture is small, so a painting begins small and grows by √2 until it has
//! its size. Each size costs half of the next, for the same number of evaluations.

use serde::{Deserialize, Serialize};

use crate::picture::{MIN_SIDE, size_with_longer_side};
use crate::settings::Settings;

/// The least number of iterations at half the side of the last size, and below.
const LEAST: usize = 20;

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

/// The iterations of the size so many steps below the last: with all of them a painting of 1024 pixels costs 1.29 times
/// its last size. More of them only lower what the next size does not keep: its first loss is mostly that of the finest
/// layers, whatever came before.
///
/// Where that would be few, half the side and less get [`LEAST`], or as many as the last size: they cost next to nothing,
/// and colours that they leave in the wrong place stay there.
fn iterations(last: usize, below: usize) -> usize {
    let share = match below {
        0 => 1.0,
        1 => 0.2,
        2 => 0.3,
        3 => 0.4,
        _ => 0.5,
    };
    let least = if below < 2 { 0 } else { LEAST.min(last) };
    ((last as f64 * share).ceil() as usize).max(least)
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
    fn all_scales_together_cost_little_more_than_the_last() {
        for (size, iterations) in [((1536, 2048), 100), ((3072, 4096), 100), ((384, 512), 37)] {
            let settings = Settings { iterations, ..Settings::default() };
            let all = scales(size, &settings);
            let work: f64 = all.iter().map(Scale::work).sum();
            let last = all.last().unwrap().work();
            assert!(work < 1.4 * last, "{size:?}: {} of the last", work / last);
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

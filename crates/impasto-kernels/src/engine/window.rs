//! Bands of rows: windows of the picture and the part of each that counts.
//!
//! A band is run as a picture of its own, its *window*; only the *interior* of it counts, and the rows around that, the
//! halo, are as many as the interior depends on. All windows are of one height, so that one plan serves them all, and
//! begin at a whole tile of every layer: a tile of a Winograd convolution mixes its rows, so the halo is counted in
//! whole tiles too, and then every value that counts is made of the same numbers in the same order as in the whole
//! picture. Features are the same bits, and no ReLU can fall the other way.

use super::plan::{Layer, Scope};
use crate::trunk::{PackedTrunk, Weights};
use crate::winograd::TILE;
use std::ops::Range;

/// A band of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Window {
    /// The rows of the picture that are run.
    pub(super) rows: Range<usize>,
    /// Those of them that count.
    pub(super) interior: Range<usize>,
}

impl Window {
    /// All rows, and all count.
    pub(super) fn whole(height: usize) -> Self {
        Self { rows: 0..height, interior: 0..height }
    }

    /// The row of a layer's whole feature that is the first of the window's.
    pub(super) fn first_row(&self, level: u32) -> usize {
        self.rows.start >> level
    }

    /// Which rows of a feature of this height, behind this many poolings, count.
    pub(super) fn interior(&self, level: u32, height: usize) -> Range<usize> {
        let at = |row: usize| (row - self.rows.start) >> level;
        let end = if self.interior.end == self.rows.end { height } else { at(self.interior.end) };
        at(self.interior.start)..end
    }

    /// Which rows of a layer's feature count.
    pub(super) fn of_layer(&self, layer: &Layer) -> Range<usize> {
        self.interior(layer.level, layer.layout.shape.height)
    }
}

/// The windows of a picture, from top to bottom.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Windows {
    /// Rows of the picture.
    height: usize,
    /// Rows of a window.
    pub(super) window: usize,
    /// Rows from one window to the next.
    step: usize,
    /// Rows of the halo.
    halo: usize,
    /// How many there are, at least two.
    pub(super) count: usize,
}

impl Windows {
    /// Bands of at most about `rows` rows each; none where one would do. The first and the last one have no halo at the
    /// picture's edge and count more rows for it.
    pub(super) fn new(trunk: &PackedTrunk, scope: &Scope, height: usize, rows: usize) -> Option<Self> {
        let (halo, aligned) = halo(trunk, scope);
        let rest = height % aligned;
        let between = (height - rest).saturating_sub(2 * halo);
        let count = between.div_ceil(rows.clamp(1, height).next_multiple_of(aligned));
        let step = between.div_ceil(count.max(1)).next_multiple_of(aligned);
        let count = between.div_ceil(step.max(1));
        (count > 1).then_some(Self { height, window: step + 2 * halo + rest, step, halo, count })
    }

    /// Window `index`.
    pub(super) fn get(&self, index: usize) -> Window {
        let last = index + 1 == self.count;
        let start = if last { self.height - self.window } else { index * self.step };
        let begins = if index == 0 { 0 } else { index * self.step + self.halo };
        let ends = if last { self.height } else { (index + 1) * self.step + self.halo };
        Window { rows: start..start + self.window, interior: begins..ends }
    }
}

/// How many rows of the picture around its interior a window needs, and of what number windows and interiors begin at a
/// multiple: a whole tile of the deepest layer.
fn halo(trunk: &PackedTrunk, scope: &Scope) -> (usize, usize) {
    let (mut aligned, mut rows) = (TILE, 0usize);
    for (index, convolution) in trunk.convolutions[scope.convolutions.clone()].iter().enumerate().rev() {
        let inner = index + 1 < scope.convolutions.len();
        if convolution.pool && inner {
            aligned *= 2;
            rows *= 2;
        }
        if !matches!(convolution.weights, Weights::Direct(_)) {
            rows = rows.next_multiple_of(TILE);
        }
        rows += 1;
    }
    (rows.next_multiple_of(aligned), aligned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::network;
    use crate::{Isa, Threads};

    fn windows(channels: &[usize], last: usize, height: usize, rows: usize) -> Option<Windows> {
        let trunk = PackedTrunk::new(Isa::best(), &Threads::new(1), &network(channels)).expect("sound");
        let scope = Scope { convolutions: 0..last + 1, taps: vec![], pooled: true, lean: true };
        Windows::new(&trunk, &scope, height, rows)
    }

    #[test]
    fn interiors_cover_the_picture_once() {
        let mut seen = 0;
        for (channels, last) in [(&[16, 16, 0, 16, 16, 0, 16][..], 3), (&[16, 0, 16, 0, 16], 1), (&[16, 16, 0, 16], 1)]
        {
            for height in 1..300 {
                for rows in [1, 8, 30, 64, 200] {
                    let Some(windows) = windows(channels, last, height, rows) else { continue };
                    let (mut at, mut ends) = (0, 0);
                    for index in 0..windows.count {
                        let Window { rows, interior } = windows.get(index);
                        assert_eq!(interior.start, at, "{windows:?}");
                        assert!(!interior.is_empty() && rows.len() == windows.window, "{windows:?}");
                        assert!(rows.start == 0 || interior.start - rows.start >= windows.halo, "{windows:?}");
                        assert!(rows.end == height || rows.end - interior.end >= windows.halo, "{windows:?}");
                        assert!(rows.start % TILE == 0 && interior.start % TILE == 0, "{windows:?}");
                        (at, ends) = (interior.end, rows.end);
                    }
                    assert_eq!((at, ends), (height, height), "{windows:?}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 1000);
    }

    #[test]
    fn the_halo_is_counted_in_tiles() {
        // conv2_2 −4, its input −5; conv2_1 −8 … see the module: 1 + 4 → 5, 2·5 → 10 → 12, 13, 14.
        let windows = windows(&[16, 16, 0, 16, 16, 0, 16], 3, 1000, 96).expect("several");
        assert_eq!((windows.halo, windows.step % 8), (16, 0));
    }
}

//! A picture in windows: what is processed at a time, and what of that counts.
//!
//! Every window has an *interior*, and the interiors tile the picture. A position of a layer counts in the window whose
//! interior it lies in, and the window reaches so far beyond its interior that all of these positions have the values
//! they would have in the whole picture: the receptive radius of the deepest tap, its *halo*. Where the window ends
//! with the picture there is no halo, so the padding is the picture's own. Edges lie at multiples of what the poolings
//! halve, so a window's positions are the picture's, and a side of odd length loses its last row in both.
//!
//! Windows begin where a block of `BLOCK` positions of every layer begins in the whole picture. The kernels compute
//! such blocks at a time, so a window's values are the picture's to the last bit but for a few at its edges. With other
//! beginnings they would differ by rounding, and so now and then in which side of a ReLU or which of four values in a
//! pooling a gradient takes.

use std::ops::Range;

use impasto_nn::backend::{Backend, Input, Tensor, Window};
use impasto_nn::vgg::VggKind;

/// Positions a side of the blocks that the kernels compute at a time, those of Winograd's F(4×4, 3×3).
const BLOCK: usize = 4;

/// How far a tap looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Pixels beyond the block of pixels that a position of the tap stands for, on each side.
    pub radius: usize,
    /// Pixels that a step of one position makes: two to the power of the poolings passed.
    pub step: usize,
}

impl Reach {
    /// That of a tap of a network: each 3×3 convolution looks one position further, which is as many pixels as the
    /// poolings before it have made of one.
    pub fn of(network: VggKind, tap: usize) -> Self {
        let mut reach = Self { radius: 0, step: 1 };
        let mut left = tap + 1;
        for (block, convolutions) in network.blocks().into_iter().enumerate() {
            reach.step = 1 << block;
            reach.radius += reach.step * convolutions.min(left);
            left = left.saturating_sub(convolutions);
            if left == 0 {
                break;
            }
        }
        reach
    }

    /// The radius rounded up to whole positions.
    pub fn halo(self) -> usize {
        self.radius.next_multiple_of(self.step)
    }

    /// The least side of a window that counts for something between two halos.
    pub fn least_window(self) -> usize {
        2 * self.halo() + self.grid()
    }

    /// Windows begin at multiples of this, and are apart by them.
    fn grid(self) -> usize {
        BLOCK * self.step
    }

    /// How far apart `count` windows are that cover a length.
    fn stride(self, length: usize, count: usize) -> usize {
        // The windows at both ends have one halo less.
        length.saturating_sub(2 * self.halo()).div_ceil(count).next_multiple_of(self.grid())
    }
}

/// A window along one axis, in pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What is processed.
    pub window: Range<usize>,
    /// What counts.
    pub interior: Range<usize>,
}

/// A window of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// From above to below.
    pub rows: Span,
    /// From left to right.
    pub columns: Span,
}

impl Tile {
    /// Rows and columns of the window.
    pub fn size(&self) -> (usize, usize) {
        (self.rows.window.len(), self.columns.window.len())
    }

    /// Pixels of the window.
    pub fn pixels(&self) -> usize {
        self.rows.window.len() * self.columns.window.len()
    }

    /// All of a picture of this many rows and columns.
    pub fn whole((height, width): (usize, usize)) -> Self {
        let span = |length: usize| Span { window: 0..length, interior: 0..length };
        Self { rows: span(height), columns: span(width) }
    }

    /// Whether the whole window counts.
    pub fn is_whole(&self) -> bool {
        self.rows.window == self.rows.interior && self.columns.window == self.columns.interior
    }

    /// The window of a planar picture with any number of planes, written to `window`.
    pub fn cut(&self, backend: &dyn Backend, picture: Input<'_>, size: (usize, usize), window: &mut Tensor) {
        self.within(size, |at| backend.cut(picture, at, window));
    }

    /// Adds the window to a planar picture of the same number of planes.
    pub fn add(&self, backend: &dyn Backend, window: &Tensor, picture: &mut Tensor, size: (usize, usize)) {
        self.within(size, |at| backend.add_window(window, at, picture));
    }

    fn within(&self, (height, width): (usize, usize), run: impl FnOnce(Window<'_>)) {
        let indices = |span: &Span| span.window.clone().collect::<Vec<_>>();
        let (rows, columns) = (indices(&self.rows), indices(&self.columns));
        run(Window { picture: [height, width], rows: &rows, columns: &columns });
    }
}

/// The windows of a `height × width` picture, each of at most `window` rows and columns. Windows of one size follow
/// each other, so that each size is planned once.
///
/// A side of the picture that is longer than the window's is cut with a window of at least [`Reach::least_window`].
pub fn tiles((height, width): (usize, usize), window: (usize, usize), reach: Reach) -> Vec<Tile> {
    let (rows, columns) = (spans(height, window.0, reach), spans(width, window.1, reach));
    let across = |row: &Span| columns.iter().map(|column| (row.clone(), column.clone())).collect::<Vec<_>>();
    let pairs = rows.iter().flat_map(across);
    let mut tiles: Vec<Tile> = pairs.map(|(rows, columns)| Tile { rows, columns }).collect();
    tiles.sort_by_key(Tile::size);
    tiles
}

/// Rows and columns of the windows of at most this many pixels that process the fewest pixels in all; the whole picture
/// where it has no more. Nothing if there is no such window.
pub fn window_of(size: (usize, usize), pixels: usize, reach: Reach) -> Option<(usize, usize)> {
    if size.0 * size.1 <= pixels {
        return Some(size);
    }
    let heights = sides(size.0, reach);
    let mut best = None;
    for (width, wide) in sides(size.1, reach) {
        for &(height, high) in heights.iter().filter(|(height, _)| height * width <= pixels) {
            let looked_at = high * wide;
            if best.is_none_or(|(least, _)| looked_at < least) {
                best = Some((looked_at, (height, width)));
            }
        }
    }
    best.map(|(_, window)| window)
}

/// The least side of a window for each number of windows along an axis, from one, and the pixels that these look at.
fn sides(length: usize, reach: Reach) -> Vec<(usize, usize)> {
    let mut sides = vec![(length, length)];
    for count in 2.. {
        let stride = reach.stride(length, count);
        let side = stride + 2 * reach.halo();
        if sides.last().is_some_and(|&(before, _)| side < before) {
            sides.push((side, spans(length, side, reach).iter().map(|span| span.window.len()).sum()));
        }
        if stride <= reach.grid() {
            break;
        }
    }
    sides
}

fn spans(length: usize, window: usize, reach: Reach) -> Vec<Span> {
    let (halo, window) = (reach.halo(), window.max(reach.least_window()));
    if length <= window {
        return vec![Span { window: 0..length, interior: 0..length }];
    }
    let most = (window - 2 * halo) / reach.grid() * reach.grid();
    let count = (length - 2 * halo).div_ceil(most);
    let stride = reach.stride(length, count);
    let side = stride + 2 * halo;
    // All windows have this side, but for the last one if the picture's is no multiple of the grid.
    let last = (length - side).next_multiple_of(reach.grid());
    let mut spans = Vec::new();
    let mut counted = 0;
    while counted < length {
        let start = (spans.len() * stride).min(last);
        let end = (start + side).min(length);
        let border = if end == length { length } else { end - halo };
        spans.push(Span { window: start..end, interior: counted..border });
        counted = border;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reach_is_that_of_the_published_network() {
        let reach = |tap| Reach::of(VggKind::Vgg19, tap);
        assert_eq!(reach(0), Reach { radius: 1, step: 1 });
        assert_eq!(reach(1), Reach { radius: 2, step: 1 });
        // conv2_1: two convolutions of a pixel each, one of two.
        assert_eq!(reach(2), Reach { radius: 4, step: 2 });
        // conv5_2: 2·1 + 2·2 + 4·4 + 4·8 + 2·16.
        assert_eq!((reach(13), reach(13).halo()), (Reach { radius: 86, step: 16 }, 96));
        assert_eq!(Reach::of(VggKind::Vgg16, 10), Reach { radius: 2 + 4 + 12 + 24 + 16, step: 16 });
    }

    /// Interiors tile the axis, windows hold them with their halos, edges lie on whole positions.
    #[test]
    fn every_pixel_counts_once_and_is_seen_with_all_around_it() {
        for tap in [0, 2, 5, 9, 13] {
            let reach = Reach::of(VggKind::Vgg19, tap);
            let (halo, step) = (reach.halo(), reach.step);
            for length in (1..900).step_by(7).chain([2048, 4096, 4097, 4111]) {
                for window in [1, reach.least_window(), reach.least_window() + 5, 300, 512, 1000] {
                    let spans = spans(length, window, reach);
                    let mut counted = 0;
                    for Span { window: seen, interior } in &spans {
                        assert_eq!(interior.start, counted, "{length} {window} {spans:?}");
                        counted = interior.end;
                        assert!(seen.len() <= window.max(reach.least_window()) && !interior.is_empty());
                        assert!(seen.start % (4 * step) == 0 && interior.start % step == 0);
                        assert!(seen.start == 0 || seen.start + halo <= interior.start, "{length} {window} {spans:?}");
                        assert!(seen.end == length || interior.end + halo <= seen.end && seen.end % step == 0);
                    }
                    assert_eq!(counted, length);
                }
            }
        }
    }

    #[test]
    fn windows_of_one_size_follow_each_other() {
        let reach = Reach::of(VggKind::Vgg19, 13);
        let sizes = |size, window| tiles(size, window, reach).iter().map(Tile::size).collect::<Vec<_>>();
        assert!(sizes((2048, 1536), (512, 512)).windows(2).all(|pair| pair[0] == pair[1]));
        let mut odd = sizes((2045, 1531), (512, 512));
        let before = odd.len();
        odd.dedup();
        assert!(before > 12 && odd.len() <= 4, "{odd:?}");
    }

    #[test]
    fn the_best_window_is_within_its_pixels_and_looks_at_little_twice() {
        let reach = Reach::of(VggKind::Vgg19, 13);
        assert_eq!(window_of((700, 900), 700 * 900, reach), Some((700, 900)));
        assert_eq!(window_of((700, 900), reach.least_window().pow(2) - 1, reach), None);
        let seen = |size, window| tiles(size, window, reach).iter().map(Tile::pixels).sum::<usize>();
        for (pixels, most) in [(1 << 21, 1.3), (1 << 20, 1.6), (1 << 18, 2.5)] {
            let size = (3072, 4096);
            let window = window_of(size, pixels, reach).unwrap();
            assert!(window.0 * window.1 <= pixels);
            assert!(tiles(size, window, reach).iter().all(|tile| tile.pixels() <= pixels));
            let factor = seen(size, window) as f64 / (3072.0 * 4096.0);
            assert!(factor < most, "{pixels}: {window:?} processes {factor} times the picture");
        }
        // Two strips rather than four squares.
        assert_eq!(tiles((2048, 2048), window_of((2048, 2048), 1 << 22, reach).unwrap(), reach).len(), 1);
        assert_eq!(tiles((2048, 2048), window_of((2048, 2048), 2400 * 1024, reach).unwrap(), reach).len(), 2);
    }
}

//! Grain, spots and dead areas: what a painted picture should not have where its photograph is flat.
//!
//! A painting has a texture of its own, so each figure stands beside the style's: what its flattest areas have is
//! allowed.

use serde::{Deserialize, Serialize};

use super::luminance;
use crate::picture::Picture;

/// The side of the squares in which texture is measured, in pixels.
const SIDE: usize = 8;

/// How far the masks reach from their middle, in pixels: this many of the outermost rows and columns are left out.
const REACH: usize = 2;

/// The shortest side that can be measured: one square, and the pixels around it.
pub(super) const SHORTEST: usize = SIDE + 2 * REACH;

/// The share of squares that count as flat: a quarter, so that every picture has some.
const FLAT: f64 = 0.25;

/// How far a spot stands out from all that surrounds it, in levels: less is not seen at once.
const SPOT: f32 = 24.0;

/// The circle of 16 pixels around a spot, three pixels off (Rosten & Drummond, "Machine learning for high-speed corner
/// detection", 2006, figure 1): across and down, clockwise from the top.
const CIRCLE: [(isize, isize); 16] = [
    (0, -3),
    (1, -3),
    (2, -2),
    (3, -1),
    (3, 0),
    (3, 1),
    (2, 2),
    (1, 3),
    (0, 3),
    (-1, 3),
    (-2, 2),
    (-3, 1),
    (-3, 0),
    (-3, -1),
    (-2, -2),
    (-1, -3),
];

/// Added to both sides of a ratio, in levels: the noise that rounding to 8 bits makes, 1/√12.
const ROUNDING: f64 = 0.288_675;

/// What is measured of a surface.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surface {
    /// Grain of about 3 to 8 pixels, which the eye sees first: the finest level of a Laplacian pyramid (Burt & Adelson,
    /// "The Laplacian pyramid as a compact image code", 1983, with a = 3/8).
    pub grain: Grain,
    /// Grain of 2 to 3 pixels, by the mask of Immerkær, "Fast noise variance estimation", 1996. Deviation: there it is
    /// the mean magnitude over the whole picture.
    pub pixel_grain: Grain,
    /// Pixels of each thousand that are lighter or darker, in a channel, by 24 levels than the whole circle of 16 pixels
    /// around them: spots of up to about 5 pixels, which no line runs through.
    pub spots: f64,
    /// The same of the style.
    pub style_spots: f64,
    /// The share of squares of 8×8 pixels in which luminance varies less than half as much as in all but the flattest
    /// twentieth of the style.
    pub dead: f64,
}

/// Grain of one band of frequencies, in levels (of 255): the standard deviation of white noise that would have the same
/// energy in the band, as the root of the median over squares of 8×8 pixels, so that the edges of some strokes do not
/// count as grain. Slopes have none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grain {
    /// Of the luminance of the painted picture, in the flattest quarter of the photograph.
    pub luma: f64,
    /// Of its colour: blue and red differences of ITU-R BT.601 together.
    pub chroma: f64,
    /// Of the luminance of the photograph, there.
    pub content_luma: f64,
    /// Of its colour.
    pub content_chroma: f64,
    /// Of the luminance of the style, in its own flattest quarter.
    pub style_luma: f64,
    /// Of its colour.
    pub style_chroma: f64,
    /// `luma` over `style_luma`: above 1 is grain that the style does not ask for.
    pub luma_ratio: f64,
    /// `chroma` over `style_chroma`.
    pub chroma_ratio: f64,
}

/// Measures the surface of a painted picture against its photograph, of the same size, and its style.
///
/// # Panics
/// If the sizes differ, or a side is shorter than 12 pixels.
pub fn surface(painted: &Picture, content: &Picture, style: &Picture) -> Surface {
    let size = |picture: &Picture| (picture.height(), picture.width());
    assert_eq!(size(painted), size(content), "painted picture and photograph have one size");
    let squares = [painted, content, style].map(Squares::of);
    Surface {
        grain: grain(&squares, |squares| &squares.coarse),
        pixel_grain: grain(&squares, |squares| &squares.fine),
        spots: spots(painted),
        style_spots: spots(style),
        dead: dead(&squares[0].variation, &squares[2].variation),
    }
}

/// One picture in squares, row by row.
struct Squares {
    /// Standard deviation of the luminance in each square.
    variation: Vec<f64>,
    coarse: Energy,
    fine: Energy,
}

/// Squared levels in one band, in each square.
struct Energy {
    luma: Vec<f64>,
    chroma: Vec<f64>,
}

/// The answer of a mask around one pixel of a plane of this width; its gain for white noise is 1.
type Mask = fn(&[f32], usize, usize) -> f32;

impl Squares {
    fn of(picture: &Picture) -> Self {
        let (height, width) = (picture.height(), picture.width());
        assert!(height.min(width) >= SHORTEST, "a square of 8×8 fits within the outermost pixels");
        let light = luminance(picture);
        let colour = colour_differences(picture, &light);
        let energy = |mask: Mask| {
            let of = |plane: &[f32]| means(height, width, |at| f64::from(mask(plane, at, width)).powi(2));
            let chroma = of(&colour[0]).iter().zip(of(&colour[1])).map(|(blue, red)| blue + red).collect();
            Energy { luma: of(&light), chroma }
        };
        let mean = means(height, width, |at| f64::from(light[at]));
        let square = means(height, width, |at| f64::from(light[at]).powi(2));
        let variation = square.iter().zip(&mean).map(|(square, mean)| (square - mean * mean).max(0.0).sqrt()).collect();
        Self { variation, coarse: energy(pyramid), fine: energy(immerkaer) }
    }
}

/// The mean in each square of a value at each place.
fn means(height: usize, width: usize, value: impl Fn(usize) -> f64) -> Vec<f64> {
    let firsts = |side: usize| (REACH..=side - REACH - SIDE).step_by(SIDE);
    let mean = |top: usize, left: usize| {
        let values = (0..SIDE * SIDE).map(|i| value((top + i / SIDE) * width + left + i % SIDE));
        values.sum::<f64>() / (SIDE * SIDE) as f64
    };
    firsts(height)
        .flat_map(|top| firsts(width).map(move |left| (top, left)))
        .map(|(top, left)| mean(top, left))
        .collect()
}

/// A pixel less the binomial mean of 5×5 around it.
fn pyramid(plane: &[f32], at: usize, width: usize) -> f32 {
    const BINOMIAL: [f32; 5] = [1.0 / 16.0, 4.0 / 16.0, 6.0 / 16.0, 4.0 / 16.0, 1.0 / 16.0];
    // √(1 − 2·(6/16)² + (70/256)²), the root of the sum of its squared weights.
    const GAIN: f32 = 0.890_78;
    let row = |at: usize| plane[at - 2..][..5].iter().zip(BINOMIAL).map(|(value, weight)| value * weight).sum::<f32>();
    let mean: f32 = BINOMIAL.iter().enumerate().map(|(i, weight)| weight * row(at + i * width - 2 * width)).sum();
    (plane[at] - mean) / GAIN
}

/// The second difference along a row of the second difference along columns.
fn immerkaer(plane: &[f32], at: usize, width: usize) -> f32 {
    let row = |at: usize| plane[at - 1] - 2.0 * plane[at] + plane[at + 1];
    (row(at - width) - 2.0 * row(at) + row(at + width)) / 6.0
}

/// Blue and red less luminance, in the scale of ITU-R BT.601: levels, around 0.
fn colour_differences(picture: &Picture, light: &[f32]) -> [Vec<f32>; 2] {
    let plane = |c: usize| &picture.data()[c * light.len()..][..light.len()];
    let difference = |c: usize, scale: f32| plane(c).iter().zip(light).map(|(v, y)| scale * (v - y)).collect();
    [difference(2, 0.5 / (1.0 - 0.114)), difference(0, 0.5 / (1.0 - 0.299))]
}

/// One band of the painted picture, the photograph and the style.
fn grain(of: &[Squares; 3], band: impl Fn(&Squares) -> &Energy) -> Grain {
    let [painted, content, style] = [&of[0], &of[1], &of[2]].map(band);
    let (flat, own) = (flattest(&of[1].variation), flattest(&of[2].variation));
    let (luma, chroma) = (typical(&painted.luma, &flat), typical(&painted.chroma, &flat));
    let (style_luma, style_chroma) = (typical(&style.luma, &own), typical(&style.chroma, &own));
    let ratio = |of: f64, over: f64| of.hypot(ROUNDING) / over.hypot(ROUNDING);
    Grain {
        luma,
        chroma,
        content_luma: typical(&content.luma, &flat),
        content_chroma: typical(&content.chroma, &flat),
        style_luma,
        style_chroma,
        luma_ratio: ratio(luma, style_luma),
        chroma_ratio: ratio(chroma, style_chroma),
    }
}

/// Which squares belong to the flattest quarter; all that are as flat as the last of them.
fn flattest(variation: &[f64]) -> Vec<bool> {
    let last = quantile(variation.to_vec(), FLAT);
    variation.iter().map(|variation| *variation <= last).collect()
}

/// The root of the median energy of the chosen squares.
fn typical(energy: &[f64], chosen: &[bool]) -> f64 {
    let chosen = energy.iter().zip(chosen).filter(|(_, chosen)| **chosen).map(|(energy, _)| *energy);
    quantile(chosen.collect(), 0.5).sqrt()
}

/// The share of squares that vary less than half as much as nearly all of the style.
fn dead(painted: &[f64], style: &[f64]) -> f64 {
    let least = quantile(style.to_vec(), 0.05) / 2.0;
    painted.iter().filter(|variation| **variation < least).count() as f64 / painted.len() as f64
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() as f64 * share) as usize]
}

/// Pixels of each thousand, the outermost three rows and columns left out, that are spots in any channel.
fn spots(picture: &Picture) -> f64 {
    let (height, width) = (picture.height(), picture.width());
    let spot = |plane: &[f32], y: usize, x: usize| {
        let here = plane[y * width + x];
        let around = CIRCLE.map(|(dx, dy)| plane[y.wrapping_add_signed(dy) * width + x.wrapping_add_signed(dx)]);
        around.iter().all(|other| here > other + SPOT) || around.iter().all(|other| here < other - SPOT)
    };
    let planes: Vec<&[f32]> = picture.data().chunks_exact(height * width).collect();
    let (rows, columns) = (height - 6, width - 6);
    let found = |i: &usize| planes.iter().any(|plane| spot(plane, 3 + i / columns, 3 + i % columns));
    1000.0 * (0..rows * columns).filter(found).count() as f64 / (rows * columns) as f64
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::tests::blobs;
    use super::*;

    /// The picture with noise of this standard deviation: one value for all channels, or one for each.
    fn noisy(picture: &Picture, sigma: f32, grey: bool) -> Picture {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut normal = || (0..12).map(|_| random.random_range(-0.5..0.5f32)).sum::<f32>() * sigma;
        let mut noisy = picture.clone();
        let positions = noisy.height() * noisy.width();
        let one: Vec<f32> = (0..positions).map(|_| normal()).collect();
        for (i, value) in noisy.data_mut().iter_mut().enumerate() {
            *value += if grey { one[i % positions] } else { normal() };
        }
        noisy
    }

    fn slope(height: usize, width: usize) -> Picture {
        let value = |i: usize| (i % width) as f32 + 0.5 * (i / width % height) as f32;
        Picture::from_planar(height, width, (0..3 * height * width).map(value).collect())
    }

    fn near(found: f64, expected: f64, within: f64) -> bool {
        (found / expected - 1.0).abs() < within
    }

    #[test]
    fn noise_of_a_known_deviation_is_found_and_a_slope_is_none() {
        let clean = slope(120, 160);
        let bands = |painted: &Picture| {
            let found = surface(painted, &clean, &clean);
            [found.grain, found.pixel_grain]
        };
        // The deviations of sums of three independent values, by BT.601's weights.
        let luma = 0.299f64.hypot(0.587).hypot(0.114);
        let blue = 0.299f64.hypot(0.587).hypot(0.886) / (2.0 * 0.886);
        let red = 0.701f64.hypot(0.587).hypot(0.114) / (2.0 * 0.701);
        for none in bands(&clean) {
            assert!(none.luma < 1e-4 && none.chroma < 1e-4 && none.content_luma < 1e-4, "{none:?}");
        }
        for grey in bands(&noisy(&clean, 5.0, true)) {
            assert!(near(grey.luma, 5.0, 0.05) && grey.chroma < 1e-4, "{grey:?}");
        }
        for coloured in bands(&noisy(&clean, 5.0, false)) {
            assert!(near(coloured.luma, 5.0 * luma, 0.05), "{coloured:?}");
            assert!(near(coloured.chroma, 5.0 * blue.hypot(red), 0.05), "{coloured:?}");
        }
    }

    #[test]
    fn the_texture_of_the_style_is_allowed() {
        let clean = slope(120, 160);
        let against =
            |sigma: f32| surface(&noisy(&clean, 5.0, false), &clean, &noisy(&slope(80, 160), sigma, false)).grain;
        let allowed = against(5.0);
        assert!(near(allowed.luma_ratio, 1.0, 0.1) && near(allowed.chroma_ratio, 1.0, 0.1), "{allowed:?}");
        let asked_for_less = against(1.0);
        assert!(asked_for_less.luma_ratio > 3.0 && asked_for_less.chroma_ratio > 3.0, "{asked_for_less:?}");
    }

    #[test]
    fn only_what_is_flat_in_the_photograph_counts() {
        // Flat to the left, rough to the right; grain to the right only.
        let (height, width) = (96, 128);
        let mut content = noisy(&slope(height, width), 20.0, true);
        let mut painted = noisy(&slope(height, width), 5.0, true);
        for i in (0..3 * height * width).filter(|i| i % width < width / 2) {
            content.data_mut()[i] = 90.0;
            painted.data_mut()[i] = 90.0;
        }
        let found = surface(&painted, &content, &content).grain;
        assert!(found.luma < 0.1, "{found:?}");
    }

    #[test]
    fn spots_are_found_and_lines_are_not() {
        let clean = slope(96, 128);
        let with = |of: &dyn Fn(usize, usize) -> bool| {
            let mut picture = clean.clone();
            for i in (0..96 * 128).filter(|i| of(i / 128, i % 128)) {
                picture.data_mut()[i] += 60.0;
            }
            surface(&picture, &clean, &clean)
        };
        let dotted = with(&|y, x| y % 12 == 6 && x % 16 == 8);
        assert!(near(dotted.spots, 1000.0 * 64.0 / (90.0 * 122.0), 1e-9), "{dotted:?}");
        assert_eq!(with(&|_, x| x % 16 == 8).spots, 0.0);
        assert_eq!((with(&|_, _| false).spots, dotted.style_spots), (0.0, 0.0));
    }

    #[test]
    fn areas_without_the_texture_of_the_style_are_dead() {
        let style = blobs(96, 128, 0.0);
        assert_eq!(surface(&style, &style, &style).dead, 0.0);
        let mut half = style.clone();
        half.data_mut().iter_mut().enumerate().filter(|(i, _)| i % 128 < 66).for_each(|(_, value)| *value = 70.0);
        let found = surface(&half, &style, &style);
        assert!((found.dead - 8.0 / 15.0).abs() < 0.01, "{found:?}");
        // A style with blank areas allows them.
        assert_eq!(surface(&half, &style, &half).dead, 0.0);
    }
}

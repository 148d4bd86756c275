//! Flaws that no style asks for: borders unlike the rest, and grids of pixels.

use rustfft::{FftPlanner, num_complex::Complex};
use serde::{Deserialize, Serialize};

use super::luminance;
use crate::picture::Picture;

/// How wide the border is, in pixels: zero padding of a network shows within a few.
const BORDER: usize = 4;

/// The side of the squares whose spectra are averaged.
const SIDE: usize = 32;

/// How far from a frequency its neighbours lie, in steps of `1 / SIDE`.
const NEAR: isize = 3;

/// The mean change of luminance from pixel to pixel in a border of 4 pixels, over that of the rest: near 1 for a
/// photograph, more where a line runs along the edge, less where it fades out.
///
/// # Panics
/// If nothing is left within the border.
pub fn border(picture: &Picture) -> f64 {
    let (height, width) = (picture.height(), picture.width());
    assert!(height.min(width) > 2 * BORDER, "the picture is wider than its borders");
    let light = luminance(picture);
    let outside = |y: usize, x: usize| y.min(x).min(height - 1 - y).min(width - 1 - x) < BORDER;
    let (mut border, mut rest) = ((0.0, 0usize), (0.0, 0usize));
    for y in 0..height - 1 {
        for x in 0..width - 1 {
            let here = light[y * width + x];
            let change = (light[y * width + x + 1] - here).abs() + (light[(y + 1) * width + x] - here).abs();
            let part = if outside(y, x) { &mut border } else { &mut rest };
            *part = (part.0 + f64::from(change), part.1 + 1);
        }
    }
    // A hundredth of a level keeps a flat picture at 1.
    let mean = |(sum, count): (f64, usize)| sum / count.max(1) as f64 + 0.01;
    mean(border) / mean(rest)
}

/// How far the spectrum stands out at the periods of pixel grids, in decibels over its neighbourhood: about 0 without a
/// grid, above 6 where one can be seen. Upsampling by 2 and by 4 leaves such grids (Odena, Dumoulin & Olah 2016).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkerboard {
    /// At a period of 2 pixels, across or down or both.
    pub period_2: f64,
    /// At a period of 4 pixels.
    pub period_4: f64,
}

/// Measures grids in the mean spectrum of squares of 32×32 pixels of the luminance.
///
/// # Panics
/// If no such square fits.
pub fn checkerboard(picture: &Picture) -> Checkerboard {
    let spectrum = spectrum(&luminance(picture), (picture.height(), picture.width()));
    let (half, quarter) = (SIDE / 2, SIDE / 4);
    let peak = |places: &[(usize, usize)]| {
        places.iter().map(|place| stands_out(&spectrum, place.0, place.1)).fold(f64::MIN, f64::max)
    };
    Checkerboard {
        period_2: peak(&[(half, 0), (0, half), (half, half)]),
        period_4: peak(&[(quarter, 0), (0, quarter), (quarter, quarter), (quarter, half), (half, quarter)]),
    }
}

/// The mean power of the squares at each frequency, down × across, each square under a Hann window.
fn spectrum(light: &[f32], (height, width): (usize, usize)) -> Vec<f64> {
    assert!(height.min(width) >= SIDE, "a square of 32×32 fits into the picture");
    let transform = FftPlanner::new().plan_fft_forward(SIDE);
    let hann = |i: usize| (std::f64::consts::PI * (i as f64 + 0.5) / SIDE as f64).sin().powi(2);
    let mut power = vec![0.0; SIDE * SIDE];
    for top in (0..=height - SIDE).step_by(SIDE / 2) {
        for left in (0..=width - SIDE).step_by(SIDE / 2) {
            let at = |i: usize| f64::from(light[(top + i / SIDE) * width + left + i % SIDE]);
            let mean = (0..SIDE * SIDE).map(at).sum::<f64>() / (SIDE * SIDE) as f64;
            let value = |i: usize| Complex::from((at(i) - mean) * hann(i / SIDE) * hann(i % SIDE));
            let mut square: Vec<Complex<f64>> = (0..SIDE * SIDE).map(value).collect();
            transform.process(&mut square);
            let mut turned: Vec<_> = (0..SIDE * SIDE).map(|i| square[i % SIDE * SIDE + i / SIDE]).collect();
            transform.process(&mut turned);
            power.iter_mut().enumerate().for_each(|(i, sum)| *sum += turned[i % SIDE * SIDE + i / SIDE].norm_sqr());
        }
    }
    power
}

/// Decibels of a frequency over the median of those around it, which the window does not smear it into.
fn stands_out(spectrum: &[f64], down: usize, across: usize) -> f64 {
    let wrap = |at: usize, by: isize| (at as isize + by).rem_euclid(SIDE as isize) as usize;
    let at = |dy: isize, dx: isize| spectrum[wrap(down, dy) * SIDE + wrap(across, dx)];
    let ring = (-NEAR..=NEAR).flat_map(|dy| (-NEAR..=NEAR).map(move |dx| (dy, dx)));
    let mut around: Vec<f64> =
        ring.filter(|(dy, dx)| dy.abs().max(dx.abs()) == NEAR).map(|(dy, dx)| at(dy, dx)).collect();
    around.sort_unstable_by(f64::total_cmp);
    let median = around[around.len() / 2];
    // One part in a million of a level's power: a flat picture has no grid.
    10.0 * ((at(0, 0) + 1e-6) / (median + 1e-6)).log10()
}

#[cfg(test)]
mod tests {
    use super::super::tests::blobs;
    use super::*;

    fn changed(picture: &Picture, of: impl Fn(usize, usize) -> f32) -> Picture {
        let (width, positions) = (picture.width(), picture.height() * picture.width());
        let mut changed = picture.clone();
        let add = |(i, value): (usize, &mut f32)| *value += of(i % positions / width, i % width);
        changed.data_mut().iter_mut().enumerate().for_each(add);
        changed
    }

    /// A picture with a little of every frequency, as every photograph has.
    fn photograph() -> Picture {
        changed(&blobs(96, 128, 0.0), |y, x| ((y * 131 + x * 71) as f32 * 78.233).sin() * 43_758.5 % 1.0 * 6.0)
    }

    #[test]
    fn a_grid_is_found_at_its_period_alone() {
        let photo = checkerboard(&photograph());
        assert!(photo.period_2 < 4.0 && photo.period_4 < 4.0, "{photo:?}");
        let two = checkerboard(&changed(&photograph(), |y, x| if (y + x) % 2 == 0 { 3.0 } else { -3.0 }));
        assert!(two.period_2 > photo.period_2 + 6.0 && two.period_4 < 4.0, "{two:?}");
        let four = checkerboard(&changed(&photograph(), |_, x| if x % 4 == 0 { 6.0 } else { 0.0 }));
        assert!(four.period_4 > photo.period_4 + 6.0, "{four:?}");
        let flat = checkerboard(&Picture::from_planar(40, 40, vec![80.0; 4800]));
        assert_eq!((flat.period_2, flat.period_4), (0.0, 0.0));
    }

    #[test]
    fn a_line_along_the_edge_is_found() {
        let photo = border(&photograph());
        assert!((photo - 1.0).abs() < 0.3, "{photo}");
        let framed = changed(&photograph(), |y, x| if y.min(x).min(95 - y).min(127 - x) == 0 { 60.0 } else { 0.0 });
        assert!(border(&framed) > photo + 0.4, "{} {photo}", border(&framed));
        assert_eq!(border(&Picture::from_planar(40, 40, vec![80.0; 4800])), 1.0);
    }
}

//! Structural similarity: Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to
//! structural similarity", 2004, eq. 13, with its Gaussian window of 11×11 and σ = 1.5, K₁ = 0.01, K₂ = 0.03.
//!
//! One deviation: there a picture is first made smaller until its shorter side is about 256; here it is taken as it is.

use super::luminance;
use crate::picture::Picture;

const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);

/// The mean structural similarity of the luminance of two pictures of one size, at most 1, over all places where the
/// window fits.
///
/// # Panics
/// If the sizes differ, or the window fits nowhere.
pub fn ssim(a: &Picture, b: &Picture) -> f64 {
    let (height, width) = (a.height(), a.width());
    assert_eq!((height, width), (b.height(), b.width()), "both pictures have one size");
    assert!(height.min(width) >= WINDOW, "the window of 11×11 fits into the picture");
    let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
    let (a, b) = (wide(luminance(a)), wide(luminance(b)));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>();
    let smooth = |values: &[f64]| smoothed(values, (height, width));
    let (mean_a, mean_b) = (smooth(&a), smooth(&b));
    let (aa, bb, ab) = (smooth(&product(&a, &a)), smooth(&product(&b, &b)), smooth(&product(&a, &b)));
    let similarity = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb, covariance) = (aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb);
        (2.0 * ma * mb + C1) * (2.0 * covariance + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2))
    };
    (0..mean_a.len()).map(similarity).sum::<f64>() / mean_a.len() as f64
}

/// The Gaussian mean around each place where the window fits.
fn smoothed(values: &[f64], (height, width): (usize, usize)) -> Vec<f64> {
    let bell = |i: usize| (-(i as f64 - (WINDOW / 2) as f64).powi(2) / (2.0 * SIGMA * SIGMA)).exp();
    let sum: f64 = (0..WINDOW).map(bell).sum();
    let window: [f64; WINDOW] = std::array::from_fn(|i| bell(i) / sum);
    let (rows, columns) = (height + 1 - WINDOW, width + 1 - WINDOW);
    let along: Vec<f64> = (0..height * columns)
        .map(|i| {
            let row = &values[i / columns * width + i % columns..][..WINDOW];
            row.iter().zip(&window).map(|(value, weight)| value * weight).sum()
        })
        .collect();
    let down = |i: usize| window.iter().enumerate().map(|(k, weight)| along[i + k * columns] * weight).sum();
    (0..rows * columns).map(down).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::blobs;
    use super::*;

    #[test]
    fn two_flat_pictures_differ_by_the_formula_of_their_means() {
        let flat = |value: f32| Picture::from_planar(20, 15, vec![value; 3 * 300]);
        let expected = (2.0 * 100.0 * 150.0 + C1) / (100.0f64.powi(2) + 150.0f64.powi(2) + C1);
        assert!((ssim(&flat(100.0), &flat(150.0)) - expected).abs() < 1e-6);
    }

    #[test]
    fn noise_lowers_it_and_the_same_is_one() {
        let picture = blobs(40, 50, 0.0);
        let noisy = |strength: f32| {
            let mut noisy = picture.clone();
            let wave = |i: usize| ((i * 7919 % 1013) as f32 / 1013.0 - 0.5) * strength;
            noisy.data_mut().iter_mut().enumerate().for_each(|(i, value)| *value += wave(i));
            ssim(&picture, &noisy)
        };
        assert!((noisy(0.0) - 1.0).abs() < 1e-9);
        assert!(noisy(20.0) < 0.99 && noisy(80.0) < noisy(20.0) - 0.1, "{} {}", noisy(20.0), noisy(80.0));
    }
}

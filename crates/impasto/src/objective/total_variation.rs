//! Total variation: Rudin, Osher & Fatemi 1992, in the squared form that Mahendran & Vedaldi 2015 (arXiv:1412.0035,
//! eq. 6 with β = 2) and the programs of the field use.
//!
//! `Σ ((x[c,i,j+1] − x[c,i,j])² + (x[c,i+1,j] − x[c,i,j])²) / (2·M·3)`, over the differences that exist, with M the
//! number of pixels. One deviation: they do not divide. With the division, the same as in the content loss, a weight
//! means the same at every size.

use crate::device::Cpu;

/// `factor` times the total variation of a planar `3 × height × width` picture; its gradient is added to `gradient`.
pub fn total_variation(cpu: &Cpu, picture: &[f32], size: (usize, usize), factor: f64, gradient: &mut [f32]) -> f64 {
    let factor = factor / (2 * picture.len()) as f64;
    factor * cpu.variation(picture, size, factor, gradient)
}

/// The same where pixels count as much as `visible` says, `height × width` values: a difference counts as much as the
/// less visible of its two pixels, and M is the sum of what they count.
pub fn visible_variation(
    picture: &[f32],
    visible: &[f32],
    (height, width): (usize, usize),
    factor: f64,
    gradient: &mut [f32],
) -> f64 {
    let count: f64 = visible.iter().map(|v| f64::from(*v)).sum();
    if count == 0.0 {
        return 0.0;
    }
    let factor = factor / (2.0 * 3.0 * count);
    let mut sum = 0.0;
    for (plane, gradient) in picture.chunks_exact(height * width).zip(gradient.chunks_exact_mut(height * width)) {
        let mut pair = |a: usize, b: usize| {
            let weight = f64::from(visible[a].min(visible[b]));
            let difference = f64::from(plane[b]) - f64::from(plane[a]);
            sum += weight * difference * difference;
            let slope = (2.0 * factor * weight * difference) as f32;
            gradient[b] += slope;
            gradient[a] -= slope;
        };
        for y in 0..height {
            for x in 0..width {
                let here = y * width + x;
                if x + 1 < width {
                    pair(here, here + 1);
                }
                if y + 1 < height {
                    pair(here, here + width);
                }
            }
        }
    }
    factor * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(picture: &[f32], size: (usize, usize)) -> f64 {
        total_variation(&Cpu::new(1), picture, size, 3.0, &mut vec![0.0; picture.len()])
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let picture: Vec<f32> = (0..3 * 4 * 5).map(|i| (i as f32 * 1.7).sin() * 100.0).collect();
        let mut gradient = vec![1.0; picture.len()];
        total_variation(&Cpu::new(2), &picture, (4, 5), 3.0, &mut gradient);
        for i in 0..picture.len() {
            let at = |step: f32| {
                let mut moved = picture.clone();
                moved[i] += step;
                value(&moved, (4, 5))
            };
            let numeric = (at(0.5) - at(-0.5)) + 1.0;
            assert!((numeric - f64::from(gradient[i])).abs() < 1e-3, "{i}: {numeric} against {}", gradient[i]);
        }
    }

    #[test]
    fn where_all_is_visible_it_is_the_same_and_what_is_not_has_no_part() {
        let picture: Vec<f32> = (0..3 * 4 * 5).map(|i| (i as f32 * 1.7).sin() * 100.0).collect();
        let (mut plain, mut weighted) = (vec![0.0; picture.len()], vec![0.0; picture.len()]);
        let told = total_variation(&Cpu::new(1), &picture, (4, 5), 3.0, &mut plain);
        let same = visible_variation(&picture, &[1.0; 20], (4, 5), 3.0, &mut weighted);
        assert!((told / same - 1.0).abs() < 1e-6, "{told} {same}");
        assert!(plain.iter().zip(&weighted).all(|(a, b)| (a - b).abs() < 1e-4));
        let visible: Vec<f32> = (0..20).map(|i| [0.0, 0.3, 1.0][i % 3]).collect();
        let mut gradient = vec![0.0; picture.len()];
        visible_variation(&picture, &visible, (4, 5), 3.0, &mut gradient);
        for i in 0..picture.len() {
            let at = |step: f32| {
                let mut moved = picture.clone();
                moved[i] += step;
                visible_variation(&moved, &visible, (4, 5), 3.0, &mut vec![0.0; picture.len()])
            };
            let numeric = at(0.5) - at(-0.5);
            assert!((numeric - f64::from(gradient[i])).abs() < 1e-3, "{i}: {numeric} against {}", gradient[i]);
            assert!(visible[i % 20] > 0.0 || gradient[i] == 0.0);
        }
    }

    #[test]
    fn a_flat_picture_has_none_and_a_step_has_its_height_squared() {
        assert_eq!(value(&[7.0; 3 * 6], (2, 3)), 0.0);
        let step = [0.0, 10.0].repeat(3);
        assert_eq!(value(&step, (1, 2)), 3.0 * 300.0 / 12.0);
    }
}

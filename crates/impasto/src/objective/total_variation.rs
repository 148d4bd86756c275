//! Total variation: Rudin, Osher & Fatemi 1992, in the squared form that Mahendran & Vedaldi 2015 (arXiv:1412.0035,
//! eq. 6 with β = 2) and the programs of the field use.
//!
//! `Σ ((x[c,i,j+1] − x[c,i,j])² + (x[c,i+1,j] − x[c,i,j])²) / (2·M·3)`, over the differences that exist, with M the
//! number of pixels. One deviation: they do not divide. With the division, the same as in the content loss, a weight
//! means the same at every size.

/// The total variation of a planar `3 × height × width` picture.
pub fn total_variation(picture: &[f32], height: usize, width: usize) -> f64 {
    let square = |a: &f32, b: &f32| f64::from(a - b).powi(2);
    let mut sum = 0.0;
    for plane in picture.chunks_exact(height * width) {
        sum += plane.chunks_exact(width).flat_map(|row| row.windows(2)).map(|w| square(&w[1], &w[0])).sum::<f64>();
        sum += plane[width..].iter().zip(plane).map(|(below, above)| square(below, above)).sum::<f64>();
    }
    sum / (2 * picture.len()) as f64
}

/// Adds `factor` times the gradient of [`total_variation`] to `gradient`.
pub(super) fn add_gradient(picture: &[f32], height: usize, width: usize, factor: f64, gradient: &mut [f32]) {
    if factor == 0.0 {
        return;
    }
    let factor = (factor / picture.len() as f64) as f32;
    for (plane, gradient) in picture.chunks_exact(height * width).zip(gradient.chunks_exact_mut(height * width)) {
        for i in 0..height {
            for j in 0..width {
                let p = i * width + j;
                if j + 1 < width {
                    let flow = factor * (plane[p + 1] - plane[p]);
                    gradient[p + 1] += flow;
                    gradient[p] -= flow;
                }
                if i + 1 < height {
                    let flow = factor * (plane[p + width] - plane[p]);
                    gradient[p + width] += flow;
                    gradient[p] -= flow;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let picture: Vec<f32> = (0..3 * 4 * 5).map(|i| (i as f32 * 1.7).sin() * 100.0).collect();
        let mut gradient = vec![1.0; picture.len()];
        add_gradient(&picture, 4, 5, 3.0, &mut gradient);
        for i in 0..picture.len() {
            let at = |step: f32| {
                let mut moved = picture.clone();
                moved[i] += step;
                3.0 * total_variation(&moved, 4, 5)
            };
            let numeric = (at(0.5) - at(-0.5)) + 1.0;
            assert!((numeric - f64::from(gradient[i])).abs() < 1e-3, "{i}: {numeric} against {}", gradient[i]);
        }
    }

    #[test]
    fn a_flat_picture_has_none_and_a_step_has_its_height_squared() {
        assert_eq!(total_variation(&[7.0; 3 * 6], 2, 3), 0.0);
        let step = [0.0, 10.0].repeat(3);
        assert_eq!(total_variation(&step, 1, 2), 300.0 / 12.0);
    }
}

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
    fn a_flat_picture_has_none_and_a_step_has_its_height_squared() {
        assert_eq!(value(&[7.0; 3 * 6], (2, 3)), 0.0);
        let step = [0.0, 10.0].repeat(3);
        assert_eq!(value(&step, (1, 2)), 3.0 * 300.0 / 12.0);
    }
}

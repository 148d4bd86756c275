//! Total variation: Rudin, Osher & Fatemi 1992, in the squared form that Mahendran & Vedaldi 2015 (arXiv:1412.0035,
//! eq. 6 with β = 2) and the programs of the field use.
//!
//! `Σ ((x[c,i,j+1] − x[c,i,j])² + (x[c,i+1,j] − x[c,i,j])²) / (2·M·3)`, over the differences that exist, with M the
//! number of pixels. One deviation: they do not divide. With the division, the same as in the content loss, a weight
//! means the same at every size.

use impasto_nn::backend::{Backend, Tensor};

/// `factor` times the total variation of a planar `3 × height × width` picture; its gradient is added to `gradient`.
///
/// Where pixels count as much as `visible` says, `height × width` values, a difference counts as much as the less
/// visible of its two pixels, and M is the sum of what they count.
pub fn total_variation(
    backend: &dyn Backend,
    picture: &Tensor,
    (height, width): (usize, usize),
    visible: Option<&[f32]>,
    factor: f64,
    gradient: &mut Tensor,
) -> f64 {
    let count: f64 = match visible {
        None => (height * width) as f64,
        Some(visible) => visible.iter().map(|v| f64::from(*v)).sum(),
    };
    if count == 0.0 {
        return 0.0;
    }
    let factor = factor / (2.0 * 3.0 * count);
    factor * backend.total_variation(picture, [height, width], visible, factor, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;

    const SIZE: (usize, usize) = (4, 5);

    /// The total variation times 3 and its gradient.
    fn varied(picture: &[f32], size: (usize, usize), visible: Option<&[f32]>) -> (f64, Vec<f32>) {
        let backend = &*cpu_backend();
        let mut gradient = backend.zeros(picture.len());
        let picture = backend.upload(picture.to_vec());
        let told = total_variation(backend, &picture, size, visible, 3.0, &mut gradient);
        (told, backend.take(gradient))
    }

    fn picture() -> Vec<f32> {
        (0..3 * 4 * 5).map(|i| (i as f32 * 1.7).sin() * 100.0).collect()
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let some: Vec<f32> = (0..20).map(|i| [0.0, 0.3, 1.0][i % 3]).collect();
        for visible in [None, Some(&some[..])] {
            let (_, gradient) = varied(&picture(), SIZE, visible);
            for i in 0..gradient.len() {
                let at = |step: f32| {
                    let mut moved = picture();
                    moved[i] += step;
                    varied(&moved, SIZE, visible).0
                };
                let numeric = at(0.5) - at(-0.5);
                assert!((numeric - f64::from(gradient[i])).abs() < 1e-3, "{i}: {numeric} against {}", gradient[i]);
                assert!(visible.is_none_or(|visible| visible[i % 20] > 0.0 || gradient[i] == 0.0));
            }
        }
    }

    #[test]
    fn where_all_is_visible_it_is_the_same() {
        let ((told, plain), (same, weighted)) =
            (varied(&picture(), SIZE, None), varied(&picture(), SIZE, Some(&[1.0; 20])));
        assert!((told / same - 1.0).abs() < 1e-6, "{told} {same}");
        assert!(plain.iter().zip(&weighted).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn a_flat_picture_has_none_and_a_step_has_its_height_squared() {
        assert_eq!(varied(&[7.0; 3 * 6], (2, 3), None).0, 0.0);
        let step = [0.0, 10.0].repeat(3);
        assert_eq!(varied(&step, (1, 2), None).0, 3.0 * 300.0 / 12.0);
    }
}

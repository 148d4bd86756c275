//! Random directions in the space of a feature's channels.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A direction of length 1, every one as likely: the sum of twelve uniform numbers is nearly normal.
pub(crate) fn direction(random: &mut ChaCha8Rng, channels: usize) -> Vec<f32> {
    let mut normal = || (0..12).map(|_| random.random_range(-0.5..0.5f32)).sum::<f32>();
    let direction: Vec<f32> = (0..channels).map(|_| normal()).collect();
    let length = direction.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    direction.into_iter().map(|value| value / length).collect()
}

/// This many directions that are orthogonal to each other, row-major, at most as many as there are channels: random ones
/// after Gram and Schmidt. The same for the same numbers.
pub(super) fn orthogonal_directions(number: usize, channels: usize) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(channels as u64);
    let mut all: Vec<Vec<f64>> = Vec::new();
    while all.len() < number.min(channels) {
        let mut new: Vec<f64> = direction(&mut random, channels).into_iter().map(f64::from).collect();
        for other in &all {
            let along: f64 = new.iter().zip(other).map(|(a, b)| a * b).sum();
            new.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let length = new.iter().map(|value| value * value).sum::<f64>().sqrt();
        // One that is nearly a combination of the others would be rounding errors.
        if length > 1e-6 {
            all.push(new.into_iter().map(|value| value / length).collect());
        }
    }
    all.into_iter().flatten().map(|value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_have_length_1_and_are_orthogonal() {
        for (number, channels) in [(1, 1), (3, 3), (16, 64), (128, 128)] {
            let all = orthogonal_directions(number, channels);
            for (i, a) in all.chunks_exact(channels).enumerate() {
                for (j, b) in all.chunks_exact(channels).enumerate() {
                    let product: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!((product - f32::from(u8::from(i == j))).abs() < 1e-5, "{i} {j}: {product}");
                }
            }
        }
    }
}

//! The sliced Wasserstein distance of features: Heitz, Vanhoey, Chambon & Belcour, "A Sliced Wasserstein Loss for Neural
//! Texture Synthesis", 2021 (arXiv:2006.07229), eq. 3: features are projected onto random directions, sorted, and
//! compared place by place. It is 0 only where the whole distributions agree, not their moments alone.
//!
//! One deviation: where the numbers of positions differ, places are compared at as many even quantiles as the smaller
//! has, rather than by repeating samples.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::objective::direction;

/// Random directions: with 64 the distance of two paintings varies by a few percent from seed to seed.
const DIRECTIONS: usize = 64;

/// Positions that are read of a large feature, evenly spread.
const MOST_POSITIONS: usize = 1 << 14;

/// Some of the positions of a planar feature, `channels × positions`, evenly spread.
pub(super) fn sample(feature: &[f32], channels: usize) -> Vec<f32> {
    let positions = feature.len() / channels;
    let kept = positions.min(MOST_POSITIONS);
    let plane = |plane: &[f32]| (0..kept).map(|i| plane[i * positions / kept]).collect::<Vec<f32>>();
    feature.chunks_exact(positions).flat_map(plane).collect()
}

/// The mean over directions of the squared distance of sorted projections of two features, `channels × positions` each.
///
/// # Panics
/// If a length is not a multiple of `channels`, or 0.
pub fn sliced_wasserstein(a: &[f32], b: &[f32], channels: usize) -> f64 {
    assert!(channels > 0 && a.len() >= channels && b.len() >= channels, "both have a position");
    assert!(a.len().is_multiple_of(channels) && b.len().is_multiple_of(channels), "both have all channels");
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut sum = 0.0;
    for _ in 0..DIRECTIONS {
        let direction = direction(&mut random, channels);
        let (a, b) = (projected(a, &direction), projected(b, &direction));
        let places = a.len().min(b.len());
        let at = |sorted: &[f32], place: usize| {
            let quantile = (place as f64 + 0.5) / places as f64;
            f64::from(sorted[(quantile * sorted.len() as f64) as usize])
        };
        sum += (0..places).map(|place| (at(&a, place) - at(&b, place)).powi(2)).sum::<f64>() / places as f64;
    }
    sum / DIRECTIONS as f64
}

fn projected(feature: &[f32], direction: &[f32]) -> Vec<f32> {
    let positions = feature.len() / direction.len();
    let mut projected = vec![0.0; positions];
    for (plane, weight) in feature.chunks_exact(positions).zip(direction) {
        projected.iter_mut().zip(plane).for_each(|(sum, value)| *sum += weight * value);
    }
    projected.sort_unstable_by(f32::total_cmp);
    projected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(channels: usize, positions: usize, of: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        (0..channels * positions).map(|i| of(i / positions, i % positions)).collect()
    }

    #[test]
    fn it_knows_no_order_but_sees_what_moments_do_not() {
        // Two distributions of one mean and variance: two points, and three.
        let two = feature(1, 6, |_, p| [-1.0, 1.0][p % 2]);
        let mixed = feature(1, 6, |_, p| [-1.0, 1.0][p / 3]);
        let third = 1.5f32.sqrt();
        let three = feature(1, 6, |_, p| [-third, 0.0, third][p % 3]);
        assert_eq!(sliced_wasserstein(&two, &mixed, 1), 0.0);
        assert!(sliced_wasserstein(&two, &three, 1) > 0.1);
    }

    #[test]
    fn a_shift_in_one_of_many_channels_is_its_share() {
        let own = feature(16, 50, |c, p| ((c * 50 + p) as f32).sin());
        let moved = feature(16, 50, |c, p| ((c * 50 + p) as f32).sin() + if c == 3 { 4.0 } else { 0.0 });
        // A direction has a mean square of 1/16 along each channel.
        let distance = sliced_wasserstein(&own, &moved, 16);
        assert!((distance - 1.0).abs() < 0.4, "{distance}");
    }

    #[test]
    fn large_features_are_thinned_and_sizes_may_differ() {
        let large = feature(2, 40_000, |c, p| (c * 40_000 + p) as f32);
        let kept = sample(&large, 2);
        assert_eq!((kept.len(), kept[0], kept[MOST_POSITIONS]), (2 * MOST_POSITIONS, 0.0, 40_000.0));
        let (coarse, fine) = (feature(1, 10, |_, p| p as f32 + 0.5), feature(1, 1000, |_, p| p as f32 / 100.0));
        assert!(sliced_wasserstein(&coarse, &fine, 1) < 0.01);
    }
}

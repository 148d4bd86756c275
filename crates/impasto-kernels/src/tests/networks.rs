//! Small networks of random weights: many sizes, channel counts and poolings.

use super::{Case, distance};
use crate::reference;
use crate::{Isa, Pooling, Threads};

const POOLINGS: [Pooling; 3] = [Pooling::Average, Pooling::Max, Pooling::L2];

/// Height and width: one pixel, single rows and columns, odd and even, more and less than a tile.
const SIZES: [(usize, usize); 10] =
    [(1, 1), (2, 3), (1, 9), (11, 1), (5, 7), (4, 8), (15, 40), (16, 16), (17, 33), (37, 53)];

/// Widths that fill panels and that do not, poolings after the first layer and not.
const NETWORKS: [&[usize]; 3] = [&[16, 32, 0, 48, 64, 0, 128], &[64, 64, 0, 128, 0, 16], &[32, 0, 80, 0, 32, 0, 64]];

/// For every instruction set, network, pooling and size, with few and with all taps.
fn every_case(sizes: &[(usize, usize)], mut check: impl FnMut(&Case, Isa, &Threads, String)) {
    let threads = Threads::new(2);
    for isa in Isa::available() {
        for (number, channels) in NETWORKS.iter().enumerate() {
            let convolutions = channels.iter().filter(|&&channels| channels > 0).count();
            for pooling in POOLINGS {
                for &(height, width) in sizes {
                    for taps in [vec![convolutions - 1], (0..convolutions).collect(), vec![0, convolutions - 2]] {
                        let case = Case::new(channels, pooling, height, width, &taps);
                        let name = format!("{isa:?} network {number} {pooling:?} {height}×{width} taps {taps:?}");
                        check(&case, isa, &threads, name);
                    }
                }
            }
        }
    }
}

#[test]
fn features_and_moments_are_the_reference() {
    every_case(&SIZES, |case, isa, threads, name| {
        let (features, moments) = case.feature_errors(isa, threads);
        assert!(features < 3e-6, "{name}: features {features:e}");
        assert!(moments < 3e-6, "{name}: moments {moments:e}");
    });
}

#[test]
fn gradients_are_the_reference_under_the_same_masks() {
    every_case(&SIZES, |case, isa, threads, name| {
        let error = case.gradient_error(isa, threads);
        assert!(error < 1e-5, "{name}: gradient {error:e}");
    });
}

/// Only one tap has a gradient, or one has two.
#[test]
fn gradients_of_some_taps_only() {
    let threads = Threads::new(2);
    for isa in Isa::available() {
        for channels in [NETWORKS[0], NETWORKS[2], &[16]] {
            let taps: Vec<usize> = (0..channels.iter().filter(|&&channels| channels > 0).count()).collect();
            for pooling in POOLINGS {
                let case = Case::new(channels, pooling, 19, 14, &taps);
                for &only in &taps {
                    let error = case.gradient_error_of(isa, &threads, |tap| usize::from(tap == only));
                    assert!(error < 1e-5, "{isa:?} {channels:?} {pooling:?} tap {only}: {error:e}");
                }
                let error = case.gradient_error_of(isa, &threads, |tap| if tap == 0 { 2 } else { 1 });
                assert!(error < 1e-5, "{isa:?} {channels:?} {pooling:?}, tap 0 twice: {error:e}");
            }
        }
    }
}

/// Features that are written past the caches, and tiles that come in more than one portion.
#[test]
fn large_features_are_the_reference() {
    let case = Case::new(&[64, 64], Pooling::Average, 258, 259, &[0, 1]);
    let trace = case.trace(&case.reference());
    for isa in Isa::available() {
        let mut engine = case.engine(isa, &Threads::new(2));
        engine.forward(&case.picture(), case.height, case.width, false);
        for tap in [0, 1] {
            let error = distance(&engine.features(tap), trace.feature(&case.layers, tap).1);
            assert!(error < 3e-6, "{isa:?} tap {tap}: {error:e}");
        }
    }
}

/// Few tiles and many channels: workers share out the channels, also unequal parts of them.
#[test]
fn deep_layers_of_small_pictures_are_the_reference() {
    for isa in Isa::available() {
        for count in [2, 3, 5] {
            let threads = Threads::new(count);
            for (height, width) in [(1, 1), (9, 5), (18, 30)] {
                let case = Case::new(&[16, 256, 304, 0, 256], Pooling::Max, height, width, &[1, 3]);
                let name = format!("{isa:?} {count} threads {height}×{width}");
                let (features, _) = case.feature_errors(isa, &threads);
                assert!(features < 3e-6, "{name}: features {features:e}");
                let error = case.gradient_error(isa, &threads);
                assert!(error < 1e-5, "{name}: gradient {error:e}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "needs a forward pass with `keep`")]
fn a_backward_pass_without_what_it_needs_is_refused() {
    let case = Case::new(&[16], Pooling::Max, 3, 3, &[0]);
    let mut engine = case.engine(Isa::best(), &Threads::new(1));
    engine.forward(&case.picture(), 3, 3, false);
    engine.backward(&[], &mut [0.0; 27]);
}

/// The reference's own gradient against differences of the loss that it belongs to.
#[test]
fn the_gradient_of_the_reference_is_that_of_its_loss() {
    for pooling in POOLINGS {
        Case::new(NETWORKS[0], pooling, 9, 11, &[0, 1, 3, 4]).check_reference();
    }
}

#[test]
fn the_content_distance_is_the_sum_of_squares() {
    for isa in Isa::available() {
        let case = Case::new(NETWORKS[0], Pooling::Average, 13, 22, &[1, 3]);
        let mut engine = case.engine(isa, &Threads::new(2));
        engine.forward(&case.picture(), case.height, case.width, false);
        for tap in [1, 3] {
            let mut target = engine.capture(tap);
            let feature = engine.features(tap);
            target.data.iter_mut().for_each(|value| *value *= 0.5);
            let square = |value: f32| f64::from(value * 0.5).powi(2);
            let positions = target.shape.positions();
            let expected: f64 = feature.iter().map(|&value| square(value)).sum();
            let found = engine.squared_distance(tap, &target, None);
            assert!((found / expected - 1.0).abs() < 1e-9, "{isa:?}: {found} for {expected}");
            let mask: Vec<f32> = (0..positions).map(|p| (p % 4) as f32 * 0.5).collect();
            let weighted = |(i, &value): (usize, &f32)| square(value) * f64::from(mask[i % positions]);
            let expected: f64 = feature.iter().enumerate().map(weighted).sum();
            let found = engine.squared_distance(tap, &target, Some(&mask));
            assert!((found / expected - 1.0).abs() < 1e-7, "{isa:?}: {found} for {expected}");
        }
    }
}

/// The backward convolution is the transpose of the forward one.
#[test]
fn the_reference_convolutions_are_transposes() {
    let case = Case::new(&[16, 32], Pooling::Average, 6, 5, &[1]);
    let crate::TrunkLayer::Convolution(convolution) = &case.layers[1] else { panic!("a convolution") };
    let mut numbers = super::Numbers::new(1);
    let mut many = |count| numbers.many(count).into_iter().map(f64::from).collect::<Vec<_>>();
    let (x, y) = (many(16 * 30), many(32 * 30));
    let shape = |channels| crate::Shape { channels, height: 6, width: 5 };
    let mut forward = reference::convolve(convolution, &x, shape(16));
    forward.iter_mut().enumerate().for_each(|(i, value)| *value -= f64::from(convolution.bias[i / 30]));
    let backward = reference::convolve_back(convolution, &y, shape(32));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!((dot(&forward, &y) - dot(&x, &backward)).abs() < 1e-9);
}

#[test]
fn no_gradients_give_none() {
    let case = Case::new(NETWORKS[0], Pooling::Max, 6, 7, &[2]);
    let mut engine = case.engine(Isa::best(), &Threads::new(1));
    engine.forward(&case.picture(), 6, 7, true);
    let mut out = vec![f32::NAN; 3 * 42];
    engine.backward(&[], &mut out);
    assert!(distance(&out, &[0.0; 126]) == 0.0);
}

//! Bands of rows against the whole: the same features, moments, distances and gradients.

use super::{Case, Pull, distance};
use crate::{Border, Engine, Features, Isa, Moments, Pooling, Threads};

const POOLINGS: [Pooling; 3] = [Pooling::Average, Pooling::Max, Pooling::L2];

/// Two convolutions before each pooling, one, and one pooling in all; the last one reads the last feature before a
/// pooling.
const NETWORKS: [(&[usize], &[usize]); 4] = [
    (&[16, 32, 0, 32, 48, 0, 64, 64, 0, 32], &[0, 2, 4, 5, 6]),
    (&[32, 0, 80, 0, 32, 0, 64], &[0, 1, 3]),
    (&[16, 16, 0, 32, 16], &[1, 3]),
    (&[16, 16, 0, 16, 32, 0, 16], &[0, 1, 2, 3, 4]),
];

/// What comes out of an engine.
struct Outcome {
    captured: Vec<Features>,
    moments: Vec<Moments>,
    distances: Vec<f64>,
    gradients: Vec<Vec<f32>>,
}

/// The weights that moments and distances at a tap have.
fn mask(positions: usize) -> Vec<f32> {
    (0..positions).map(|p| (p * 7 % 11) as f32 * 0.2).collect()
}

/// Everything that can be asked of an engine, and gradients before and after it was asked, of all taps and of some.
fn outcome(engine: &mut Engine, case: &Case, pulls: &[Pull]) -> Outcome {
    let picture = case.picture();
    let masks: Vec<_> =
        case.taps.iter().map(|&tap| mask(engine.tap_shape(tap, case.height, case.width).positions())).collect();
    let weighted = case.taps.iter().zip(&masks).map(|(&tap, mask)| (tap, Some(mask.as_slice())));
    let wanted: Vec<_> = weighted.chain(case.taps.iter().map(|&tap| (tap, None))).collect();
    let mut moments = engine.forward_with_moments(&picture, case.height, case.width, true, &wanted);
    let mut gradients = Vec::new();
    let mut backward = |engine: &mut Engine, wanted: &dyn Fn(usize) -> bool| {
        let gradient: Vec<_> = pulls.iter().filter(|pull| wanted(pull.tap)).map(Pull::gradient).collect();
        let mut out = vec![f32::NAN; picture.len()];
        engine.backward(&gradient, &mut out);
        gradients.push(out);
    };
    backward(engine, &|_| true);
    let captured: Vec<_> = case.taps.iter().map(|&tap| engine.capture(tap)).collect();
    moments.extend(wanted.iter().map(|&(tap, weights)| engine.moments(tap, weights)));
    let mut distances = Vec::new();
    for ((pull, mask), tap) in pulls.iter().zip(&masks).zip(&case.taps) {
        let Some(content) = pull.gradient().content else { panic!("pulls have contents") };
        distances.push(engine.squared_distance(*tap, content.target, None));
        distances.push(engine.squared_distance(*tap, content.target, Some(mask)));
    }
    backward(engine, &|_| true);
    backward(engine, &|tap| tap == case.taps[0]);
    backward(engine, &|tap| tap == case.taps[case.taps.len() - 1]);
    backward(engine, &|_| false);
    Outcome { captured, moments, distances, gradients }
}

/// Compares bands of this many rows with the whole; whether there was more than one.
fn compare(case: &Case, isa: Isa, threads: &Threads, rows: usize) -> bool {
    let name =
        format!("{isa:?} {:?} {}×{} in bands of {rows}, taps {:?}", case.pooling, case.height, case.width, case.taps);
    let mut engine = case.engine(isa, threads);
    engine.forward(&case.picture(), case.height, case.width, false);
    let pulls = case.pulls(&mut engine);
    let whole = outcome(&mut engine, case, &pulls);
    let whole_bytes = engine.bytes();
    assert_eq!(engine.planned_bytes(case.height, case.width, None), whole_bytes, "{name}");

    engine.set_bands(Some(rows));
    assert_eq!(engine.bytes(), 0, "{name}");
    let bands = outcome(&mut engine, case, &pulls);
    assert_eq!(engine.planned_bytes(case.height, case.width, Some(rows)), engine.bytes(), "{name}");
    for (tap, (found, expected)) in bands.captured.iter().zip(&whole.captured).enumerate() {
        let bits = |features: &Features| features.data.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(found.shape, expected.shape);
        assert!(bits(found) == bits(expected), "{name}: feature of tap {tap}");
    }
    for (found, expected) in bands.moments.iter().zip(&whole.moments) {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        assert!((found.weight - expected.weight).abs() <= 1e-12 * expected.weight, "{name}: weight");
        assert!(distance(&found.mean, &wide(&expected.mean)) < 1e-6, "{name}: mean");
        assert!(distance(&found.second, &wide(&expected.second)) < 1e-6, "{name}: second moment");
    }
    for (found, expected) in bands.distances.iter().zip(&whole.distances) {
        assert!((found - expected).abs() <= 1e-9 * expected, "{name}: distance {found} for {expected}");
    }
    for (index, (found, expected)) in bands.gradients.iter().zip(&whole.gradients).enumerate() {
        let expected: Vec<f64> = expected.iter().map(|&value| f64::from(value)).collect();
        let error = distance(found, &expected);
        assert!(error < 1e-5, "{name}: gradient {index} {error:e}");
    }
    assert!(bands.gradients[0] == bands.gradients[1], "{name}: the same gradient, whatever was asked in between");
    engine.ran_in_bands()
}

#[test]
fn bands_are_the_whole() {
    let mut several = 0;
    for isa in Isa::available() {
        let sizes = [(97, 13, 8), (64, 20, 16), (131, 9, 40), (90, 5, 1), (30, 17, 64)];
        let sizes = if isa == Isa::best() { &sizes[..] } else { &sizes[..2] };
        for (channels, taps) in NETWORKS {
            for pooling in POOLINGS {
                for &(height, width, rows) in sizes {
                    let mut case = Case::new(channels, pooling, height, width, taps);
                    if width % 2 == 1 {
                        (case.border, case.pooling_scale) = (Border::Replicate, 1.5);
                    }
                    let threads = Threads::new(1 + usize::from(rows == 40));
                    several += usize::from(compare(&case, isa, &threads, rows));
                }
            }
        }
    }
    assert!(several >= 40, "{several} of the cases had several bands");
}

/// Every height of bands, every height of pictures around those where one more band begins.
#[test]
fn every_height_of_bands_and_pictures() {
    let (channels, taps) = NETWORKS[0];
    for height in 1..90 {
        let case = Case::new(channels, Pooling::Average, height, 6, taps);
        compare(&case, Isa::best(), &Threads::new(1), 8 + height / 30 * 8);
    }
}

/// A network that ends before its first pooling has no part that could run in bands.
#[test]
fn a_network_without_pooling_runs_whole() {
    for taps in [&[0][..], &[0, 1]] {
        let case = Case::new(&[16, 16, 0, 16], Pooling::Max, 200, 8, taps);
        assert!(!compare(&case, Isa::best(), &Threads::new(2), 8));
    }
}

/// One band for a whole picture of VGG19 takes less than two thirds of the memory, many bands less than half.
#[test]
fn bands_take_less_memory() {
    let channels = [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512];
    let case = Case::new(&channels, Pooling::Average, 0, 0, &[0, 2, 4, 8]);
    let engine = case.engine(Isa::best(), &Threads::new(1));
    let bytes = |bands| engine.planned_bytes(2048, 2048, bands) as f64 / f64::from(2048 * 2048);
    assert!((550.0..650.0).contains(&bytes(None)), "whole {}", bytes(None));
    assert!(bytes(Some(2048)) < 0.66 * bytes(None), "one band {}", bytes(Some(2048)));
    assert!(bytes(Some(128)) < 0.45 * bytes(None), "bands {}", bytes(Some(128)));
    assert!(bytes(Some(64)) < bytes(Some(128)));
}

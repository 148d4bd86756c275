//! The same bits for the same instruction set and threads; the same to rounding for other numbers of threads.

use super::{Case, Pull, distance};
use crate::{Isa, Moments, Pooling, Threads, TrunkError, TrunkLayer};

struct Outcome {
    features: Vec<f32>,
    moments: Moments,
    distance: f64,
    gradient: Vec<f32>,
}

fn outcome(case: &Case, isa: Isa, threads: usize) -> Outcome {
    let mut engine = case.engine(isa, &Threads::new(threads));
    let picture = case.picture();
    // Another size first: what it leaves in the buffers must not matter.
    engine.forward(&super::cat(9, 30), 9, 30, true);
    engine.forward(&picture, case.height, case.width, true);
    let pulls = case.pulls(&mut engine);
    let gradients: Vec<_> = pulls.iter().map(Pull::gradient).collect();
    let mut gradient = vec![0.0; picture.len()];
    engine.backward(&gradients, &mut gradient);
    let mut again = vec![0.0; picture.len()];
    engine.backward(&gradients, &mut again);
    assert!(bits(&gradient) == bits(&again), "a second backward pass gives the same");
    let mut target = engine.capture(2);
    target.data.fill(0.0);
    Outcome {
        features: engine.features(2),
        moments: engine.moments(2, None),
        distance: engine.squared_distance(2, &target, None),
        gradient,
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn case() -> Case {
    Case::new(&[32, 64, 0, 64, 128], Pooling::Average, 70, 91, &[0, 2, 3])
}

#[test]
fn the_same_bits_twice() {
    for isa in Isa::available() {
        for threads in [1, 2, 3] {
            let (one, two) = (outcome(&case(), isa, threads), outcome(&case(), isa, threads));
            assert!(bits(&one.features) == bits(&two.features), "{isa:?}, {threads} threads: features");
            assert!(bits(&one.gradient) == bits(&two.gradient), "{isa:?}, {threads} threads: gradient");
            assert!(bits(&one.moments.second) == bits(&two.moments.second), "{isa:?}, {threads} threads: moments");
            assert!(one.distance.to_bits() == two.distance.to_bits(), "{isa:?}, {threads} threads: distance");
        }
    }
}

#[test]
fn other_numbers_of_threads_agree_to_rounding() {
    for isa in Isa::available() {
        let one = outcome(&case(), isa, 1);
        let gradient: Vec<f64> = one.gradient.iter().map(|&value| f64::from(value)).collect();
        for threads in [2, 3, 7] {
            let more = outcome(&case(), isa, threads);
            assert!(distance(&more.gradient, &gradient) < 1e-6, "{isa:?}, {threads} threads");
            assert!((one.distance / more.distance - 1.0).abs() < 1e-12, "{isa:?}, {threads} threads");
        }
    }
}

#[test]
fn what_is_no_trunk_is_refused() {
    let make = |layers: &[TrunkLayer]| crate::PackedTrunk::new(Isa::best(), &Threads::new(1), layers).map(|_| ());
    let edit = |channels: &[usize], change: &dyn Fn(&mut crate::Convolution)| {
        let mut layers = super::network(channels);
        if let Some(TrunkLayer::Convolution(convolution)) = layers.last_mut() {
            change(convolution);
        }
        make(&layers)
    };
    assert_eq!(make(&[]), Err(TrunkError::Empty));
    assert_eq!(make(&[TrunkLayer::Pool]), Err(TrunkError::MisplacedPool { layer: 0 }));
    assert_eq!(edit(&[16, 0, 0, 16], &|_| {}), Err(TrunkError::MisplacedPool { layer: 2 }));
    assert_eq!(edit(&[24], &|_| {}), Err(TrunkError::Channels { convolution: 0, channels: 24 }));
    assert_eq!(edit(&[16], &|c| c.in_channels = 4), Err(TrunkError::NotAPicture { channels: 4 }));
    let mismatch = TrunkError::Mismatch { convolution: 1, expected: 16, found: 32 };
    assert_eq!(edit(&[16, 16], &|c| c.in_channels = 32), Err(mismatch));
    let short = TrunkError::Length { convolution: 1, what: "bias", expected: 16, found: 15 };
    assert_eq!(edit(&[16, 16], &|c| c.bias.truncate(15)), Err(short));
    let short = TrunkError::Length { convolution: 0, what: "weight", expected: 432, found: 431 };
    assert_eq!(edit(&[16], &|c| c.weight.truncate(431)), Err(short));
}

#[test]
fn taps_that_do_not_exist_are_refused() {
    let trunk = crate::PackedTrunk::new(Isa::best(), &Threads::new(1), &super::network(&[16, 16])).expect("sound");
    let trunk = std::sync::Arc::new(trunk);
    let engine = |taps: &[usize]| {
        crate::Engine::new(trunk.clone(), Threads::new(1), Pooling::Max, [0.0; 3], [1.0; 3], taps).map(|_| ())
    };
    assert_eq!(engine(&[]), Err(TrunkError::NoTaps));
    assert_eq!(engine(&[0, 2]), Err(TrunkError::NoSuchTap { tap: 2, convolutions: 2 }));
    assert_eq!(engine(&[1, 0, 1]), Ok(()));
}

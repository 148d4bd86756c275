//! What lies around the picture, and the factor on poolings.

use super::Case;
use crate::{Border, Isa, Pooling, Threads};

const POOLINGS: [Pooling; 3] = [Pooling::Average, Pooling::Max, Pooling::L2];

/// The second convolution's backward ends in the picture; the first feature is pooled; the first feature is all.
const NETWORKS: [&[usize]; 3] = [&[16, 32, 0, 48, 0, 16], &[32, 0, 48, 32], &[16]];

fn case(channels: &[usize], pooling: Pooling, (height, width): (usize, usize)) -> Case {
    let taps: Vec<usize> = (0..channels.iter().filter(|&&channels| channels > 0).count()).collect();
    let border = Border::Replicate;
    Case { border, pooling_scale: 0.78, ..Case::new(channels, pooling, height, width, &taps) }
}

#[test]
fn replicated_borders_and_scaled_poolings_are_the_reference() {
    for isa in Isa::available() {
        for channels in NETWORKS {
            for pooling in POOLINGS {
                for size in [(1, 1), (1, 7), (9, 1), (2, 3), (5, 8), (21, 18), (40, 37)] {
                    let case = case(channels, pooling, size);
                    let threads = &Threads::new(1 + size.0 / 21);
                    let name = format!("{isa:?} {channels:?} {pooling:?} {size:?}");
                    let (features, moments) = case.feature_errors(isa, threads);
                    assert!(features < 3e-6 && moments < 3e-6, "{name}: {features:e}, {moments:e}");
                    let error = case.gradient_error(isa, threads);
                    assert!(error < 1e-5, "{name}: gradient {error:e}");
                }
            }
        }
    }
}

/// The reference's own gradient against differences of the loss that it belongs to.
#[test]
fn the_gradient_of_the_reference_is_that_of_its_loss() {
    for pooling in POOLINGS {
        case(NETWORKS[0], pooling, (9, 10)).check_reference();
    }
}

/// A picture of one colour looks the same everywhere to the first convolution, up to its edge.
#[test]
fn a_flat_picture_has_no_edge() {
    for isa in Isa::available() {
        let case = case(&[16], Pooling::Average, (12, 19));
        let mut engine = case.engine(isa, &Threads::new(2));
        engine.forward(&vec![180.0; 3 * 12 * 19], 12, 19, false);
        let feature = engine.features(0);
        assert!(feature.chunks(12 * 19).all(|channel| channel.iter().all(|value| value == &channel[0])), "{isa:?}");
        assert!(feature.iter().any(|&value| value > 0.0));
        engine.set_border(Border::Zero);
        engine.forward(&vec![180.0; 3 * 12 * 19], 12, 19, false);
        let feature = engine.features(0);
        assert!(feature.chunks(12 * 19).any(|channel| channel[0] != channel[40]), "{isa:?}");
    }
}

/// Products of these wrap around: without a check, the empty slice would be as long as the picture.
#[test]
fn sizes_whose_product_overflows_are_refused() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    const HALF: usize = 1 << (usize::BITS - 1);
    let case = Case::new(&[16, 0, 32], Pooling::Average, 8, 8, &[1]);
    for size @ (height, width) in
        [(HALF, 2), (2, HALF), (HALF, HALF), (usize::MAX, 1), (1, usize::MAX - 2), (HALF / 4, 4)]
    {
        let mut engine = case.engine(Isa::best(), &Threads::new(1));
        let refused = |work: &mut dyn FnMut()| {
            let panic = catch_unwind(AssertUnwindSafe(work)).expect_err("it must be refused");
            let message = panic.downcast_ref::<String>().cloned().unwrap_or_default();
            assert!(message.contains("larger than the address space"), "{size:?}: {message}");
        };
        refused(&mut || engine.forward(&[], height, width, true));
        refused(&mut || assert_eq!(engine.planned_bytes(height, width, None), 0));
        refused(&mut || assert_eq!(engine.planned_bytes(height, width, Some(64)), 0));
        let mut gradient = [0.0; 2];
        let variation = || {
            crate::vector::total_variation(Isa::best(), &Threads::new(1), &[1.0; 2], height, width, 1.0, &mut gradient)
        };
        assert!(catch_unwind(AssertUnwindSafe(variation)).is_err(), "{size:?}");
    }
    // Three times this wraps around to 4, of which 12 is a multiple.
    let wrapping = (usize::MAX / 3) * 2 + 2;
    assert_eq!(wrapping.wrapping_mul(3), 4);
    let mut gradient = [0.0; 12];
    let variation =
        || crate::vector::total_variation(Isa::best(), &Threads::new(1), &[1.0; 12], wrapping, 3, 1.0, &mut gradient);
    assert!(catch_unwind(AssertUnwindSafe(variation)).is_err());
}

#[test]
#[should_panic(expected = "larger than the address space")]
fn a_buffer_that_cannot_be_is_refused() {
    crate::memory::Buffer::<f64>::new(usize::MAX / 8 + 2);
}

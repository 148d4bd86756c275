//! Passes that are abandoned in the middle: they end, they leave finite sums, and the next pass does not notice.

use super::{Case, Pull, cat};
use crate::{Isa, Normalisation, Pooling, StyleNet, StyleNetError, StyleNetShape, Threads};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Interrupts from the check with this number on; counts all checks.
fn interrupt_from(threads: &Threads, number: usize) -> Arc<AtomicUsize> {
    let checks = Arc::new(AtomicUsize::new(0));
    let counted = checks.clone();
    threads.interrupt_when(move || counted.fetch_add(1, Ordering::SeqCst) >= number);
    checks
}

#[test]
fn an_engine_can_be_interrupted_at_every_point_and_used_again() {
    let case = Case::new(&[32, 64, 0, 64, 128], Pooling::Average, 70, 91, &[0, 2, 3]);
    let picture = case.picture();
    for bands in [None, Some(16)] {
        let threads = Threads::new(2);
        let mut engine = case.engine(Isa::best(), &threads);
        engine.set_bands(bands);
        let step = |engine: &mut crate::Engine| {
            engine.forward(&picture, case.height, case.width, true);
            let moments = engine.moments(3, None);
            let pulls = case.pulls(engine);
            let gradients: Vec<_> = pulls.iter().map(Pull::gradient).collect();
            let mut gradient = vec![0.0; picture.len()];
            engine.backward(&gradients, &mut gradient);
            (moments, gradient)
        };
        let (moments, gradient) = step(&mut engine);
        let all = interrupt_from(&threads, usize::MAX);
        step(&mut engine);
        let all = all.load(Ordering::SeqCst);
        assert!(all > 50, "{all} checks in a step");
        for number in (0..all).step_by(all / 17) {
            interrupt_from(&threads, number);
            let (moments, _) = step(&mut engine);
            assert!(moments.second.iter().chain(&moments.mean).all(|value| value.is_finite()));
            assert!(threads.interrupted());
        }
        threads.never_interrupt();
        let (again, gradient_again) = step(&mut engine);
        assert!(again == moments && gradient_again == gradient, "{bands:?}");
    }
}

#[test]
fn a_style_network_tells_that_it_was_interrupted_and_can_be_used_again() {
    let shape = StyleNetShape { width: 16, residual_blocks: 1, styles: 1, ..StyleNetShape::JOHNSON };
    let parameters: Vec<f32> = (0..shape.parameter_count()).map(|i| (i % 13) as f32 * 0.01 - 0.05).collect();
    let threads = Threads::new(2);
    let net = StyleNet::new(Isa::best(), threads.clone(), shape, &parameters).unwrap();
    let (height, width) = (320, 80);
    let picture = cat(height, width);
    let whole = net.plan(height, width, usize::MAX).unwrap();
    for budget in [whole, whole * 2 / 3] {
        let run = || {
            let mut out = vec![0.0; picture.len()];
            net.run(&picture, height, width, Normalisation::Style(0), budget, &mut out).map(|()| out)
        };
        let painted = run().unwrap();
        for number in [0, 3, 40] {
            interrupt_from(&threads, number);
            assert_eq!(run().unwrap_err(), StyleNetError::Interrupted);
        }
        threads.never_interrupt();
        assert!(run().unwrap() == painted, "a budget of {budget}");
    }
}

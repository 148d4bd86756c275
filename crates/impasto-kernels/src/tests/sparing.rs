//! Weights that are packed whenever they are used: the same bits as weights that are kept packed, in less memory.

use super::{Case, Pull};
use crate::{Engine, Isa, PackedTrunk, Pooling, Threads};
use std::sync::Arc;

/// The gradient of a picture, and the feature of the deepest tap.
fn outcome(engine: &mut Engine, case: &Case, pulls: &[Pull]) -> (Vec<f32>, Vec<f32>) {
    let mut gradient = vec![f32::NAN; case.picture().len()];
    engine.forward(&case.picture(), case.height, case.width, true);
    engine.backward(&pulls.iter().map(Pull::gradient).collect::<Vec<_>>(), &mut gradient);
    (gradient, engine.capture(case.taps[case.taps.len() - 1]).data)
}

#[test]
fn weights_packed_when_they_are_used_are_the_same() {
    // Large ones of several shapes among small ones, on both sides of a pooling; the deepest is large.
    let case = Case::new(&[16, 32, 0, 192, 176, 0, 192, 32, 512], Pooling::Average, 100, 20, &[0, 2, 3, 6]);
    for isa in Isa::available() {
        let threads = Threads::new(2);
        let packed = PackedTrunk::new(isa, &threads, &case.layers).expect("sound");
        let sparing = Arc::new(PackedTrunk::sparing(isa, &threads, &case.layers).expect("sound"));
        assert!(2 * sparing.bytes() < packed.bytes(), "{} of {}", sparing.bytes(), packed.bytes());
        let mut kept = case.engine(isa, &threads);
        kept.forward(&case.picture(), case.height, case.width, false);
        let pulls = case.pulls(&mut kept);
        let mut engine = Engine::new(sparing, threads, case.pooling, case.mean, case.scale, &case.taps).expect("taps");
        for bands in [None, Some(16)] {
            kept.set_bands(bands);
            engine.set_bands(bands);
            let planned = engine.planned_bytes(case.height, case.width, bands);
            assert!(outcome(&mut engine, &case, &pulls) == outcome(&mut kept, &case, &pulls), "{isa:?} {bands:?}");
            assert_eq!(engine.bytes(), planned);
            assert!(planned - kept.bytes() >= 36 * 4 * 176 * 192, "there is room for the largest");
        }
    }
}

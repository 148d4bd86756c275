//! What surrounds the trunk in a step of painting, on the kernels: total variation and Adam, against PyTorch.

use impasto_nn::{
    kernels::{
        Isa,
        vector::{Adam, adam_step, total_variation},
    },
    trunk::{CpuTrunk, Packing, Pooling},
};

use crate::{
    fixture::{Fixture, VGG, distance},
    objective::Article,
};

#[test]
fn total_variation_is_pytorchs() {
    for isa in Isa::available() {
        let trunk = CpuTrunk::new(&VGG, Pooling::Average, &[0], 2, Some(isa), Packing::Kept).unwrap();
        for fixture in Fixture::all() {
            let (height, width) = (fixture.height, fixture.width);
            let mut gradient = vec![0.0; 3 * height * width];
            let picture = fixture.picture("start");
            let value = total_variation(isa, trunk.threads(), &picture, height, width, 1.0, &mut gradient);
            let expected = fixture.get("variation.value")[0];
            assert!((value - expected).abs() <= 1e-6 * expected, "{height}×{width}: {value}, expected {expected}");
            assert!(distance(&gradient, fixture.get("variation.gradient")) < 1e-6);
        }
    }
}

/// On the way a ReLU may flip where it does not in float64, and Adam makes small gradients large: from starts like these,
/// but not nudged, PyTorch's own float32 ended 1e-3 to 5e-3 away from its float64, at losses up to 2e-4 away. Where none
/// flips the kernels end 5e-7 away.
#[test]
fn twenty_steps_of_adam_are_pytorchs() {
    for isa in Isa::available() {
        let mut trunk = CpuTrunk::new(&VGG, Pooling::Average, &Article::taps(), 2, Some(isa), Packing::Kept).unwrap();
        for fixture in Fixture::all() {
            let (height, width) = (fixture.height, fixture.width);
            let article = Article::new(&mut trunk, &fixture);
            let mut picture = fixture.picture("start");
            let (mut m, mut v) = (vec![0.0; picture.len()], vec![0.0; picture.len()]);
            let losses = fixture.get("adam.loss");
            for (step, expected) in (1..).zip(losses) {
                let found = article.evaluate(&mut trunk, &picture, height, width);
                let off = (found.total / expected - 1.0).abs();
                assert!(off < 1e-3, "step {step} at {height}×{width}: {}, expected {expected}", found.total);
                if step as usize == losses.len() {
                    break;
                }
                let adam = Adam { step, learning_rate: 5.0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
                adam_step(isa, trunk.threads(), adam, &found.gradient, &mut picture, &mut m, &mut v);
            }
            let off = distance(&picture, fixture.get("adam.picture"));
            assert!(off < 1e-2, "the picture at {height}×{width} ends {off:.1e} away");
        }
    }
}

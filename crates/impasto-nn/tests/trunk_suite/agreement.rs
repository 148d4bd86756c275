//! The kernels against Burn at sizes that people paint, and against themselves.

#[cfg(feature = "burn")]
use impasto_nn::trunk::{Border, BurnTrunk};
use impasto_nn::{
    kernels::Isa,
    trunk::{CpuTrunk, Packing, Pooling, Trunk},
};

use crate::{
    fixture::{Fixture, VGG, distance, tap, wide},
    objective::Functional,
};

const TAPS: [&str; 7] = ["conv1_1", "conv1_2", "conv2_1", "conv3_1", "conv4_2", "conv5_1", "conv5_4"];

fn cpu(pooling: Pooling, threads: usize, isa: Isa) -> CpuTrunk {
    CpuTrunk::new(&VGG, pooling, &TAPS.map(tap), threads, Some(isa), Packing::Kept).unwrap()
}

/// The largest picture of the vectors, mirrored at its sides until `height × width` are covered.
fn mirrored(height: usize, width: usize) -> Vec<f32> {
    let fixture = Fixture::load((93, 70));
    let picture = fixture.picture("start");
    let fold = |i: usize, n: usize| if (i / n).is_multiple_of(2) { i % n } else { n - 1 - i % n };
    let at = |c: usize, y: usize, x: usize| picture[(c * 93 + fold(y, 93)) * 70 + fold(x, 70)];
    let rows = (0..3).flat_map(|c| (0..height).map(move |y| (c, y)));
    rows.flat_map(|(c, y)| (0..width).map(move |x| at(c, y, x))).collect()
}

/// Features of all taps, and the gradient of a functional of them.
fn pass(trunk: &mut dyn Trunk, picture: &[f32], height: usize, width: usize) -> (Vec<Vec<f32>>, Vec<f32>) {
    trunk.forward(picture, height, width, true);
    let features = TAPS.map(|name| trunk.features(tap(name))).to_vec();
    let functional = Functional::new(trunk, height, width, [1.0, 100.0, 0.01]);
    let mut gradient = vec![f32::NAN; picture.len()];
    trunk.backward(&functional.gradients(), &mut gradient);
    (features, gradient)
}

/// Large enough for every way of storing and splitting; in 10⁷ values some ReLU flips, so the gradient has a bar of
/// 1e-3 here (the suite compares gradients to 1e-5 where none does).
#[test]
#[cfg(feature = "burn")]
fn kernels_are_burn_at_working_sizes() {
    for (height, width, pooling) in [(261, 307, Pooling::Average), (15, 900, Pooling::Max), (130, 259, Pooling::L2)] {
        let picture = mirrored(height, width);
        let mut burn = BurnTrunk::cpu(&VGG, pooling, &TAPS.map(tap)).unwrap();
        let expected = pass(&mut burn, &picture, height, width);
        for isa in Isa::available() {
            let found = pass(&mut cpu(pooling, 2, isa), &picture, height, width);
            for ((name, found), expected) in TAPS.iter().zip(&found.0).zip(&expected.0) {
                let off = distance(found, &wide(expected));
                assert!(off < 1e-5, "{name} of {height}×{width} on {}: {off:.1e}", isa.name());
            }
            let off = distance(&found.1, &wide(&expected.1));
            assert!(off < 1e-3, "gradient of {height}×{width} on {}: {off:.1e}", isa.name());
        }
    }
}

/// The same where the picture's edge is repeated around it and poolings are scaled.
#[test]
#[cfg(feature = "burn")]
fn kernels_are_burn_with_other_edges_and_poolings() {
    for (height, width, pooling, scale) in [(40, 61, Pooling::Average, 2.0), (33, 17, Pooling::L2, 0.78)] {
        let picture = mirrored(height, width);
        let mut burn = BurnTrunk::cpu(&VGG, pooling, &TAPS.map(tap)).unwrap();
        burn.set_border(Border::Replicate);
        burn.set_pooling_scale(scale);
        let expected = pass(&mut burn, &picture, height, width);
        let mut kernels = cpu(pooling, 2, Isa::best());
        kernels.set_border(Border::Replicate);
        kernels.set_pooling_scale(scale);
        let found = pass(&mut kernels, &picture, height, width);
        for ((name, found), expected) in TAPS.iter().zip(&found.0).zip(&expected.0) {
            let off = distance(found, &wide(expected));
            assert!(off < 1e-5, "{name} of {height}×{width}: {off:.1e}");
        }
        let off = distance(&found.1, &wide(&expected.1));
        assert!(off < 1e-3, "gradient of {height}×{width}: {off:.1e}");
    }
}

/// VGG19 in bands of rows: the same features to the bit, the same gradient to rounding.
#[test]
fn bands_are_the_whole() {
    let (height, width) = (203, 90);
    let picture = mirrored(height, width);
    for (pooling, rows) in [(Pooling::Average, 64), (Pooling::Max, 16), (Pooling::L2, 40)] {
        let mut trunk = cpu(pooling, 2, Isa::best());
        let whole = pass(&mut trunk, &picture, height, width);
        let bytes = trunk.bytes();
        trunk.set_bands(Some(rows));
        let found = pass(&mut trunk, &picture, height, width);
        assert!(found.0 == whole.0, "{pooling:?}: features are the same bits");
        let off = distance(&found.1, &wide(&whole.1));
        assert!(off < 1e-5, "{pooling:?}: {off:.1e}");
        assert!(trunk.bytes() < bytes);
        assert_eq!(trunk.planned_bytes(height, width, Some(rows)), trunk.bytes());
        assert_eq!(trunk.planned_bytes(height, width, None), bytes);
    }
}

#[test]
fn the_same_picture_gives_the_same_bits() {
    let picture = mirrored(97, 130);
    for isa in Isa::available() {
        for threads in [1, 2, 3] {
            let mut trunk = cpu(Pooling::Average, threads, isa);
            let first = pass(&mut trunk, &picture, 97, 130);
            let again = pass(&mut trunk, &picture, 97, 130);
            let another = pass(&mut cpu(Pooling::Average, threads, isa), &picture, 97, 130);
            assert!(first == again && first == another, "{threads} threads on {}", isa.name());
        }
    }
}

#[test]
fn the_number_of_threads_changes_rounding_at_most() {
    let picture = mirrored(97, 130);
    for isa in Isa::available() {
        let one = pass(&mut cpu(Pooling::Max, 1, isa), &picture, 97, 130);
        let three = pass(&mut cpu(Pooling::Max, 3, isa), &picture, 97, 130);
        assert!(one.0 == three.0, "features do not depend on the threads: {}", isa.name());
        assert!(distance(&three.1, &wide(&one.1)) < 1e-6, "{}", isa.name());
    }
}

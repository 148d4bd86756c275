//! The reference networks against the fast ones; gradients against finite differences are in `style_net/tests`.

use super::{ReferenceStyleNet, ReferenceStyleNetTrainer, ReferenceTrunk};
use crate::style_net::tests::{SMALL, parameters};
use crate::tests::{Case, Numbers, cat, distance};
use crate::{
    Border, FeatureGradient, Features, Isa, Normalisation, Pooling, Shape, StyleNet, StyleNetError, StyleNetShape,
    StyleNetTrainer, TapGradient, Threads, TrunkError,
};

const SIZE: (usize, usize) = (20, 24);

fn length_of(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[test]
fn the_trainer_agrees_with_the_fast_one_over_a_batch() {
    let picture = cat(SIZE.0, SIZE.1);
    let mut numbers = Numbers::new(4);
    let mut slow = ReferenceStyleNetTrainer::new(SMALL, SIZE.0, SIZE.1).unwrap();
    let mut fast = StyleNetTrainer::new(Isa::best(), Threads::new(2), SMALL, SIZE.0, SIZE.1).unwrap();
    slow.set_parameters(&parameters(SMALL)).unwrap();
    fast.set_parameters(&parameters(SMALL)).unwrap();
    for style in [1, 0] {
        let (mut expected, mut found) = (vec![0.0; picture.len()], vec![0.0; picture.len()]);
        slow.forward(&picture, Normalisation::Style(style), &mut expected);
        fast.forward(&picture, Normalisation::Style(style), &mut found);
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        assert!(distance(&found, &expected) < 1e-5);
        let factors = numbers.many(picture.len());
        slow.backward(&factors);
        fast.backward(&factors);
    }
    let mut expected = vec![0.0; SMALL.parameter_count()];
    let mut found = expected.clone();
    slow.take_gradient(0.5, &mut expected);
    fast.take_gradient(0.5, &mut found);
    let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
    let whole = length_of(&expected);
    for parameter in SMALL.parameters() {
        let (found, expected) = (&found[parameter.range.clone()], &expected[parameter.range.clone()]);
        let difference: Vec<f64> = found.iter().zip(expected).map(|(&f, e)| f64::from(f) - e).collect();
        let (error, length) = (length_of(&difference), length_of(expected));
        assert!(error < 1e-5 * length + 1e-6 * whole, "{}: {error} of {length} in {whole}", parameter.name);
    }
    let mut empty = vec![1.0; SMALL.parameter_count()];
    slow.take_gradient(1.0, &mut empty);
    assert!(empty.iter().all(|&value| value == 0.0), "a taken gradient begins anew");
}

#[test]
fn the_style_net_agrees_with_the_fast_one() {
    let (parameters, picture) = (parameters(SMALL), cat(18, 23));
    let (mut expected, mut found) = (vec![0.0; picture.len()], vec![0.0; picture.len()]);
    let slow = ReferenceStyleNet::new(SMALL, &parameters).unwrap();
    slow.run(&picture, 18, 23, Normalisation::Blend(&[0.3, 0.7]), &mut expected).unwrap();
    let fast = StyleNet::new(Isa::best(), Threads::new(2), SMALL, &parameters).unwrap();
    fast.run(&picture, 18, 23, Normalisation::Blend(&[0.3, 0.7]), usize::MAX, &mut found).unwrap();
    let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
    assert!(distance(&found, &expected) < 1e-5);
}

#[test]
fn wrong_shapes_of_a_style_net_are_errors() {
    let few = ReferenceStyleNet::new(SMALL, &[0.0; 3]).unwrap_err();
    assert_eq!(few, StyleNetError::Parameters { expected: SMALL.parameter_count(), found: 3 });
    let narrow = StyleNetShape { width: 15, ..SMALL };
    assert_eq!(ReferenceStyleNetTrainer::new(narrow, 16, 16).err(), Some(StyleNetError::Width(15)));
    let odd = ReferenceStyleNetTrainer::new(SMALL, 18, 20).err();
    assert_eq!(odd, Some(StyleNetError::NotFours { width: 20, height: 18 }));
    let net = ReferenceStyleNet::new(SMALL, &parameters(SMALL)).unwrap();
    let small = net.run(&[0.0; 3 * 15 * 16], 15, 16, Normalisation::Style(0), &mut [0.0; 3 * 15 * 16]);
    assert!(matches!(small, Err(StyleNetError::TooSmall { .. })));
    let mut trainer = ReferenceStyleNetTrainer::new(SMALL, 16, 16).unwrap();
    assert!(matches!(trainer.set_parameters(&[]), Err(StyleNetError::Parameters { .. })));
}

#[test]
fn the_trunk_agrees_with_an_engine() {
    let mut case = Case::new(&[16, 16, 0, 32, 0, 16], Pooling::Average, 13, 18, &[2, 0]);
    (case.border, case.pooling_scale) = (Border::Replicate, 1.25);
    let mut trunk = ReferenceTrunk::new(case.layers.clone(), case.pooling, case.mean, case.scale, &case.taps).unwrap();
    trunk.set_border(case.border);
    trunk.set_pooling_scale(case.pooling_scale);
    assert_eq!(trunk.taps(), [0, 2]);
    let mut engine = case.engine(Isa::best(), &Threads::new(2));
    let picture = case.picture();
    trunk.forward(&picture, case.height, case.width);
    engine.forward(&picture, case.height, case.width, true);
    let mut numbers = Numbers::new(9);
    let mut pulls = Vec::new();
    for tap in [0, 2] {
        let (shape, feature) = trunk.feature(tap);
        assert_eq!(shape, engine.tap_shape(tap, case.height, case.width));
        assert_eq!(shape, trunk.tap_shape(tap, case.height, case.width));
        assert!(distance(&engine.features(tap), feature) < 1e-5);
        pulls.push((tap, shape, numbers.many(shape.len())));
    }
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let slow: Vec<_> = pulls.iter().map(|(tap, _, values)| (*tap, wide(values))).collect();
    let features: Vec<_> = pulls.iter().map(|(_, shape, values)| Features::from_planar(*shape, values)).collect();
    let of_feature = |((tap, _, _), gradient): (&(usize, Shape, Vec<f32>), _)| {
        let features = Some(FeatureGradient { gradient, scale: 1.0 });
        TapGradient { tap: *tap, moments: None, content: None, features }
    };
    let fast: Vec<TapGradient<'_>> = pulls.iter().zip(&features).map(of_feature).collect();
    let (mut expected, mut found) = (vec![0.0; picture.len()], vec![0.0; picture.len()]);
    trunk.backward(&slow, &mut expected);
    engine.backward(&fast, &mut found);
    assert!(distance(&found, &wide(&expected)) < 1e-5);
}

#[test]
fn wrong_layers_and_taps_of_a_trunk_are_errors() {
    let case = Case::new(&[16, 0, 16], Pooling::Max, 8, 8, &[0]);
    let new = |layers, taps: &[usize]| ReferenceTrunk::new(layers, case.pooling, case.mean, case.scale, taps).err();
    assert_eq!(new(Vec::new(), &[0]), Some(TrunkError::Empty));
    assert_eq!(new(case.layers.clone(), &[]), Some(TrunkError::NoTaps));
    assert_eq!(new(case.layers.clone(), &[2]), Some(TrunkError::NoSuchTap { tap: 2, convolutions: 2 }));
    assert_eq!(new(case.layers.clone(), &[1]), None);
}

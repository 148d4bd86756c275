//! The network against its definition, on every instruction set of this machine.

mod gradients;

use super::plan::Plan;
use super::{Normalisation, StyleNet, StyleNetError, StyleNetShape, StyleNetTrainer, naive};
use crate::tests::{Numbers, cat, distance};
use crate::{Isa, Threads};

/// A network of random weights that neither fade nor grow.
pub(crate) fn parameters(shape: StyleNetShape) -> Vec<f32> {
    let mut numbers = Numbers::new(11);
    let mut parameters = vec![0.0; shape.parameter_count()];
    for parameter in shape.parameters() {
        let values = numbers.many(parameter.range.len());
        let fan = parameter.shape[1..].iter().product::<usize>() as f32;
        for (target, value) in parameters[parameter.range.clone()].iter_mut().zip(values) {
            *target = match parameter.name.rsplit('.').next() {
                Some("weight") => value * (3.0 / fan).sqrt(),
                Some("scale") => 1.0 + 0.5 * value,
                _ => 0.4 * value,
            };
        }
    }
    parameters
}

pub(crate) const SMALL: StyleNetShape =
    StyleNetShape { width: 16, residual_blocks: 2, styles: 2, ..StyleNetShape::JOHNSON };

#[test]
fn the_trainers_forward_is_the_definition() {
    for (shape, height, width) in [
        (SMALL, 16, 20),
        (SMALL, 36, 28),
        (StyleNetShape { width: 32, ..SMALL }, 20, 44),
        (StyleNetShape { edge_kernel: 3, ..SMALL }, 20, 24),
        (StyleNetShape { downsamplings: 1, ..SMALL }, 16, 20),
        (StyleNetShape { downsamplings: 1, residual_blocks: 0, edge_kernel: 3, ..SMALL }, 20, 24),
        (StyleNetShape { downsamplings: 0, residual_blocks: 3, edge_kernel: 3, ..SMALL }, 16, 20),
        (StyleNetShape { downsamplings: 0, residual_blocks: 0, ..SMALL }, 20, 24),
        // Channels that do not fill a panel.
        (StyleNetShape { width: 80, downsamplings: 0, residual_blocks: 1, edge_kernel: 3, ..SMALL }, 16, 20),
    ] {
        let (parameters, picture) = (parameters(shape), cat(height, width));
        let expected = naive::run(shape, &parameters, &picture, [height, width], Normalisation::Style(1));
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        for isa in Isa::available() {
            for threads in [1, 2, 3] {
                let mut trainer = StyleNetTrainer::new(isa, Threads::new(threads), shape, height, width).unwrap();
                trainer.set_parameters(&parameters).unwrap();
                let mut out = vec![0.0; picture.len()];
                for style in [0, 1] {
                    trainer.forward(&picture, Normalisation::Style(style), &mut out);
                }
                let error = distance(&out, &expected);
                assert!(error < 1e-5, "{isa:?}, {threads} threads, {height}×{width}: {error:e}");
            }
        }
    }
}

/// The bytes of the largest plan of the next kind below `budget`.
fn plan_below(net: &StyleNet, size: (usize, usize), budget: usize) -> (Plan, usize) {
    Plan::new(net.shape, size, net.threads.count(), budget).unwrap()
}

/// Networks with fewer downsamplings than [`SMALL`], and one with none and no residual blocks.
const FEWER: [StyleNetShape; 3] = [
    StyleNetShape { downsamplings: 1, residual_blocks: 1, ..SMALL },
    StyleNetShape { downsamplings: 0, residual_blocks: 3, edge_kernel: 3, ..SMALL },
    StyleNetShape { downsamplings: 0, residual_blocks: 0, ..SMALL },
];

#[test]
fn a_pass_is_the_definition_at_every_size() {
    let blend = Normalisation::Blend(&[0.3, 0.7]);
    let sizes = [(16, 16), (17, 16), (18, 23), (19, 33), (32, 21), (45, 30)].map(|size| (SMALL, size));
    let fewer = FEWER.iter().flat_map(|&shape| [(shape, (17, 16)), (shape, (19, 33))]);
    for (shape, (height, width)) in sizes.into_iter().chain(fewer) {
        let (parameters, picture) = (parameters(shape), cat(height, width));
        let expected = naive::run(shape, &parameters, &picture, [height, width], blend);
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        for isa in Isa::available() {
            for threads in [1, 2] {
                let net = StyleNet::new(isa, Threads::new(threads), shape, &parameters).unwrap();
                let mut out = vec![0.0; picture.len()];
                for _ in 0..2 {
                    net.run(&picture, height, width, blend, usize::MAX, &mut out).unwrap();
                    let error = distance(&out, &expected);
                    assert!(error < 1e-5, "{isa:?}, {threads} threads, {height}×{width}, {shape:?}: {error:e}");
                }
            }
        }
    }
}

/// The plans that a pass has within less and less memory; each must paint the same picture as the first.
fn plans(shape: StyleNetShape, [height, width]: [usize; 2], count: usize) -> Vec<Plan> {
    let blend = Normalisation::Blend(&[0.5, 0.5]);
    let picture = cat(height, width);
    let net = StyleNet::new(Isa::best(), Threads::new(2), shape, &parameters(shape)).unwrap();
    let mut whole = vec![0.0; picture.len()];
    net.run(&picture, height, width, blend, usize::MAX, &mut whole).unwrap();
    let whole: Vec<f64> = whole.into_iter().map(f64::from).collect();
    let mut budget = usize::MAX;
    let mut kinds = Vec::new();
    for _ in 0..count {
        let (plan, bytes) = plan_below(&net, (height, width), budget);
        kinds.push(plan);
        let mut out = vec![0.0; picture.len()];
        net.run(&picture, height, width, blend, budget, &mut out).unwrap();
        let largest = whole.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let worst = out.iter().zip(&whole).map(|(&a, &b)| (f64::from(a) - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-5 * largest, "{plan:?}: {worst} of {largest}");
        // The next one has to do with less; strips get lower from budget to budget.
        budget = if matches!(plan, Plan::Strips(_)) { bytes * 3 / 4 } else { bytes - 1 };
    }
    let error = net.plan(height, width, 1000).unwrap_err();
    assert!(matches!(error, StyleNetError::Budget { budget: 1000, .. }), "{error}");
    assert!(matches!(net.plan(15, 40, usize::MAX), Err(StyleNetError::TooSmall { .. })));
    kinds
}

#[test]
fn strips_leave_no_seam() {
    let kinds = plans(SMALL, [602, 50], 4);
    assert_eq!(kinds[0], Plan::Whole);
    assert!(matches!(kinds[1], Plan::Bands(_)), "{kinds:?}");
    assert!(matches!(kinds[2..], [Plan::Strips(_), Plan::Strips(_)]) && kinds[2] != kinds[3], "{kinds:?}");
    for shape in FEWER {
        let kinds = plans(shape, [202, 22], 3);
        assert!(matches!(kinds[..], [Plan::Whole, Plan::Strips(_), Plan::Strips(_)]), "{shape:?}: {kinds:?}");
    }
}

#[test]
fn given_normalisations_are_those_of_a_style() {
    let (parameters, picture) = (parameters(SMALL), cat(20, 24));
    let given = Normalisation::Blend(&[0.3, 0.7]).values(SMALL, &parameters);
    let given = Normalisation::Given(&given);
    let net = StyleNet::new(Isa::best(), Threads::new(2), SMALL, &parameters).unwrap();
    let paint = |normalisation| {
        let mut out = vec![0.0; picture.len()];
        net.run(&picture, 20, 24, normalisation, usize::MAX, &mut out).unwrap();
        out
    };
    assert_eq!(paint(given), paint(Normalisation::Blend(&[0.3, 0.7])));
    assert_eq!(paint(Normalisation::Style(1)), paint(Normalisation::Blend(&[0.0, 1.0])));
    assert_ne!(paint(given), paint(Normalisation::Style(1)));
    assert_eq!(SMALL.normalisation_len(), 2 * (16 + 32 + 64 + 4 * 64 + 32 + 16));
}

#[test]
fn orders_of_layers_that_do_not_exist_are_refused() {
    for shape in [StyleNetShape { downsamplings: 3, ..SMALL }, StyleNetShape { edge_kernel: 5, ..SMALL }] {
        let StyleNetShape { downsamplings, edge_kernel, .. } = shape;
        let error = Some(StyleNetError::Topology { downsamplings, edge_kernel });
        assert_eq!(StyleNet::new(Isa::best(), Threads::new(1), shape, &[]).err(), error);
        assert_eq!(StyleNetTrainer::new(Isa::best(), Threads::new(1), shape, 16, 16).err(), error);
    }
}

/// Products of these wrap around to sizes that would fit.
#[test]
fn sizes_whose_product_overflows_are_refused() {
    const HALF: usize = 1 << (usize::BITS - 1);
    let net = StyleNet::new(Isa::best(), Threads::new(1), SMALL, &parameters(SMALL)).unwrap();
    for (height, width) in [(HALF, 16), (16, HALF), (HALF, HALF), (usize::MAX - 3, 16), (HALF / 16, 32)] {
        let error = StyleNetError::TooLarge { width, height };
        assert_eq!(net.plan(height, width, usize::MAX), Err(error.clone()));
        assert_eq!(StyleNetTrainer::new(Isa::best(), Threads::new(1), SMALL, height, width).err(), Some(error));
    }
    for shape in [
        StyleNetShape { width: HALF, ..SMALL },
        StyleNetShape { styles: HALF, ..SMALL },
        StyleNetShape { residual_blocks: usize::MAX, ..SMALL },
        StyleNetShape { width: 1 << (usize::BITS / 2), ..SMALL },
    ] {
        let error = Some(StyleNetError::TooManyParameters);
        assert_eq!(StyleNet::new(Isa::best(), Threads::new(1), shape, &[]).err(), error, "{shape:?}");
        assert_eq!(StyleNetTrainer::new(Isa::best(), Threads::new(1), shape, 16, 16).err(), error);
    }
}

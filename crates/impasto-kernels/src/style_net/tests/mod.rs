//! The network against its definition, on every instruction set of this machine.

mod gradients;

use super::{StyleNetShape, StyleNetTrainer, naive};
use crate::tests::{Numbers, cat, distance};
use crate::{Isa, Threads};

/// A network of random weights that neither fade nor grow.
fn parameters(shape: StyleNetShape) -> Vec<f32> {
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

const SMALL: StyleNetShape = StyleNetShape { width: 16, residual_blocks: 2, styles: 2 };

#[test]
fn the_trainers_forward_is_the_definition() {
    for (shape, height, width) in [(SMALL, 16, 20), (SMALL, 36, 28), (StyleNetShape { width: 32, ..SMALL }, 20, 44)] {
        let (parameters, picture) = (parameters(shape), cat(height, width));
        let expected = naive::run(shape, &parameters, &picture, height, width, &[0.0, 1.0]);
        let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
        for isa in Isa::available() {
            for threads in [1, 2, 3] {
                let mut trainer = StyleNetTrainer::new(isa, Threads::new(threads), shape, height, width).unwrap();
                trainer.set_parameters(&parameters).unwrap();
                let mut out = vec![0.0; picture.len()];
                for style in [0, 1] {
                    trainer.forward(&picture, style, &mut out);
                }
                let error = distance(&out, &expected);
                assert!(error < 1e-5, "{isa:?}, {threads} threads, {height}×{width}: {error:e}");
            }
        }
    }
}

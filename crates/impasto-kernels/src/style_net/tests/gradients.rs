//! The trainer's gradients against finite differences of the definition.

use super::super::{StyleNetShape, StyleNetTrainer, naive};
use super::{SMALL, parameters};
use crate::reference::ReferenceStyleNetTrainer;
use crate::tests::{Numbers, cat};
use crate::{Isa, Threads};

/// `Σ factor · out`, by the definition.
fn loss(shape: StyleNetShape, parameters: &[f64], picture: &[f32], size: (usize, usize), factors: &[f32]) -> f64 {
    let out = naive::run_wide(shape, parameters, picture, size.0, size.1, &[0.0, 1.0]);
    out.iter().zip(factors).map(|(out, &factor)| out * f64::from(factor)).sum()
}

/// The gradient that the reference finds.
fn reference(parameters: &[f32], picture: &[f32], (height, width): (usize, usize), factors: &[f32]) -> Vec<f32> {
    let mut trainer = ReferenceStyleNetTrainer::new(SMALL, height, width).unwrap();
    trainer.set_parameters(parameters).unwrap();
    trainer.forward(picture, 1, &mut vec![0.0; picture.len()]);
    trainer.backward(factors);
    let mut gradient = vec![0.0; parameters.len()];
    trainer.take_gradient(1.0, &mut gradient);
    gradient
}

#[test]
fn gradients_are_finite_differences() {
    let (height, width) = (20, 24);
    let (parameters, picture) = (parameters(SMALL), cat(height, width));
    let factors = Numbers::new(3).many(picture.len());
    let wide: Vec<f64> = parameters.iter().map(|&v| f64::from(v)).collect();
    let trained = |isa, threads| {
        let mut trainer = StyleNetTrainer::new(isa, Threads::new(threads), SMALL, height, width).unwrap();
        trainer.set_parameters(&parameters).unwrap();
        let mut out = vec![0.0; picture.len()];
        trainer.forward(&picture, 1, &mut out);
        trainer.backward(&factors);
        let mut gradient = vec![0.0; parameters.len()];
        trainer.take_gradient(1.0, &mut gradient);
        gradient
    };
    let mut all = vec![("reference".to_owned(), reference(&parameters, &picture, (height, width), &factors))];
    for (isa, threads) in Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 2)]) {
        all.push((format!("{isa:?}, {threads} threads"), trained(isa, threads)));
    }
    let length_of = |values: &[f32]| values.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    let mut numbers = Numbers::new(5);
    for parameter in SMALL.parameters() {
        // Random directions through each parameter see every one of its values at once.
        let direction = numbers.many(parameter.range.len());
        let step = 1e-6;
        let moved = |by: f64| {
            let mut moved = wide.clone();
            let values = moved[parameter.range.clone()].iter_mut().zip(&direction);
            values.for_each(|(value, &d)| *value += by * f64::from(d));
            loss(SMALL, &moved, &picture, (height, width), &factors)
        };
        let expected = (moved(step) - moved(-step)) / (2.0 * step);
        for (who, gradient) in &all {
            let found = gradient[parameter.range.clone()].iter().zip(&direction);
            let found: f64 = found.map(|(&g, &d)| f64::from(g) * f64::from(d)).sum();
            let (length, whole) = (length_of(&gradient[parameter.range.clone()]), length_of(gradient));
            let name = &parameter.name;
            assert!(
                // Some gradients are zero but for rounding: a shift behind which everything is normalised again.
                (found - expected).abs() < 1e-5 * length + 1e-6 * whole,
                "{who}, {name}: {found} for {expected}, of length {length} in {whole}"
            );
        }
    }
}

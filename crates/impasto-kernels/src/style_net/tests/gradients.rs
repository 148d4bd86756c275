//! The trainer's gradients against finite differences of the definition.

use super::super::{Normalisation, StyleNetShape, StyleNetTrainer, naive};
use super::{SMALL, parameters};
use crate::reference::ReferenceStyleNetTrainer;
use crate::tests::{Numbers, cat};
use crate::{Isa, Threads};

/// `Σ factor · out`, by the definition.
fn loss(shape: StyleNetShape, parameters: &[f64], picture: &[f32], size: [usize; 2], factors: &[f32]) -> f64 {
    let normalisation = Normalisation::Style(1).values(shape, parameters);
    weighed(&naive::run_wide(shape, parameters, &normalisation, picture, size), factors)
}

fn weighed(out: &[f64], factors: &[f32]) -> f64 {
    out.iter().zip(factors).map(|(out, &factor)| out * f64::from(factor)).sum()
}

/// What takes gradients: the reference, and the kernels.
type Gradient = Box<dyn Fn(&[f32], &[f32], &[f32]) -> Vec<f32>>;

/// The gradient that a trainer finds. Trainers have the same methods, and no trait.
macro_rules! gradient_by {
    ($trainer:expr) => {
        Box::new(move |parameters: &[f32], picture: &[f32], factors: &[f32]| {
            let mut trainer = $trainer.unwrap();
            trainer.set_parameters(parameters).unwrap();
            trainer.forward(picture, Normalisation::Style(1), &mut vec![0.0; picture.len()]);
            trainer.backward(factors);
            let mut gradient = vec![0.0; parameters.len()];
            trainer.take_gradient(1.0, &mut gradient);
            gradient
        })
    };
}

fn by_the_reference(shape: StyleNetShape, [height, width]: [usize; 2]) -> Gradient {
    gradient_by!(ReferenceStyleNetTrainer::new(shape, height, width))
}

fn by_the_kernels(shape: StyleNetShape, [height, width]: [usize; 2], isa: Isa, threads: usize) -> Gradient {
    gradient_by!(StyleNetTrainer::new(isa, Threads::new(threads), shape, height, width))
}

#[test]
fn gradients_are_finite_differences() {
    let none = StyleNetShape { downsamplings: 0, residual_blocks: 3, edge_kernel: 3, ..SMALL };
    for (shape, size) in [
        (SMALL, [20, 24]),
        (StyleNetShape { edge_kernel: 3, residual_blocks: 1, ..SMALL }, [20, 24]),
        (StyleNetShape { downsamplings: 1, residual_blocks: 1, ..SMALL }, [16, 20]),
        (none, [16, 20]),
        (StyleNetShape { residual_blocks: 0, ..none }, [16, 20]),
    ] {
        let mut all = vec![("the reference".to_owned(), by_the_reference(shape, size))];
        for (isa, threads) in Isa::available().into_iter().flat_map(|isa| [(isa, 1), (isa, 2)]) {
            all.push((format!("{isa:?}, {threads} threads"), by_the_kernels(shape, size, isa, threads)));
        }
        check(shape, size, all);
    }
}

#[test]
fn gradients_of_given_normalisations_are_finite_differences() {
    for shape in [SMALL, StyleNetShape { downsamplings: 0, ..SMALL }] {
        let (parameters, picture) = (parameters(shape), cat(16, 20));
        let factors = Numbers::new(3).many(picture.len());
        let given = Normalisation::Blend(&[0.3, 0.7]).values(shape, &parameters);
        let direction = Numbers::new(5).many(given.len());
        let wide: Vec<f64> = parameters.iter().map(|&v| f64::from(v)).collect();
        let moved = |by: f64| {
            let values: Vec<f64> =
                given.iter().zip(&direction).map(|(&value, &d)| f64::from(value) + by * f64::from(d)).collect();
            weighed(&naive::run_wide(shape, &wide, &values, &picture, [16, 20]), &factors)
        };
        let expected = (moved(1e-7) - moved(-1e-7)) / 2e-7;
        let mut kernels = StyleNetTrainer::new(Isa::best(), Threads::new(2), shape, 16, 20).unwrap();
        let mut reference = ReferenceStyleNetTrainer::new(shape, 16, 20).unwrap();
        macro_rules! gradient_of {
            ($trainer:expr) => {{
                $trainer.set_parameters(&parameters).unwrap();
                $trainer.forward(&picture, Normalisation::Given(&given), &mut vec![0.0; picture.len()]);
                $trainer.backward(&factors);
                let mut own = vec![0.0; parameters.len()];
                $trainer.take_gradient(1.0, &mut own);
                let own_norms = shape.parameters().into_iter().filter(|parameter| parameter.name.ends_with("scale"));
                assert!(own_norms.flat_map(|parameter| &own[parameter.range]).all(|&g| g == 0.0));
                $trainer.normalisation_gradient().to_vec()
            }};
        }
        for gradient in [gradient_of!(kernels), gradient_of!(reference)] {
            let found: f64 = gradient.iter().zip(&direction).map(|(&g, &d)| f64::from(g) * f64::from(d)).sum();
            let length = gradient.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            assert!((found - expected).abs() < 1e-5 * length, "{shape:?}: {found} for {expected} of {length}");
        }
    }
}

fn check(shape: StyleNetShape, [height, width]: [usize; 2], all: Vec<(String, Gradient)>) {
    let (parameters, picture) = (parameters(shape), cat(height, width));
    let factors = Numbers::new(3).many(picture.len());
    let wide: Vec<f64> = parameters.iter().map(|&v| f64::from(v)).collect();
    let all: Vec<_> = all.into_iter().map(|(who, take)| (who, take(&parameters, &picture, &factors))).collect();
    let length_of = |values: &[f32]| values.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    let mut numbers = Numbers::new(5);
    for parameter in shape.parameters() {
        // Random directions through each parameter see every one of its values at once.
        let direction = numbers.many(parameter.range.len());
        // So small that hardly any ReLU changes its side.
        let step = 1e-7;
        let moved = |by: f64| {
            let mut moved = wide.clone();
            let values = moved[parameter.range.clone()].iter_mut().zip(&direction);
            values.for_each(|(value, &d)| *value += by * f64::from(d));
            loss(shape, &moved, &picture, [height, width], &factors)
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
                "{who}, {name} of {shape:?}: {found} for {expected}, of length {length} in {whole}"
            );
        }
    }
}

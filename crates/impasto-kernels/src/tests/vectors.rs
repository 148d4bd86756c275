//! The optimisers' operations against plain loops.

use super::Numbers;
use crate::vector::{self, Adam};
use crate::{Isa, Threads};

const LENGTHS: [usize; 7] = [0, 1, 15, 16, 17, 1000, 40_001];

fn everywhere(mut check: impl FnMut(Isa, &Threads, usize)) {
    for isa in Isa::available() {
        for count in [1, 2, 3] {
            let threads = Threads::new(count);
            LENGTHS.iter().for_each(|&len| check(isa, &threads, len));
        }
    }
}

#[test]
fn dot_is_the_sum_of_products() {
    everywhere(|isa, threads, len| {
        let mut numbers = Numbers::new(5);
        let (a, b) = (numbers.many(len), numbers.many(len));
        let expected: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        let found = vector::dot(isa, threads, &a, &b);
        assert!((found - expected).abs() < 1e-11 * (1.0 + len as f64), "{isa:?} {len}: {found} for {expected}");
        assert!(found.to_bits() == vector::dot(isa, threads, &a, &b).to_bits());
    });
}

#[test]
fn axpy_and_scale_change_every_value() {
    everywhere(|isa, threads, len| {
        let mut numbers = Numbers::new(6);
        let (x, before) = (numbers.many(len), numbers.many(len));
        let mut y = before.clone();
        vector::axpy(isa, threads, -1.5, &x, &mut y);
        for i in 0..len {
            assert!((y[i] - (before[i] - 1.5 * x[i])).abs() < 1e-6, "{isa:?} {len} at {i}");
        }
        let sum = y.clone();
        vector::scale(isa, threads, 0.25, &mut y);
        assert!(y.iter().zip(&sum).all(|(y, sum)| *y == sum * 0.25), "{isa:?} {len}");
    });
}

#[test]
fn adam_follows_its_formula() {
    everywhere(|isa, threads, len| {
        let mut numbers = Numbers::new(8);
        let mut params = numbers.many(len);
        let mut reference: Vec<f64> = params.iter().map(|&p| f64::from(p)).collect();
        let (mut m, mut v) = (vec![0.0; len], vec![0.0; len]);
        let (mut m64, mut v64) = (vec![0.0f64; len], vec![0.0f64; len]);
        for step in 1..=4 {
            let gradient = numbers.many(len);
            let adam = Adam { step, learning_rate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
            vector::adam_step(isa, threads, adam, &gradient, &mut params, &mut m, &mut v);
            for i in 0..len {
                let g = f64::from(gradient[i]);
                m64[i] = 0.9 * m64[i] + 0.1 * g;
                v64[i] = 0.999 * v64[i] + 0.001 * g * g;
                let (mean, square) =
                    (m64[i] / (1.0 - 0.9f64.powi(step as i32)), v64[i] / (1.0 - 0.999f64.powi(step as i32)));
                reference[i] -= 0.1 * mean / (square.sqrt() + 1e-8);
            }
        }
        for i in 0..len {
            assert!((f64::from(params[i]) - reference[i]).abs() < 1e-4, "{isa:?} {len} at {i}");
        }
    });
}

#[test]
fn total_variation_is_the_sum_of_squared_differences() {
    for isa in Isa::available() {
        let threads = Threads::new(2);
        for (height, width) in [(1, 1), (1, 5), (7, 1), (2, 2), (5, 17), (40, 18), (33, 50), (90, 91)] {
            let picture = super::cat(height, width);
            let before = Numbers::new(2).many(picture.len());
            let mut gradient = before.clone();
            let found = vector::total_variation(isa, &threads, &picture, height, width, 0.5, &mut gradient);
            let (mut expected, mut slopes) = (0.0f64, vec![0.0f64; picture.len()]);
            let mut pair = |a: usize, b: usize| {
                let difference = f64::from(picture[b]) - f64::from(picture[a]);
                expected += difference * difference;
                slopes[b] += 2.0 * difference;
                slopes[a] -= 2.0 * difference;
            };
            for i in 0..picture.len() {
                let (y, x) = (i / width % height, i % width);
                if x + 1 < width {
                    pair(i, i + 1);
                }
                if y + 1 < height {
                    pair(i, i + width);
                }
            }
            assert!((found - expected).abs() <= 1e-12 * expected, "{isa:?} {height}×{width}");
            for (i, slope) in slopes.iter().enumerate() {
                let error = f64::from(gradient[i]) - f64::from(before[i]) - 0.5 * slope;
                assert!(error.abs() < 1e-4, "{isa:?} {height}×{width} at {i}");
            }
        }
    }
}

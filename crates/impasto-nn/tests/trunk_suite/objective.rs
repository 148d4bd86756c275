//! Two functions of a picture to test a trunk with: the article's objective, and a random functional.

use impasto_nn::trunk::{ContentGradient, Features, MomentGradient, Shape, TapGradient, Trunk};

use crate::fixture::{Fixture, noise, tap};

const CONTENT: [(&str, f64); 2] = [("conv4_2", 0.5), ("conv5_2", 0.5)];
const STYLE: [(&str, f64); 5] =
    [("conv1_1", 0.2), ("conv2_1", 0.2), ("conv3_1", 0.2), ("conv4_1", 0.2), ("conv5_1", 0.2)];
const ALPHA: f64 = 1.0;
const BETA: f64 = 500.0;

/// The objective of Gatys, Ecker and Bethge 2015, as `tools/make_vectors.py` has it.
pub(crate) struct Article {
    content: Vec<Features>,
    style: Vec<Vec<f32>>,
}

/// What it finds.
pub(crate) struct Evaluation {
    pub(crate) content: Vec<f64>,
    pub(crate) style: Vec<f64>,
    pub(crate) total: f64,
    pub(crate) gradient: Vec<f32>,
}

impl Article {
    pub(crate) fn taps() -> Vec<usize> {
        CONTENT.iter().chain(&STYLE).map(|(name, _)| tap(name)).collect()
    }

    pub(crate) fn new(trunk: &mut dyn Trunk, fixture: &Fixture) -> Self {
        let [_, height, width] = fixture.shape("style")[..] else { panic!("a style is planar") };
        trunk.forward(&fixture.picture("style"), height, width, false);
        let style = STYLE.iter().map(|(name, _)| trunk.moments(tap(name), None).second).collect();
        trunk.forward(&fixture.picture("content"), fixture.height, fixture.width, false);
        let content = CONTENT.iter().map(|(name, _)| trunk.capture(tap(name))).collect();
        Self { content, style }
    }

    pub(crate) fn evaluate(&self, trunk: &mut dyn Trunk, picture: &[f32], height: usize, width: usize) -> Evaluation {
        trunk.forward(picture, height, width, true);
        let (mut content, mut style, mut total, mut seconds) = (Vec::new(), Vec::new(), 0.0, Vec::new());
        for ((name, weight), target) in CONTENT.iter().zip(&self.content) {
            let loss = trunk.squared_distance(tap(name), target, None) / (2.0 * target.shape.len() as f64);
            total += ALPHA * weight / CONTENT.len() as f64 * loss;
            content.push(loss);
        }
        for ((name, weight), target) in STYLE.iter().zip(&self.style) {
            let found = trunk.moments(tap(name), None);
            let channels = found.channels as f64;
            let off = found.second.iter().zip(target).map(|(g, a)| g - a).collect::<Vec<_>>();
            let loss = off.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / (4.0 * channels * channels);
            let factor = BETA * weight / STYLE.len() as f64;
            total += factor * loss;
            style.push(loss);
            seconds.push(scaled(&off, factor / (2.0 * channels * channels)));
        }
        let gradient = self.gradient(trunk, &seconds, height, width);
        Evaluation { content, style, total, gradient }
    }

    /// From `∂L/∂second` of each style layer.
    fn gradient(&self, trunk: &mut dyn Trunk, seconds: &[Vec<f32>], height: usize, width: usize) -> Vec<f32> {
        let no_means = vec![0.0; 512];
        let content = CONTENT.iter().zip(&self.content).map(|((name, weight), target)| {
            let scale = (ALPHA * weight / CONTENT.len() as f64 / target.shape.len() as f64) as f32;
            let content = ContentGradient { target, scale, weights: None };
            TapGradient { tap: tap(name), moments: None, content: Some(content), features: None }
        });
        let shape = |name| trunk.tap_shape(tap(name), height, width);
        let style = STYLE.iter().zip(seconds).map(|((name, _), second)| {
            let Shape { channels, height, width } = shape(name);
            let weight = (height * width) as f64;
            let moments = MomentGradient { second, mean: &no_means[..channels], weights: None, weight };
            TapGradient { tap: tap(name), moments: Some(moments), content: None, features: None }
        });
        let gradients = content.chain(style).collect::<Vec<_>>();
        let mut gradient = vec![f32::NAN; 3 * height * width];
        trunk.backward(&gradients, &mut gradient);
        gradient
    }
}

/// `Σ_taps s₀·⟨A, second⟩ + s₁·⟨b, mean⟩ + s₂·½·Σ w·(F − target)²` with random A, b and weights w.
pub(crate) struct Functional {
    parts: Vec<Part>,
}

struct Part {
    tap: usize,
    second: Vec<f32>,
    mean: Vec<f32>,
    weights: Vec<f32>,
    weight: f64,
    target: Features,
    scale: f32,
}

impl Functional {
    /// For pictures of this size, with the three factors s. The targets are near the features of the trunk's last
    /// forward pass.
    pub(crate) fn new(trunk: &mut dyn Trunk, height: usize, width: usize, factors: [f64; 3]) -> Self {
        let taps = trunk.taps().to_vec();
        let part = |tap: usize| {
            let Shape { channels, height, width } = trunk.tap_shape(tap, height, width);
            let seed = tap as u64 + 7;
            let weights = noise(seed, height * width).iter().map(|w| (0.8 + w).max(0.0)).collect::<Vec<_>>();
            let mut target = trunk.capture(tap);
            target.data.iter_mut().for_each(|v| *v *= 0.9);
            Part {
                tap,
                second: scaled(&noise(seed + 100, channels * channels), factors[0]),
                mean: scaled(&noise(seed + 200, channels), factors[1]),
                weight: weights.iter().map(|&w| f64::from(w)).sum(),
                weights,
                target,
                scale: factors[2] as f32,
            }
        };
        Self { parts: taps.into_iter().map(part).collect() }
    }

    pub(crate) fn value(&self, trunk: &mut dyn Trunk) -> f64 {
        let of_part = |part: &Part| {
            let moments = trunk.moments(part.tap, Some(&part.weights));
            let distance = trunk.squared_distance(part.tap, &part.target, Some(&part.weights));
            dot(&part.second, &moments.second) + dot(&part.mean, &moments.mean) + 0.5 * f64::from(part.scale) * distance
        };
        self.parts.iter().map(of_part).sum()
    }

    /// What flows back from all of it.
    pub(crate) fn gradients(&self) -> Vec<TapGradient<'_>> {
        let of_part = |part| TapGradient {
            moments: Self::moments(part),
            content: Self::content(part),
            features: None,
            tap: part.tap,
        };
        self.parts.iter().map(of_part).collect()
    }

    fn moments(part: &Part) -> Option<MomentGradient<'_>> {
        let Part { second, mean, weights, weight, .. } = part;
        Some(MomentGradient { second, mean, weights: Some(weights), weight: *weight })
    }

    fn content(part: &Part) -> Option<ContentGradient<'_>> {
        let Part { target, scale, weights, .. } = part;
        Some(ContentGradient { target, scale: *scale, weights: Some(weights) })
    }
}

pub(crate) fn scaled(values: &[f32], factor: f64) -> Vec<f32> {
    values.iter().map(|&v| (f64::from(v) * factor) as f32).collect()
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

//! Everything against the plain loops of [`reference`](crate::reference), on every instruction set of this machine.

mod bands;
mod edges;
mod interrupt;
mod networks;
mod repeatable;
mod sparing;
mod vectors;
mod vgg;

use crate::engine::Engine;
use crate::reference::{self, Reference, Trace};
use crate::{
    Border, ContentGradient, Convolution, FeatureGradient, Features, Isa, MomentGradient, PackedTrunk, Pooling,
    TapGradient, Threads, TrunkLayer,
};
use std::sync::Arc;

/// A reproducible sequence of numbers.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// The next one, uniform in −1..1 (xorshift64*, Vigna 2016).
    pub(crate) fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// A network of random weights: channels of each convolution, 0 for a pooling.
pub(crate) fn network(channels: &[usize]) -> Vec<TrunkLayer> {
    let mut numbers = Numbers::new(7);
    let mut before = 3;
    let mut layers = Vec::new();
    for &out_channels in channels {
        if out_channels == 0 {
            layers.push(TrunkLayer::Pool);
            continue;
        }
        let scale = (6.0 / (9.0 * before as f32)).sqrt();
        let weight = numbers.many(out_channels * before * 9).into_iter().map(|value| value * scale).collect();
        let bias = numbers.many(out_channels).into_iter().map(|value| value * 0.1).collect();
        layers.push(TrunkLayer::Convolution(Convolution { in_channels: before, out_channels, weight, bias }));
        before = out_channels;
    }
    layers
}

/// A piece of the picture of a cat, repeated where more is asked for.
pub(crate) fn cat(height: usize, width: usize) -> Vec<f32> {
    const BYTES: &[u8] = include_bytes!("../../tests/fixtures/chelsea-61x37.ppm");
    let pixels = &BYTES[BYTES.len() - 61 * 37 * 3..];
    let mut picture = Vec::new();
    for channel in 0..3 {
        for y in 0..height {
            for x in 0..width {
                picture.push(f32::from(pixels[(y % 37 * 61 + x % 61) * 3 + channel]));
            }
        }
    }
    picture
}

/// `‖found − expected‖ / ‖expected‖`
pub(crate) fn distance(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |x: f64| x * x;
    let error: f64 = found.iter().zip(expected).map(|(&f, &e)| square(f64::from(f) - e)).sum();
    let norm: f64 = expected.iter().map(|&e| square(e)).sum();
    if norm == 0.0 { error.sqrt() } else { (error / norm).sqrt() }
}

/// A network, a picture, and an engine and a reference that run it.
pub(crate) struct Case {
    pub(crate) layers: Vec<TrunkLayer>,
    pub(crate) pooling: Pooling,
    pub(crate) pooling_scale: f32,
    pub(crate) border: Border,
    pub(crate) mean: [f32; 3],
    pub(crate) scale: [f32; 3],
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) taps: Vec<usize>,
}

/// A gradient at a tap, owned.
#[derive(Clone)]
pub(crate) struct Pull {
    pub(crate) tap: usize,
    second: Vec<f32>,
    mean: Vec<f32>,
    weight: f64,
    moment_weights: Option<Vec<f32>>,
    target: Features,
    scale: f32,
    content_weights: Option<Vec<f32>>,
    /// The planar target.
    planar: Vec<f32>,
    of_feature: Features,
    of_feature_scale: f32,
    /// The planar gradient of the feature itself.
    of_feature_planar: Vec<f32>,
}

impl Pull {
    pub(crate) fn gradient(&self) -> TapGradient<'_> {
        TapGradient {
            tap: self.tap,
            moments: Some(MomentGradient {
                second: &self.second,
                mean: &self.mean,
                weights: self.moment_weights.as_deref(),
                weight: self.weight,
            }),
            content: Some(ContentGradient {
                target: &self.target,
                scale: self.scale,
                weights: self.content_weights.as_deref(),
            }),
            features: Some(FeatureGradient { gradient: &self.of_feature, scale: self.of_feature_scale }),
        }
    }

    /// The loss that [`reference`](Pull::reference) is the gradient of:
    /// `⟨second, ΣwFFᵀ⟩/weight + ⟨mean, ΣwF⟩/weight + scale/2 · Σw(F − target)² + ⟨gradient, F⟩`.
    pub(crate) fn loss(&self, (shape, feature): (crate::Shape, &[f64])) -> f64 {
        let (total, mean, second) = reference::moments(shape, feature, self.moment_weights.as_deref());
        let dot = |a: &[f32], b: &[f64]| a.iter().zip(b).map(|(&a, b)| f64::from(a) * b).sum::<f64>();
        let moments = (dot(&self.second, &second) + dot(&self.mean, &mean)) * total / self.weight;
        let square = |(i, value): (usize, &f64)| {
            let weight = self.content_weights.as_ref().map_or(1.0, |w| f64::from(w[i % shape.positions()]));
            weight * (value - f64::from(self.planar[i])).powi(2)
        };
        let squares = feature.iter().enumerate().map(square).sum::<f64>();
        let along = f64::from(self.of_feature_scale) * dot(&self.of_feature_planar, feature);
        moments + 0.5 * f64::from(self.scale) * squares + along
    }

    /// `∂L/∂F` as the types define it, planar.
    pub(crate) fn reference(&self, feature: &[f64]) -> Vec<f64> {
        let channels = self.mean.len();
        let positions = feature.len() / channels;
        let at = |weights: &Option<Vec<f32>>, p: usize| weights.as_ref().map_or(1.0, |weights| f64::from(weights[p]));
        let mut out = Vec::new();
        for c in 0..channels {
            for p in 0..positions {
                let product = |k: usize| {
                    let both = f64::from(self.second[c * channels + k]) + f64::from(self.second[k * channels + c]);
                    both * feature[k * positions + p]
                };
                let moments = (0..channels).map(product).sum::<f64>() + f64::from(self.mean[c]);
                let difference = feature[c * positions + p] - f64::from(self.planar[c * positions + p]);
                out.push(
                    moments * at(&self.moment_weights, p) / self.weight
                        + difference * f64::from(self.scale) * at(&self.content_weights, p)
                        + f64::from(self.of_feature_scale) * f64::from(self.of_feature_planar[c * positions + p]),
                );
            }
        }
        out
    }
}

impl Case {
    pub(crate) fn new(channels: &[usize], pooling: Pooling, height: usize, width: usize, taps: &[usize]) -> Self {
        Self {
            layers: network(channels),
            pooling,
            pooling_scale: 1.0,
            border: Border::Zero,
            mean: [123.68, 116.779, 103.939],
            scale: [0.02, 0.017, 0.021],
            height,
            width,
            taps: taps.to_vec(),
        }
    }

    pub(crate) fn engine(&self, isa: Isa, threads: &Threads) -> Engine {
        let trunk = PackedTrunk::new(isa, threads, &self.layers).expect("the network is sound");
        let trunk = Arc::new(trunk);
        let mut engine = Engine::new(trunk, threads.clone(), self.pooling, self.mean, self.scale, &self.taps)
            .expect("the taps exist");
        engine.set_border(self.border);
        engine.set_pooling_scale(self.pooling_scale);
        engine
    }

    /// Whether the reference's gradient is the slope of its own loss.
    pub(crate) fn check_reference(&self) {
        let mut engine = self.engine(Isa::best(), &Threads::new(1));
        engine.forward(&self.picture(), self.height, self.width, true);
        let pulls = self.pulls(&mut engine);
        let error = self.slope_error(&pulls);
        assert!(error < 1e-4, "{:?}: {error:e}", self.pooling);
    }

    pub(crate) fn picture(&self) -> Vec<f32> {
        cat(self.height, self.width)
    }

    pub(crate) fn reference(&self) -> Reference<'_> {
        let &Self { ref layers, pooling, pooling_scale, border, mean, scale, .. } = self;
        Reference { layers, pooling, pooling_scale, border, mean, scale, relu_mask: None, places: None }
    }

    /// The reference up to the deepest tap, under the masks that the engine's last forward pass kept.
    pub(crate) fn reference_under(&self, engine: &Engine) -> Reference<'_> {
        let (relu_mask, places) = engine.masks();
        let mut convolutions = 0;
        let until_deepest = |layer: &&TrunkLayer| {
            convolutions += usize::from(matches!(layer, TrunkLayer::Convolution(_)));
            convolutions < relu_mask.len() || (convolutions == relu_mask.len() && **layer != TrunkLayer::Pool)
        };
        let depth = self.layers.iter().take_while(until_deepest).count();
        let places = (self.pooling == Pooling::Max).then_some(places);
        Reference { layers: &self.layers[..depth], relu_mask: Some(relu_mask), places, ..self.reference() }
    }

    pub(crate) fn trace(&self, reference: &Reference<'_>) -> Trace {
        let picture: Vec<f64> = self.picture().into_iter().map(f64::from).collect();
        reference.forward(&picture, self.height, self.width)
    }

    /// Gradients of random size at every tap, masks on every other one.
    pub(crate) fn pulls(&self, engine: &mut Engine) -> Vec<Pull> {
        let mut numbers = Numbers::new(3);
        let pull = |&tap: &usize| {
            let mut target = engine.capture(tap);
            let shape = target.shape;
            target.data.iter_mut().for_each(|value| *value *= 0.75);
            let of_feature_planar = numbers.many(shape.len());
            let planar = engine.features(tap).into_iter().map(|value| value * 0.75).collect();
            let mask = |numbers: &mut Numbers| -> Option<Vec<f32>> {
                (tap % 2 == 1).then(|| numbers.many(shape.positions()).into_iter().map(|w| w + 1.0).collect())
            };
            Pull {
                tap,
                second: numbers.many(shape.channels * shape.channels),
                mean: numbers.many(shape.channels),
                weight: shape.positions() as f64 * 1.5,
                moment_weights: mask(&mut numbers),
                target,
                scale: 0.3,
                content_weights: mask(&mut numbers),
                planar,
                of_feature: Features::from_planar(shape, &of_feature_planar),
                of_feature_scale: 0.7,
                of_feature_planar,
            }
        };
        self.taps.iter().map(pull).collect()
    }

    /// The relative distance of the engine's gradient from the reference's under the same masks.
    pub(crate) fn gradient_error(&self, isa: Isa, threads: &Threads) -> f64 {
        self.gradient_error_of(isa, threads, |_| 1)
    }

    /// The same where each tap has this many gradients.
    pub(crate) fn gradient_error_of(&self, isa: Isa, threads: &Threads, times: impl Fn(usize) -> usize) -> f64 {
        let mut engine = self.engine(isa, threads);
        engine.forward(&self.picture(), self.height, self.width, true);
        let many = |pull: Pull| std::iter::repeat_n(pull.clone(), times(pull.tap));
        let pulls: Vec<Pull> = self.pulls(&mut engine).into_iter().flat_map(many).collect();
        let gradients: Vec<_> = pulls.iter().map(Pull::gradient).collect();
        let mut found = vec![f32::NAN; 3 * self.height * self.width];
        engine.backward(&gradients, &mut found);
        let reference = self.reference_under(&engine);
        let trace = self.trace(&reference);
        let pull = |pull: &Pull| (pull.tap, pull.reference(trace.feature(&self.layers, pull.tap).1));
        let expected = reference.backward(&trace, &pulls.iter().map(pull).collect::<Vec<_>>());
        distance(&found, &expected)
    }

    /// The largest relative distance of the reference's gradient from differences of the loss that it belongs to, at
    /// some pixels.
    pub(crate) fn slope_error(&self, pulls: &[Pull]) -> f64 {
        let reference = self.reference();
        let loss = |picture: &[f64]| -> f64 {
            let trace = reference.forward(picture, self.height, self.width);
            pulls.iter().map(|pull| pull.loss(trace.feature(&self.layers, pull.tap))).sum()
        };
        let trace = self.trace(&reference);
        let pull = |pull: &Pull| (pull.tap, pull.reference(trace.feature(&self.layers, pull.tap).1));
        let gradient = reference.backward(&trace, &pulls.iter().map(pull).collect::<Vec<_>>());
        let picture: Vec<f64> = self.picture().into_iter().map(f64::from).collect();
        let error = |index: usize| {
            let at = |step: f64| {
                let mut moved = picture.clone();
                moved[index] += step;
                loss(&moved)
            };
            let step = 1e-4;
            let slope = (at(step) - at(-step)) / (2.0 * step);
            (slope - gradient[index]).abs() / (gradient[index].abs() + 1e-3)
        };
        (0..picture.len()).step_by(17).map(error).fold(0.0, f64::max)
    }

    /// The largest relative distance of a feature, and of a moment.
    pub(crate) fn feature_errors(&self, isa: Isa, threads: &Threads) -> (f64, f64) {
        let mut engine = self.engine(isa, threads);
        engine.forward(&self.picture(), self.height, self.width, false);
        let trace = self.trace(&self.reference());
        let (mut features, mut moments) = (0.0f64, 0.0f64);
        for &tap in &self.taps {
            let (shape, expected) = trace.feature(&self.layers, tap);
            assert_eq!(engine.tap_shape(tap, self.height, self.width), shape);
            features = features.max(distance(&engine.features(tap), expected));
            let mask: Vec<f32> = (0..shape.positions()).map(|p| (p % 3) as f32 + 0.25).collect();
            for weights in [None, Some(mask.as_slice())] {
                let found = engine.moments(tap, weights);
                let (weight, mean, second) = reference::moments(shape, expected, weights);
                assert!((found.weight - weight).abs() <= 1e-9 * weight);
                moments = moments.max(distance(&found.mean, &mean)).max(distance(&found.second, &second));
            }
        }
        (features, moments)
    }
}

//! One step of painting with the article's layers, on weights of VGG19's shapes.

use impasto_kernels::vector::{self, Adam};
use impasto_kernels::{
    ContentGradient, Convolution, Engine, Features, Isa, MomentGradient, Moments, TapGradient, Threads, TrunkLayer,
};
use std::time::{Duration, Instant};

/// Channels of VGG19 up to conv5_2; 0 is a pooling.
const VGG19: [usize; 18] = [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512];
pub(crate) const NAMES: [&str; 14] =
    ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1", "5_2"];
/// conv1_1, conv2_1, conv3_1, conv4_1, conv5_1.
pub(crate) const STYLE: [usize; 5] = [0, 2, 4, 8, 12];
/// conv4_2, conv5_2.
const CONTENT: [usize; 2] = [9, 13];

/// The layers of both losses.
pub(crate) fn taps() -> Vec<usize> {
    STYLE.into_iter().chain(CONTENT).collect()
}

/// A network of the shapes of VGG19 with weights that keep features at one size.
pub(crate) fn network() -> Vec<TrunkLayer> {
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut in_channels = 3;
    let mut layers = Vec::new();
    for out_channels in VGG19 {
        if out_channels == 0 {
            layers.push(TrunkLayer::Pool);
            continue;
        }
        let size = (6.0 / (9.0 * in_channels as f32)).sqrt();
        let weight = (0..out_channels * in_channels * 9).map(|_| random() * size).collect();
        let bias = (0..out_channels).map(|_| random()).collect();
        layers.push(TrunkLayer::Convolution(Convolution { in_channels, out_channels, weight, bias }));
        in_channels = out_channels;
    }
    layers
}

/// A picture being painted.
pub(crate) struct Step {
    isa: Isa,
    height: usize,
    width: usize,
    picture: Vec<f32>,
    pub(crate) gradient: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
    count: u32,
    styles: Vec<Moments>,
    contents: Vec<Features>,
}

pub(crate) type Parts = Vec<(String, Duration)>;

impl Step {
    pub(crate) fn new(engine: &mut Engine, isa: Isa, height: usize, width: usize) -> Self {
        let picture: Vec<f32> = (0..3 * height * width).map(|i| ((i * 7919) % 256) as f32).collect();
        engine.record_timings();
        engine.forward(&picture, height, width, false);
        let styles = STYLE.map(|tap| engine.moments(tap, None)).into_iter().collect();
        let contents = CONTENT.map(|tap| engine.capture(tap)).into_iter().collect();
        let zeros = vec![0.0; picture.len()];
        let picture = picture.iter().map(|value| 255.0 - value).collect();
        Self {
            isa,
            height,
            width,
            picture,
            gradient: zeros.clone(),
            m: zeros.clone(),
            v: zeros,
            count: 0,
            styles,
            contents,
        }
    }

    pub(crate) fn run(&mut self, engine: &mut Engine) -> Parts {
        let mut parts = Parts::new();
        timed(&mut parts, "whole forward".into(), || engine.forward(&self.picture, self.height, self.width, true));
        let start = Instant::now();
        let moments: Vec<Moments> = STYLE
            .iter()
            .map(|&tap| timed(&mut parts, format!("moments {}", NAMES[tap]), || engine.moments(tap, None)))
            .collect();
        let mut loss = 0.0;
        for (&tap, target) in CONTENT.iter().zip(&self.contents) {
            let name = format!("distance {}", NAMES[tap]);
            loss += timed(&mut parts, name, || engine.squared_distance(tap, target, None));
        }
        let seconds: Vec<Vec<f32>> = moments
            .iter()
            .zip(&self.styles)
            .map(|(found, style)| {
                let size = 1.0 / found.second.len() as f32;
                found.second.iter().zip(&style.second).map(|(f, s)| (f - s) * size).collect()
            })
            .collect();
        let zeros = vec![0.0; 512];
        let gradients = gradients(&moments, &seconds, &zeros, &self.contents);
        parts.push(("whole losses".into(), start.elapsed()));
        timed(&mut parts, "whole backward".into(), || engine.backward(&gradients, &mut self.gradient));
        std::hint::black_box(loss);
        for timing in engine.timings() {
            parts.push((format!("{:?} {}", timing.part, NAMES[timing.convolution]), timing.time));
        }
        parts
    }

    /// Moves the picture.
    pub(crate) fn optimise(&mut self, threads: &Threads) -> Duration {
        self.count += 1;
        let adam = Adam { step: self.count, learning_rate: 5.0, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
        let start = Instant::now();
        vector::adam_step(self.isa, threads, adam, &self.gradient, &mut self.picture, &mut self.m, &mut self.v);
        start.elapsed()
    }
}

/// What flows back at the taps.
fn gradients<'a>(
    moments: &[Moments],
    seconds: &'a [Vec<f32>],
    zeros: &'a [f32],
    contents: &'a [Features],
) -> Vec<TapGradient<'a>> {
    let style = STYLE.iter().zip(moments).zip(seconds).map(|((&tap, found), second)| {
        let mean = &zeros[..found.channels];
        let moments = MomentGradient { second, mean, weights: None, weight: found.weight };
        TapGradient { tap, moments: Some(moments), content: None, features: None }
    });
    let content = CONTENT.iter().zip(contents).map(|(&tap, target)| {
        let scale = 0.5 / target.shape.len() as f32;
        TapGradient {
            tap,
            moments: None,
            content: Some(ContentGradient { target, scale, weights: None }),
            features: None,
        }
    });
    style.chain(content).collect()
}

fn timed<R>(parts: &mut Parts, name: String, work: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = work();
    parts.push((name, start.elapsed()));
    result
}

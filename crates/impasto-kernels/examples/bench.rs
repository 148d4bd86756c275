//! Times one step of painting with the article's layers, part by part.
//!
//! `cargo run --release -p impasto-kernels --example bench -- --size 512 [--height 512] [--isa avx2] [--threads 2]
//! [--repeat 5] [--pooling average|max|l2] [--bands 128]`
//!
//! Weights are random: the time does not depend on them. GFLOP/s count the operations of a direct convolution; a
//! Winograd multiply does a quarter of them, so that 400% of the measured peak would be the wall. The backward of
//! conv1_2 includes that of conv1_1 and what flows in at its tap. With `--bands` an engine that runs in bands of so many
//! rows is timed, by turns with one that runs whole, and the last lines compare the two: a step (forward, moments,
//! distances, backward), memory, and what both have found.
#![allow(clippy::print_stdout)]

use impasto_kernels::vector::{self, Adam};
use impasto_kernels::{
    ContentGradient, Convolution, Engine, Features, Isa, MomentGradient, Moments, PackedTrunk, Part, Pooling, Shape,
    TapGradient, Threads, TrunkLayer, peak_flops,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Channels of VGG19 up to conv5_2; 0 is a pooling.
const VGG19: [usize; 18] = [64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512];
const NAMES: [&str; 14] =
    ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1", "5_2"];
/// conv1_1, conv2_1, conv3_1, conv4_1, conv5_1.
const STYLE: [usize; 5] = [0, 2, 4, 8, 12];
/// conv4_2, conv5_2.
const CONTENT: [usize; 2] = [9, 13];

struct Settings {
    height: usize,
    width: usize,
    isa: Isa,
    threads: usize,
    repeat: usize,
    pooling: Pooling,
    bands: Option<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let settings = settings()?;
    let threads = Threads::new(settings.threads);
    let peak = peak_flops(settings.isa, &threads) / 1e9;
    let Settings { height, width, isa, pooling, .. } = settings;
    println!(
        "{height}×{width}, {}, {} threads, peak {peak:.0} GFLOP/s, {pooling:?} pooling",
        isa.name(),
        threads.count()
    );

    let layers = network();
    let start = Instant::now();
    let trunk = Arc::new(PackedTrunk::new(isa, &threads, &layers)?);
    println!("packing {:.0} ms, {:.0} MB", milliseconds(start.elapsed()), trunk.bytes() as f64 / 1e6);
    drop(layers);
    let taps: Vec<usize> = STYLE.into_iter().chain(CONTENT).collect();
    let new = || Engine::new(trunk.clone(), threads.clone(), pooling, [120.0; 3], [1.0; 3], &taps);
    let mut engine = new()?;
    engine.set_bands(settings.bands);
    if settings.bands.is_some() {
        return compare(&settings, new()?, engine, peak);
    }

    let mut best = Best::new();
    let mut step = Step::new(&mut engine, isa, height, width);
    for _ in 0..=settings.repeat {
        let mut parts = step.run(&mut engine);
        parts.push(("whole optimiser".into(), step.optimise(&threads)));
        note(&mut best, parts);
    }
    report(&best, &engine, height, width, peak);
    Ok(())
}

/// The shortest time of each part, and its order.
type Best = BTreeMap<String, (usize, Duration)>;

/// Notes the times of a step; its total.
fn note(best: &mut Best, mut parts: Parts) -> Duration {
    let total: Duration = parts.iter().filter(|(name, _)| name.starts_with("whole")).map(|(_, time)| *time).sum();
    parts.push(("total".into(), total));
    for (order, (name, time)) in parts.into_iter().enumerate() {
        let entry = best.entry(name).or_insert((order, time));
        entry.1 = entry.1.min(time);
    }
    total
}

/// Times steps in bands and whole ones by turns.
fn compare(settings: &Settings, mut whole: Engine, mut bands: Engine, peak: f64) -> Result<(), Box<dyn Error>> {
    let &Settings { height, width, isa, .. } = settings;
    let mut best = Best::new();
    let mut steps = [Step::new(&mut whole, isa, height, width), Step::new(&mut bands, isa, height, width)];
    let mut ratios = Vec::new();
    let mut totals = Vec::new();
    for repeat in 0..=settings.repeat {
        let before = note(&mut Best::new(), steps[0].run(&mut whole));
        let total = note(&mut best, steps[1].run(&mut bands));
        if repeat > 0 {
            ratios.push(total.as_secs_f64() / before.as_secs_f64());
            totals.push(before);
        }
    }
    report(&best, &bands, height, width, peak);
    ratios.sort_by(f64::total_cmp);
    let pixels = (height * width) as f64;
    let whole_ms = totals.iter().min().map_or(f64::NAN, |&time| milliseconds(time));
    println!("whole step      {whole_ms:>10.2} ms, {:.0} bytes a pixel", whole.bytes() as f64 / pixels);
    println!("bands           {:>10.0} bytes a pixel", bands.bytes() as f64 / pixels);
    println!("time of bands/whole: median {:.3}, from {:.3}", ratios[ratios.len() / 2], ratios[0]);
    println!("gradients differ by {:.1e} of their length", relative(&steps[1].gradient, &steps[0].gradient));
    for tap in STYLE {
        let (found, expected) = (bands.moments(tap, None), whole.moments(tap, None));
        println!("moments {} differ by {:.1e}", NAMES[tap], relative(&found.second, &expected.second));
    }
    Ok(())
}

/// `‖found − expected‖ / ‖expected‖`
fn relative(found: &[f32], expected: &[f32]) -> f64 {
    let square = |value: f64| value * value;
    let error: f64 = found.iter().zip(expected).map(|(&f, &e)| square(f64::from(f) - f64::from(e))).sum();
    (error / expected.iter().map(|&e| square(f64::from(e))).sum::<f64>()).sqrt()
}

fn settings() -> Result<Settings, Box<dyn Error>> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value"))?;
        found.insert(name, value);
    }
    let mut number = |name: &str, default: usize| found.remove(name).map_or(Ok(default), |value| value.parse());
    let width = number("--size", 512)?;
    let height = number("--height", width)?;
    let threads = number("--threads", std::thread::available_parallelism().map_or(1, usize::from))?;
    let repeat = number("--repeat", 5)?;
    let isa = match found.remove("--isa") {
        None => Isa::best(),
        Some(name) => Isa::by_name(&name).ok_or_else(|| format!("this CPU has no `{name}`"))?,
    };
    let pooling = match found.remove("--pooling").as_deref() {
        None | Some("average") => Pooling::Average,
        Some("max") => Pooling::Max,
        Some("l2") => Pooling::L2,
        Some(other) => return Err(format!("`{other}` is not a pooling").into()),
    };
    let bands = found.remove("--bands").map(|rows| rows.parse()).transpose()?;
    if let Some(name) = found.keys().next() {
        return Err(format!("`{name}` is not an option").into());
    }
    Ok(Settings { height, width, isa, threads, repeat, pooling, bands })
}

/// A network of the shapes of VGG19 with weights that keep features at one size.
fn network() -> Vec<TrunkLayer> {
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
struct Step {
    isa: Isa,
    height: usize,
    width: usize,
    picture: Vec<f32>,
    gradient: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
    count: u32,
    styles: Vec<Moments>,
    contents: Vec<Features>,
}

type Parts = Vec<(String, Duration)>;

impl Step {
    fn new(engine: &mut Engine, isa: Isa, height: usize, width: usize) -> Self {
        let picture: Vec<f32> = (0..3 * height * width).map(|i| ((i * 7919) % 256) as f32).collect();
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

    fn run(&mut self, engine: &mut Engine) -> Parts {
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
    fn optimise(&mut self, threads: &Threads) -> Duration {
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

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn report(best: &BTreeMap<String, (usize, Duration)>, engine: &Engine, height: usize, width: usize, peak: f64) {
    let time = |name: &str| best.get(name).map(|&(_, time)| milliseconds(time));
    println!(
        "{:8}{:>12}{:>10}{:>8}{:>12}{:>10}{:>8}{:>10}{:>10}{:>8}{:>10}",
        "layer",
        "forward ms",
        "GFLOP/s",
        "peak",
        "backward ms",
        "GFLOP/s",
        "peak",
        "again ms",
        "unpool ms",
        "tap ms",
        "moments"
    );
    let mut in_channels = 3;
    for (index, name) in NAMES.iter().enumerate() {
        let shape: Shape = engine.tap_shape(index, height, width);
        let flops = 18.0 * (in_channels * shape.len()) as f64;
        in_channels = shape.channels;
        let mut line = format!("conv{name:4}");
        for part in [Part::Forward, Part::Backward] {
            let Some(time) = time(&format!("{part:?} {name}")) else { continue };
            let rate = flops / time / 1e6;
            line += &format!("{time:>12.2}{rate:>10.0}{:>7.0}%", 100.0 * rate / peak);
        }
        let cell = |name: String| time(&name).map_or(String::new(), |time| format!("{time:.2}"));
        for part in [Part::Again, Part::Unpool] {
            line += &format!("{:>10}", cell(format!("{part:?} {name}")));
        }
        line += &format!("{:>8}{:>10}", cell(format!("{:?} {name}", Part::Tap)), cell(format!("moments {name}")));
        println!("{line}");
    }
    for name in ["whole forward", "whole losses", "whole backward", "whole optimiser", "total"] {
        println!("{name:16}{:>10.2} ms", time(name).unwrap_or(f64::NAN));
    }
    println!("buffers {:.0} MB", engine.bytes() as f64 / 1e6);
}

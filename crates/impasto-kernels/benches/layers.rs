//! What each layer costs: one step of painting with the article's layers, part by part.
//!
//! `cargo bench -p impasto-kernels --bench layers -- --size 512 [--height 512] [--isa avx2] [--threads 2] [--repeat 5]
//! [--pooling average|max|l2] [--bands 128]`
//!
//! Weights are random: the time does not depend on them. GFLOP/s count the operations of a direct convolution; a
//! Winograd multiply does a quarter of them, so that 400% of the measured peak would be the wall. The backward of
//! conv1_2 includes that of conv1_1 and what flows in at its tap. With `--bands` an engine that runs in bands of this many
//! rows is timed, by turns with one that runs whole, and the last lines compare the two: a step (forward, moments,
//! distances, backward), memory, and what both have found.
#![allow(clippy::print_stdout)]

#[path = "common/trunk_step.rs"]
mod trunk_step;

use impasto_kernels::{Engine, Isa, PackedTrunk, Part, Pooling, Shape, Threads, peak_flops};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use trunk_step::{NAMES, Parts, STYLE, Step, network, taps};

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
    let taps = taps();
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
    // `cargo bench` adds `--bench`.
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
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

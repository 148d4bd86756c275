//! Painting coarse to fine, and its one control of strength, on real pictures with the real network.

use std::path::Path;
use std::sync::Mutex;

use impasto::device::Machine;
use impasto::job::{Context, Control, Event, Job};
use impasto::objective::{Losses, Objective, Weights};
use impasto::paint::{Mask, Masks, PaintEvent, scales};
use impasto::settings::{Init, OptimizerKind, Overrides, Preset, StyleLossKind};
use impasto::{PaintJob, Painting, Picture, Scene, Settings, network, paint};

fn example(name: &str) -> Picture {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures");
    Picture::read(&folder.join(name)).unwrap()
}

fn scene(style: &str) -> Scene {
    Scene { content: example("coffee.png"), styles: vec![(example(style), 1.0)], start: None, masks: Masks::default() }
}

fn run(style: &str, settings: &Settings) -> (Painting, Vec<PaintEvent>) {
    let events = Mutex::new(Vec::new());
    let settings = Settings { threads: Some(2), ..settings.clone() };
    let painting = paint(&scene(style), &settings, network("vgg19").unwrap(), &Context::new(&events)).unwrap();
    let of_painting = |event| match event {
        Event::Paint(event) => event,
        other => panic!("{other:?}"),
    };
    (painting, events.into_inner().unwrap().into_iter().map(of_painting).collect())
}

/// What stops a job after this many iterations.
fn stop_after(wanted: usize, control: &Control) -> impl Fn(&Event) + Send + Sync + use<> {
    let control = control.clone();
    move |event| {
        if matches!(event, Event::Paint(PaintEvent::Step { iteration, .. }) if *iteration == wanted) {
            control.stop();
        }
    }
}

#[test]
fn every_size_is_painted_in_turn_and_told() {
    let settings = Settings { size: Some(120), min_size: 40, iterations: 6, ..Settings::default() };
    let (painting, events) = run("starry-night.jpg", &settings);
    let planned = scales((80, 120), &settings);
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            PaintEvent::Scale { scale, scales: 4, width, height, iterations } => {
                Some((*scale, *height, *width, *iterations))
            }
            _ => None,
        })
        .collect();
    let wanted: Vec<_> = (1..).zip(&planned).map(|(i, s)| (i, s.height, s.width, s.iterations)).collect();
    assert_eq!(told, wanted);
    let mut before = (0.0, 0);
    for event in &events {
        if let PaintEvent::Step { iteration, iterations, scale, width, done, left, .. } = event {
            assert_eq!(*width, planned[scale - 1].width);
            assert_eq!(*iteration, before.1 + 1);
            assert_eq!(*iterations, planned.iter().map(|scale| scale.iterations).sum::<usize>());
            assert!(*done > before.0 && *done <= 1.0 && *left >= 0.0);
            before = (*done, *iteration);
        }
    }
    assert_eq!(before, (1.0, painting.history.len()));
    assert_eq!(painting.begun.len(), 4);
    assert_eq!((painting.picture.height(), painting.picture.width()), (80, 120));
}

/// The mean over windows of 8×8 of the similarity of luminance: Wang et al., "Image Quality Assessment: From Error
/// Visibility to Structural Similarity", 2004, eq. 13.
fn similarity(a: &Picture, b: &Picture) -> f64 {
    let (height, width) = (a.height(), a.width());
    assert_eq!((height, width), (b.height(), b.width()));
    let luminance = |picture: &Picture, i: usize| {
        let n = height * width;
        let rgb = [0, 1, 2].map(|c| f64::from(picture.data()[c * n + i].clamp(0.0, 255.0)));
        0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    };
    let (mut sum, mut windows) = (0.0, 0.0);
    for y in (0..height - 7).step_by(4) {
        for x in (0..width - 7).step_by(4) {
            let at = |picture: &Picture| -> Vec<f64> {
                (0..64).map(|k| luminance(picture, (y + k / 8) * width + x + k % 8)).collect()
            };
            let (a, b) = (at(a), at(b));
            let mean = |v: &[f64]| v.iter().sum::<f64>() / 64.0;
            let (ma, mb) = (mean(&a), mean(&b));
            let covariance = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
                a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>() / 64.0
            };
            let (va, vb, vab) = (covariance(&a, ma, &a, ma), covariance(&b, mb, &b, mb), covariance(&a, ma, &b, mb));
            let (c1, c2) = (6.5025, 58.5225);
            sum += (2.0 * ma * mb + c1) * (2.0 * vab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            windows += 1.0;
        }
    }
    sum / windows
}

#[test]
fn the_look_at_a_small_size_predicts_the_look_at_a_large_one() {
    // The small picture is where the large one came by, and it ends near it: from noise, as only that is undecided.
    let settings = Settings { min_size: 64, init: Init::Noise, iterations: 30, ..Settings::default() };
    let picture = |settings: Settings| run("starry-night.jpg", &settings).0.picture;
    let small = picture(Settings { size: Some(128), ..settings.clone() });
    let large = |settings: Settings| {
        let large = picture(Settings { size: Some(256), ..settings });
        similarity(&large.resized(small.height(), small.width()), &small)
    };
    let coarse_to_fine = large(settings.clone());
    let at_once = large(Settings { scales: Some(1), ..settings.clone() });
    let other_seed = large(Settings { seed: 1, ..settings });
    let all = format!("{coarse_to_fine} coarse to fine, {at_once} at once, {other_seed} from another seed");
    // What all have of the photograph makes them somewhat alike: 0.1 with the default weights.
    assert!(coarse_to_fine > 0.3 && coarse_to_fine > 2.0 * at_once.max(other_seed), "{all}");
}

/// The losses of a picture with all weights 1, against a style of this many times its size.
fn measure(picture: &Picture, style: &str, style_scale: f64) -> Losses {
    let settings = Settings { style_weight: 1.0, threads: Some(2), ..Settings::default() };
    let network = network("vgg19").unwrap();
    let weights = Weights::new(&settings, network.kind).unwrap();
    let machine = Machine::new(&network, &settings, &weights.taps()).unwrap();
    let scene = scene(style);
    let (height, width) = (picture.height(), picture.width());
    let side = (height.max(width) as f64 * style_scale) as usize;
    let styles = [(scene.styles[0].0.resized_to_longer_side(side), 1.0)];
    Objective::new(machine, &weights, &scene.content.resized(height, width), &styles).value(picture.data())
}

#[test]
fn more_strength_is_more_style_and_less_content_for_every_style_and_size() {
    for style in ["starry-night.jpg", "rocket.jpg"] {
        for size in [72, 128] {
            let settings = Settings { size: Some(size), min_size: 64, iterations: 30, ..Settings::default() };
            let at = |strength: f64| {
                let settings = Settings { strength: Some(strength), ..settings.clone() };
                measure(&run(style, &settings).0.picture, style, 1.0)
            };
            let losses = [0.0, 0.1, 0.25, 0.5].map(at);
            assert!(losses[0].content < 1e-3 * losses[1].content, "no strength is the photograph");
            // From there on nearly all of the content is gone, and a short run ends where chance leads it.
            let most = at(1.0);
            assert!(most.style < losses[2].style && most.content > losses[2].content, "{style} {size} {most:?}");
            for pair in losses.windows(2) {
                assert!(
                    pair[1].style < pair[0].style && pair[1].content > pair[0].content,
                    "{style} {size} {losses:?}"
                );
            }
        }
    }
}

#[test]
fn an_average_of_the_way_is_left_where_it_is_better() {
    let settings = Settings {
        size: Some(72),
        min_size: 48,
        iterations: 60,
        optimizer: OptimizerKind::Adam,
        learning_rate: 20.0,
        average: 0.0,
        scales: Some(1),
        style_weight: 0.2,
        init: Init::Content,
        ..Settings::preset(Preset::Article)
    };
    let last = run("starry-night.jpg", &settings).0.losses.loss;
    let average = run("starry-night.jpg", &Settings { average: 0.9, ..settings }).0.losses.loss;
    // Both runs make the same steps, so the lower of the two is left.
    assert!(average <= last, "{average} against {last}");
}

#[test]
fn the_size_of_the_styles_is_the_size_of_the_strokes() {
    let settings = Settings { size: Some(96), iterations: 20, ..Settings::default() };
    let [small, large] = [0.5, 2.0].map(|style_scale| {
        let picture = run("starry-night.jpg", &Settings { style_scale, ..settings.clone() }).0.picture;
        [0.5, 2.0].map(|style_scale| measure(&picture, "starry-night.jpg", style_scale).style)
    });
    assert!(small[0] < 0.8 * large[0] && large[1] < 0.8 * small[1], "each is nearest to its own: {small:?} {large:?}");
}

#[test]
fn what_is_protected_is_the_photograph_even_where_a_run_is_stopped_at_a_small_size() {
    let content = example("coffee.png").resized(128, 192);
    // The left third is protected, with an edge that fades over 16 columns.
    let shade = |i: usize| ((72.0 - (i % 192) as f32) / 16.0).clamp(0.0, 1.0);
    let mask: Vec<u8> = (0..128 * 192).flat_map(|i| [(255.0 * shade(i)) as u8; 3]).collect();
    let protect = Some(Mask::of(&Picture::from_rgb8(128, 192, &mask)));
    let masks = Masks { protect, ..Masks::default() };
    let scene = Scene { content: content.clone(), masks, ..scene("starry-night.jpg") };
    let settings = Settings { min_size: 48, init: Init::Noise, iterations: 6, threads: Some(2), ..Settings::default() };
    let control = Control::default();
    let stop = stop_after(1, &control);
    let context = Context::new(&stop).with_control(&control);
    let painting = paint(&scene, &settings, network("vgg19").unwrap(), &context).unwrap();
    assert_eq!((painting.history.len(), painting.begun.len()), (1, 1), "it was stopped at the smallest size");
    let differs = |columns: std::ops::Range<usize>| {
        let pairs = painting.picture.data().iter().zip(content.data()).enumerate();
        pairs.filter(|(i, (a, b))| columns.contains(&(i % 192)) && a != b).count()
    };
    assert_eq!(differs(0..56), 0, "bit for bit");
    assert!(differs(72..192) > 100_000 / 3, "noise elsewhere: {}", differs(72..192));
}

/// Runs a job and stops it after this many iterations.
fn stopped_after(job: &PaintJob, wanted: usize) -> Painting {
    let control = Control::default();
    let stop = stop_after(wanted, &control);
    job.run(&Context::new(&stop).with_control(&control)).unwrap()
}

#[test]
fn a_run_that_was_stopped_resumes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures");
    for optimizer in [OptimizerKind::Lbfgs, OptimizerKind::Adam] {
        let settings = Settings {
            size: Some(72),
            min_size: 48,
            iterations: 9,
            average: 0.9,
            threads: Some(2),
            optimizer,
            ..Settings::default()
        };
        let job = |name: &str| {
            PaintJob::new(Overrides {
                content: Some(pictures.join("coffee.png")),
                style: vec![pictures.join("starry-night.jpg").to_str().unwrap().parse().unwrap()],
                output: Some(folder.path().join(format!("{optimizer}-{name}.png"))),
                ..Overrides::from(&settings)
            })
            .unwrap()
        };
        let whole = stopped_after(&job("whole"), usize::MAX);
        let begun = job("stopped");
        let steps = whole.history.len();
        // In the first size, and in the last.
        let mut stopped = stopped_after(&begun, 3);
        for wanted in [steps - 4, usize::MAX] {
            let resumed = PaintJob::resume(&begun.checkpoint, Overrides::default()).unwrap();
            stopped = stopped_after(&resumed, wanted);
        }
        let losses = |painting: &Painting| painting.history.iter().map(|(_, losses)| *losses).collect::<Vec<_>>();
        assert_eq!(losses(&stopped), losses(&whole), "{optimizer}");
        assert_eq!(stopped.picture.data(), whole.picture.data(), "{optimizer}: to the last bit of every float");
        assert_eq!((stopped.begun, stopped.losses), (whole.begun, whole.losses));
        assert!(!begun.checkpoint.exists());
    }
}

/// A picture of one colour.
fn flat(rgb: [u8; 3]) -> Picture {
    Picture::from_rgb8(64, 64, &rgb.repeat(64 * 64))
}

/// The Wasserstein-2 objective where nothing spreads.
#[test]
fn contents_and_styles_of_one_colour_are_painted() {
    let red = [180, 30, 40];
    let mean = |picture: &Picture| {
        let planes = picture.data().chunks_exact(picture.height() * picture.width());
        planes.map(|plane| plane.iter().sum::<f32>() / plane.len() as f32).collect::<Vec<_>>()
    };
    let from_red =
        |picture: &Picture| mean(picture).iter().zip(red).map(|(a, b)| (a - f32::from(b)).abs()).sum::<f32>();
    for optimizer in [OptimizerKind::Lbfgs] {
        let settings = Settings {
            style_loss: StyleLossKind::Wasserstein,
            size: Some(64),
            iterations: 8,
            strength: Some(0.8),
            threads: Some(2),
            optimizer,
            ..Settings::preset(Preset::Best)
        };
        for (name, content, style) in [
            ("a photograph in red", example("coffee.png"), flat(red)),
            ("grey in red", flat([128; 3]), flat(red)),
            ("black in red", flat([0; 3]), flat(red)),
            ("grey like a painting", flat([128; 3]), example("starry-night.jpg")),
            ("a photograph in black", example("coffee.png"), flat([0; 3])),
        ] {
            let scene = Scene { content: content.clone(), ..scene("starry-night.jpg") };
            let scene = Scene { styles: vec![(style, 1.0)], ..scene };
            let painting = paint(&scene, &settings, network("vgg19").unwrap(), &Context::default()).unwrap();
            let name = format!("{name} with {optimizer}");
            assert!(painting.history.iter().all(|(_, losses)| losses.loss.is_finite()), "{name}");
            assert!(painting.picture.data().iter().all(|value| value.is_finite()), "{name}");
            let begin = *painting.begun.last().unwrap();
            assert!(painting.losses.loss <= painting.history[begin].1.loss, "{name}: the loss falls");
            if name.contains("in red") {
                let small = content.resized(64, 64);
                assert!(from_red(&painting.picture) < from_red(&small), "{name}: {:?}", mean(&painting.picture));
            }
        }
    }
}

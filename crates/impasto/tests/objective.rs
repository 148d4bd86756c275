//! The article's objective and its optimisers, on a real picture and the real network, against PyTorch.
//!
//! The vectors are those of `impasto-nn`; `tools/make_vectors.py` made them.

use std::path::Path;
use std::sync::Mutex;

use impasto::device::Machine;
use impasto::job::{Context, Control, End, Event};
use impasto::objective::{Objective, Weights};
use impasto::paint::{Masks, PaintEvent};
use impasto::picture::Picture;
use impasto::settings::{BorderKind, Init, LossScale, OptimizerKind, PoolingKind, Preset, StyleLossKind};
use impasto::{Scene, Settings, network, paint};
use impasto_nn::vgg::Vgg;
use safetensors::SafeTensors;

struct Vectors {
    bytes: Vec<u8>,
}

impl Vectors {
    fn read(size: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto-nn/tests/vectors");
        Self { bytes: std::fs::read(folder.join(format!("vgg19-{size}.safetensors"))).unwrap() }
    }

    fn f64(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(name).unwrap();
        match view.dtype() {
            safetensors::Dtype::F64 => {
                view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
            }
            _ => view.data().chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect(),
        }
    }

    fn picture(&self, name: &str) -> Picture {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(name).unwrap();
        let (height, width) = (view.shape()[1], view.shape()[2]);
        let data = match view.dtype() {
            safetensors::Dtype::U8 => view.data().iter().map(|v| f32::from(*v)).collect(),
            _ => self.f64(name).iter().map(|v| *v as f32).collect(),
        };
        Picture::from_planar(height, width, data)
    }
}

fn settings(pooling: PoolingKind) -> Settings {
    Settings { pooling, threads: Some(2), ..Settings::preset(Preset::Article) }
}

fn objective(vectors: &Vectors, settings: &Settings) -> Objective {
    let network = network("vgg19").unwrap();
    let weights = Weights::new(settings, network.kind).unwrap();
    let machine = Machine::new(&network, settings, &weights.taps()).unwrap();
    Objective::new(machine, &weights, &vectors.picture("content"), &[(vectors.picture("style"), 1.0)])
}

#[test]
fn the_articles_loss_and_gradient_are_pytorchs() {
    for size in ["61x45", "93x70"] {
        for (name, pooling) in [("average", PoolingKind::Average), ("max", PoolingKind::Max), ("l2", PoolingKind::L2)] {
            let vectors = Vectors::read(size);
            let start = vectors.picture("start");
            let mut gradient = vec![0.0; start.data().len()];
            let losses = objective(&vectors, &settings(pooling)).value_and_gradient(start.data(), &mut gradient);
            let expected = vectors.f64(&format!("{name}.total"));
            for (found, expected) in
                [losses.content, losses.style, losses.loss].iter().zip([expected[0], 500.0 * expected[1], expected[2]])
            {
                assert!((found / expected - 1.0).abs() < 1e-4, "{size} {name}: {found}, expected {expected}");
            }
            let expected = vectors.f64(&format!("{name}.gradient"));
            let error: f64 = gradient.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
            let norm: f64 = expected.iter().map(|b| b * b).sum();
            assert!((error / norm).sqrt() < 1e-3, "{size} {name}: {:.1e} away", (error / norm).sqrt());
        }
    }
}

#[test]
fn value_alone_is_the_same_value() {
    let vectors = Vectors::read("61x45");
    let start = vectors.picture("start");
    let settings = Settings { tv_weight: 3.0, ..settings(PoolingKind::Average) };
    let mut objective = objective(&vectors, &settings);
    let with_gradient = objective.value_and_gradient(start.data(), &mut vec![0.0; start.data().len()]);
    assert_eq!(objective.value(start.data()), with_gradient);
    assert!(with_gradient.total_variation > 0.0);
}

/// Each term alone, along random directions: the slope told is the slope found.
#[test]
fn the_gradient_of_every_term_is_that_of_finite_differences() {
    let vectors = Vectors::read("61x45");
    let start = vectors.picture("start");
    let none = Settings { content_weight: 0.0, style_weight: 0.0, ..settings(PoolingKind::Average) };
    let terms = [
        ("content", Settings { content_weight: 1.0, ..none.clone() }),
        ("style", Settings { style_weight: 500.0, ..none.clone() }),
        (
            "wasserstein, past a border that repeats and poolings that double",
            Settings {
                style_weight: 500.0,
                style_loss: StyleLossKind::Wasserstein,
                border: BorderKind::Replicate,
                pooling_scale: 2.0,
                ..none.clone()
            },
        ),
        ("relative content", Settings { content_weight: 1.0, loss_scale: LossScale::Relative, ..none.clone() }),
        (
            "relative gram",
            Settings { style_weight: 1.0, loss_scale: LossScale::Relative, border: BorderKind::Mirror, ..none.clone() },
        ),
        (
            "relative wasserstein, past a mirror",
            Settings {
                style_weight: 1.0,
                style_loss: StyleLossKind::Wasserstein,
                loss_scale: LossScale::Relative,
                border: BorderKind::Mirror,
                ..none.clone()
            },
        ),
        (
            "relative total variation",
            Settings { content_weight: 1e-9, tv_weight: 100.0, loss_scale: LossScale::Relative, ..none.clone() },
        ),
        ("total variation", Settings { content_weight: 1e-9, tv_weight: 100.0, ..none }),
    ];
    for (name, settings) in terms {
        let mut objective = objective(&vectors, &settings);
        let mut gradient = vec![0.0; start.data().len()];
        objective.value_and_gradient(start.data(), &mut gradient);
        // Along the gradient itself the loss changes most, so rounding matters least; a smooth wave is added to it, so
        // that not only its own length is tested.
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let count = (gradient.len() as f64).sqrt();
        let direction: Vec<f64> = gradient
            .iter()
            .enumerate()
            .map(|(i, g)| f64::from(*g) / norm + 0.5 * (i as f64 * 0.37).sin() / count)
            .collect();
        let step = 1.0;
        let mut at = |step: f64| {
            let moved: Vec<f32> =
                start.data().iter().zip(&direction).map(|(x, d)| (f64::from(*x) + step * d) as f32).collect();
            objective.value(&moved).loss
        };
        let found = (at(step) - at(-step)) / (2.0 * step);
        let told: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(*g) * d).sum();
        assert!((found / told - 1.0).abs() < 5e-3, "{name}: {found} found, {told} told");
    }
}

/// VGG19 with the feature of each layer several times as large: rectified features grow with weights and biases.
fn louder(network: &Vgg) -> Vgg {
    let mut louder = network.clone();
    let mut before = 1.0;
    for (index, convolution) in louder.convolutions.iter_mut().enumerate() {
        let factor = 1.5f32.powi(index as i32 % 4 + 1);
        convolution.weight.iter_mut().for_each(|weight| *weight *= factor / before);
        convolution.bias.iter_mut().for_each(|bias| *bias *= factor);
        before = factor;
    }
    louder
}

#[test]
fn relative_losses_are_the_same_for_a_network_with_larger_features() {
    let vectors = Vectors::read("61x45");
    let start = vectors.picture("start");
    let plain = network("vgg19").unwrap();
    let losses = |network: &Vgg, style_loss, loss_scale| {
        let settings = Settings { style_loss, loss_scale, style_weight: 1.0, ..settings(PoolingKind::Max) };
        let weights = Weights::new(&settings, network.kind).unwrap();
        let machine = Machine::new(network, &settings, &weights.taps()).unwrap();
        let styles = [(vectors.picture("style"), 1.0)];
        Objective::new(machine, &weights, &vectors.picture("content"), &styles).value(start.data())
    };
    for style_loss in [StyleLossKind::Gram, StyleLossKind::Wasserstein] {
        let both = |scale| [&plain, &louder(&plain)].map(|network| losses(network, style_loss, scale));
        let [quiet, loud] = both(LossScale::Relative);
        for (quiet, loud) in [(quiet.content, loud.content), (quiet.style, loud.style)] {
            assert!((loud / quiet - 1.0).abs() < 1e-3, "{style_loss}: {loud} and {quiet}");
        }
        let [quiet, loud] = both(LossScale::Absolute);
        assert!(loud.content > 2.0 * quiet.content && loud.style > 2.0 * quiet.style, "{style_loss}");
    }
}

#[test]
fn two_styles_are_blended_by_their_shares() {
    let vectors = Vectors::read("61x45");
    let (content, style) = (vectors.picture("content"), vectors.picture("style"));
    let settings = Settings { content_weight: 0.0, ..settings(PoolingKind::Average) };
    let network = network("vgg19").unwrap();
    let weights = Weights::new(&settings, network.kind).unwrap();
    let loss = |styles: &[(Picture, f64)]| {
        let machine = Machine::new(&network, &settings, &weights.taps()).unwrap();
        Objective::new(machine, &weights, &content, styles).value(content.data()).loss
    };
    let own = loss(&[(content.clone(), 1.0)]);
    let (one, both) = (loss(&[(style.clone(), 1.0)]), loss(&[(style.clone(), 0.25), (content.clone(), 0.75)]));
    assert!(own < 1e-6 * one, "a picture has its own style: {own}");
    assert!((both / (0.25 * one) - 1.0).abs() < 1e-6, "{both}, expected a quarter of {one}");
}

fn scene() -> Scene {
    let vectors = Vectors::read("93x70");
    Scene {
        content: vectors.picture("content"),
        styles: vec![(vectors.picture("style"), 1.0)],
        start: None,
        masks: Masks::default(),
    }
}

fn run(settings: &Settings) -> (impasto::Painting, Vec<Event>) {
    let events = Mutex::new(Vec::new());
    let painting = paint(&scene(), settings, network("vgg19").unwrap(), &Context::new(&events)).unwrap();
    (painting, events.into_inner().unwrap())
}

#[test]
fn lbfgs_gets_lower_than_adam_in_as_many_evaluations() {
    let adam = Settings { iterations: 100, ..settings(PoolingKind::Average) };
    let lbfgs = Settings { optimizer: OptimizerKind::Lbfgs, ..adam.clone() };
    let (adam, lbfgs) = (run(&adam).0, run(&lbfgs).0);
    assert_eq!(lbfgs.history.len(), 100);
    assert!(lbfgs.losses.loss < 0.8 * adam.losses.loss, "{} against {}", lbfgs.losses.loss, adam.losses.loss);
    let reached = lbfgs.history.iter().map(|(_, losses)| losses.loss).fold(f64::INFINITY, f64::min);
    assert_eq!(lbfgs.losses.loss, reached, "the best picture is the one that is left");
}

#[test]
fn a_rate_too_wild_is_halved_until_the_loss_is_finite_again() {
    let wild = Settings { learning_rate: 1e15, iterations: 60, init: Init::Content, ..settings(PoolingKind::Average) };
    let (painting, events) = run(&wild);
    let back = events.iter().filter(|event| matches!(event, Event::Paint(PaintEvent::RolledBack { .. }))).count();
    assert!(back > 0, "{events:?}");
    assert!(painting.losses.loss.is_finite() && painting.picture.data().iter().all(|v| v.is_finite()));
}

#[test]
fn one_seed_is_one_picture_bit_for_bit() {
    let settings = Settings { iterations: 5, ..settings(PoolingKind::Average) };
    let (first, again) = (run(&settings).0, run(&settings).0);
    assert_eq!(first.picture, again.picture);
    assert_eq!(first.losses, again.losses);
}

#[test]
fn a_run_that_is_stopped_keeps_the_picture() {
    let settings = Settings { iterations: 50, ..settings(PoolingKind::Average) };
    let control = Control::default();
    let sink = |event: &Event| {
        if matches!(event, Event::Paint(PaintEvent::Step { iteration: 3, .. })) {
            control.stop();
        }
    };
    let context = Context::new(&sink).with_control(&control);
    let painting = paint(&scene(), &settings, network("vgg19").unwrap(), &context).unwrap();
    assert_eq!((painting.history.len(), &painting.end), (3, &End::Stopped));
    assert_eq!((painting.picture.height(), painting.picture.width()), (93, 70));
}

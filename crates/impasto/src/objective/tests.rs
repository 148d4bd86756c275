//! Tiles and regions on real pictures and the real network.

use std::path::Path;
use std::sync::Arc;

use impasto_nn::backend::{Cpu, CpuBackend, Input};
use impasto_nn::kernels::Threads;
use impasto_nn::trunk::Packing;
use impasto_nn::vgg::Vgg;

use super::tiles::Reach;
use super::weights::mean_square;
use super::*;
use crate::device::Machine;
use crate::layout::Layout;
use crate::network::network;
use crate::picture::Picture;
use crate::settings::{LayerWeights, LossScale, PoolingKind, Preset, Settings, StyleLossKind};

fn example(name: &str, height: usize, width: usize) -> Picture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name);
    Picture::read(&path).unwrap().resized(height, width)
}

/// The article's, or as many layers of it as reach a few pixels only.
fn settings(deep: bool, pooling: PoolingKind) -> Settings {
    let article = Settings { pooling, tv_weight: 2.0, threads: Some(1), ..Settings::preset(Preset::Article) };
    if deep {
        return article;
    }
    Settings {
        content_layers: LayerWeights::new([("conv2_2", 0.5), ("conv3_1", 0.5)]),
        style_layers: LayerWeights::new(["conv1_1", "conv2_1", "conv3_1"].map(|layer| (layer, 1.0))),
        ..article
    }
}

/// One content with styles, in any layout.
struct Case {
    network: Arc<Vgg>,
    /// Holds the packed weights, so that they are packed once.
    _machine: Machine,
    settings: Settings,
    weights: Weights,
    content: Picture,
    styles: Vec<(Picture, f64)>,
    regions: Regions,
}

impl Case {
    fn new(settings: Settings, content: Picture) -> Self {
        let network = network("vgg19").unwrap();
        let weights = Weights::new(&settings, network.kind).unwrap();
        let styles = vec![(example("starry-night.jpg", 150, 190), 1.0)];
        let _machine = Machine::new(&network, &settings, &weights.taps()).unwrap();
        Self { network, _machine, settings, weights, content, styles, regions: Regions::default() }
    }

    fn two_styles(mut self) -> Self {
        self.styles[0].1 = 0.6;
        self.styles.push((example("coffee.png", 120, 140), 0.4));
        self
    }

    fn objective(&self, layout: Layout) -> Objective {
        let machine = Machine::new(&self.network, &self.settings, &self.weights.taps()).unwrap();
        Objective::within(machine, &self.weights, layout, &self.content, &self.styles, self.regions.clone())
    }

    /// A picture some way between content and style.
    fn picture(&self) -> Vec<f32> {
        let other = self.styles[0].0.resized(self.content.height(), self.content.width());
        self.content.data().iter().zip(other.data()).map(|(a, b)| 0.6 * a + 0.4 * b).collect()
    }

    fn evaluate(&self, layout: Layout) -> (Losses, Vec<f32>) {
        let picture = self.picture();
        let mut gradient = vec![f32::NAN; picture.len()];
        let mut objective = self.objective(layout);
        let losses = objective.value_and_gradient(&picture, &mut gradient);
        assert_eq!(objective.value(&picture), losses, "with and without a gradient the same loss");
        (losses, gradient)
    }

    fn away(&self, layout: Layout, whole: &(Losses, Vec<f32>)) -> f64 {
        let (losses, gradient) = self.evaluate(layout);
        let parts = [
            (losses.loss, whole.0.loss),
            (losses.content, whole.0.content),
            (losses.style, whole.0.style),
            (losses.total_variation, whole.0.total_variation),
        ];
        let of_losses = parts.iter().map(|(a, b)| (a - b).abs() / b.abs().max(1e-12)).fold(0.0, f64::max);
        let error: f64 = gradient.iter().zip(&whole.1).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let norm: f64 = whole.1.iter().map(|b| f64::from(*b).powi(2)).sum();
        of_losses.max((error / norm).sqrt())
    }
}

fn window(height: usize, width: usize) -> Layout {
    Layout::Tiles { height, width }
}

/// A soft mask that is 0 in a corner and 1 in the other.
fn ramp(height: usize, width: usize) -> Vec<f32> {
    let at = |i: usize| (i % width) as f32 / width as f32 + (i / width) as f32 / height as f32 - 0.5;
    (0..height * width).map(|i| at(i).clamp(0.0, 1.0)).collect()
}

fn regions(height: usize, width: usize) -> Regions {
    let first = ramp(height, width);
    let second = first.iter().map(|v| 1.0 - v).collect();
    let block = |i: usize, inside: f32| if (i / width) < height / 3 && i % width > width / 2 { inside } else { 1.0 };
    let alpha = (0..height * width).map(|i| block(i, 0.0)).collect();
    let protect = (0..height * width).map(|i| 1.0 - block(i + width * height / 2, 0.25)).collect();
    Regions { styles: vec![Some(first), Some(second)], alpha: Some(alpha), protect: Some(protect) }
}

#[test]
fn tiles_of_every_size_have_the_wholes_losses_and_gradient() {
    for (height, width, windows) in [
        (96, 128, &[(40, 40), (40, 128), (57, 72), (96, 88)][..]),
        (61, 93, &[(40, 40), (61, 45)]),
        (97, 67, &[(56, 67)]),
    ] {
        let case = Case::new(settings(false, PoolingKind::Average), example("chelsea.png", height, width));
        let whole = case.evaluate(Layout::Whole);
        for &(high, wide) in windows {
            let away = case.away(window(high, wide), &whole);
            assert!(away < 1e-5, "{height}×{width} in {high}×{wide}: {away:.1e} away");
        }
    }
}

#[test]
fn every_pooling_and_every_region_is_the_same_in_tiles() {
    for pooling in [PoolingKind::Average, PoolingKind::Max, PoolingKind::L2] {
        let mut case = Case::new(settings(false, pooling), example("chelsea.png", 83, 101)).two_styles();
        case.regions = regions(83, 101);
        let whole = case.evaluate(Layout::Whole);
        for (high, wide) in [(40, 56), (83, 40)] {
            let away = case.away(window(high, wide), &whole);
            assert!(away < 1e-5, "{pooling} {high}×{wide}: {away:.1e} away");
        }
    }
}

#[test]
fn the_best_preset_is_the_same_in_tiles() {
    let layers = settings(false, PoolingKind::Max);
    let best = Settings { threads: Some(1), ..Settings::preset(Preset::Best) };
    let (content_layers, style_layers) = (layers.content_layers, layers.style_layers);
    let mut case =
        Case::new(Settings { content_layers, style_layers, ..best }, example("chelsea.png", 83, 101)).two_styles();
    case.regions = regions(83, 101);
    let away = case.away(window(40, 56), &case.evaluate(Layout::Whole));
    assert!(away < 1e-5, "{away:.1e} away");
}

#[test]
fn the_articles_layers_are_the_same_in_tiles() {
    let case = Case::new(settings(true, PoolingKind::Average), example("chelsea.png", 333, 270));
    let whole = case.evaluate(Layout::Whole);
    for (high, wide) in [(256, 270), (270, 256)] {
        let away = case.away(window(high, wide), &whole);
        assert!(away < 1e-5, "{high}×{wide}: {away:.1e} away");
    }
}

#[test]
fn one_step_less_of_halo_is_seen() {
    let mut case = Case::new(settings(false, PoolingKind::Average), example("chelsea.png", 96, 128));
    let whole = case.evaluate(Layout::Whole);
    assert_eq!(case.weights.reach, Reach { radius: 10, step: 4 });
    case.weights.reach.radius -= 4;
    let away = case.away(window(32, 32), &whole);
    assert!(away > 1e-4, "{away:.1e} away");
}

#[test]
fn another_trunk_is_the_same_in_tiles() {
    // Portable kernels with one thread: other chunks of every sum.
    let case = Case::new(settings(false, PoolingKind::Max), example("chelsea.png", 70, 61));
    let whole = case.evaluate(Layout::Whole);
    let isa = impasto_nn::kernels::Isa::by_name("portable");
    let backend = Arc::new(CpuBackend::new(Cpu::with(isa.unwrap(), Threads::new(1))));
    let settings = settings(false, PoolingKind::Max);
    let machine = Machine::on(backend, &case.network, &settings, &case.weights.taps(), Packing::Kept).unwrap();
    let mut objective =
        Objective::within(machine, &case.weights, window(40, 40), &case.content, &case.styles, Regions::default());
    let losses = objective.value(&case.picture());
    assert!((losses.loss / whole.0.loss - 1.0).abs() < 1e-5, "{} against {}", losses.loss, whole.0.loss);
}

#[test]
fn a_style_in_tiles_is_the_style() {
    let mut case = Case::new(settings(false, PoolingKind::Average), example("chelsea.png", 24, 26));
    let whole = case.evaluate(Layout::Whole);
    // The content is one window of this size, the style many.
    assert!(case.away(window(24, 26), &whole) < 1e-5);
    case.styles[0].0 = example("coffee.png", 97, 61);
    let whole = case.evaluate(Layout::Whole);
    assert!(case.away(window(24, 48), &whole) < 1e-5);
}

/// The slope told is the slope found, along the gradient and a wave, in a picture of many windows with all regions, and
/// for pixels at an edge between windows alone.
#[test]
fn the_gradient_over_edges_and_regions_is_that_of_finite_differences() {
    let mut case = Case::new(settings(false, PoolingKind::Average), example("chelsea.png", 72, 84)).two_styles();
    case.regions = regions(72, 84);
    let (_, gradient) = case.evaluate(window(40, 40));
    let mut objective = case.objective(window(40, 40));
    let picture = case.picture();
    let norm = |part: &dyn Fn(usize) -> bool| {
        let squares = gradient.iter().enumerate().filter(|(i, _)| part(*i)).map(|(_, g)| f64::from(*g).powi(2));
        squares.sum::<f64>().sqrt()
    };
    // The first edge between interiors lies at 28.
    let edge = |i: usize| (26..30).contains(&(i / 84 % 72)) || (26..30).contains(&(i % 84));
    let parts: [(&str, &dyn Fn(usize) -> bool); 2] = [("everywhere", &|_| true), ("at an edge", &edge)];
    for (name, part) in parts {
        let length = norm(part);
        let direction = |i: usize| {
            let wave = 0.5 * (i as f64 * 0.37).sin() / (gradient.len() as f64).sqrt();
            if part(i) { f64::from(gradient[i]) / length + wave } else { 0.0 }
        };
        let mut at = |step: f64| {
            let moved = picture.iter().enumerate().map(|(i, x)| (f64::from(*x) + step * direction(i)) as f32);
            objective.value(&moved.collect::<Vec<_>>()).loss
        };
        let found = (at(1.0) - at(-1.0)) / 2.0;
        let told: f64 = gradient.iter().enumerate().map(|(i, g)| f64::from(*g) * direction(i)).sum();
        assert!((found / told - 1.0).abs() < 5e-3, "{name}: {found} found, {told} told");
    }
}

#[test]
fn what_is_transparent_has_no_part_and_what_is_protected_stays() {
    let (height, width) = (64, 80);
    let mut case = Case::new(settings(false, PoolingKind::Average), example("chelsea.png", height, width));
    let left = |i: usize| i % width < width / 2;
    case.regions.alpha = Some((0..height * width).map(|i| f32::from(left(i))).collect());
    let (losses, gradient) = case.evaluate(Layout::Whole);
    // Beyond the reach of what is visible nothing flows but rounding.
    let far = |i: usize| i % width >= width / 2 + 12;
    let most = |part: bool| {
        let of = gradient.iter().enumerate().filter(|(i, _)| far(*i) == part);
        of.map(|(_, g)| g.abs()).fold(0.0, f32::max)
    };
    assert!(most(true) < 1e-5 * most(false), "{} against {}", most(true), most(false));
    let mut other = case.picture();
    other.iter_mut().enumerate().filter(|(i, _)| far(*i)).for_each(|(_, v)| *v = 255.0 - *v);
    let same = case.objective(Layout::Whole).value(&other);
    assert!((same.loss / losses.loss - 1.0).abs() < 1e-6, "{same:?} {losses:?}");

    case.regions = Regions { protect: case.regions.alpha.take(), ..Regions::default() };
    let (_, gradient) = case.evaluate(Layout::Whole);
    assert!(gradient.iter().enumerate().all(|(i, g)| !left(i) || *g == 0.0));
    let picture = case.picture();
    let objective = case.objective(Layout::Whole);
    let backend = objective.perceptual().backend().clone();
    let mut shown = backend.upload(picture);
    objective.show(&mut shown);
    let picture = backend.take(shown);
    let content = case.content.data();
    let kept = picture.iter().zip(content).enumerate().all(|(i, (seen, content))| !left(i) || seen == content);
    assert!(kept && picture != content);
}

/// Each style is compared with its own region alone: where a region shows the style itself, it is content.
#[test]
fn a_mask_gives_each_style_its_region() {
    let (height, width) = (64, 128);
    let settings = Settings { content_weight: 0.0, tv_weight: 0.0, ..settings(false, PoolingKind::Average) };
    let mut case = Case::new(settings, example("chelsea.png", height, width));
    case.styles = vec![(example("starry-night.jpg", 64, 64), 0.5), (example("coffee.png", 64, 64), 0.5)];
    let half = |right: bool| (0..height * width).map(|i| f32::from((i % width >= 64) == right)).collect::<Vec<f32>>();
    let mut both = Vec::new();
    for row in 0..3 * height {
        for (style, _) in &case.styles {
            both.extend_from_slice(&style.data()[row * 64..][..64]);
        }
    }
    let mut loss = |masks: [bool; 2]| {
        case.regions.styles = masks.map(|right| Some(half(right))).to_vec();
        case.objective(Layout::Whole).value(&both).loss
    };
    let (right, wrong) = (loss([false, true]), loss([true, false]));
    assert!(right < 0.1 * wrong, "{right} against {wrong}");
}

/// In relative units a style loss depends on the photograph by the 0.8th power of its energy, whole and in tiles.
#[test]
fn a_relative_style_loss_depends_on_the_photographs_energy() {
    let (height, width) = (64, 96);
    let tap = 2;
    let relative = Settings {
        content_weight: 0.0,
        tv_weight: 0.0,
        loss_scale: LossScale::Relative,
        style_layers: LayerWeights::new([("conv2_1", 1.0)]),
        ..settings(false, PoolingKind::Average)
    };
    let painted = example("rocket.jpg", height, width);
    let photographs = ["chelsea.png", "coffee.png"].map(|name| example(name, height, width));
    let of = |content: &Picture, scale: LossScale| {
        let case = Case::new(Settings { loss_scale: scale, ..relative.clone() }, content.clone());
        let loss = case.objective(Layout::Whole).value(painted.data()).style;
        let tiled = case.objective(Layout::Tiles { height: 64, width: 64 }).value(painted.data()).style;
        assert!((tiled / loss - 1.0).abs() < 1e-4, "{tiled} in tiles against {loss}");
        loss
    };
    let energy = |picture: &Picture| {
        let case = Case::new(relative.clone(), picture.clone());
        let mut machine = Machine::new(&case.network, &case.settings, &case.weights.taps()).unwrap();
        let seen = Input::Host(picture.data());
        machine.trunk.forward(seen, picture.height(), picture.width(), false, &[]);
        mean_square(&machine.trunk.moments(tap, None))
    };
    let absolute = of(&photographs[0], LossScale::Absolute);
    assert_eq!(absolute, of(&photographs[1], LossScale::Absolute));
    let shares = photographs.map(|photograph| of(&photograph, LossScale::Relative) * energy(&photograph).powf(0.8));
    assert!((shares[0] / shares[1] - 1.0).abs() < 1e-4, "{shares:?}");
}

/// A loss of features with masks, opacity, what is protected, a mirrored border and two styles.
fn sliced() -> Case {
    let layers = settings(false, PoolingKind::Average);
    let settings = Settings {
        style_loss: StyleLossKind::Sliced,
        content_layers: layers.content_layers,
        style_layers: layers.style_layers,
        threads: Some(2),
        ..Settings::default()
    };
    let mut case = Case::new(settings, example("chelsea.png", 72, 84)).two_styles();
    case.regions = regions(72, 84);
    case
}

#[test]
fn a_loss_of_features_has_the_gradient_of_finite_differences() {
    let case = sliced();
    let (losses, gradient) = case.evaluate(Layout::Whole);
    assert!(losses.style > 0.1 * losses.loss, "{losses:?}");
    let mut objective = case.objective(Layout::Whole);
    let picture = case.picture();
    let length = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    for wave in [0.0, 0.5] {
        let direction = |i: usize| {
            f64::from(gradient[i]) / length + wave * (i as f64 * 0.37).sin() / (gradient.len() as f64).sqrt()
        };
        let moved = |step: f64| -> Vec<f32> {
            picture.iter().enumerate().map(|(i, x)| (f64::from(*x) + step * direction(i)) as f32).collect()
        };
        let mut slope = |step: f64| {
            let mut gradient = vec![0.0; picture.len()];
            objective.value_and_gradient(&moved(step), &mut gradient);
            gradient.iter().enumerate().map(|(i, g)| f64::from(*g) * direction(i)).sum::<f64>()
        };
        // Slopes change where two projections change places, so their mean over the way is compared.
        let told = (0..10).map(|k| slope(f64::from(k) / 5.0 - 0.9)).sum::<f64>() / 10.0;
        let found = (objective.value(&moved(1.0)).loss - objective.value(&moved(-1.0)).loss) / 2.0;
        assert!((found / told - 1.0).abs() < 1e-3, "{wave}: {found} found, {told} told");
    }
}

#[test]
fn a_loss_of_features_is_the_same_in_bands() {
    let case = sliced();
    let whole = case.evaluate(Layout::Whole);
    for rows in [16, 32, 72] {
        let away = case.away(Layout::Bands { rows }, &whole);
        assert!(away < 1e-5, "bands of {rows} rows: {away:.1e} away");
    }
}

#[test]
fn a_loss_of_features_sees_what_moments_do_not() {
    let of = |style_loss: StyleLossKind| {
        let mut case = sliced();
        case.settings.style_loss = style_loss;
        case.weights = Weights::new(&case.settings, case.network.kind).unwrap();
        case.evaluate(Layout::Whole)
    };
    let (sliced, wasserstein) = (of(StyleLossKind::Sliced), of(StyleLossKind::Wasserstein));
    assert_eq!(sliced.0.content, wasserstein.0.content);
    let ratio = sliced.0.style / wasserstein.0.style;
    assert!((0.2..5.0).contains(&ratio) && (ratio - 1.0).abs() > 1e-3, "the same units, another loss: {ratio}");
    assert_ne!(sliced.1, wasserstein.1);
}

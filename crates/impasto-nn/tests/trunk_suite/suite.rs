//! What every trunk must do. Each function takes a way to make one.

use impasto_nn::{
    trunk::{ContentGradient, Features, MomentGradient, Pooling, TapGradient, Trunk},
    vgg::{Vgg, VggKind},
};

use crate::{
    fixture::{Fixture, VGG, distance, noise, norm, tap, wide},
    objective::{Article, Evaluation, Functional, dot},
};

pub(crate) type Made = Box<dyn Trunk>;

/// A way to make a trunk of a network with a pooling and taps.
pub(crate) trait Make: Fn(&Vgg, Pooling, &[usize]) -> Made {}
impl<F: Fn(&Vgg, Pooling, &[usize]) -> Made> Make for F {}

/// Float32 alone is off by 1e-6 (PyTorch's own, in the header of the vectors), Winograd by up to 4e-6.
const FEATURES: f64 = 1e-5;
/// The vectors were made where no ReLU is about to flip, so only rounding is left.
const GRADIENT: f64 = 1e-5;
/// A step turns some ReLUs on or off, so a slope by differences is that of a neighbourhood: up to 2.3e-3 away on Burn,
/// whose gradients are PyTorch's to rounding. A part that is left out or wrong by a factor shows far above this.
const SLOPE: f64 = 5e-3;

pub(crate) fn features_are_pytorchs(make: &impl Make) {
    let names = VggKind::Vgg19.layer_names();
    let mut trunk = make(&VGG, Pooling::Average, &(0..names.len()).collect::<Vec<_>>());
    for fixture in Fixture::all() {
        let (height, width) = (fixture.height, fixture.width);
        trunk.forward(&fixture.picture("content"), height, width, false);
        for (tap, name) in names.iter().enumerate() {
            let found = trunk.features(tap);
            let shape = trunk.tap_shape(tap, height, width);
            let expected = fixture.get(&format!("feature.{name}.shape"));
            assert_eq!([shape.channels, shape.height, shape.width].map(|n| n as f64), expected);
            compare(&found, &fixture, &format!("feature.{name}"));
        }
    }
}

pub(crate) fn moments_are_pytorchs(make: &impl Make) {
    let names = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];
    let mut trunk = make(&VGG, Pooling::Average, &names.map(tap));
    for fixture in Fixture::all() {
        trunk.forward(&fixture.picture("content"), fixture.height, fixture.width, false);
        for name in names {
            let moments = trunk.moments(tap(name), None);
            let shape = trunk.tap_shape(tap(name), fixture.height, fixture.width);
            assert_eq!((moments.channels, moments.weight), (shape.channels, shape.positions() as f64));
            compare(&moments.second, &fixture, &format!("gram.{name}"));
            let off = distance(&moments.mean, fixture.get(&format!("mean.{name}")));
            assert!(off < FEATURES, "mean of {name} at {}×{}: {off:.1e}", fixture.height, fixture.width);
        }
    }
}

/// A whole array against the places and the norm that were stored of it.
fn compare(found: &[f32], fixture: &Fixture, name: &str) {
    let places = fixture.get(&format!("{name}.index")).iter().map(|&i| found[i as usize]).collect::<Vec<_>>();
    let off = distance(&places, fixture.get(&format!("{name}.value")));
    let whole = norm(&wide(found)) / fixture.get(&format!("{name}.norm"))[0] - 1.0;
    let size = (fixture.height, fixture.width);
    assert!(off < FEATURES && whole.abs() < FEATURES, "{name} at {size:?}: {off:.1e}, its norm {whole:.1e}");
}

pub(crate) fn article_with_average_pooling_is_pytorchs(make: &impl Make) {
    article(make, Pooling::Average, "average");
}

pub(crate) fn article_with_max_pooling_is_pytorchs(make: &impl Make) {
    article(make, Pooling::Max, "max");
}

pub(crate) fn article_with_l2_pooling_is_pytorchs(make: &impl Make) {
    article(make, Pooling::L2, "l2");
}

fn article(make: &impl Make, pooling: Pooling, name: &str) {
    let mut trunk = make(&VGG, pooling, &Article::taps());
    for fixture in Fixture::all() {
        let (height, width) = (fixture.height, fixture.width);
        let article = Article::new(&mut *trunk, &fixture);
        let Evaluation { content, style, total, gradient } =
            article.evaluate(&mut *trunk, &fixture.picture("start"), height, width);
        let narrow = |v: &[f64]| v.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let off = [
            distance(&narrow(&content), fixture.get(&format!("{name}.content"))),
            distance(&narrow(&style), fixture.get(&format!("{name}.style"))),
            (total / fixture.get(&format!("{name}.total"))[2] - 1.0).abs(),
        ];
        assert!(off.iter().all(|&off| off < FEATURES), "losses at {height}×{width}: {off:?}");
        let off = distance(&gradient, fixture.get(&format!("{name}.gradient")));
        assert!(off < GRADIENT, "gradient at {height}×{width}: {off:.1e}");
    }
}

pub(crate) fn moments_obey_their_weights(make: &impl Make) {
    let fixture = Fixture::load((33, 17));
    let taps = [tap("conv1_2"), tap("conv3_1")];
    let mut trunk = make(&VGG, Pooling::Average, &taps);
    trunk.forward(&fixture.picture("content"), 33, 17, false);
    for tap in taps {
        let shape = trunk.tap_shape(tap, 33, 17);
        let weights = mask(shape.positions());
        let found = trunk.moments(tap, Some(&weights));
        let feature = trunk.features(tap);
        let rows = feature.chunks(shape.positions()).collect::<Vec<_>>();
        let weight = weights.iter().map(|&w| f64::from(w)).sum::<f64>();
        let weighted = |row: &[f32]| row.iter().zip(&weights).map(|(f, w)| f * w).collect::<Vec<_>>();
        let mean = rows.iter().map(|row| dot(row, &weights) / weight).collect::<Vec<_>>();
        let second = |a| rows.iter().map(move |b| dot(&weighted(a), b) / weight);
        let second = rows.iter().flat_map(|a| second(a).collect::<Vec<_>>()).collect::<Vec<_>>();
        assert!((found.weight / weight - 1.0).abs() < 1e-6);
        assert!(distance(&found.mean, &mean) < 2e-6);
        assert!(distance(&found.second, &second) < 2e-6);
        let transposed = |i: usize| found.second[i % shape.channels * shape.channels + i / shape.channels];
        assert!((0..found.second.len()).all(|i| found.second[i] == transposed(i)), "the second moment is symmetric");
    }
}

pub(crate) fn distance_obeys_its_weights(make: &impl Make) {
    let fixture = Fixture::load((15, 40));
    let deep = tap("conv2_2");
    let mut trunk = make(&VGG, Pooling::Average, &[deep]);
    trunk.forward(&fixture.picture("content"), 15, 40, false);
    let (target, before) = (trunk.capture(deep), trunk.features(deep));
    assert_eq!(trunk.squared_distance(deep, &target, None), 0.0);
    trunk.forward(&fixture.picture("start"), 15, 40, false);
    let squared = trunk.features(deep).iter().zip(&before).map(|(a, b)| (a - b).powi(2)).collect::<Vec<_>>();
    let weights = mask(target.shape.positions());
    let weighted = squared.chunks(weights.len()).map(|row| dot(row, &weights)).sum::<f64>();
    let whole = squared.iter().map(|&v| f64::from(v)).sum::<f64>();
    assert!((trunk.squared_distance(deep, &target, None) / whole - 1.0).abs() < 2e-6);
    assert!((trunk.squared_distance(deep, &target, Some(&weights)) / weighted - 1.0).abs() < 2e-6);
}

/// Zero over a third of the positions, up to 1.8 elsewhere.
fn mask(positions: usize) -> Vec<f32> {
    noise(3, positions)
        .iter()
        .map(|w| (0.8 + w).max(0.0))
        .enumerate()
        .map(|(i, w)| if i % 5 == 0 { 0.0 } else { w })
        .collect()
}

pub(crate) fn average_gradient_is_the_slope(make: &impl Make) {
    slope(make, Pooling::Average);
}

pub(crate) fn max_gradient_is_the_slope(make: &impl Make) {
    slope(make, Pooling::Max);
}

pub(crate) fn l2_gradient_is_the_slope(make: &impl Make) {
    slope(make, Pooling::L2);
}

/// Central differences of each part of a weighted functional of one tap.
///
/// Half of each direction is the gradient itself, so that the slope is large and wrong parts show; the other half is
/// noise. The step, a thousandth of a grey level RMS, still changes the value by far more than rounding does.
fn slope(make: &impl Make, pooling: Pooling) {
    for name in ["conv1_2", "conv2_2", "conv3_4", "conv5_1"] {
        let mut trunk = make(&VGG, pooling, &[tap(name)]);
        for factors in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]] {
            let (slope, expected) = slopes(&mut *trunk, factors);
            let off = (slope / expected - 1.0).abs();
            assert!(off < SLOPE, "{name}, {factors:?}: {slope:e}, by the gradient {expected:e}");
        }
    }
}

/// The slope of a functional by differences and by the gradient.
fn slopes(trunk: &mut dyn Trunk, factors: [f64; 3]) -> (f64, f64) {
    let fixture = Fixture::load((15, 40));
    let picture = fixture.picture("start");
    trunk.forward(&picture, 15, 40, true);
    let functional = Functional::new(trunk, 15, 40, factors);
    let mut gradient = vec![f32::NAN; picture.len()];
    trunk.backward(&functional.gradients(), &mut gradient);
    let unit = |v: &[f32]| v.iter().map(|x| x / (norm(&wide(v)) as f32)).collect::<Vec<_>>();
    let (along, aside) = (unit(&gradient), unit(&noise(5, picture.len())));
    let direction = along.iter().zip(&aside).map(|(a, b)| a + b).collect::<Vec<_>>();
    let step = 0.001 * (picture.len() as f32).sqrt();
    let mut value = |sign: f32| {
        let moved = picture.iter().zip(&direction).map(|(p, d)| p + sign * step * d).collect::<Vec<_>>();
        trunk.forward(&moved, 15, 40, false);
        functional.value(trunk)
    };
    ((value(1.0) - value(-1.0)) / (2.0 * f64::from(step)), dot(&gradient, &direction))
}

/// The gradient is linear in what flows back: taps, parts, and the weight of the whole picture.
pub(crate) fn gradients_add_up(make: &impl Make) {
    let fixture = Fixture::load((33, 17));
    let mut trunk = make(&VGG, Pooling::Average, &["conv1_1", "conv3_1", "conv4_2"].map(tap));
    trunk.forward(&fixture.picture("start"), 33, 17, true);
    let functional = Functional::new(&mut *trunk, 33, 17, [1.0, 100.0, 0.01]);
    let whole = functional.gradients();
    let mut backward = |gradients: &[TapGradient<'_>]| {
        let mut gradient = vec![f32::NAN; 3 * 33 * 17];
        trunk.backward(gradients, &mut gradient);
        gradient
    };
    let expected = wide(&backward(&whole));
    let mut sum = vec![0.0f32; expected.len()];
    for g in &whole {
        let halved = g.moments.map(|m| MomentGradient { weight: 2.0 * m.weight, ..m });
        let doubled = g.content.map(|c| ContentGradient { scale: 2.0 * c.scale, ..c });
        for (part, factor) in [
            (TapGradient { moments: halved, content: None, ..*g }, 2.0),
            (TapGradient { moments: None, content: doubled, ..*g }, 0.5),
        ] {
            sum.iter_mut().zip(backward(&[part])).for_each(|(s, v)| *s += factor * v);
        }
    }
    assert!(distance(&sum, &expected) < 1e-5, "{:e}", distance(&sum, &expected));
}

pub(crate) fn nothing_flows_back_from_nothing(make: &impl Make) {
    let fixture = Fixture::load((2, 3));
    let deep = tap("conv2_1");
    let mut trunk = make(&VGG, Pooling::L2, &[deep]);
    let black = vec![0.0; 18];
    for picture in [fixture.picture("start"), black] {
        trunk.forward(&picture, 2, 3, true);
        let target = trunk.capture(deep);
        let mut gradient = vec![f32::NAN; 18];
        trunk.backward(&[], &mut gradient);
        assert_eq!(gradient, [0.0; 18]);
        let content = Some(ContentGradient { target: &target, scale: 1.0, weights: None });
        trunk.backward(&[TapGradient { tap: deep, moments: None, content, features: None }], &mut gradient);
        assert_eq!(gradient, [0.0; 18]);
    }
}

/// Buffers may be reused, but nothing of another size, of another picture or of a backward pass may show.
pub(crate) fn a_pass_leaves_no_trace_in_the_next(make: &impl Make) {
    let (large, small) = (Fixture::load((61, 45)), Fixture::load((15, 40)));
    let taps = ["conv1_1", "conv4_2"].map(tap);
    let mut used = make(&VGG, Pooling::Max, &taps);
    let pass = |trunk: &mut dyn Trunk, fixture: &Fixture| -> (Vec<Features>, Vec<f32>) {
        trunk.forward(&fixture.picture("start"), fixture.height, fixture.width, true);
        let features = taps.map(|tap| trunk.capture(tap)).to_vec();
        let functional = Functional::new(trunk, fixture.height, fixture.width, [1.0; 3]);
        let mut gradient = vec![f32::NAN; 3 * fixture.height * fixture.width];
        trunk.backward(&functional.gradients(), &mut gradient);
        (features, gradient)
    };
    let first = pass(&mut *used, &large);
    let second = pass(&mut *used, &small);
    assert!(second == pass(&mut *make(&VGG, Pooling::Max, &taps), &small), "a small picture after a large one");
    used.forward(&small.picture("content"), 15, 40, false);
    assert!(first == pass(&mut *used, &large), "a large picture after small ones");
}

pub(crate) fn shapes_are_those_of_the_features(make: &impl Make) {
    let mut trunk = make(&VGG, Pooling::Average, &[12, 0, 4, 4]);
    assert_eq!(trunk.taps(), [0, 4, 12], "taps come in order and once");
    trunk.forward(&noise(1, 3 * 5 * 70), 5, 70, false);
    for tap in [0, 4, 12] {
        let shape = trunk.tap_shape(tap, 5, 70);
        assert_eq!(shape, trunk.capture(tap).shape);
        assert_eq!(shape.len(), trunk.features(tap).len());
    }
    assert_eq!(trunk.tap_shape(4, 1024, 15), trunk.tap_shape(4, 1026, 13), "256 rows, 3 columns");
}

//! Styles in their places, by masks.

use std::borrow::Cow;
use std::path::PathBuf;

use impasto::Picture;
use impasto::paint::Mask;
use impasto::settings::{Colors, MemorySize};
use impasto::styles::{Blend, StyleChoice, StyleNetShape};
use impasto::stylize::{MaskedStyle, StylizeJob, StylizeSettings, Stylizer};

use crate::album::{Album, apart, model, photo, run, stylizer};

/// A mask that is white from one column of ten to another, of 100 × 100 pixels.
fn columns(white: std::ops::Range<usize>) -> Picture {
    let rgb: Vec<u8> = (0..10_000).flat_map(|i| [if white.contains(&(i % 100 / 10)) { 255 } else { 0 }; 3]).collect();
    Picture::from_rgb8(100, 100, &rgb)
}

/// One of two styles of a network, its weight, and the columns of ten where it counts.
fn style(number: usize, weight: f64, white: Option<std::ops::Range<usize>>) -> MaskedStyle {
    let mask = white.map(|white| Mask::of(&columns(white)));
    MaskedStyle { blend: Blend::of(Cow::Owned(model(2)), number), weight, mask }
}

/// The first of two styles of a network of another shape.
fn foreign(white: Option<std::ops::Range<usize>>) -> MaskedStyle {
    let mut other = model(2);
    let shape = StyleNetShape { residual_blocks: 0, ..other.shape };
    let kept = shape.parameters().into_iter().flat_map(|parameter| {
        let from = other.shape.parameters().into_iter().find(|known| known.name == parameter.name).unwrap();
        other.parameters[from.range].to_vec()
    });
    (other.parameters, other.shape) = (kept.collect(), shape);
    MaskedStyle { blend: Blend::of(Cow::Owned(other), 0), ..style(0, 1.0, white) }
}

fn paint(styles: Vec<MaskedStyle>, photo: &Picture, settings: &StylizeSettings) -> Picture {
    Stylizer::masked(styles, settings).unwrap().stylize(photo.clone()).unwrap().picture
}

/// The largest difference of two pictures within some columns of ten.
fn apart_within(columns: std::ops::Range<usize>, one: &Picture, other: &Picture) -> f32 {
    let within = |i: usize| columns.contains(&(i % one.width() * 10 / one.width()));
    let pairs = one.data().iter().zip(other.data()).enumerate().filter(|(i, _)| within(*i));
    pairs.map(|(_, (a, b))| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn each_style_is_painted_where_its_mask_is_white_and_the_photograph_stays_elsewhere() {
    let photo = photo(40, 60);
    for settings in [
        StylizeSettings::default(),
        StylizeSettings { strength: 0.5, ..StylizeSettings::default() },
        StylizeSettings { colors: Colors::Content, ..StylizeSettings::default() },
        StylizeSettings { colors: Colors::Match, stroke_size: 0.8, ..StylizeSettings::default() },
        StylizeSettings { colors: Colors::Histogram, ..StylizeSettings::default() },
    ] {
        let [one, two] = [0, 1].map(|number| paint(vec![style(number, 1.0, None)], &photo, &settings));
        let masked = paint(vec![style(0, 1.0, Some(0..3)), style(1, 5.0, Some(7..10))], &photo, &settings);
        assert!(apart_within(0..2, &masked, &one) < 0.01);
        assert!(apart_within(8..10, &masked, &two) < 0.01);
        assert_eq!(apart_within(4..6, &masked, &photo), 0.0);
        let alone = paint(vec![style(1, 0.2, Some(6..10))], &photo, &settings);
        assert!(apart_within(7..10, &alone, &two) < 0.01);
        assert_eq!(apart_within(0..5, &alone, &photo), 0.0);
    }
}

#[test]
fn where_masks_overlap_styles_share_by_their_weights() {
    let (photo, settings) = (photo(40, 60), StylizeSettings::default());
    let [one, two] = [0, 1].map(|number| paint(vec![style(number, 1.0, None)], &photo, &settings));
    let masked = paint(vec![style(0, 3.0, None), style(1, 1.0, Some(5..10))], &photo, &settings);
    assert!(apart_within(0..4, &masked, &one) < 0.01);
    let mixed = one.data().iter().zip(two.data()).map(|(one, two)| 0.75 * one + 0.25 * two).collect();
    assert!(apart_within(6..10, &masked, &Picture::from_planar(40, 60, mixed)) < 0.01);
}

#[test]
fn styles_of_different_networks_meet_in_a_picture() {
    let (photo, settings) = (photo(40, 60), StylizeSettings::default());
    let [own, other] = [style(1, 1.0, None), foreign(None)].map(|style| paint(vec![style], &photo, &settings));
    assert!(apart(&own, &other).1 > 1.0);
    for _ in 0..2 {
        let masked = paint(vec![style(1, 1.0, Some(0..4)), foreign(Some(4..10))], &photo, &settings);
        assert!(apart_within(0..3, &masked, &own) < 0.01);
        assert!(apart_within(5..10, &masked, &other) < 0.01);
    }
}

#[test]
fn one_style_may_have_two_places() {
    let photo = photo(40, 60);
    let paint = |styles| paint(styles, &photo, &StylizeSettings::default());
    let whole = paint(vec![style(0, 1.0, None)]);
    let twice = paint(vec![style(0, 1.0, Some(0..3)), style(0, 2.0, Some(7..10))]);
    assert!(apart_within(0..2, &twice, &whole) < 0.01 && apart_within(8..10, &twice, &whole) < 0.01);
    assert_eq!(apart_within(4..6, &twice, &photo), 0.0);
}

#[test]
fn what_is_transparent_stays_so() {
    let clear: Vec<f32> = (0..40 * 60).map(|i| if i % 60 < 30 { 0.25 } else { 1.0 }).collect();
    let photo = photo(40, 60).with_alpha(clear.clone());
    let masked = paint(vec![style(0, 1.0, Some(2..7))], &photo, &StylizeSettings::default());
    assert_eq!(masked.alpha(), Some(&clear[..]));
}

/// A tall picture, so that there are many strips.
#[test]
fn masks_take_memory_into_account() {
    let photo = photo(800, 64);
    let paint = |styles: Vec<MaskedStyle>, memory: Option<u64>| {
        let settings = StylizeSettings { memory: memory.map(MemorySize), ..StylizeSettings::default() };
        Stylizer::masked(styles, &settings)?.stylize(photo.clone())
    };
    let masked = || vec![style(0, 1.0, Some(0..5)), foreign(Some(5..10))];
    let least = |styles: &dyn Fn() -> Vec<MaskedStyle>| {
        (1..2000).map(|quarters| quarters << 18).find(|memory| paint(styles(), Some(*memory)).is_ok()).unwrap()
    };
    let whole = paint(masked(), None).unwrap();
    let (with, without) = (least(&masked), least(&|| vec![style(0, 1.0, None)]));
    assert!(with > without, "a second network and what is mixed take memory");
    let strips = paint(masked(), Some(with)).unwrap();
    assert!(strips.network_bytes < whole.network_bytes / 2, "{} of {}", strips.network_bytes, whole.network_bytes);
    assert!(apart(&strips.picture, &whole.picture).0 < 1e-3 * 255.0);
}

/// A job with both styles of the album's model, each in its half.
fn halves(album: &Album) -> StylizeJob {
    columns(0..5).write(&album.path("left.png"), None).unwrap();
    columns(5..10).write(&album.path("right.png"), None).unwrap();
    let style = |name| StyleChoice::new(format!("{}#{name}", album.path("model.safetensors").display()));
    let masks = vec![album.path("left.png"), album.path("right.png")];
    StylizeJob { styles: ["one", "two"].map(style).into(), masks, ..album.job() }
}

#[test]
fn a_batch_of_several_sizes_has_its_masks_resized() {
    let album = Album::new(&["a.png", "b.png"]);
    photo(48, 31).write(&album.path("in/b.png"), None).unwrap();
    let (summary, _) = run(&halves(&album));
    assert_eq!((summary.done, summary.failures.len()), (2, 0));
    let [one, two] = [[1.0, 0.0], [0.0, 1.0]].map(|shares| stylizer(&shares, StylizeSettings::default()));
    for name in ["a.png", "b.png"] {
        let photo = Picture::read(&album.path("in").join(name)).unwrap();
        let written = Picture::read(&album.path("out").join(name)).unwrap();
        let [one, two] = [&one, &two].map(|stylizer| stylizer.stylize(photo.clone()).unwrap().picture);
        assert!(apart_within(0..3, &written, &one) < 0.6 && apart_within(7..10, &written, &two) < 0.6);
    }
}

#[test]
fn a_mask_is_named_in_the_picture_and_never_overwritten() {
    let album = Album::new(&["a.png"]);
    let job = halves(&album);
    let masks = vec!["none".into(), album.path("right.png")];
    run(&StylizeJob { masks: masks.clone(), ..job.clone() });
    let bytes = std::fs::read(album.path("out/a.png")).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains(r#"mask = ["none", "right.png"]"#));

    let right = std::fs::read(album.path("right.png")).unwrap();
    let detour = album.path("in/../right.png");
    let (inputs, output) = (vec![album.path("in/a.png")], Some(detour));
    let (summary, _) = run(&StylizeJob { inputs, output, masks, ..job });
    assert!(summary.failures[0].to_string().contains("is also an input"), "{:?}", summary.failures);
    assert_eq!(std::fs::read(album.path("right.png")).unwrap(), right);
}

/// Without a mask that is a picture, styles are blended as ever.
#[test]
fn masks_of_nothing_change_nothing() {
    let album = Album::new(&["a.png"]);
    let job = halves(&album);
    let written = |masks: Vec<PathBuf>| {
        run(&StylizeJob { masks, embed_settings: false, ..job.clone() });
        std::fs::read(album.path("out/a.png")).unwrap()
    };
    assert_eq!(written(vec!["none".into(), "none".into()]), written(vec![]));
}

//! Stylising on real pictures, with a small network whose weights are random.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use impasto::Picture;
use impasto::job::{Context, Control, End, Event, Job};
use impasto::settings::{Colors, MemorySize};
use impasto::styles::{Blend, ModelCard, StyleCard, StyleChoice, StyleDtype, StyleModel, StyleNetShape};
use impasto::stylize::{StylizeEvent, StylizeJob, StylizeSettings, StylizeSummary, Stylizer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A network of this many styles, `one`, `two` and so on, that answers with strong colours.
fn model(styles: usize) -> StyleModel {
    let shape = StyleNetShape { width: 16, residual_blocks: 1, styles, ..StyleNetShape::JOHNSON };
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut parameters = vec![0.0; shape.parameter_count()];
    for parameter in shape.parameters() {
        let inputs: usize = parameter.shape.iter().skip(1).product();
        let (centre, spread) = match parameter.name.rsplit('.').next() {
            Some("scale") => (1.0, 0.5),
            Some("shift") => (0.0, 0.5),
            Some("bias") => (0.5, 0.0),
            _ => (0.0, (3.0 / inputs as f32).sqrt()),
        };
        for value in &mut parameters[parameter.range] {
            *value = centre + spread * random.random_range(-1.0..1.0);
        }
    }
    let names = ["one", "two", "three"].into_iter().take(styles);
    let styles = names.map(|name| StyleCard { name: name.into(), ..StyleCard::default() }).collect();
    StyleModel {
        shape,
        parameters,
        predictor: None,
        card: ModelCard { name: "random".into(), styles, ..ModelCard::default() },
    }
}

fn photo(height: usize, width: usize) -> Picture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures/coffee.png");
    Picture::read(&path).unwrap().resized(height, width)
}

fn stylizer(shares: &[f32], settings: StylizeSettings) -> Stylizer {
    let blend = Blend { model: Cow::Owned(model(shares.len())), shares: shares.to_vec() };
    Stylizer::new(&blend, &settings).unwrap()
}

fn paint(photo: &Picture, settings: StylizeSettings) -> Picture {
    let stylized = stylizer(&[0.0, 1.0], settings).stylize(photo.clone()).unwrap();
    stylized.picture
}

/// The largest and the mean difference of two pictures.
fn apart(one: &Picture, other: &Picture) -> (f32, f32) {
    assert_eq!((one.height(), one.width()), (other.height(), other.width()));
    let differences = one.data().iter().zip(other.data()).map(|(a, b)| (a - b).abs());
    let mean = differences.clone().sum::<f32>() / one.data().len() as f32;
    (differences.fold(0.0, f32::max), mean)
}

#[test]
fn every_size_comes_out_as_it_went_in() {
    let painter = stylizer(&[1.0], StylizeSettings::default());
    // All remainders of 4 on both sides, all of 32 on each.
    let squares = (16..20).flat_map(|height| (16..20).map(move |width| (height, width)));
    let strips = (32..64).flat_map(|side| [(side, 16), (16, side)]);
    for (height, width) in squares.chain(strips) {
        let picture = painter.stylize(photo(height, width)).unwrap().picture;
        assert_eq!((picture.height(), picture.width()), (height, width));
        assert!(picture.data().iter().all(|value| (0.0..=255.0).contains(value)), "{height}×{width}");
        let spread = picture.data().iter().fold(0.0, |most: f32, value| most.max((value - 127.5).abs()));
        assert!(spread > 20.0, "{height}×{width} is painted grey");
    }
}

#[test]
fn strength_goes_from_the_photograph_to_the_painting() {
    let photo = photo(24, 33);
    let at = |strength: f64| paint(&photo, StylizeSettings { strength, ..StylizeSettings::default() });
    let full = at(1.0);
    assert_eq!(at(0.0), photo);
    assert!(apart(&full, &photo).1 > 20.0, "the network changes the picture");
    let halves = photo.data().iter().zip(full.data()).map(|(photo, full)| (photo + full) / 2.0);
    let half = Picture::from_planar(24, 33, halves.collect());
    assert!(apart(&at(0.5), &half).0 < 1e-3);
}

#[test]
fn a_blend_is_neither_of_its_styles_and_moves_from_one_to_the_other() {
    let photo = photo(20, 28);
    let with = |first: f32| stylizer(&[first, 1.0 - first], StylizeSettings::default()).stylize(photo.clone());
    let [one, most, half, other] = [1.0, 0.9, 0.5, 0.0].map(|first| with(first).unwrap().picture);
    assert!(apart(&one, &other).1 > 5.0);
    assert!(apart(&most, &one).1 < apart(&half, &one).1);
    assert!(apart(&half, &one).1 > 1.0 && apart(&half, &other).1 > 1.0);
}

#[test]
fn colours_are_kept_and_brightness_is_painted() {
    let photo = photo(24, 24);
    let plain = paint(&photo, StylizeSettings::default());
    let kept = paint(&photo, StylizeSettings { colors: Colors::Content, ..StylizeSettings::default() });
    let luma = |p: &Picture, i: usize| (0..3).map(|c| [0.299, 0.587, 0.114][c] * p.data()[c * 576 + i]).sum::<f32>();
    for i in 0..576 {
        assert!((luma(&kept, i) - luma(&plain, i)).abs() < 0.1);
    }
    let grey = Picture::from_planar(24, 24, photo.data()[..576].repeat(3));
    let painted = paint(&grey, StylizeSettings { colors: Colors::Content, ..StylizeSettings::default() });
    let planes: Vec<&[f32]> = painted.data().chunks(576).collect();
    let off = (0..576).map(|i| (planes[0][i] - planes[1][i]).abs().max((planes[0][i] - planes[2][i]).abs()));
    assert!(off.fold(0.0, f32::max) < 0.1, "grey stays grey");
}

#[test]
fn the_stroke_size_is_the_scale_at_which_the_network_sees() {
    let photo = photo(37, 50);
    let at = |stroke_size: f64| paint(&photo, StylizeSettings { stroke_size, ..StylizeSettings::default() });
    let [plain, large, fine] = [1.0, 2.0, 0.5].map(at);
    for other in [&large, &fine] {
        assert!(apart(&plain, other).1 > 1.0);
    }
    let by_hand = paint(&photo.resized(19, 25), StylizeSettings::default()).resized(37, 50);
    assert!(apart(&large, &by_hand).0 < 0.01);
    let least = paint(&photo.resized(16, 17), StylizeSettings { stroke_size: 4.0, ..StylizeSettings::default() });
    assert_eq!((least.height(), least.width()), (16, 17));
}

#[test]
fn what_cannot_be_painted_is_refused() {
    let refusal = |height, width, settings: StylizeSettings| {
        let blend = Blend::of(Cow::Owned(model(1)), 0);
        Stylizer::new(&blend, &settings).and_then(|s| s.stylize(photo(height, width))).unwrap_err().to_string()
    };
    let settings = StylizeSettings::default;
    for (height, width) in [(15, 40), (40, 15)] {
        assert!(refusal(height, width, settings()).contains("at least 16 pixels on each side"));
    }
    let sized = StylizeSettings { size: Some(20), ..settings() };
    assert!(refusal(40, 80, sized).contains("the picture is 20×10"));
    for (wrong, word) in [
        (StylizeSettings { strength: 1.5, ..settings() }, "the strength is 1.5, but must be from 0 to 1"),
        (StylizeSettings { strength: f64::NAN, ..settings() }, "the strength is NaN"),
        (StylizeSettings { stroke_size: 0.2, ..settings() }, "the stroke size is 0.2"),
        (StylizeSettings { size: Some(0), ..settings() }, "the size is 0"),
        (StylizeSettings { threads: Some(0), ..settings() }, "the number of threads is 0"),
    ] {
        assert!(refusal(20, 20, wrong).contains(word));
    }
}

/// A tall picture, so that there are many strips.
#[test]
fn little_memory_means_strips_and_the_same_picture() {
    let photo = photo(400, 64);
    let paint = |memory: Option<u64>| {
        let blend = Blend::of(Cow::Owned(model(1)), 0);
        Stylizer::new(&blend, &StylizeSettings { memory: memory.map(MemorySize), ..StylizeSettings::default() })?
            .stylize(photo.clone())
    };
    let whole = paint(None).unwrap();
    let refusal = paint(Some(1 << 20)).unwrap_err().to_string();
    for words in ["painting 64×400 pixels takes at least", "1 MiB may be taken", "`--memory`", "`--size`"] {
        assert!(refusal.contains(words), "{refusal}");
    }
    // The least that does, in steps of a quarter of a MiB.
    let least = (1..2000).find_map(|quarters| paint(Some(quarters << 18)).ok()).unwrap();
    assert!(least.network_bytes < whole.network_bytes / 2, "{} of {}", least.network_bytes, whole.network_bytes);
    assert!(apart(&least.picture, &whole.picture).0 < 1e-3 * 255.0);
}

/// A folder with a model of two styles, and an album of pictures under `in`.
struct Album(tempfile::TempDir);

impl Album {
    fn new(pictures: &[&str]) -> Self {
        let album = Self(tempfile::tempdir().unwrap());
        model(2).save(&album.path("model.safetensors"), StyleDtype::F32).unwrap();
        for name in pictures {
            let path = album.path("in").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            photo(18, 22).write(&path, None).unwrap();
        }
        album
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn job(&self) -> StylizeJob {
        let style = StyleChoice::new(format!("{}#two", self.path("model.safetensors").display()));
        let output = Some(self.path("out"));
        StylizeJob { inputs: vec![self.path("in")], styles: vec![style], output, ..StylizeJob::default() }
    }

    fn files(&self, folder: &str) -> Vec<String> {
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = std::fs::read_dir(self.path(folder)).unwrap().map(name).collect();
        names.sort();
        names
    }
}

fn run(job: &StylizeJob) -> (StylizeSummary, Vec<StylizeEvent>) {
    let events = Mutex::new(Vec::new());
    let summary = job.run(&Context::new(&events)).unwrap();
    let of_batch = |event| match event {
        Event::Stylize(event) => event,
        other => panic!("{other:?}"),
    };
    (summary, events.into_inner().unwrap().into_iter().map(of_batch).collect())
}

#[test]
fn a_folder_is_painted_with_its_structure_and_bad_files_stop_nothing() {
    let album = Album::new(&["a.png", "sub/b.jpg", "sub/deep/c.webp"]);
    std::fs::write(album.path("in/bad.png"), b"no picture").unwrap();
    std::fs::write(album.path("in/notes.txt"), b"no picture either").unwrap();
    for jobs in [1, 2, 7] {
        let (summary, events) = run(&StylizeJob { jobs, ..album.job() });
        assert_eq!((summary.done, summary.skipped, summary.failures.len(), summary.end), (3, 0, 1, End::Complete));
        assert!(summary.failures[0].to_string().contains("bad.png` is not a picture"));
        assert!(matches!(&events[0], StylizeEvent::Started { pictures: 4, style, .. } if style == "two"));
        assert_eq!(events.iter().filter(|event| event.ends_a_picture()).count(), 4);
        assert_eq!(events.iter().filter(|event| matches!(event, StylizeEvent::Painting { .. })).count(), 3);
        assert_eq!(album.files("out"), ["a.png", "sub"]);
        assert_eq!(album.files("out/sub"), ["b.jpg", "deep"]);
        assert_eq!(album.files("out/sub/deep"), ["c.webp"]);
        std::fs::remove_dir_all(album.path("out")).unwrap();
    }
}

#[test]
fn what_is_written_is_what_the_network_paints_however_many_work() {
    let album = Album::new(&["a.png", "b.png", "c.png"]);
    run(&album.job());
    let stylizer = stylizer(&[0.0, 1.0], StylizeSettings::default());
    for name in ["a.png", "b.png", "c.png"] {
        let expected = stylizer.stylize(Picture::read(&album.path("in").join(name)).unwrap()).unwrap().picture;
        let written = Picture::read(&album.path("out").join(name)).unwrap();
        assert_eq!(written.to_rgb8(), expected.to_rgb8());
    }
}

#[test]
fn existing_outputs_are_skipped_when_that_is_asked_for() {
    let album = Album::new(&["a.png", "b.png"]);
    std::fs::create_dir(album.path("out")).unwrap();
    std::fs::write(album.path("out/b.png"), b"precious").unwrap();
    let (summary, events) = run(&StylizeJob { skip_existing: true, ..album.job() });
    assert_eq!((summary.done, summary.skipped), (1, 1));
    assert!(events.iter().any(|event| matches!(event, StylizeEvent::Skipped { .. })));
    assert_eq!(std::fs::read(album.path("out/b.png")).unwrap(), b"precious");
    assert_eq!(run(&album.job()).0.done, 2);
    assert_ne!(std::fs::read(album.path("out/b.png")).unwrap(), b"precious");
}

#[test]
fn beside_its_input_a_picture_is_named_after_the_style_and_not_painted_again() {
    let album = Album::new(&["a.png", "b.jpg"]);
    let job = StylizeJob { output: None, ..album.job() };
    for _ in 0..2 {
        assert_eq!(run(&job).0.done, 2);
        assert_eq!(album.files("in"), ["a-two.png", "a.png", "b-two.jpg", "b.jpg"]);
    }
}

#[test]
fn no_input_is_overwritten_and_no_output_written_twice() {
    let album = Album::new(&["a.png", "a.jpg", "sub/a.png"]);
    let before = std::fs::read(album.path("in/a.png")).unwrap();
    let (summary, _) = run(&StylizeJob { output: Some(album.path("in")), ..album.job() });
    assert_eq!((summary.done, summary.failures.len()), (0, 3));
    assert!(summary.failures.iter().all(|failure| failure.to_string().contains("is also an input")));
    assert_eq!(std::fs::read(album.path("in/a.png")).unwrap(), before);

    let format = Some("png".parse().unwrap());
    let (summary, _) = run(&StylizeJob { format, ..album.job() });
    assert_eq!((summary.done, summary.failures.len()), (2, 1));
    assert!(summary.failures[0].to_string().contains("would be written twice"));
}

#[test]
fn a_run_that_is_stopped_leaves_nothing_half_written() {
    let album = Album::new(&["a.png", "b.png", "c.png", "d.png"]);
    let job = StylizeJob { jobs: 1, ..album.job() };
    let (control, painting) = (Control::default(), AtomicUsize::new(0));
    let sink = |event: &Event| {
        let begins = matches!(event, Event::Stylize(StylizeEvent::Painting { .. }));
        if begins && painting.fetch_add(1, Ordering::SeqCst) == 1 {
            control.stop();
        }
    };
    let summary = job.run(&Context::new(&sink).with_control(&control)).unwrap();
    assert_eq!((summary.done, summary.failures.len(), summary.end), (1, 0, End::Stopped));
    assert_eq!(album.files("out"), ["a.png"]);
}

#[test]
fn a_png_carries_the_settings_it_was_made_with() {
    let album = Album::new(&["a.png"]);
    let settings = StylizeSettings { strength: 0.75, ..StylizeSettings::default() };
    run(&StylizeJob { settings, ..album.job() });
    let bytes = std::fs::read(album.path("out/a.png")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for part in ["impasto:settings", "command = \"stylize\"", "strength = 0.75", "model.safetensors#two:1"] {
        assert!(text.contains(part), "{part}");
    }
}

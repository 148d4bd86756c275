//! Stylising on real pictures, with a small network whose weights are random.

mod album;
mod masks;

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use album::{Album, apart, model, photo, run, stylizer};
use impasto::Picture;
use impasto::job::{Context, Control, End, Event, Job};
use impasto::settings::{Colors, MemorySize};
use impasto::styles::Blend;
use impasto::stylize::{StylizeEvent, StylizeJob, StylizeSettings, Stylizer};

fn paint(photo: &Picture, settings: StylizeSettings) -> Picture {
    let stylized = stylizer(&[0.0, 1.0], settings).stylize(photo.clone()).unwrap();
    stylized.picture
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

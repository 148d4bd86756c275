//! `impasto stylize` on real pictures: what it writes, where, and what it says.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{Run, Studio};

/// A studio with a model of one style, `one.safetensors`, and one of two, `two.safetensors`.
fn studio() -> Studio {
    let studio = Studio::new();
    studio.model("one.safetensors", &["mist"]);
    studio.model("two.safetensors", &["sea", "fire"]);
    studio
}

/// The names of all files under a folder of the studio.
fn under(studio: &Studio, folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(studio.path(folder)).unwrap() {
        let name = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
        if studio.path(&name).is_dir() {
            names.extend(under(studio, &name));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

fn pixels(studio: &Studio, name: &str) -> image::RgbImage {
    image::open(studio.path(name)).unwrap().to_rgb8()
}

#[test]
fn a_built_in_style_needs_nothing_but_its_name() {
    let studio = studio();
    studio.shrink("chelsea.png", 30, 22, "kitten.jpg");
    let run = studio.run(&["stylize", "kitten.jpg", "--style", "great-wave"]).good();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "wrote kitten-great-wave.jpg\n"));
    assert_eq!(studio.size("kitten-great-wave.jpg"), (30, 22));
    assert_ne!(pixels(&studio, "kitten-great-wave.jpg"), pixels(&studio, "kitten.jpg"));
}

/// A picture as a style gives its name to the output, blends with other pictures, and is not overwritten.
#[test]
fn any_picture_is_a_style() {
    let studio = studio();
    let paint = |styles: &[&str]| {
        let flags = styles.iter().flat_map(|style| ["-s", style]);
        studio.run(&["stylize", "cat.png", "-o", "out.png"].into_iter().chain(flags).collect::<Vec<_>>()).good();
        pixels(&studio, "out.png")
    };
    let run = studio.run(&["stylize", "cat.png", "-s", "night.png"]).good();
    assert_eq!(run.stderr, "wrote cat-night.png\n");
    let night = paint(&["night.png"]);
    assert_eq!(pixels(&studio, "cat-night.png"), night);
    studio.shrink("coffee.png", 90, 60, "coffee.png");
    let coffee = paint(&["coffee.png:2"]);
    let both = paint(&["night.png", "coffee.png:3"]);
    assert!(night != coffee && both != night && both != coffee);
    studio.run(&["stylize", "cat.png", "-s", "night.png", "-o", "night.png"]).refused(&["night.png"]);
}

/// What is small has colours, if no strokes, and what is transparent in a style does not count.
#[test]
fn small_pictures_and_pictures_with_holes_are_styles() {
    let studio = studio();
    let night = image::open(studio.path("night.png")).unwrap();
    night.resize_exact(8, 8, image::imageops::FilterType::Triangle).save(studio.path("small.png")).unwrap();
    let mut holed = night.to_rgba8();
    holed.enumerate_pixels_mut().filter(|(x, y, _)| x % 40 < 20 && *y < 40).for_each(|(_, _, p)| p.0[3] = 0);
    holed.save(studio.path("holed.png")).unwrap();
    let cat = pixels(&studio, "cat.png");
    for style in ["small.png", "holed.png"] {
        studio.run(&["stylize", "cat.png", "-s", style, "-o", "out.png"]).good();
        let painted = pixels(&studio, "out.png");
        let blue = |picture: &image::RgbImage| -> i64 {
            picture.pixels().map(|pixel| i64::from(pixel.0[2]) - i64::from(pixel.0[0])).sum()
        };
        assert!(blue(&painted) > blue(&cat) + 30 * 96 * 64, "{style} makes the cat blue");
    }
}

/// A built-in style above and any picture below, two networks; the cat stays between them.
#[test]
fn masks_give_styles_their_places() {
    let studio = studio();
    let mask = |name: &str, white: std::ops::Range<u32>| {
        let of = |_, y| image::Luma([if white.contains(&y) { 255 } else { 0 }]);
        image::GrayImage::from_fn(30, 40, of).save(studio.path(name)).unwrap();
    };
    mask("above.png", 0..15);
    mask("below.png", 25..40);
    let styles = ["-s", "great-wave", "--mask", "above.png", "-s", "night.png", "--mask", "below.png"];
    let run = studio.run(&[&["stylize", "cat.png"], &styles[..]].concat()).good();
    assert_eq!(run.stderr, "wrote cat-great-wave-night.png\n");
    let paint = |style: &str| {
        studio.run(&["stylize", "cat.png", "-s", style, "-o", "out.png"]).good();
        pixels(&studio, "out.png")
    };
    let (wave, night, cat) = (paint("great-wave"), paint("night.png"), pixels(&studio, "cat.png"));
    let both = pixels(&studio, "cat-great-wave-night.png");
    let is = |other: &image::RgbImage, rows: std::ops::Range<u32>| {
        rows.flat_map(|y| (0..96).map(move |x| (x, y)))
            .all(|(x, y)| (0..3).all(|c| both.get_pixel(x, y).0[c].abs_diff(other.get_pixel(x, y).0[c]) <= 1))
    };
    assert!(is(&wave, 0..20) && is(&cat, 30..34) && is(&night, 44..64));
    assert!(!is(&cat, 0..20) && !is(&cat, 44..64));
    let shown = studio.run(&["show", "cat-great-wave-night.png"]).good();
    assert!(shown.stdout.contains(r#"mask = ["above.png", "below.png"]"#), "{}", shown.stdout);

    studio.run(&["stylize", "cat.png", "-s", "great-wave", "--mask", "below.png", "-o", "one.png"]).good();
    let one = pixels(&studio, "one.png");
    assert!((0..34).all(|y| (0..96).all(|x| one.get_pixel(x, y) == cat.get_pixel(x, y))) && one != cat);
}

#[test]
fn models_are_named_by_path_and_their_styles_behind_a_hash() {
    let studio = studio();
    for style in ["one.safetensors", "./one.safetensors#mist", "two.safetensors#sea", "two.safetensors#fire:0.3"] {
        studio.run(&["stylize", "cat.png", "-s", style, "-o", "out.png", "-q"]).good();
        assert_eq!(studio.size("out.png"), (96, 64));
    }
    let paint = |styles: &[&str]| {
        let flags = styles.iter().flat_map(|style| ["-s", style]);
        studio.run(&["stylize", "cat.png", "-o", "out.png"].into_iter().chain(flags).collect::<Vec<_>>()).good();
        pixels(&studio, "out.png")
    };
    let [sea, fire] = ["two.safetensors#sea", "two.safetensors#fire"].map(|style| paint(&[style]));
    let both = paint(&["two.safetensors#sea:2", "two.safetensors#fire:2"]);
    assert!(sea != fire && both != sea && both != fire);
    assert_eq!(paint(&["two.safetensors#sea", "two.safetensors#fire:0"]), sea);
    assert_eq!(paint(&["two.safetensors#sea:1", "./two.safetensors#fire:1"]), both);
}

#[test]
fn folders_keep_their_structure_and_patterns_are_expanded() {
    let studio = studio();
    std::fs::create_dir_all(studio.path("in/a/b")).unwrap();
    for name in ["in/1.png", "in/a/2.jpg", "in/a/b/3.bmp"] {
        studio.shrink("coffee.png", 24, 18, name);
    }
    let run = studio.run(&["stylize", "in", "-s", "one.safetensors", "-o", "out"]).good();
    assert_eq!(under(&studio, "out"), ["out/1.png", "out/a/2.jpg", "out/a/b/3.png"]);
    assert!(run.stderr.contains("3 pictures in "), "{}", run.stderr);
    studio.run(&["stylize", "in/**/*.jpg", "cat.png", "-s", "one.safetensors", "-o", "some/"]).good();
    assert_eq!(under(&studio, "some"), ["some/a/2.jpg", "some/cat.png"]);
    studio.run(&["stylize", "in", "-s", "one.safetensors", "-o", "webp/new", "--format", "webp"]).good();
    assert_eq!(under(&studio, "webp"), ["webp/new/1.webp", "webp/new/a/2.webp", "webp/new/a/b/3.webp"]);
    studio.run(&["stylize", "cat.png", "-s", "one.safetensors", "-o", "out"]).good();
    assert_eq!(studio.size("out/cat.png"), (96, 64));
}

#[test]
fn json_has_one_line_a_picture() {
    let studio = studio();
    studio.write("bad.png", b"no picture");
    let args = ["stylize", "cat.png", "night.png", "bad.png", "-s", "one.safetensors", "-o", "out", "--json"];
    let run = studio.run(&args);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("1 of 3 inputs failed, 2 done:\n  `bad.png` is not a picture"), "{}", run.stderr);
    let lines = run.json();
    assert_eq!(lines.len(), 3);
    for (name, width, height) in [("cat.png", 96, 64), ("night.png", 80, 64)] {
        let line = lines.iter().find(|line| line["input"] == name).unwrap();
        assert_eq!((&line["event"], &line["width"], &line["height"]), (&"done".into(), &width.into(), &height.into()));
        assert_eq!(line["output"], std::path::Path::new("out").join(name).to_str().unwrap());
        let seconds = |key: &str| line[key].as_f64().unwrap();
        assert!(0.0 < seconds("network_seconds") && seconds("network_seconds") < seconds("seconds"), "{line}");
        assert!(line["network_bytes"].as_u64().unwrap() > 96 * 64);
    }
    let bad = lines.iter().find(|line| line["input"] == "bad.png").unwrap();
    assert!(bad["event"] == "failed" && bad["error"].as_str().unwrap().contains("is not a picture"), "{bad}");
    let skipping = studio.run(&[&args[..], &["--skip-existing"]].concat());
    assert_eq!(skipping.json().iter().filter(|line| line["event"] == "skipped").count(), 2);
    assert!(skipping.stderr.contains("1 of 3 inputs failed, 0 done, 2 already there:"), "{}", skipping.stderr);
}

#[test]
fn quiet_says_nothing_and_verbose_says_how_long() {
    let studio = studio();
    let quiet = studio.run(&["stylize", "cat.png", "night.png", "-s", "one.safetensors", "-q"]).good();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let verbose = studio.run(&["stylize", "cat.png", "-s", "one.safetensors", "-v", "--threads", "1"]).good();
    for words in ["1 thread", "wrote cat-mist.png: 96×64 in ", "the network "] {
        assert!(verbose.stderr.contains(words), "{}", verbose.stderr);
    }
}

/// A run with the cat at standard input.
fn piped(studio: &Studio, args: &[&str]) -> std::process::Output {
    let mut command: Command = studio.command(args);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let cat = std::fs::read(studio.path("cat.png")).unwrap();
    child.stdin.take().unwrap().write_all(&cat).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_picture_goes_from_standard_input_to_standard_output() {
    let studio = studio();
    studio.run(&["stylize", "cat.png", "-s", "one.safetensors", "-o", "file.png"]).good();
    for (format, expected) in [("png", image::ImageFormat::Png), ("jpg", image::ImageFormat::Jpeg)] {
        let output = piped(&studio, &["stylize", "-", "-s", "one.safetensors", "--format", format]);
        assert!(output.status.success());
        assert_eq!(image::guess_format(&output.stdout).unwrap(), expected);
        let picture = image::load_from_memory(&output.stdout).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (96, 64));
        if format == "png" {
            assert_eq!(picture, pixels(&studio, "file.png"));
        }
    }
    assert!(piped(&studio, &["stylize", "-", "-s", "one.safetensors", "-o", "from-pipe.webp"]).status.success());
    assert_eq!(pixels(&studio, "from-pipe.webp"), pixels(&studio, "file.png"));
    let to_stdout = studio.command(&["stylize", "cat.png", "-s", "one.safetensors", "-o", "-"]).output().unwrap();
    assert_eq!(image::load_from_memory(&to_stdout.stdout).unwrap().to_rgb8(), pixels(&studio, "file.png"));
}

#[test]
fn settings_change_the_picture() {
    let studio = studio();
    let paint = |args: &[&str]| {
        studio.run(&[&["stylize", "cat.png", "-s", "one.safetensors", "-o", "out.png"], args].concat()).good();
        pixels(&studio, "out.png")
    };
    let (plain, cat) = (paint(&[]), pixels(&studio, "cat.png"));
    assert_eq!(paint(&["--strength", "0"]), cat);
    assert_eq!(paint(&["--strength", "1", "--stroke-size", "1", "--memory", "1GiB"]), plain);
    for flags in [
        &["--strength", "0.5"][..],
        &["--stroke-size", "2"],
        &["--stroke-size", "0.5"],
        &["--keep-colors"],
        &["--colors", "match"],
        &["--colors", "histogram"],
    ] {
        let picture = paint(flags);
        assert!(picture != plain && picture != cat, "{flags:?}");
        assert_eq!(picture.dimensions(), (96, 64));
    }
    assert_eq!(paint(&["--colors", "content"]), paint(&["--keep-colors"]));
    assert_eq!(paint(&["--size", "48"]).dimensions(), (48, 32));
}

#[test]
fn opacity_depth_and_metadata_go_into_the_picture() {
    let studio = studio();
    let cat = image::open(common::example("chelsea.png")).unwrap().thumbnail(48, 32);
    let mut alpha = cat.to_rgba16();
    alpha.pixels_mut().take(200).for_each(|pixel| pixel.0[3] = 0);
    alpha.save(studio.path("alpha.png")).unwrap();
    let camera = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto/tests/pictures/files/camera.jpg");
    std::fs::copy(camera, studio.path("camera.jpg")).unwrap();
    let has = |name: &str, word: &[u8]| {
        std::fs::read(studio.path(name)).unwrap().windows(word.len()).any(|bytes| bytes == word)
    };
    let paint = |args: &[&str]| studio.run(&[&["stylize"], args, &["-s", "one.safetensors"]].concat()).good();
    paint(&["alpha.png", "-o", "out.png"]);
    let painted = image::open(studio.path("out.png")).unwrap();
    assert_eq!(painted.color(), image::ColorType::Rgba16);
    assert!(painted.to_rgba16().pixels().zip(alpha.pixels()).all(|(new, old)| new.0[3] == old.0[3]));
    let flat = paint(&["alpha.png", "-o", "flat.jpg"]);
    assert!(flat.stderr.contains("`alpha.png`: JPEG cannot hold transparency"), "{}", flat.stderr);
    assert!(paint(&["alpha.png", "-o", "flat.jpg", "-q"]).stderr.is_empty());
    paint(&["camera.jpg", "-o", "plain.jpg"]);
    paint(&["camera.jpg", "-o", "kept.jpg", "--keep-metadata"]);
    assert!(!has("plain.jpg", b"Telephones") && has("kept.jpg", b"Telephones") && !has("kept.jpg", b"48,51.483N"));
    studio
        .run(&["stylize", "cat.png", "-o", "deep.jpg", "--depth", "16", "-s", "one.safetensors"])
        .refused(&["a jpg file cannot hold 16 bits a channel"]);
}

/// Sends Ctrl-C once the first picture is painted; the rest is left.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_pictures() {
    use std::io::{BufRead, BufReader};
    let studio = studio();
    std::fs::create_dir(studio.path("in")).unwrap();
    for number in 0..200 {
        std::fs::copy(studio.path("cat.png"), studio.path(&format!("in/{number:03}.png"))).unwrap();
    }
    let mut child = studio
        .command(&["stylize", "in", "-s", "one.safetensors", "-o", "out", "--json", "--stroke-size", "0.5"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("\"done\""));
    common::send("INT", &child);
    let done = 1 + lines.count();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(done < 200);
    let written = under(&studio, "out");
    assert_eq!(written.len(), done, "{written:?}");
    for name in written {
        assert_eq!(studio.size(&name), (96, 64));
    }
}

//! Every picture format in and out, on real pictures.

mod common;

use common::{Studio, example};
use impasto::picture::{BitDepth, PictureFile, settings_of};

#[test]
fn every_format_comes_in() {
    let studio = Studio::new();
    for ending in ["png", "jpg", "webp", "tiff", "bmp", "gif", "ppm"] {
        let name = format!("in.{ending}");
        studio.shrink("coffee.png", 40, 32, &name);
        studio.run(&["paint", &name, "-s", "night.png", "-n", "1", "-o", "out.png"]).good();
        assert_eq!(studio.size("out.png"), (40, 32), "{ending}");
    }
}

#[test]
fn every_format_goes_out_and_shows_the_same_picture() {
    let studio = Studio::new();
    studio.paint(&["-o", "reference.png"]).good();
    let reference = image::open(studio.path("reference.png")).unwrap().to_rgb8();
    for (ending, format, tolerance) in [
        ("png", image::ImageFormat::Png, 0.0),
        ("PNG", image::ImageFormat::Png, 0.0),
        ("jpg", image::ImageFormat::Jpeg, 12.0),
        ("jpeg", image::ImageFormat::Jpeg, 12.0),
        ("webp", image::ImageFormat::WebP, 0.0),
        ("tif", image::ImageFormat::Tiff, 0.0),
        ("tiff", image::ImageFormat::Tiff, 0.0),
    ] {
        let name = format!("out.{ending}");
        studio.paint(&["-o", &name]).good();
        let bytes = std::fs::read(studio.path(&name)).unwrap();
        assert_eq!(image::guess_format(&bytes).unwrap(), format, "{ending}");
        let picture = image::load_from_memory(&bytes).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), reference.dimensions());
        let pairs = picture.as_raw().iter().zip(reference.as_raw());
        let error: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / reference.len() as f64;
        assert!(error <= tolerance, "{ending}: {error} apart on average");
    }
}

#[test]
fn the_ending_lies_and_the_content_counts() {
    let studio = Studio::new();
    std::fs::rename(studio.path("cat.png"), studio.path("cat.jpg")).unwrap();
    studio.run(&["paint", "cat.jpg", "-s", "night.png", "-n", "1", "-o", "out.png"]).good();
    assert_eq!(studio.size("out.png"), (96, 64));
}

#[test]
fn the_output_has_the_contents_size_or_the_one_asked_for() {
    let studio = Studio::new();
    studio.paint(&["-o", "own.png"]).good();
    assert_eq!(studio.size("own.png"), (96, 64));
    studio.paint(&["-o", "small.png", "--size", "48"]).good();
    assert_eq!(studio.size("small.png"), (48, 32));
    studio.paint(&["-o", "large.png", "--size", "120"]).good();
    assert_eq!(studio.size("large.png"), (120, 80));
}

#[test]
fn odd_shapes_are_painted() {
    let studio = Studio::new();
    for (width, height) in [(15, 200), (200, 15), (8, 8), (37, 53)] {
        studio.shrink("coffee.png", width, height, "odd.png");
        studio.run(&["paint", "odd.png", "-s", "night.png", "-n", "2", "-o", "out.png"]).good();
        assert_eq!(studio.size("out.png"), (width, height));
    }
}

#[test]
fn a_picture_of_15_by_2000_is_painted() {
    let studio = Studio::new();
    studio.shrink("coffee.png", 15, 2000, "tall.png");
    studio.run(&["paint", "tall.png", "-s", "night.png", "-n", "1", "-o", "out.png"]).good();
    assert_eq!(studio.size("out.png"), (15, 2000));
}

#[test]
fn a_style_smaller_than_the_receptive_field_paints() {
    let studio = Studio::new();
    studio.shrink("starry-night.jpg", 12, 9, "tiny.png");
    studio.run(&["paint", "cat.png", "-s", "tiny.png", "-n", "2", "-o", "out.png"]).good();
    assert_eq!(studio.size("out.png"), (96, 64));
}

#[test]
fn grey_sixteen_bit_and_transparent_pictures_are_painted() {
    let studio = Studio::new();
    let picture = image::open(example("chelsea.png")).unwrap().thumbnail(48, 48);
    picture.to_luma8().save(studio.path("grey.png")).unwrap();
    picture.to_rgb16().save(studio.path("deep.png")).unwrap();
    picture.to_rgba8().save(studio.path("alpha.png")).unwrap();
    picture.to_luma_alpha16().save(studio.path("grey-alpha.png")).unwrap();
    for name in ["grey.png", "deep.png", "alpha.png", "grey-alpha.png"] {
        studio.run(&["paint", name, "-s", "night.png", "-n", "1", "-o", "out.png"]).good();
        assert_eq!(studio.size("out.png"), (48, 32), "{name}");
    }
}

#[test]
fn a_png_carries_its_settings_and_they_make_it_again() {
    let studio = Studio::new();
    studio.paint(&["-o", "first.png", "--init", "mix=0.3", "--seed", "7", "--size", "64"]).good();
    let decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(studio.path("first.png")).unwrap()));
    let reader = decoder.read_info().unwrap();
    let text = &reader.info().utf8_text;
    let settings = text.iter().find(|chunk| chunk.keyword == "impasto:settings").unwrap().get_text().unwrap();
    studio.write("again.toml", settings.as_bytes());
    studio.run(&["paint", "--config", "again.toml", "-o", "second.png"]).good();
    let pixels = |name: &str| image::open(studio.path(name)).unwrap().to_rgb8();
    assert_eq!(pixels("first.png"), pixels("second.png"));
}

#[test]
fn a_name_is_made_where_none_is_given() {
    let studio = Studio::new();
    studio.paint(&[]).good();
    assert_eq!(studio.files(), ["cat-night.png", "cat.png", "night.png"]);
}

#[test]
fn a_photograph_held_upright_is_painted_upright() {
    let studio = Studio::new();
    studio.shrink("coffee.png", 40, 24, "flat.jpg");
    let jpeg = std::fs::read(studio.path("flat.jpg")).unwrap();
    // EXIF with one entry: tag 0x0112, orientation, is 6, to be turned clockwise by a quarter.
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let mut turned = [&jpeg[..2], &[0xff, 0xe1], &length].concat();
    turned.append(&mut exif);
    turned.extend_from_slice(&jpeg[2..]);
    studio.write("turned.jpg", &turned);
    studio.run(&["paint", "turned.jpg", "-s", "night.png", "-n", "1", "-o", "out.png"]).good();
    assert_eq!(studio.size("out.png"), (24, 40));
}

/// A file of the decoders' tests.
fn fixture(studio: &Studio, name: &str) {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto/tests/pictures/files").join(name);
    std::fs::copy(from, studio.path(name)).unwrap();
}

#[test]
fn depth_and_opacity_go_from_the_photograph_into_the_painting() {
    let studio = Studio::new();
    let photo = image::open(example("chelsea.png")).unwrap().thumbnail(48, 48);
    photo.to_rgb16().save(studio.path("deep.png")).unwrap();
    fixture(&studio, "alpha.png");
    let paint = |content: &str, args: &[&str]| {
        studio.run(&[&["paint", content, "-s", "night.png", "-n", "1", "-o", "out.png"], args].concat()).good();
        PictureFile::read(&studio.path("out.png")).unwrap()
    };
    assert_eq!(paint("deep.png", &[]).depth, BitDepth::Sixteen);
    assert_eq!(paint("deep.png", &["--depth", "8"]).depth, BitDepth::Eight);
    assert_eq!(paint("alpha.png", &["--depth", "16"]).depth, BitDepth::Sixteen);
    let own = PictureFile::read(&studio.path("alpha.png")).unwrap().picture;
    assert_eq!(paint("alpha.png", &[]).picture.alpha(), own.alpha());
    assert!(paint("alpha.png", &["--size", "48"]).picture.alpha().is_some());
    let run = studio.run(&["paint", "alpha.png", "-s", "night.png", "-n", "1", "-o", "out.jpg"]).good();
    assert!(run.stderr.contains("JPEG cannot hold transparency"), "{}", run.stderr);
    studio.paint(&["-o", "out.jpg", "--depth", "16"]).refused(&["a jpg file cannot hold 16 bits a channel"]);
    studio.paint(&["-o", "out.png", "--depth", "12"]).refused(&["`12` is no bit depth"]);
}

#[test]
fn metadata_goes_into_the_painting_where_it_is_asked_for_and_the_place_only_then() {
    let studio = Studio::new();
    fixture(&studio, "camera.jpg");
    let has = |args: &[&str], word: &str| {
        studio.run(&[&["paint", "camera.jpg", "-s", "night.png", "-n", "1", "-o", "out.jpg"], args].concat()).good();
        let bytes = std::fs::read(studio.path("out.jpg")).unwrap();
        assert_eq!(studio.size("out.jpg"), (18, 24));
        bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes())
    };
    assert!(!has(&[], "Telephones"));
    assert!(has(&["--keep-metadata"], "Telephones"));
    assert!(!has(&["--keep-metadata"], "48,51.483N"));
    assert!(has(&["--keep-gps"], "48,51.483N"));
    assert!(settings_of(&studio.path("out.jpg")).unwrap().contains("keep_gps = true"));
}

#[test]
fn the_photographs_colours_are_kept_in_each_way() {
    let studio = Studio::new();
    let paint = |args: &[&str]| {
        studio.paint(&[&["-o", "out.png"], args].concat()).good();
        image::open(studio.path("out.png")).unwrap().to_rgb8()
    };
    let own = paint(&[]);
    assert_eq!(paint(&["--colors", "style"]), own);
    for way in ["content", "match", "histogram"] {
        assert_ne!(paint(&["--colors", way]), own, "{way}");
    }
    studio.paint(&["--colors", "mine", "-o", "out.png"]).refused(&["`mine` is no choice of colours"]);
}

#[test]
fn animations_are_refused() {
    let studio = Studio::new();
    fixture(&studio, "animated.gif");
    studio.run(&["paint", "animated.gif", "-s", "night.png"]).refused(&["`animated.gif` is animated"]);
}

//! Bad input to `impasto stylize`: one clear sentence, exit code 2, nothing left behind.

mod common;

use common::Studio;

/// The files of the studio before anything is done.
const OWN: [&str; 5] = ["cat.png", "night.png", "one.safetensors", "other.safetensors", "two.safetensors"];

fn studio() -> Studio {
    let studio = Studio::new();
    studio.model("one.safetensors", &["mist"]);
    studio.model("other.safetensors", &["mist"]);
    studio.model("two.safetensors", &["sea", "fire"]);
    studio
}

/// Nothing was written but what the test itself put there.
#[track_caller]
fn nothing_left(studio: &Studio, own: &[&str]) {
    let mut expected = [&OWN[..], own].concat();
    expected.sort_unstable();
    assert_eq!(studio.files(), expected);
}

#[test]
fn styles_that_are_none() {
    let studio = studio();
    let vgg = concat!(env!("CARGO_MANIFEST_DIR"), "/../impasto-nn/weights/vgg19-codebook8.safetensors");
    std::fs::copy(vgg, studio.path("vgg.safetensors")).unwrap();
    let model = std::fs::read(studio.path("one.safetensors")).unwrap();
    studio.write("cut.safetensors", &model[..model.len() / 2]);
    studio.write("head.safetensors", &model[..4]);
    studio.write("empty.safetensors", b"");
    studio.write("text.png", b"this is not a picture");
    let own = ["cut.safetensors", "empty.safetensors", "head.safetensors", "text.png", "vgg.safetensors"];
    for (styles, words) in [
        (&["grate-wave"][..], &["there is no style `grate-wave` (did you mean `great-wave`?)", "`the-scream`"][..]),
        (&["zzzzzzzzzzzzzzzzzzzzzzzzzzzz"], &["there is no style", "a model file is named by its path"]),
        (&["missing.safetensors"], &["`missing.safetensors` does not exist"]),
        (&["missing.safetensors#sea"], &["`missing.safetensors` does not exist"]),
        (
            &["night.png", "two.safetensors#sea"],
            &["`night.png` and `two.safetensors#sea` are styles of different networks"],
        ),
        (&["text.png"], &["`text.png`"]),
        (&["one.safetensors#night.png"], &["`one.safetensors` cannot take the picture `night.png`"]),
        (&["vgg.safetensors"], &["`vgg.safetensors` is a VGG19 weight file, not a style model"]),
        (&["cut.safetensors"], &["`cut.safetensors`"]),
        (&["head.safetensors"], &["`head.safetensors`"]),
        (&["empty.safetensors"], &["`empty.safetensors`"]),
        (&["two.safetensors"], &["holds several styles", "`two.safetensors#sea`", "`fire`"]),
        (&["two.safetensors#see"], &["no style `see` (did you mean `sea`?)", "`sea`, `fire`"]),
        (&["one.safetensors", "other.safetensors"], &["different networks"]),
        (&["one.safetensors", "great-wave"], &["different networks", "without masks"]),
        (&["great-wave:0", "the-scream:0"], &["give at least one of them a weight above 0"]),
        (&["great-wave:-1"], &["the weight of the style `great-wave` is -1"]),
        (&["great-wave:NaN"], &["the weight of the style `great-wave` is NaN"]),
        (&["great-wave:inf"], &["the weight of the style `great-wave` is inf"]),
        (&[], &["no style is named", "`great-wave`"]),
    ] {
        let flags = styles.iter().flat_map(|style| ["-s", style]);
        let args: Vec<&str> = ["stylize", "cat.png", "-o", "out.png"].into_iter().chain(flags).collect();
        studio.run(&args).refused(words);
    }
    nothing_left(&studio, &own);
}

/// A style is refused from the head of its file where it is too large, and where it shows nothing.
#[test]
fn pictures_that_are_no_styles() {
    let studio = studio();
    let night = image::open(studio.path("night.png")).unwrap();
    night.resize_exact(7, 30, image::imageops::FilterType::Triangle).save(studio.path("small.png")).unwrap();
    night.resize_exact(800, 20, image::imageops::FilterType::Triangle).save(studio.path("line.png")).unwrap();
    let mut clear = night.to_rgba8();
    clear.pixels_mut().for_each(|pixel| pixel.0[3] = 0);
    clear.save(studio.path("clear.png")).unwrap();
    for name in ["one.png", "one.jpg"] {
        image::RgbImage::from_pixel(40, 30, image::Rgb([200, 30, 20])).save(studio.path(name)).unwrap();
    }
    for (style, limit, words) in [
        ("small.png", "200MP", &["`small.png` is 7×30 pixels: a picture needs at least 8"][..]),
        ("line.png", "200MP", &["`line.png` is 800×20 pixels: a style may be 32 times as long as it is wide"]),
        ("clear.png", "200MP", &["`clear.png` is transparent everywhere"]),
        ("one.png", "200MP", &["`one.png` has one colour"]),
        ("one.jpg", "200MP", &["`one.jpg` has one colour"]),
        ("night.png", "5000", &["`night.png`", "80×64", "--max-pixels"]),
    ] {
        let begun = std::time::Instant::now();
        let args = ["stylize", "cat.png", "-s", style, "-o", "out.png", "--max-pixels", limit];
        studio.run(&args).refused(words);
        assert!(begun.elapsed().as_secs() < 10, "nothing is decoded");
    }
    nothing_left(&studio, &["clear.png", "line.png", "one.jpg", "one.png", "small.png"]);
}

#[test]
fn masks_that_cannot_be() {
    let studio = studio();
    for (name, value) in [("black.png", 0), ("white.png", 255)] {
        image::GrayImage::from_pixel(16, 16, image::Luma([value])).save(studio.path(name)).unwrap();
    }
    image::GrayImage::new(4, 4).save(studio.path("tiny.png")).unwrap();
    studio.write("text.png", b"this is not a picture");
    std::fs::create_dir(studio.path("folder")).unwrap();
    let white = std::fs::read(studio.path("white.png")).unwrap();
    let own = ["black.png", "folder", "text.png", "tiny.png", "white.png"];
    for (args, words) in [
        (&["--mask", "missing.png"][..], &["a mask cannot be used", "there is no file `missing.png`"][..]),
        (&["--mask", "text.png"], &["a mask cannot be used", "`text.png` is not a picture"]),
        (&["--mask", "folder"], &["a mask cannot be used", "`folder`"]),
        (&["--mask", "black.png"], &["`black.png` is black everywhere"]),
        (&["--mask", "tiny.png"], &["`tiny.png` is 4×4 pixels"]),
        (&["--mask", "white.png", "--mask", "white.png"], &["2 masks for 1 styles"]),
        (&["--mask", "white.png", "--max-pixels", "100"], &["a mask cannot be used", "`white.png`", "--max-pixels"]),
        (&["--mask", "none", "-s", "great-wave"], &["different networks", "without masks"]),
        (&["--mask", "white.png", "-s", "missing.safetensors"], &["`missing.safetensors` does not exist"]),
    ] {
        studio.run(&[&["stylize", "cat.png", "-s", "one.safetensors", "-o", "out.png"], args].concat()).refused(words);
    }
    for output in ["white.png", "folder/../white.png"] {
        let args = ["stylize", "cat.png", "-s", "one.safetensors", "--mask", "white.png", "-o", output];
        studio.run(&args).refused(&["white.png` is also an input"]);
    }
    let silent = ["stylize", "cat.png", "-s", "one.safetensors:0", "--mask", "white.png", "-o", "out.png"];
    studio.run(&silent).refused(&["give at least one of them a weight above 0"]);
    assert_eq!(std::fs::read(studio.path("white.png")).unwrap(), white);
    nothing_left(&studio, &own);
}

#[test]
fn inputs_that_are_none() {
    let studio = studio();
    studio.write("empty.png", b"");
    studio.write("text.jpg", b"this is not a picture at all, whatever its name says");
    let cat = std::fs::read(studio.path("cat.png")).unwrap();
    studio.write("cut.png", &cat[..cat.len() / 2]);
    studio.shrink("coffee.png", 15, 60, "line.png");
    std::fs::create_dir_all(studio.path("folder/inner")).unwrap();
    studio.write("folder/inner/notes.txt", b"no picture");
    for (inputs, words) in [
        (&["missing.png"][..], "there is no file `missing.png`"),
        (&["empty.png"], "`empty.png` is empty"),
        (&["text.jpg"], "`text.jpg` is not a picture"),
        (&["cut.png"], "`cut.png` is broken or cut short"),
        (&["line.png"], "`line.png`: the picture is 15×60, but the network needs at least 16 pixels"),
        (&["folder"], "there are no pictures in the folder `folder`"),
        (&["*.gif"], "no file matches the pattern `*.gif`"),
        (&["a***.png"], "`a***.png` is neither a file nor a pattern"),
        (&["-", "cat.png"], "`-` stands alone"),
        (&[], "no photograph is named"),
    ] {
        let args = [&["stylize"], inputs, &["-s", "one.safetensors", "-o", "out/"]].concat();
        studio.run(&args).refused(&[words]);
    }
    studio.run(&["stylize", "missing.png", "empty.png", "-s", "one.safetensors"]).refused(&[
        "2 of 2 inputs failed, 0 done",
        "there is no file `missing.png`",
        "`empty.png` is empty",
    ]);
    nothing_left(&studio, &["cut.png", "empty.png", "folder", "line.png", "text.jpg"]);
}

#[test]
fn outputs_that_cannot_be() {
    let studio = studio();
    studio.write("file", b"precious");
    let before = std::fs::read(studio.path("cat.png")).unwrap();
    for (args, words) in [
        (&["cat.png", "-o", "cat.png"][..], "`cat.png` is also an input"),
        (&["cat.png", "-o", "."], "is also an input"),
        (&["cat.png", "-o", "out"], "end the name in .png"),
        (&["cat.png", "-o", "out.gif"], "end the name in .png"),
        (&["cat.png", "-o", "file/out.png"], "file"),
        (&["cat.png", "night.png", "-o", "file"], "several pictures need a folder"),
        (&["cat.png", "night.png", "-o", "out.png"], "several pictures need a folder"),
        (&["cat.png", "night.png", "-o", "-"], "only one picture fits standard output"),
        (&["cat.png", "-o", "-", "--json"], "`--json` writes to standard output"),
        (&["-", "--json"], "`--json` writes to standard output"),
        (&["cat.png", "--format", "gif"], "`gif` is no picture format"),
    ] {
        studio.run(&[&["stylize"], args, &["-s", "one.safetensors"]].concat()).refused(&[words]);
    }
    assert_eq!(std::fs::read(studio.path("cat.png")).unwrap(), before);
    assert_eq!(std::fs::read(studio.path("file")).unwrap(), b"precious");
    nothing_left(&studio, &["file"]);
}

/// The permissions of a folder do not bind root, so this tries places that bind everyone.
#[cfg(target_os = "linux")]
#[test]
fn folders_that_take_nothing_and_disks_that_are_full() {
    let studio = studio();
    let paint = |args: &[&str]| studio.run(&[&["stylize", "cat.png", "-s", "one.safetensors"], args].concat());
    paint(&["-o", "/proc/out.png"]).refused(&["`cat.png`: cannot write into the folder `/proc`"]);
    paint(&["-o", "/proc/new/"]).refused(&["`cat.png`: cannot make the folder `/proc/new`"]);
    for format in ["png", "jpg", "webp", "tiff"] {
        paint(&["-o", "/dev/full", "--format", format])
            .refused(&["cannot write `/dev/full`", "No space left on device"]);
    }
    assert!(!std::fs::metadata("/dev/full").unwrap().is_file(), "a device is not replaced");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = studio.command(&["stylize", "cat.png", "-s", "one.safetensors", "-o", "-"]);
    let output = command.stdout(full).output().unwrap();
    common::Run::of(output).refused(&["cannot write the picture to standard output", "No space left on device"]);
    nothing_left(&studio, &[]);
}

#[test]
fn numbers_out_of_range() {
    let studio = studio();
    for (args, words) in [
        (["--strength", "1.01"], "the strength is 1.01, but must be from 0 to 1"),
        (["--strength", "-0.5"], "the strength is -0.5"),
        (["--strength", "nan"], "the strength is NaN"),
        (["--stroke-size", "0.2"], "the stroke size is 0.2, but must be from 0.25 to 4"),
        (["--stroke-size", "5"], "the stroke size is 5"),
        (["--stroke-size", "NaN"], "the stroke size is NaN"),
        (["--size", "0"], "the size is 0"),
        (["--size", "100001"], "the size is 100001"),
        (["--size", "12"], "the picture is 12×8"),
        (["--size", "many"], "--size"),
        (["--threads", "0"], "the number of threads is 0"),
        (["--jobs", "0"], "the number of jobs is 0"),
        (["--jobs", "-1"], "--jobs"),
        (["--memory", "0"], "`0` is no amount of memory"),
        (["--memory", "5MB"], "allow more with `--memory`, or choose a smaller `--size`"),
        (["--memory", "lots"], "--memory"),
        (["--device", "gpu"], "`gpu` is no device"),
    ] {
        let args = [&["stylize", "cat.png", "-s", "one.safetensors", "-o", "out.png"], &args[..]].concat();
        studio.run(&args).refused(&[words]);
    }
    nothing_left(&studio, &[]);
}

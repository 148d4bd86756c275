//! Bad input: one clear sentence, exit code 2, nothing left behind.

mod common;

use common::{Studio, example};

/// Nothing was written but what the test itself put there.
#[track_caller]
fn nothing_left(studio: &Studio, own: &[&str]) {
    let mut expected: Vec<&str> = [&["cat.png", "night.png"], own].concat();
    expected.sort_unstable();
    assert_eq!(studio.files(), expected);
}

#[test]
fn pictures_that_are_none() {
    let studio = Studio::new();
    studio.write("empty.png", b"");
    studio.write("text.jpg", b"this is not a picture at all, whatever its name says");
    let cat = std::fs::read(studio.path("cat.png")).unwrap();
    studio.write("cut.png", &cat[..cat.len() / 2]);
    studio.shrink("coffee.png", 1, 1, "dot.png");
    studio.shrink("coffee.png", 7, 100, "line.png");
    std::fs::create_dir(studio.path("folder")).unwrap();
    let own = ["empty.png", "text.jpg", "cut.png", "dot.png", "line.png", "folder"];
    for (name, word) in [
        ("missing.png", "there is no file `missing.png`"),
        ("empty.png", "`empty.png` is empty"),
        ("text.jpg", "`text.jpg` is not a picture"),
        ("cut.png", "`cut.png` is broken or cut short"),
        ("dot.png", "`dot.png` is 1×1 pixels"),
        ("line.png", "`line.png` is 7×100 pixels"),
        ("folder", "`folder` is a folder"),
    ] {
        studio.run(&["paint", name, "-s", "night.png", "-o", "out.png"]).refused(&[word]);
        studio.run(&["paint", "cat.png", "-s", name, "-o", "out.png"]).refused(&[word]);
        studio.paint(&["--init", name, "-o", "out.png"]).refused(&[word]);
        nothing_left(&studio, &own);
    }
}

#[test]
fn outputs_that_cannot_be() {
    let studio = Studio::new();
    studio.write("file", b"");
    std::fs::create_dir(studio.path("folder.png")).unwrap();
    for (name, word) in [
        ("out.xyz", "end the name in .png"),
        ("out", "end the name in .png"),
        ("no/such/folder/out.png", "`no/such/folder` does not exist"),
        ("file/out.png", "`file` does not exist"),
        ("folder.png", "`folder.png` is a folder"),
        ("cat.png", "would overwrite the photograph `cat.png`"),
        ("./night.png", "would overwrite the painting (`--style`) `night.png`"),
    ] {
        studio.paint(&["-o", name]).refused(&[word]);
    }
    studio.paint(&["-o", "out.png", "--curve", "curve.gif"]).refused(&["`curve.gif`", ".svg, .png or .csv"]);
    studio.paint(&["-o", "out.png", "--curve", "no/curve.svg"]).refused(&["`no` does not exist"]);
    nothing_left(&studio, &["file", "folder.png"]);
}

/// The permissions of a folder do not bind root, so this tries a place that binds everyone.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files() {
    Studio::new().paint(&["-o", "/proc/out.png"]).refused(&["cannot write into the folder `/proc`"]);
}

#[test]
fn numbers_out_of_range() {
    let studio = Studio::new();
    for (args, word) in [
        (["--size", "0"], "the size is 0"),
        (["--size", "100001"], "the size is 100001"),
        (["--size", "100000"], "of memory and"),
        (["--size", "4"], "at this size the picture is 4×3 pixels"),
        (["--size", "-3"], "--size"),
        (["--size", "many"], "--size"),
        (["--iterations", "0"], "the number of iterations is 0"),
        (["--threads", "0"], "the number of threads is 0"),
        (["--save-every", "0"], "save-every is 0"),
        (["--content-weight", "-1"], "the content weight is -1"),
        (["--content-weight", "NaN"], "the content weight is NaN"),
        (["--style-weight", "-1"], "the style weight is -1"),
        (["--style-weight", "inf"], "the style weight is inf"),
        (["--tv-weight", "nan"], "the total-variation weight is NaN"),
        (["--learning-rate", "0"], "the learning rate is 0"),
        (["--learning-rate", "NaN"], "the learning rate is NaN"),
        (["--style-layers", "conv1_1=-1"], "the weight of layer `conv1_1` is -1"),
        (["--style-layers", "conv1_1=NaN"], "the weight of layer `conv1_1` is NaN"),
        (["--style-layers", "conv1_1=x"], "`conv1_1=x` is no layer with a weight"),
        (["--style-layers", "conv1_1,relu1_1"], "named twice"),
        (["--content-layers", "conv9_9"], "the network has no layer `conv9_9`"),
        (["--content-layers", "con4_2"], "did you mean `conv4_2`?"),
        (["--init", "mix=2"], "`mix=2` is no start"),
        (["--style", "night.png:-1"], "the weight of the style `night.png` is -1"),
        (["--style", "night.png:NaN"], "the weight of the style `night.png` is NaN"),
        (["--optimizer", "sgd"], "`sgd` is no optimizer"),
        (["--pooling", "median"], "`median` is no pooling"),
        (["--preset", "worst"], "`worst` is no preset"),
        (["--device", "gpu"], "`gpu` is no device"),
        (["--network", "vgg16"], "impasto models pull vgg16"),
        (["--network", "missing.pth"], "missing.pth"),
        (["--network", "cat.png"], "cat.png"),
    ] {
        studio.paint(&[&args[..], &["-o", "out.png"]].concat()).refused(&[word]);
    }
    nothing_left(&studio, &[]);
}

#[test]
fn nothing_to_paint_by() {
    let studio = Studio::new();
    studio.run(&["paint", "cat.png"]).refused(&["no style picture is named"]);
    studio.run(&["paint", "-s", "night.png"]).refused(&["no content picture is named"]);
    studio.run(&["paint", "cat.png", "-s", "night.png:0"]).refused(&["no style to paint by"]);
    studio.paint(&["--content-weight", "0", "--style-weight", "0"]).refused(&["nothing to paint by"]);
    nothing_left(&studio, &[]);
}

#[test]
fn settings_files_that_are_wrong() {
    let studio = Studio::new();
    for (text, words) in [
        ("style_wieght = 5", &["unknown key `style_wieght`", "did you mean `style_weight`?"][..]),
        ("size = ", &["`bad.toml`", "line 1"]),
        ("\niterations = \"many\"", &["line 2"]),
        ("[style_layers]\nconv1_1 = \"a\"", &["line 2"]),
        ("[style_layers]\nconv1_7 = 1", &["no layer `conv1_7`", "did you mean `conv1_"]),
        ("optimizer = \"sgd\"", &["`adam` or `lbfgs`"]),
        ("content_weight = -1", &["the content weight is -1"]),
        ("content_weight = nan", &["the content weight is NaN"]),
    ] {
        studio.write("bad.toml", text.as_bytes());
        studio.paint(&["--config", "bad.toml", "-o", "out.png"]).refused(words);
    }
    studio.paint(&["--config", "none.toml"]).refused(&["cannot read the settings file `none.toml`"]);
    nothing_left(&studio, &["bad.toml"]);
}

#[test]
fn an_output_that_was_there_is_kept_when_the_work_is_refused() {
    let studio = Studio::new();
    studio.write("out.png", b"precious");
    studio.paint(&["-o", "out.png", "--content-layers", "conv9_9"]).refused(&["conv9_9"]);
    assert_eq!(std::fs::read(studio.path("out.png")).unwrap(), b"precious");
}

#[test]
fn a_start_too_wild_for_numbers_is_refused() {
    let studio = Studio::new();
    studio.paint(&["--style-weight", "1e300", "-o", "out.png"]).refused(&["the loss of the start is not finite"]);
    nothing_left(&studio, &[]);
}

#[test]
fn the_pictures_of_the_project_are_there() {
    for name in ["chelsea.png", "starry-night.jpg", "coffee.png", "astronaut.png", "rocket.jpg"] {
        assert!(example(name).is_file(), "{name}");
    }
}

#[test]
fn masks_that_cannot_be() {
    let studio = Studio::new();
    let grey = |name: &str, value: u8| {
        image::GrayImage::from_pixel(16, 16, image::Luma([value])).save(studio.path(name)).unwrap();
    };
    grey("black.png", 0);
    grey("white.png", 255);
    studio.write("text.png", b"this is not a picture");
    for (args, words) in [
        (&["--mask", "missing.png"][..], &["a mask cannot be used", "there is no file `missing.png`"][..]),
        (&["--mask", "text.png"], &["a mask cannot be used", "`text.png` is not a picture"]),
        (&["--mask", "black.png"], &["`black.png` is black everywhere"]),
        (&["--mask", "white.png", "--mask", "white.png"], &["2 masks for 1 styles"]),
        (&["--protect", "black.png"], &["`black.png` is black everywhere"]),
        (&["--protect", "white.png"], &["`white.png` protects the whole picture"]),
        (&["--memory", "100MiB"], &["of memory and 100 MiB may be taken: allow more with `--memory`"]),
        (&["--memory", "much"], &["`much` is no amount of memory", "`2GiB`"]),
    ] {
        studio.paint(&[&["-o", "out.png"], args].concat()).refused(words);
    }
    nothing_left(&studio, &["black.png", "text.png", "white.png"]);
}

//! What a run shows and leaves: events, snapshots, curves, settings, Ctrl-C.

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{Run, Studio};

#[test]
fn json_has_one_event_a_line_and_the_parts_add_up() {
    let studio = Studio::new();
    let run = studio.paint(&["--iterations", "6", "--json", "--tv-weight", "10", "-o", "out.png"]).good();
    let events = run.json();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[0], "started");
    assert_eq!(names[names.len() - 2..], ["finished", "saved"]);
    let steps: Vec<_> = events.iter().filter(|event| event["event"] == "step").collect();
    assert_eq!(steps.len(), 6);
    let mut before = 0.0;
    for (i, step) in steps.iter().enumerate() {
        let number = |key: &str| step[key].as_f64().unwrap();
        assert_eq!(step["iteration"], i + 1);
        assert!(number("elapsed") > before);
        before = number("elapsed");
        let sum = number("content") + number("style") + number("total_variation");
        assert!((sum / number("loss") - 1.0).abs() < 1e-9, "{step}");
    }
    let loss = |event: &serde_json::Value| event["loss"].as_f64().unwrap();
    assert!(loss(steps[5]) < 0.7 * loss(steps[0]), "{} then {}", steps[0], steps[5]);
}

#[test]
fn lines_go_to_stderr_and_quiet_says_nothing() {
    let studio = Studio::new();
    let run = studio.paint(&["-o", "out.png"]).good();
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains("painting 96×64 pixels") && run.stderr.contains("wrote out.png"), "{}", run.stderr);
    assert!(!run.stderr.contains('\u{1b}'), "no escape codes where no terminal is");
    let run = studio.paint(&["-o", "out.png", "--quiet"]).good();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let run = studio.paint(&["-o", "out.png", "-v", "--iterations", "4"]).good();
    assert_eq!(run.stderr.lines().filter(|line| line.contains("steps/s")).count(), 4, "{}", run.stderr);
}

#[test]
fn pictures_are_saved_on_the_way() {
    let studio = Studio::new();
    studio.paint(&["-o", "out.png", "--iterations", "10", "--save-every", "4"]).good();
    assert_eq!(studio.files(), ["cat.png", "night.png", "out-04.png", "out-08.png", "out.png"]);
    let pixels = |name: &str| image::open(studio.path(name)).unwrap().to_rgb8();
    assert_ne!(pixels("out-04.png"), pixels("out-08.png"));
}

#[test]
fn curves_are_drawn() {
    let studio = Studio::new();
    studio.paint(&["-o", "out.png", "--iterations", "5", "--curve", "c.csv"]).good();
    let table = std::fs::read_to_string(studio.path("c.csv")).unwrap();
    assert_eq!(table.lines().next(), Some("iteration,elapsed,loss,content,style,total_variation"));
    assert_eq!(table.lines().count(), 6);
    studio.paint(&["-o", "out.png", "--iterations", "5", "--curve", "c.svg"]).good();
    let drawing = std::fs::read_to_string(studio.path("c.svg")).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.contains("polyline") && drawing.contains("iteration"));
    studio.paint(&["-o", "out.png", "--iterations", "5", "--curve", "c.png"]).good();
    let plot = image::open(studio.path("c.png")).unwrap().to_rgb8();
    let ink = plot.pixels().filter(|p| p.0 != [255; 3]).count();
    assert!(plot.dimensions() == (900, 560) && ink > 2000, "{ink} pixels are drawn");
}

#[test]
fn settings_are_printed_and_read_again() {
    let studio = Studio::new();
    let article = studio.run(&["paint", "--preset", "article", "--print-config"]).good();
    let table: toml::Table = article.stdout.parse().unwrap();
    assert_eq!(table["iterations"].as_integer(), Some(1000));
    assert_eq!(table["optimizer"].as_str(), Some("adam"));
    assert_eq!(table["content_weight"].as_float(), Some(1.0));
    assert_eq!(table["style_weight"].as_float(), Some(500.0));
    assert_eq!(table["init"].as_str(), Some("mix=0.5"));
    assert_eq!(table["pooling"].as_str(), Some("average"));
    let content: Vec<_> = table["content_layers"].as_table().unwrap().iter().collect();
    assert_eq!(content.len(), 2);
    assert!(
        content.iter().all(|(name, w)| ["conv4_2", "conv5_2"].contains(&name.as_str()) && w.as_float() == Some(0.5))
    );
    let style = table["style_layers"].as_table().unwrap();
    assert_eq!(style.keys().collect::<Vec<_>>(), ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]);
    assert!(style.values().all(|w| w.as_float() == Some(0.2)));

    studio.write("settings.toml", article.stdout.as_bytes());
    let again = studio.run(&["paint", "--config", "settings.toml", "--print-config"]).good();
    assert_eq!(again.stdout, article.stdout);
    let flagged = studio.run(&["paint", "--config", "settings.toml", "--print-config", "-n", "7"]).good();
    assert_eq!(flagged.stdout, article.stdout.replace("iterations = 1000", "iterations = 7"));
}

#[test]
fn a_settings_file_names_everything() {
    let studio = Studio::new();
    studio.write(
        "s.toml",
        b"content = \"cat.png\"\nstyle = [\"night.png:2\", \"cat.png:1\"]\noutput = \"o.png\"\niterations = 1",
    );
    studio.run(&["paint", "-c", "s.toml"]).good();
    assert_eq!(studio.size("o.png"), (96, 64));
}

#[test]
fn one_seed_one_picture() {
    let studio = Studio::new();
    let paint = |seed: &str, name: &str| {
        studio.paint(&["--init", "noise", "--seed", seed, "-o", name]).good();
        std::fs::read(studio.path(name)).unwrap()
    };
    // The settings inside differ by the name of the output, so the same name is used.
    let (first, again, other) = (paint("1", "o.png"), paint("1", "o.png"), paint("2", "o.png"));
    assert_eq!(first, again);
    assert_ne!(first, other);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_run() {
    let studio = Studio::new();
    let mut child = studio
        .command(&["paint", "cat.png", "-s", "night.png", "-n", "5", "--json", "-o", "out.png"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let run = Run::of(child.wait_with_output().unwrap());
    run.good();
    assert_eq!(studio.size("out.png"), (96, 64));
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_the_step_and_keeps_the_picture() {
    let studio = Studio::new();
    let mut child = studio
        .command(&["paint", "cat.png", "-s", "night.png", "-n", "100000", "--json", "-o", "out.png"])
        .args(["--optimizer", "adam"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let third = lines.by_ref().filter(|line| line.contains("\"step\"")).nth(2).unwrap();
    assert!(third.contains("\"iteration\":3"), "{third}");
    common::send("INT", &child);
    let rest: Vec<String> = lines.collect();
    assert!(rest.iter().any(|line| line.contains("\"finished\"") && line.contains("\"stopped\"")), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(studio.size("out.png"), (96, 64));
    assert_eq!(studio.files(), ["cat.png", "night.png", "out.png", "out.png-checkpoint.safetensors"]);
}

#[test]
fn the_version_says_what_it_was_built_for() {
    let run = Studio::new().run(&["--version"]).good();
    assert!(run.stdout.starts_with("impasto 0.") && run.stdout.contains("built for ") && run.stdout.contains("vgg19"));
}

#[test]
fn completions_are_printed_for_every_shell() {
    let studio = Studio::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = studio.run(&["completions", shell]).good();
        assert!(run.stdout.contains("impasto") && run.stdout.contains("style-weight"), "{shell}");
    }
}

#[test]
fn help_names_every_flag_of_the_settings() {
    let run = Studio::new().run(&["paint", "--help"]).good();
    let settings = Studio::new().run(&["paint", "--print-config"]).good().stdout;
    let table: toml::Table = settings.parse().unwrap();
    for key in table.keys() {
        let flag = format!("--{}", key.replace('_', "-"));
        assert!(run.stdout.contains(&flag), "{flag}");
    }
}

/// Two styles side by side, the photograph's right upper corner as it was.
#[test]
fn masks_give_styles_their_regions_and_keep_what_is_protected() {
    let studio = Studio::new();
    let mask = |name: &str, white: &dyn Fn(u32, u32) -> bool| {
        let pixel = |x, y| image::Luma([if white(x, y) { 255u8 } else { 0 }]);
        image::GrayImage::from_fn(96, 64, pixel).save(studio.path(name)).unwrap();
    };
    mask("left.png", &|x, _| x < 48);
    mask("right.png", &|x, _| x >= 48);
    mask("corner.png", &|x, y| x >= 64 && y < 32);
    studio.shrink("coffee.png", 80, 64, "cup.png");
    let masks = ["--mask", "left.png", "--mask", "right.png", "--protect", "corner.png"];
    let args = ["--style", "cup.png", "--init", "noise", "-o", "out.png"];
    studio.paint(&[&args[..], &masks].concat()).good();
    let (before, after) = (image::open(studio.path("cat.png")).unwrap(), image::open(studio.path("out.png")).unwrap());
    let (before, after) = (before.to_rgb8(), after.to_rgb8());
    let same = |x, y| before.get_pixel(x, y) == after.get_pixel(x, y);
    assert!((64..96).all(|x| (0..32).all(|y| same(x, y))), "what is protected stays");
    assert!((0..48).filter(|x| same(*x, 40)).count() < 10, "all else is painted");
}

#[test]
fn a_plan_says_what_a_run_would_take_and_writes_nothing() {
    let studio = Studio::new();
    let before = studio.files();
    let plan = studio.paint(&["--plan", "--json", "--memory", "3GiB", "--size", "1400"]).good();
    assert_eq!(studio.files(), before);
    let plan = &plan.json()[0];
    let scales = plan["scales"].as_array().unwrap();
    let last = scales.last().unwrap();
    assert_eq!((last["width"].as_u64(), plan["limit"].as_u64()), (Some(1400), Some(3 << 30)));
    assert!(scales.iter().all(|scale| scale["peak"].as_u64().unwrap() <= 3 << 30));
    assert!(plan["seconds"].as_f64().unwrap() > 0.0);
    let text = studio.paint(&["--plan"]).good().stdout;
    assert!(text.contains("96×64: 2 iterations, whole"), "{text}");
}

//! Files of strangers: what they may take, what they may choose, and what they may print.

mod common;

use std::path::Path;
use std::process::{Child, Stdio};

use common::{Run, Studio};
use impasto::picture::{Picture, PictureFormat, settings_of};

/// A square PNG of one bit a pixel.
fn one_bit(studio: &Studio, name: &str, side: u32) {
    let file = std::io::BufWriter::new(std::fs::File::create(studio.path(name)).unwrap());
    let mut encoder = png::Encoder::new(file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&vec![0; side.div_ceil(8) as usize * side as usize]).unwrap();
    writer.finish().unwrap();
}

/// Waits for a process; how it ended, and the most memory that it had, in bytes, as far as it was seen.
#[cfg(target_os = "linux")]
fn with_peak(mut child: Child) -> (Run, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kibibytes.unwrap_or(0) * 1024);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    (Run::of(child.wait_with_output().unwrap()), peak)
}

#[cfg(target_os = "linux")]
#[test]
fn a_picture_of_few_bytes_and_many_pixels_stays_within_the_memory_and_ends_no_batch() {
    let studio = Studio::new();
    studio.model("m.safetensors", &["a"]);
    std::fs::create_dir(studio.path("in")).unwrap();
    one_bit(&studio, "in/a-large.png", 24_000);
    one_bit(&studio, "in/b-fine.png", 5000);
    for name in ["in/c-good.png", "in/d-good.png"] {
        std::fs::copy(studio.path("cat.png"), studio.path(name)).unwrap();
    }
    let length = studio.path("in/a-large.png").metadata().unwrap().len();
    assert!(length < 200_000, "{length} bytes");
    let run = |more: &[&str]| {
        let args = ["stylize", "in", "-s", "m.safetensors", "-o", "out/", "--memory", "500MiB", "--size", "256"];
        let child = studio.command(&[&args[..], more].concat()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let (run, peak) = with_peak(child.unwrap());
        assert!(peak > 10 << 20 && peak <= 500 << 20, "{} MiB at the peak", peak >> 20);
        for name in ["out/b-fine.png", "out/c-good.png", "out/d-good.png"] {
            assert!(studio.path(name).exists(), "{name} was made: {}", run.stderr);
        }
        std::fs::remove_dir_all(studio.path("out")).unwrap();
        run
    };
    run(&[]).refused(&["a-large.png", "24000×24000", "more than the 200MP", "--max-pixels", "6.4 GiB"]);
    run(&["--max-pixels", "1GP"]).refused(&["a-large.png", "24000×24000", "6.4 GiB", "--memory"]);
    studio.run(&["stylize", "cat.png", "-s", "m.safetensors", "--max-pixels", "some"]).refused(&["`200MP`"]);
}

/// Paintings in one folder, photographs in another, the program in a third.
fn rooms() -> Studio {
    let studio = Studio::new();
    for room in ["in", "art", "out"] {
        std::fs::create_dir(studio.path(room)).unwrap();
    }
    std::fs::rename(studio.path("cat.png"), studio.path("in/cat.png")).unwrap();
    std::fs::rename(studio.path("night.png"), studio.path("art/night.png")).unwrap();
    studio
}

const PAINT: [&str; 8] = ["paint", "in/cat.png", "-s", "art/night.png", "--size", "48", "-n", "3"];

fn pixels(studio: &Studio, name: &str) -> Vec<u8> {
    image::open(studio.path(name)).unwrap().to_rgb8().into_raw()
}

#[test]
fn a_picture_names_files_without_folders_and_is_made_again_from_those_beside_it() {
    let studio = rooms();
    studio.run(&[&PAINT[..], &["-o", "out/o.png"]].concat()).good();
    let shown: toml::Table = studio.run(&["show", "out/o.png"]).good().stdout.parse().unwrap();
    assert_eq!(shown["content"].as_str(), Some("cat.png"));
    assert_eq!(shown["style"].as_array().unwrap()[0].as_str(), Some("night.png:1"));
    let bytes = std::fs::read(studio.path("out/o.png")).unwrap();
    for folder in [&b"in/cat"[..], b"art/night", b"out/o", studio.folder.path().as_os_str().as_encoded_bytes()] {
        assert!(!bytes.windows(folder.len()).any(|bytes| bytes == folder));
    }
    let command = "impasto paint cat.png --style night.png --again out/o.png";
    studio.run(&["paint", "--again", "out/o.png"]).refused(&["`cat.png` and `night.png`", command]);
    studio.run(&["paint", "in/cat.png", "--again", "out/o.png"]).refused(&["made with `night.png`"]);
    studio.run(&[&PAINT[..4], &["--again", "out/o.png"]].concat()).good();
    assert_eq!(pixels(&studio, "o-again.png"), pixels(&studio, "out/o.png"));
    std::fs::remove_file(studio.path("o-again.png")).unwrap();
    std::fs::copy(studio.path("in/cat.png"), studio.path("out/cat.png")).unwrap();
    std::fs::copy(studio.path("art/night.png"), studio.path("out/night.png")).unwrap();
    studio.run(&["paint", "--again", "out/o.png"]).good();
    assert_eq!(pixels(&studio, "o-again.png"), pixels(&studio, "out/o.png"));
}

#[test]
fn a_picture_holds_no_settings_where_none_are_wanted() {
    let studio = rooms();
    studio.model("m.safetensors", &["a"]);
    for name in ["o.png", "o.jpg", "o.webp", "o.tiff"] {
        studio.run(&[&PAINT[..], &["--no-settings", "-o", name]].concat()).good();
        assert_eq!(settings_of(&studio.path(name)), None, "{name}");
        let stylize = ["stylize", "in/cat.png", "-s", "m.safetensors", "-o", name];
        studio.run(&stylize).good();
        let settings = settings_of(&studio.path(name)).unwrap();
        assert!(settings.contains("input = \"cat.png\"") && !settings.contains("in/"), "{settings}");
        studio.run(&[&stylize[..], &["--no-settings"]].concat()).good();
        assert_eq!(settings_of(&studio.path(name)), None, "{name}");
    }
    let snapshots = |more: &[&str]| {
        let every = ["--scales", "1", "--save-every", "1", "--checkpoint-every", "0"];
        studio.run(&[&PAINT[..], &every, more].concat()).good();
    };
    snapshots(&["-o", "out/s.png"]);
    let settings = settings_of(&studio.path("out/s-1.png")).unwrap();
    assert!(settings.contains("content = \"cat.png\"") && !settings.contains("in/cat"), "{settings}");
    snapshots(&["-o", "out/t.png", "--no-settings"]);
    assert_eq!(settings_of(&studio.path("out/t-1.png")), None);
}

/// Weights in pictures of versions that knew no other unit than the absolute one.
#[test]
fn an_older_picture_is_painted_again_in_the_units_of_its_time() {
    let studio = Studio::new();
    studio.paint(&["-o", "o.png", "--preset", "article"]).good();
    let settings = settings_of(&studio.path("o.png")).unwrap();
    let older: String =
        settings.lines().filter(|line| !line.starts_with("loss_scale")).map(|l| format!("{l}\n")).collect();
    assert_ne!(older.lines().count(), settings.lines().count());
    let picture = Picture::read(&studio.path("o.png")).unwrap();
    picture.write_as(PictureFormat::Png, &studio.path("older.png"), Some(&older)).unwrap();
    studio.run(&["paint", "--again", "older.png"]).good();
    assert!(pixels(&studio, "older-again.png") == pixels(&studio, "o.png"));
    studio.run(&["paint", "--again", "older.png", "--loss-scale", "relative", "-o", "other.png"]).good();
    assert!(pixels(&studio, "other.png") != pixels(&studio, "o.png"));
}

/// Pictures that name files by paths: none of them is opened, though all of them are there.
#[test]
fn a_picture_from_elsewhere_chooses_no_file() {
    let studio = rooms();
    let absolute = |name: &str| studio.path(name).to_str().unwrap().to_owned();
    let small = Picture::from_rgb8(8, 8, &[90; 192]);
    let (cat, night) = (absolute("in/cat.png"), absolute("art/night.png"));
    std::fs::copy(&cat, studio.path("out/cat.png")).unwrap();
    std::fs::copy(&night, studio.path("out/style.png")).unwrap();
    for (settings, missing) in [
        (format!("content = {cat:?}\nstyle = [{night:?}]"), "`night.png`"),
        ("content = \"cat.png\"\nstyle = [\"../art/night.png\"]".to_owned(), "`night.png`"),
        ("content = \"../in/cat.png\"\nstyle = [\"art/night.png\"]".to_owned(), "`night.png`"),
        (format!("content = \"cat.png\"\nstyle = [\"style.png\"]\ninit = {night:?}"), "`night.png`"),
        (format!("content = \"cat.png\"\nstyle = [\"style.png\"]\nprotect = {night:?}"), "`night.png`"),
        (format!("content = \"cat.png\"\nstyle = [\"style.png\"]\nmask = [{night:?}]"), "`night.png`"),
        (format!("content = \"cat.png\"\nstyle = [\"style.png\"]\nnetwork = {night:?}"), "`night.png`"),
        ("content = \"..\"\nstyle = [\"style.png\"]".to_owned(), "not found beside it"),
    ] {
        small.write_as(PictureFormat::Png, &studio.path("out/o.png"), Some(&settings)).unwrap();
        studio.run(&["paint", "--again", "out/o.png"]).refused(&["`out/o.png` was made with", missing]);
    }
    let settings = "content = \"cat.png\"\nstyle = [\"style.png\"]\nsize = 32\niterations = 1\nmax_pixels = \"9GP\"\n\
                    output = \"/tmp/taken.png\"\ncurve = \"../taken.png\"\nmemory = \"9TB\"";
    small.write_as(PictureFormat::Png, &studio.path("out/o.png"), Some(settings)).unwrap();
    studio.run(&["paint", "--again", "out/o.png"]).good();
    assert!(studio.path("o-again.png").exists() && !studio.path("taken.png").exists());
    let made_with = settings_of(&studio.path("o-again.png")).unwrap();
    assert!(!made_with.contains("9GP") && !made_with.contains("memory"), "{made_with}");
}

/// A run that is killed once it is kept.
fn killed(studio: &Studio, args: &[&str]) {
    let mut command = studio.command(&[args, &["--checkpoint-every", "1e-6", "--json", "-n", "60"]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let kept = lines.map(Result::unwrap).find(|line| line.contains("\"checkpoint\""));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(kept.is_some(), "the run was kept");
}

#[test]
fn an_own_run_is_resumed_by_its_checkpoint_alone_and_that_of_another_by_files_that_are_given() {
    let studio = rooms();
    studio.run(&[&PAINT[..], &["-n", "60", "--threads", "2", "-o", "whole.png"]].concat()).good();
    let kept = "out/o.png-checkpoint.safetensors";
    killed(&studio, &[&PAINT[..], &["--threads", "2", "-o", "out/o.png"]].concat());
    let bytes = std::fs::read(studio.path(kept)).unwrap();
    for folder in [&b"in/cat"[..], b"art/night", studio.folder.path().as_os_str().as_encoded_bytes()] {
        assert!(!bytes.windows(folder.len()).any(|bytes| bytes == folder), "the checkpoint names no folder");
    }
    std::fs::copy(studio.path(kept), studio.path("art/sent.safetensors")).unwrap();
    // From another folder, too.
    let mut elsewhere = studio.command(&["paint", "--resume", "../out/o.png-checkpoint.safetensors"]);
    Run::of(elsewhere.current_dir(studio.path("in")).output().unwrap()).good();
    assert_eq!(pixels(&studio, "out/o.png"), pixels(&studio, "whole.png"));

    // Somebody else's, as far as this home knows.
    let stranger = tempfile::tempdir().unwrap();
    let resume = |more: &[&str]| {
        let mut command = studio.command(&[&["paint", "--resume", "art/sent.safetensors"], more].concat());
        Run::of(command.env("XDG_STATE_HOME", stranger.path()).output().unwrap())
    };
    resume(&[]).refused(&["`cat.png`", "impasto paint cat.png --resume art/sent.safetensors"]);
    resume(&["in/cat.png", "-s", "art/night.png"]).good();
    assert_eq!(pixels(&studio, "art/o.png"), pixels(&studio, "whole.png"));
}

#[test]
fn a_checkpoint_from_elsewhere_writes_over_nothing() {
    let studio = rooms();
    killed(&studio, &[&PAINT[..], &["-o", "out/o.png"]].concat());
    std::fs::copy(studio.path("in/cat.png"), studio.path("out/o.png")).unwrap();
    let before = std::fs::read(studio.path("out/o.png")).unwrap();
    let stranger = tempfile::tempdir().unwrap();
    let args = ["paint", "in/cat.png", "-s", "art/night.png", "--resume", "out/o.png-checkpoint.safetensors"];
    let mut command = studio.command(&args);
    let run = Run::of(command.env("XDG_STATE_HOME", stranger.path()).output().unwrap());
    run.refused(&["`out/o.png` is there already", "`-o`"]);
    assert_eq!(std::fs::read(studio.path("out/o.png")).unwrap(), before);
}

/// A name that colours the terminal, ends a line, and turns what follows about.
#[cfg(unix)]
const NAME: &str = "a\x1b[31m\u{9b}1m\u{202e}\nerror: b";

#[cfg(unix)]
#[track_caller]
fn harmless(text: &str) {
    assert!(text.contains(r"a\u{1b}[31m\u{9b}1m\u{202e}\nerror: b"), "the name is told: {text:?}");
    for sign in ["\x1b[31m", "\u{9b}", "\u{202e}", "\nerror: b"] {
        assert!(!text.contains(sign), "{sign:?} in {text:?}");
    }
}

#[cfg(unix)]
#[test]
fn names_of_files_do_not_reach_the_terminal() {
    let studio = Studio::new();
    studio.model("m.safetensors", &["a"]);
    std::fs::create_dir(studio.path("in")).unwrap();
    let picture = format!("in/{NAME}.png");
    std::fs::copy(studio.path("cat.png"), studio.path(&picture)).unwrap();
    let stylize = ["stylize", "in", "-s", "m.safetensors", "-o", "out"];
    harmless(&studio.run(&stylize).good().stderr);
    harmless(&studio.run(&["paint", "cat.png", "-s", &picture, "--size", "16", "-n", "1", "-o", &picture]).stderr);
    harmless(&studio.run(&["show", &picture]).stderr);
    let painted = studio.run(&["stylize", "cat.png", "-s", &picture]).good().stderr;
    assert!(!painted.contains(['\x1b', '\u{9b}', '\u{202e}']) && painted.lines().count() == 1, "{painted:?}");
    let broken = format!("{NAME}.png");
    studio.write(&broken, b"no picture");
    harmless(&studio.run(&["stylize", "cat.png", "-s", &broken]).stderr);
    harmless(&studio.run(&["paint", "cat.png", &picture]).stderr);
    harmless(&studio.run(&["models", "show", &picture]).stderr);
    let json = studio.run(&[&stylize[..], &["--json"]].concat()).good();
    assert!(!json.stdout.contains(['\x1b', '\u{9b}', '\u{202e}']), "{:?}", json.stdout);
    assert_eq!(json.json()[0]["input"].as_str(), Some(&*picture));
}

/// On a terminal there is a bar, with the name of the picture beside it.
#[cfg(target_os = "linux")]
#[test]
fn names_beside_a_bar_do_not_reach_the_terminal() {
    let studio = Studio::new();
    studio.model("m.safetensors", &["a"]);
    std::fs::create_dir(studio.path("in")).unwrap();
    for number in 0..3 {
        std::fs::copy(studio.path("cat.png"), studio.path(&format!("in/{NAME}{number}.png"))).unwrap();
    }
    let binary = env!("CARGO_BIN_EXE_impasto");
    let line = format!("stty cols 200; {binary} stylize in -s m.safetensors -o out");
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(studio.folder.path()).stdin(Stdio::null());
    // Without util-linux there is no terminal to be had.
    let Ok(output) = command.output() else { return };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    harmless(&text);
}

#[cfg(unix)]
#[test]
fn lists_of_models_do_not_reach_the_terminal() {
    let studio = Studio::new();
    std::fs::create_dir(studio.path("models")).unwrap();
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let entry = |url: &str, origin: &str| {
        format!(
            "[[model]]\nname = \"dots\"\nkind = \"style\"\nfile = \"dots.safetensors\"\nsize = 4\nsha256 = \"{}\"\n\
             url = {}\norigin = {}\nlicence = {}\n",
            "0".repeat(64),
            quoted(url),
            quoted(origin),
            quoted(NAME),
        )
    };
    studio.write("models/dots.safetensors.toml", entry("https://127.0.0.1:9/x", NAME).as_bytes());
    harmless(&studio.run(&["models", "list"]).good().stdout);
    studio.write("m.toml", entry(&format!("http://127.0.0.1:9/{NAME}"), "o").as_bytes());
    let run = studio.run(&["models", "pull", "dots", "--manifest", "m.toml"]);
    assert_eq!(run.code, Some(2));
    assert!(!run.stderr.contains(['\x1b', '\u{9b}', '\u{202e}']), "{:?}", run.stderr);
    let name = Path::new(NAME);
    harmless(&studio.run(&["models", "pull", "dots", "--manifest", name.to_str().unwrap()]).stderr);
}

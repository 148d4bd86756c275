//! Never lost: a run that is killed at any moment goes on and ends with the same picture.

mod common;

#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use common::{Run, Studio};

const KEPT: &str = "out.png-checkpoint.safetensors";

/// Paints in three sizes, and keeps the run after every step.
fn arguments<'a>(optimizer: &'a str, output: &'a str) -> Vec<&'a str> {
    let inputs = ["paint", "cat.png", "-s", "night.png", "--min-size", "48", "--checkpoint-every", "1e-6"];
    [&inputs[..], &["--threads", "2", "--optimizer", optimizer, "-n", "12", "-q", "-o", output]].concat()
}

fn pixels(studio: &Studio, name: &str) -> Vec<u8> {
    image::open(studio.path(name)).unwrap().to_rgb8().into_raw()
}

#[test]
fn a_run_that_is_killed_goes_on_to_the_same_picture() {
    for optimizer in ["lbfgs", "adam"] {
        let studio = Studio::new();
        let begun = Instant::now();
        studio.run(&arguments(optimizer, "whole.png")).good();
        let whole = begun.elapsed();
        let mut commands = vec![arguments(optimizer, "out.png"); 1];
        for share in [0.35, 0.6, 0.8] {
            let args = commands.last().unwrap();
            let mut child = studio.command(args).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(whole.mul_f64(share));
            child.kill().unwrap();
            child.wait().unwrap();
            if studio.path(KEPT).exists() {
                commands.push(vec!["paint", "--resume", KEPT, "-q"]);
            } else if studio.path("out.png").exists() {
                break;
            }
        }
        if studio.path(KEPT).exists() {
            studio.run(commands.last().unwrap()).good();
        } else if !studio.path("out.png").exists() {
            studio.run(&commands[0]).good();
        }
        assert_eq!(pixels(&studio, "out.png"), pixels(&studio, "whole.png"), "{optimizer}");
        assert!(!studio.path(KEPT).exists(), "a finished run leaves no checkpoint");
    }
}

/// A run that was stopped by Ctrl-C after some steps.
#[cfg(unix)]
fn stopped() -> Studio {
    let studio = Studio::new();
    let mut args = arguments("lbfgs", "out.png");
    args.retain(|arg| *arg != "-q");
    let mut child = studio.command(&[&args[..], &["-n", "100000", "--json"]].concat());
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().filter(|line| line.contains("\"step\"")).nth(4).unwrap();
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let last = lines.last().unwrap();
    assert!(last.contains("saved"), "{last}");
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130));
    assert!(run.stderr.contains(&format!("go on with `impasto paint --resume {KEPT}`")), "{}", run.stderr);
    studio
}

#[cfg(unix)]
#[test]
fn what_does_not_fit_a_checkpoint_is_refused_in_a_sentence() {
    let studio = stopped();
    let before = std::fs::read(studio.path(KEPT)).unwrap();
    studio.run(&arguments("lbfgs", "out.png")).refused(&[KEPT, "not finished", "go on with", "--resume"]);
    let resume = |args: &[&str]| studio.run(&[&["paint", "--resume", KEPT], args].concat());
    resume(&["--style-weight", "3"]).refused(&["style-weight = 0.2"]);
    resume(&["-s", "night.png:2"]).refused(&["style = night.png:1"]);
    resume(&["--checkpoint-every", "-1"]).refused(&["the time between checkpoints is -1"]);
    studio.run(&["paint", "--resume", "none.safetensors"]).refused(&["there is no checkpoint `none.safetensors`"]);
    studio.run(&["paint", "--resume", "cat.png"]).refused(&["cannot go on from the checkpoint `cat.png`"]);
    studio.model("model.safetensors", &["a"]);
    studio.run(&["paint", "--resume", "model.safetensors"]).refused(&["`model.safetensors` is not a checkpoint"]);
    let taken = ["paint", "cat.png", "-s", "night.png", "-o", "o.png", "--checkpoint", "model.safetensors"];
    studio.run(&taken).refused(&["`model.safetensors` is not a checkpoint"]);
    std::fs::copy(studio.path("night.png"), studio.path("night-before.png")).unwrap();
    studio.shrink("starry-night.jpg", 80, 65, "night.png");
    resume(&[]).refused(&["`night.png` is not what the painting", KEPT]);
    studio.write("cut.safetensors", &before[..before.len() - 1]);
    studio.run(&["paint", "--resume", "cut.safetensors"]).refused(&["cannot go on from the checkpoint"]);
    assert_eq!(std::fs::read(studio.path(KEPT)).unwrap(), before, "nothing was lost");
}

/// A disk that is full is played by a limit on the size of a file: writing fails in the same way.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_last_good_checkpoint() {
    let studio = stopped();
    let before = std::fs::read(studio.path(KEPT)).unwrap();
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", before.len() / 1024 / 2);
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_impasto"), "paint", "--resume", KEPT, "--json", "-q"]);
    let mut child = command.current_dir(studio.folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let warned = lines.by_ref().find(|line| line.contains("\"warning\"")).unwrap();
    assert!(warned.contains(&format!("cannot write `{KEPT}`")), "{warned}");
    assert!(lines.next().is_some_and(|line| line.contains("\"event\"")), "the run goes on");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(std::fs::read(studio.path(KEPT)).unwrap(), before);
}

#[test]
fn a_picture_says_how_it_was_painted_and_is_painted_again() {
    let studio = Studio::new();
    studio.paint(&["-o", "out.png", "--seed", "7", "--init", "noise", "--strength", "0.6"]).good();
    let shown = studio.run(&["show", "out.png"]).good().stdout;
    let table: toml::Table = shown.parse().unwrap();
    assert_eq!((table["seed"].as_integer(), table["strength"].as_float()), (Some(7), Some(0.6)));
    let json = studio.run(&["show", "out.png", "--json"]).good().json();
    assert_eq!((json[0]["seed"].as_i64(), json[0]["init"].as_str()), (Some(7), Some("noise")));
    studio.run(&["show", "cat.png"]).refused(&["`cat.png` has no settings in it"]);
    studio.run(&["show", "none.png"]).refused(&["there is no file `none.png`"]);

    studio.run(&["paint", "--again", "out.png"]).good();
    assert_eq!(pixels(&studio, "out-again.png"), pixels(&studio, "out.png"));
    studio.run(&["paint", "--again", "out.png", "--seed", "8", "-o", "other.png"]).good();
    assert_ne!(pixels(&studio, "other.png"), pixels(&studio, "out.png"));
    studio.run(&["paint", "--again", "cat.png"]).refused(&["`cat.png` has no settings in it"]);
}

#[test]
fn a_sweep_is_one_sheet_with_a_label_for_each_painting() {
    let studio = Studio::new();
    studio.paint(&["--sweep", "strength=0.2,0.8", "--sweep", "seed=1,2", "--size", "96", "-n", "6"]).good();
    assert_eq!(studio.files(), ["cat-sweep.png", "cat.png", "night.png"]);
    assert_eq!(studio.size("cat-sweep.png"), (2 * 208 + 8, 2 * (64 + 22 + 8) + 8));
    let sheet = image::open(studio.path("cat-sweep.png")).unwrap().to_rgb8();
    let ink = (8..30).flat_map(|y| (8..208).map(move |x| (x, y))).filter(|(x, y)| sheet.get_pixel(*x, *y).0[0] < 128);
    assert!(ink.count() > 50, "there is a label");
    let cell = |left: u32, top: u32| (0..64).map(|i| sheet.get_pixel(left + i, top + 30).0).collect::<Vec<_>>();
    assert_ne!(cell(8, 8), cell(216, 8), "another strength, another picture");
    studio.paint(&["--sweep", "strenght=1"]).refused(&["`strenght` cannot be swept"]);
}

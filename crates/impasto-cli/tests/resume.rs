//! Never lost: a run that is killed at any moment resumes and ends with the same picture.

mod common;

#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{Run, Studio, send};

const KEPT: &str = "out.png-checkpoint.safetensors";

/// Paints in three sizes, and keeps the run after every step.
fn arguments<'a>(optimizer: &'a str, output: &'a str) -> Vec<&'a str> {
    let inputs = ["paint", "cat.png", "-s", "night.png", "--min-size", "48", "--checkpoint-every", "1e-6"];
    [&inputs[..], &["--threads", "2", "--optimizer", optimizer, "-n", "12", "-q", "-o", output]].concat()
}

fn pixels(studio: &Studio, name: &str) -> Vec<u8> {
    image::open(studio.path(name)).unwrap().to_rgb8().into_raw()
}

/// The losses of every step among these events, by its number: exact, as JSON has them.
fn steps(events: &[serde_json::Value]) -> Vec<(u64, [f64; 4])> {
    let steps = events.iter().filter(|event| event["event"] == "step");
    let losses = |event: &serde_json::Value| {
        ["loss", "content", "style", "total_variation"].map(|name| event[name].as_f64().unwrap())
    };
    steps.map(|event| (event["iteration"].as_u64().unwrap(), losses(event))).collect()
}

/// Starts a run, kills it after this many of its steps, and gives all of its events.
#[cfg(unix)]
fn killed_after(studio: &Studio, args: &[&str], count: usize) -> Vec<serde_json::Value> {
    let mut child = studio.command(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut events = Vec::new();
    while steps(&events).len() < count {
        events.push(serde_json::from_str(&lines.next().expect("it ended too soon")).unwrap());
    }
    child.kill().unwrap();
    events.extend(lines.map_while(|line| serde_json::from_str(&line).ok()));
    assert_eq!(child.wait().unwrap().code(), None, "it was killed before its end");
    events
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_resumes_with_the_same_steps() {
    for optimizer in ["lbfgs", "adam"] {
        let studio = Studio::new();
        let args = |output| [&arguments(optimizer, output)[..], &["-n", "40", "--json"]].concat();
        let whole = studio.run(&args("whole.png")).good().json();
        let first = killed_after(&studio, &args("out.png"), 4);
        assert!(studio.path(KEPT).exists(), "there is something to resume");
        let resume = ["paint", "--resume", KEPT, "--json", "-q"];
        let second = killed_after(&studio, &resume, 4);
        assert!(studio.path(KEPT).exists());
        let last = studio.run(&resume).good().json();

        let (whole_steps, mut next) = (steps(&whole), 1);
        for session in [first, second, last.clone()] {
            let session = steps(&session);
            assert!(session[0].0 <= next, "no step is left out: {} after {next}", session[0].0);
            next = session[session.len() - 1].0 + 1;
            for step in session {
                assert_eq!(whole_steps[step.0 as usize - 1], step, "{optimizer}");
            }
        }
        assert_eq!(next as usize, whole_steps.len() + 1);
        let losses = |events: &[serde_json::Value]| {
            events.iter().find(|event| event["event"] == "finished").map(|event| event["loss"].as_f64().unwrap())
        };
        assert!(losses(&whole).is_some() && losses(&whole) == losses(&last));
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
    send("INT", &child);
    let last = lines.last().unwrap();
    assert!(last.contains("saved"), "{last}");
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130));
    assert!(run.stderr.contains(&format!("resume with `impasto paint --resume {KEPT}`")), "{}", run.stderr);
    studio
}

#[cfg(unix)]
#[test]
fn what_does_not_fit_a_checkpoint_is_refused_in_a_sentence() {
    let studio = stopped();
    let before = std::fs::read(studio.path(KEPT)).unwrap();
    studio.run(&arguments("lbfgs", "out.png")).refused(&[KEPT, "not finished", "resume it with", "--resume"]);
    let resume = |args: &[&str]| studio.run(&[&["paint", "--resume", KEPT], args].concat());
    resume(&["--style-weight", "3"]).refused(&["was begun with style-weight = "]);
    resume(&["-s", "night.png:2"]).refused(&["style = night.png:1"]);
    resume(&["--checkpoint-every", "-1"]).refused(&["the time between checkpoints is -1"]);
    studio.run(&["paint", "--resume", "none.safetensors"]).refused(&["there is no checkpoint `none.safetensors`"]);
    studio.run(&["paint", "--resume", "cat.png"]).refused(&["cannot resume from the checkpoint `cat.png`"]);
    studio.model("model.safetensors", &["a"]);
    studio.run(&["paint", "--resume", "model.safetensors"]).refused(&["`model.safetensors` is not a checkpoint"]);
    let taken = ["paint", "cat.png", "-s", "night.png", "-o", "o.png", "--checkpoint", "model.safetensors"];
    studio.run(&taken).refused(&["`model.safetensors` is not a checkpoint"]);
    std::fs::copy(studio.path("night.png"), studio.path("night-before.png")).unwrap();
    studio.shrink("starry-night.jpg", 80, 65, "night.png");
    resume(&[]).refused(&["`night.png` is not what the painting", KEPT]);
    studio.write("cut.safetensors", &before[..before.len() - 1]);
    studio.run(&["paint", "--resume", "cut.safetensors"]).refused(&["cannot resume from the checkpoint"]);
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
    let mut child = command
        .env("XDG_STATE_HOME", studio.state.path())
        .current_dir(studio.folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let warned = lines.by_ref().find(|line| line.contains("\"warning\"")).unwrap();
    assert!(warned.contains(&format!("cannot write `{KEPT}`")), "{warned}");
    assert!(lines.next().is_some_and(|line| line.contains("\"event\"")), "the run continues");
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

    let before = std::fs::read(studio.path("out.png")).unwrap();
    let refused = ["`-o`", "overwrite the file that the settings are read from, `out.png`"];
    studio.run(&["paint", "--again", "out.png", "-o", "./out.png"]).refused(&refused);
    assert_eq!(std::fs::read(studio.path("out.png")).unwrap(), before);
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

/// Process substitution: a pipe can be read only once, so it is hashed as it is decoded.
#[cfg(unix)]
#[test]
fn pipes_are_inputs_and_a_run_knows_what_came_through_them() {
    let studio = Studio::new();
    let mask: Vec<u8> = (0..64 * 96).map(|i| if i % 96 < 48 { 255 } else { 0 }).collect();
    image::GrayImage::from_raw(96, 64, mask).unwrap().save(studio.path("half.png")).unwrap();
    let rest = "--checkpoint-every 1e-6 --threads 2 --optimizer lbfgs --size 64 --scales 1";
    let piped = "paint <(cat cat.png) -s <(cat night.png) --mask <(cat half.png) --protect <(cat half.png)";
    let files = piped.replace("<(cat ", "").replace(')', "");
    let script = |args: &str| studio.script(&format!("exec \"$0\" {args}"), &[]);
    Run::of(script(&format!("{files} {rest} -n 8 -q -o files.png")).output().unwrap()).good();
    Run::of(script(&format!("{piped} {rest} -n 8 -q -o pipes.png")).output().unwrap()).good();
    assert_eq!(pixels(&studio, "pipes.png"), pixels(&studio, "files.png"));

    // The hash in the checkpoint is that of the bytes: files with the same bytes are accepted, others are not.
    let mut child =
        script(&format!("{piped} {rest} -n 100000 --json -o out.png")).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    lines.by_ref().filter(|line| line.contains("\"step\"")).nth(2).unwrap();
    send("INT", &child);
    let made = lines.last().and_then(|line| serde_json::from_str::<serde_json::Value>(&line).ok()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let files = |style| {
        let inputs = ["paint", "--resume", KEPT, "cat.png", "-s", style, "--mask", "half.png", "--protect", "half.png"];
        [&inputs[..], &["--json"]].concat()
    };
    studio.run(&files("cat.png")).refused(&["`cat.png` is not what the painting", KEPT]);
    let resumed = steps(&killed_after(&studio, &files("night.png"), 1));
    assert_eq!((made["event"].as_str(), resumed[0].0), (Some("saved"), made["iteration"].as_u64().unwrap() + 1));

    // A sweep reads its inputs for each painting.
    let sweep = "paint <(cat cat.png) -s <(cat night.png) --sweep seed=1,2 --size 48 -n 2 -q -o sheet.png";
    Run::of(script(sweep).output().unwrap()).good();
    assert!(studio.path("sheet.png").exists());
}

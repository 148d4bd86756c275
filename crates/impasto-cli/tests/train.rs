//! `impasto train`: what it shows and leaves, what it refuses, and that a kill takes nothing from it.

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use common::{Run, Studio};
use impasto::styles::StyleModel;

/// A studio with photographs in `photos`, and in folders in it.
fn studio() -> Studio {
    let studio = Studio::new();
    std::fs::create_dir_all(studio.path("photos/more")).unwrap();
    for (i, name) in ["chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"].into_iter().enumerate() {
        studio.shrink(name, 80, 70, &format!("photos/{i}.jpg"));
        studio.shrink(name, 50, 90, &format!("photos/more/{i}.png"));
    }
    studio
}

const SMALL: [&str; 20] = [
    "train",
    "-s",
    "night.png",
    "--photos",
    "photos",
    "--image-size",
    "64",
    "--style-size",
    "64",
    "--width",
    "16",
    "--residual-blocks",
    "1",
    "--batch",
    "2",
    "--steps",
    "6",
    "--threads",
    "2",
    "--json",
];

fn small(more: &[&'static str]) -> Vec<&'static str> {
    [&SMALL[..], more].concat()
}

/// The losses of every step, by its number.
fn losses(events: &[serde_json::Value]) -> Vec<(u64, f64)> {
    let steps = events.iter().filter(|event| event["event"] == "step");
    steps.map(|event| (event["step"].as_u64().unwrap(), event["loss"].as_f64().unwrap())).collect()
}

#[test]
fn events_are_lines_of_json_and_the_files_are_there() {
    let studio = studio();
    let run = studio.run(&small(&["-o", "m.safetensors", "--validate-every", "3steps"])).good();
    let events = run.json();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["started", "validated"]);
    assert_eq!(names[names.len() - 3..], ["finished", "saved", "saved"]);
    assert_eq!(names.iter().filter(|name| **name == "step").count(), 6);
    assert_eq!(names.iter().filter(|name| **name == "validated").count(), 3);
    let step = events.iter().find(|event| event["event"] == "step").unwrap();
    for key in ["images_per_second", "left", "learning_rate", "gradient_norm", "content", "style"] {
        assert!(step[key].as_f64().unwrap() > 0.0, "{key}: {step}");
    }
    let files = ["m-checkpoint.safetensors", "m-curve.png", "m-preview.jpg", "m.safetensors", "night.png", "photos"];
    assert_eq!(studio.files(), [&["cat.png"], &files[..]].concat());
}

#[test]
fn lines_say_what_happens_and_list_what_was_left_out() {
    let studio = studio();
    studio.write("photos/torn.jpg", b"\xff\xd8\xff\xe0 torn");
    let args: Vec<&str> = small(&["-o", "m.safetensors"]).into_iter().filter(|arg| *arg != "--json").collect();
    let run = studio.run(&args).good();
    assert_eq!(run.stdout, "");
    for words in ["learning night from", "images/s", "on the photographs held out", "wrote m.safetensors", "torn.jpg"] {
        assert!(run.stderr.contains(words), "`{words}`: {}", run.stderr);
    }
    let quiet = studio.run(&[&args[..], &["-q"]].concat()).good();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

/// Starts a run and waits until it has made a step.
fn started(studio: &Studio, args: &[&str], step: u64) -> (Child, Vec<serde_json::Value>) {
    let mut child = studio.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut events = Vec::new();
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
        events.push(serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
        if losses(&events[events.len() - 1..]).iter().any(|(number, _)| *number == step) {
            break;
        }
    }
    (child, events)
}

/// Every tensor of a safetensors file but those that tell the time.
fn tensors(path: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (names, data) =
        (serde_json::from_slice::<serde_json::Value>(&bytes[8..8 + header]).unwrap(), &bytes[8 + header..]);
    let timed = ["__metadata__", "elapsed", "history", "validations"];
    let tensors = names.as_object().unwrap().iter().filter(|(name, _)| !timed.contains(&name.as_str()));
    let place = |value: &serde_json::Value| value.as_u64().unwrap() as usize;
    let of = |offsets: &serde_json::Value| data[place(&offsets[0])..place(&offsets[1])].to_vec();
    tensors.map(|(name, tensor)| (name.clone(), of(&tensor["data_offsets"]))).collect()
}

#[test]
fn a_run_killed_between_checkpoints_resumes_bit_for_bit() {
    let studio = studio();
    let every = ["--validate-every", "4steps", "--steps", "24"];
    let straight = studio.run(&small(&[&every[..], &["-o", "a.safetensors"]].concat())).good();
    let (mut child, mut before) = started(&studio, &small(&[&every[..], &["-o", "b.safetensors"]].concat()), 6);
    child.kill().unwrap();
    let rest = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    before.extend(rest.map_while(|line| serde_json::from_str::<serde_json::Value>(&line).ok()));
    assert!(!child.wait().unwrap().success(), "it was killed before its end");
    let checkpoint = |event: &&serde_json::Value| {
        event["event"] == "saved" && event["path"].as_str().unwrap().ends_with("b-checkpoint.safetensors")
    };
    let kept = before.iter().rev().find(checkpoint).expect("there is a checkpoint to resume")["step"].as_u64().unwrap();
    let resumed = studio.run(&["train", "--resume", "-o", "b.safetensors", "--json"]).good();
    let (straight, before, after) = (losses(&straight.json()), losses(&before), losses(&resumed.json()));
    // It may have written one more checkpoint than it could tell.
    assert!([kept + 1, kept + 5].contains(&after[0].0), "from the last checkpoint: {} after {kept}", after[0].0);
    for step in before.iter().chain(&after) {
        assert!(straight.contains(step), "{step:?} is not in {straight:?}");
    }
    for name in ["{}.safetensors", "{}-checkpoint.safetensors"] {
        let of = |run: &str| tensors(&studio.path(&name.replace("{}", run)));
        assert!(!of("a").is_empty() && of("a") == of("b"), "{name}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_best_network_and_the_checkpoint() {
    let studio = studio();
    let (mut child, _) = started(&studio, &small(&["-o", "m.safetensors", "--steps", "100000"]), 3);
    common::send("INT", &child);
    let rest: Vec<String> = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("\"finished\"") && line.contains("\"stopped\"")), "{rest:?}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(studio.path("m.safetensors").exists() && studio.path("m-checkpoint.safetensors").exists());
    studio.run(&small(&["-o", "m.safetensors"])).refused(&["m-checkpoint.safetensors", "resume it with `--resume`"]);
    studio.run(&["train", "--resume", "-o", "m.safetensors", "--steps", "6", "-q"]).good();
}

/// A disk that is full is played by a limit on the size of a file: writing fails in the same way.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_takes_nothing_that_was_there() {
    let studio = studio();
    studio.run(&small(&["-o", "m.safetensors", "--steps", "2"])).good();
    let before = std::fs::read(studio.path("m-checkpoint.safetensors")).unwrap();
    let limited = |blocks: usize| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_impasto")]);
        command.args(["train", "--resume", "-o", "m.safetensors", "--steps", "4", "--json"]);
        command.env("XDG_STATE_HOME", studio.state.path()).env("TMPDIR", studio.path("photos"));
        Run::of(command.current_dir(studio.folder.path()).output().unwrap())
    };
    // Room for the model, none for the checkpoint: the run continues.
    let run = limited(before.len() / 1024 / 2).good();
    assert!(run.stderr.contains("cannot write `m-checkpoint.safetensors`"), "{}", run.stderr);
    assert_eq!(std::fs::read(studio.path("m-checkpoint.safetensors")).unwrap(), before);
    // Room for neither.
    let model = std::fs::read(studio.path("m.safetensors")).unwrap();
    let run = limited(100);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("error: cannot write `m.safetensors`"), "{}", run.stderr);
    assert_eq!(std::fs::read(studio.path("m.safetensors")).unwrap(), model);
}

#[test]
fn pictures_and_folders_that_are_none() {
    let studio = studio();
    std::fs::create_dir_all(studio.path("empty")).unwrap();
    std::fs::create_dir_all(studio.path("broken")).unwrap();
    studio.write("broken/a.jpg", b"no picture");
    studio.write("notes.txt", b"no picture");
    let before = studio.files();
    let train = |style: &str, photos: &str| {
        studio.run(&["train", "-s", style, "--photos", photos, "-o", "m.safetensors", "--image-size", "64"])
    };
    for (style, photos, words) in [
        ("night.png", "empty", "there are no pictures in the folder `empty`"),
        ("night.png", "broken", "`broken/a.jpg` is not a picture"),
        ("night.png", "nowhere", "there is no folder `nowhere`"),
        ("night.png", "cat.png", "`cat.png` is not a folder"),
        ("nothing.png", "photos", "there is no file `nothing.png`"),
        ("notes.txt", "photos", "`notes.txt` is not a picture"),
        ("photos", "photos", "`photos` is a folder"),
    ] {
        train(style, photos).refused(&[words]);
        assert_eq!(studio.files(), before);
    }
    studio.run(&["train", "--photos", "photos", "-o", "m.safetensors"]).refused(&["no style picture"]);
    studio.run(&["train", "-s", "night.png", "--photos", "photos"]).refused(&["no model to write"]);
}

/// The photographs and the first weights come with the program; other widths begin from nothing.
#[test]
fn a_painting_alone_is_enough() {
    let studio = studio();
    let train = |more: &[&str]| {
        let few = ["--image-size", "192", "--style-size", "192", "--batch", "1", "-n", "2", "--json"];
        let all = [&["train", "-s", "night.png", "-o", "m.safetensors"], &few[..], more].concat();
        let events = studio.run(&all).good().json();
        std::fs::remove_file(studio.path("m-checkpoint.safetensors")).unwrap();
        let validated = events.into_iter().find(|event| event["event"] == "validated").unwrap();
        let card = StyleModel::load(&studio.path("m.safetensors")).unwrap().card;
        (validated["loss"].as_f64().unwrap(), card.source)
    };
    let (known, source) = train(&[]);
    assert!(source.unwrap().contains("network of any style"));
    let (fresh, source) = train(&["--from", "nothing"]);
    assert!(known < 0.5 * fresh && source.is_none(), "{known} against {fresh}");
    train(&["--width", "16"]);
    let run = studio.run(&["train", "-s", "night.png", "-o", "m.safetensors", "--width", "16", "--from", "any"]);
    run.refused(&["`any` holds a network of width 32 with 5 residual blocks"]);
}

#[test]
fn outputs_that_cannot_be() {
    let studio = studio();
    studio.write("file", b"");
    studio.write("text.safetensors", b"nothing of the kind");
    std::fs::copy(studio.path("night.png"), studio.path("night.safetensors")).unwrap();
    let before = studio.files();
    for (args, words) in [
        (&["-o", "m.pth"][..], "end the name in .safetensors"),
        (&["-o", "no/m.safetensors"], "`no` does not exist"),
        (&["-o", "file/m.safetensors"], "`file` does not exist"),
        (&["-o", "night.safetensors", "-s", "other=night.safetensors"], "would overwrite the painting (`--style`)"),
        (&["-o", "m.safetensors", "--preview", "night.png"], "would overwrite the painting (`--style`) `night.png`"),
        (&["-o", "m.safetensors", "--preview", "p.gif"], "end the name in .png"),
        (&["-o", "m.safetensors", "--curve", "c.gif"], ".svg, .png or .csv"),
        (&["-o", "m.safetensors", "--curve", "c.png", "--preview", "c.png"], "would both be written to `c.png`"),
        (&["-o", "m.safetensors", "--from", "m.safetensors"], "m.safetensors"),
        (&["-o", "m.safetensors", "--from", "text.safetensors"], "text.safetensors"),
        (&["-o", "m.safetensors", "-s", "cat.png", "-s", "x/cat.png"], "two styles are called `cat`"),
        (&["-o", "m.safetensors", "--resume"], "there is no checkpoint `m-checkpoint.safetensors`"),
    ] {
        studio.run(&small(args)).refused(&[words]);
        assert_eq!(studio.files(), before, "{args:?}");
    }
    #[cfg(target_os = "linux")]
    studio.run(&small(&["-o", "/proc/m.safetensors"])).refused(&["cannot write into the folder `/proc`"]);
}

#[test]
fn numbers_out_of_range() {
    let studio = studio();
    for (flag, value, words) in [
        ("--image-size", "30", "the image size is 30"),
        ("--image-size", "65", "a multiple of 4"),
        ("--image-size", "100000", "the image size is 100000"),
        ("--style-size", "3", "the style size is 3"),
        ("--batch", "0", "the batch is 0"),
        ("--steps", "0", "the number of steps is 0"),
        ("--minutes", "-1", "the number of minutes is -1"),
        ("--minutes", "NaN", "the number of minutes is NaN"),
        ("--learning-rate", "0", "the learning rate is 0"),
        ("--style-weight", "-1", "the style weight is -1"),
        ("--style-weight", "inf", "the style weight is inf"),
        ("--width", "20", "the width is 20"),
        ("--residual-blocks", "99", "the number of residual blocks is 99"),
        ("--threads", "0", "the number of threads is 0"),
        ("--validate-every", "0", "time between validations"),
        ("--schedule", "steep", "`steep` is no schedule"),
        ("--style-layers", "conv9_9", "the network has no layer `conv9_9`"),
        ("--content-layers", "con4_2", "did you mean `conv4_2`?"),
        ("--style", "night.png:-1", "the weight of the style `night.png` is -1"),
        ("--style-shares", "night=0", "the share of the style `night` is 0"),
        ("--style-shares", "nigt=2", "did you mean `night`?"),
        ("--network", "vgg16", "impasto models pull vgg16"),
        ("--network", "cat.png", "cat.png"),
    ] {
        studio.run(&small(&["-o", "m.safetensors", flag, value])).refused(&[words]);
    }
    assert_eq!(studio.files(), ["cat.png", "night.png", "photos"]);
}

#[test]
fn settings_are_printed_and_read_again() {
    let studio = studio();
    let printed = studio.run(&["train", "--print-config", "-s", "wave=night.png:2", "--photos", "photos"]).good();
    let table: toml::Table = printed.stdout.parse().unwrap();
    assert_eq!(table["image_size"].as_integer(), Some(256));
    assert_eq!(table["schedule"].as_str(), Some("cosine"));
    assert_eq!(table["style"][0].as_str(), Some("wave=night.png:2"));
    studio.write("settings.toml", printed.stdout.as_bytes());
    let again = studio.run(&["train", "-c", "settings.toml", "--print-config"]).good();
    assert_eq!(again.stdout, printed.stdout);
    let flagged = studio.run(&["train", "-c", "settings.toml", "--print-config", "--batch", "7"]).good();
    assert_eq!(flagged.stdout, printed.stdout.replace("batch = 4", "batch = 7"));
    studio.write("bad.toml", b"bacth = 3");
    studio.run(&["train", "-c", "bad.toml"]).refused(&["unknown key `bacth`", "did you mean `batch`?"]);
    let help = studio.run(&["train", "--help"]).good().stdout;
    for key in table.keys() {
        let flag = format!("--{}", key.replace('_', "-"));
        assert!(help.contains(&flag), "{flag}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_text() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let studio = studio();
    // A photograph may have one, broken or not; what a settings file has to hold may not.
    let odd = OsStr::from_bytes(b"photos/b\xff.jpg");
    std::fs::write(studio.folder.path().join(odd), b"no picture").unwrap();
    let run = studio.run(&small(&["-o", "m.safetensors", "--steps", "8"])).good();
    assert!(run.json().iter().any(|event| event["event"] == "skipped"), "{}", run.stdout);
    let mut command = studio.command(&small(&["-o", "n.safetensors", "--preview"]));
    let run = Run::of(command.arg(OsStr::from_bytes(b"p\xff.jpg")).output().unwrap());
    run.refused(&["bytes in it that are no text"]);
}

//! Nothing is lost: no file is written over another, whatever way it is named; one run at a time; long names; full disks.

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use common::{Run, Studio};

const KEPT: &str = "out.png-checkpoint.safetensors";

/// Every file of the folder and what is in it.
fn contents(studio: &Studio) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| (name.clone(), std::fs::read(studio.path(&name)).unwrap_or_default());
    studio.files().into_iter().map(read).collect()
}

#[test]
fn a_painting_overwrites_no_file_of_its_own_run() {
    let studio = Studio::new();
    for copy in ["start.png", "mask.png"] {
        std::fs::copy(studio.path("cat.png"), studio.path(copy)).unwrap();
    }
    std::fs::write(studio.path("mine.toml"), "seed = 3\n").unwrap();
    std::fs::create_dir(studio.path("d")).unwrap();
    std::fs::hard_link(studio.path("cat.png"), studio.path("hard.png")).unwrap();
    let mut refused = vec![
        (vec!["--curve", "cat.png", "-o", "o.png"], ["`--curve`", "overwrite the photograph `cat.png`"]),
        (vec!["--curve", "d/../night.png", "-o", "o.png"], ["`--curve`", "overwrite the painting (`--style`)"]),
        (vec!["--curve", "hard.png", "-o", "o.png"], ["`--curve`", "overwrite the photograph `cat.png`"]),
        (vec!["--curve", "out.png", "-o", "./out.png"], ["`--curve`", "`-o`"]),
        (vec!["--checkpoint", "./out.png", "-o", "out.png"], ["`--checkpoint`", "`-o`"]),
        (vec!["--checkpoint", "./cat.png", "-o", "o.png"], ["`--checkpoint`", "overwrite the photograph"]),
        (vec!["--checkpoint", "c.svg", "--curve", "d/../c.svg", "-o", "o.png"], ["`--checkpoint`", "`--curve`"]),
        (vec!["--init", "start.png", "-o", "start.png"], ["`-o`", "overwrite the start (`--init`)"]),
        (vec!["--protect", "mask.png", "-o", "./mask.png"], ["`-o`", "overwrite the mask (`--protect`)"]),
        (
            vec!["--mask", "mask.png", "--curve", "mask.png", "-o", "o.png"],
            ["`--curve`", "overwrite the mask (`--mask`)"],
        ),
        (vec!["--sweep", "init=noise,start.png", "-o", "start.png"], ["`-o`", "overwrite the start (`--init`)"]),
        (
            vec!["--config", "mine.toml", "--checkpoint", "./mine.toml", "-o", "o.png"],
            ["`--checkpoint`", "overwrite the file that the settings are read from, `mine.toml`"],
        ),
        (vec!["--sweep", "seed=1", "-o", "./night.png"], ["`-o`", "overwrite the painting"]),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("cat.png", studio.path("soft.png")).unwrap();
        std::os::unix::fs::symlink("later.png", studio.path("dangling.png")).unwrap();
        refused.push((vec!["-o", "soft.png"], ["`-o`", "overwrite the photograph `cat.png`"]));
        refused.push((vec!["-o", "dangling.png", "--curve", "later.png"], ["`-o`", "`--curve`"]));
    }
    let before = contents(&studio);
    for (args, words) in refused {
        studio.paint(&args).refused(&words);
        assert_eq!(contents(&studio), before, "{args:?}");
    }
}

#[test]
fn snapshots_overwrite_snapshots_only() {
    let studio = Studio::new();
    let paint = |style: &str, more: &[&str]| {
        let args = ["paint", "cat.png", "-s", style, "-n", "3", "--scales", "1", "--save-every", "1", "-o", "out.png"];
        studio.run(&[&args[..], more].concat())
    };
    paint("night.png", &["--curve", "out-2.png"]).refused(&["`--save-every`", "`--curve`", "out-2.png"]);
    std::fs::copy(studio.path("night.png"), studio.path("out-1.png")).unwrap();
    let before = contents(&studio);
    paint("out-1.png", &[])
        .refused(&["a snapshot (`--save-every`) would overwrite the painting (`--style`) `out-1.png`"]);
    paint("night.png", &[]).refused(&["`out-1.png` is in the way of a snapshot", "choose another name with `-o`"]);
    assert_eq!(contents(&studio), before);
    // Neither the last iteration nor one between two snapshots writes one.
    std::fs::rename(studio.path("out-1.png"), studio.path("out-3.png")).unwrap();
    paint("out-3.png", &[]).good();
    paint("night.png", &[]).good();
    let files = ["cat.png", "night.png", "out-1.png", "out-2.png", "out-3.png", "out.png"];
    assert_eq!(studio.files(), files);
    assert_eq!(contents(&studio)["out-3.png"], before["out-1.png"]);
}

/// A studio with photographs in `photos`.
fn with_photographs() -> Studio {
    let studio = Studio::new();
    std::fs::create_dir(studio.path("photos")).unwrap();
    for (i, name) in ["chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"].into_iter().enumerate() {
        studio.shrink(name, 80, 70, &format!("photos/{i}.jpg"));
    }
    studio
}

fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let small = ["train", "-s", "night.png", "--photos", "photos", "--image-size", "32", "--style-size", "32"];
    let smaller =
        ["--width", "16", "--residual-blocks", "1", "--batch", "1", "--steps", "2", "--threads", "2", "--json"];
    [&small[..], &smaller[..], more].concat()
}

#[test]
fn a_training_overwrites_no_file_of_its_own_run() {
    let studio = with_photographs();
    studio.model("from.safetensors", &["night"]);
    let before = contents(&studio);
    let photograph = std::fs::read(studio.path("photos/0.jpg")).unwrap();
    for (args, words) in [
        (&["-o", "./from.safetensors", "--from", "from.safetensors"][..], ["`-o`", "overwrite the model (`--from`)"]),
        (&["-o", "m.safetensors", "--preview", "./night.png"], ["`--preview`", "overwrite the painting (`--style`)"]),
        (&["-o", "m.safetensors", "--preview", "photos/0.jpg"], ["`--preview`", "overwrite the photograph"]),
        (&["-o", "m.safetensors", "--preview", "c.png", "--curve", "./c.png"], ["`--preview`", "`--curve`"]),
    ] {
        studio.run(&train(args)).refused(&words);
        assert_eq!(contents(&studio), before, "{args:?}");
        assert_eq!(std::fs::read(studio.path("photos/0.jpg")).unwrap(), photograph);
    }
    // What a run left among the photographs is its own, and the next run may write it again.
    let own = ["-o", "m.safetensors", "--preview", "photos/p.png", "--curve", "photos/c.png"];
    studio.run(&train(&own)).good();
    studio.run(&train(&own)).good();
}

#[test]
fn a_training_keeps_what_lies_where_its_checkpoint_goes() {
    let studio = with_photographs();
    studio.run(&train(&["-o", "m.safetensors"])).good();
    let whole = std::fs::read(studio.path("m-checkpoint.safetensors")).unwrap();
    let newer = String::from_utf8_lossy(&whole).find("impasto-checkpoint 3").unwrap();
    let newer = [&whole[..newer + 19], b"4", &whole[newer + 20..]].concat();
    studio.model("model.safetensors", &["a"]);
    let foreign = std::fs::read(studio.path("model.safetensors")).unwrap();
    for bytes in [&newer, &foreign, &whole[..whole.len() - 1].to_vec(), &b"a letter".to_vec(), &Vec::new()] {
        studio.write("m-checkpoint.safetensors", bytes);
        studio
            .run(&train(&["-o", "m.safetensors"]))
            .refused(&["`m-checkpoint.safetensors`", "something else is there"]);
        assert_eq!(&std::fs::read(studio.path("m-checkpoint.safetensors")).unwrap(), bytes);
    }
    // One that is finished may be overwritten, and that of a painting has another name.
    studio.write("m-checkpoint.safetensors", &whole);
    studio.run(&train(&["-o", "m.safetensors"])).good();
    assert_ne!(impasto::paint::checkpoint_path("m.png".as_ref()), impasto::train::checkpoint_path("m.png".as_ref()));
}

#[test]
fn stylize_and_models_overwrite_no_input() {
    let studio = Studio::new();
    studio.model("m.safetensors", &["a"]);
    std::fs::hard_link(studio.path("cat.png"), studio.path("hard.png")).unwrap();
    let before = contents(&studio);
    let stylize = |args: &[&str]| studio.run(&[&["stylize", "-s", "m.safetensors"], args].concat());
    stylize(&["cat.png", "-o", "m.safetensors", "--format", "png"]).refused(&["`m.safetensors` is also an input"]);
    stylize(&["cat.png", "-o", "hard.png"]).refused(&["`hard.png` is also an input"]);
    let export = |args: &[&str]| studio.run(&[&["models", "export", "m.safetensors"], args].concat());
    export(&["--safetensors", "./m.safetensors"])
        .refused(&["`--safetensors` would overwrite the model `m.safetensors`"]);
    export(&["--onnx", "n", "--safetensors", "./n"]).refused(&["`--onnx` and `--safetensors`"]);
    let import = ["models", "import", "cat.png", "-o", "./cat.png"];
    studio.run(&import).refused(&["`-o`", "would overwrite the file to import"]);
    assert_eq!(contents(&studio), before);
}

#[test]
fn long_names_are_shortened_before_the_work() {
    let studio = with_photographs();
    let long = |letter: &str, bytes: usize| letter.repeat(bytes / letter.len());
    let content = format!("{}.png", long("猫", 249));
    let style = format!("{}.png", long("x", 251));
    std::fs::copy(studio.path("cat.png"), studio.path(&content)).unwrap();
    std::fs::copy(studio.path("night.png"), studio.path(&style)).unwrap();
    let own = studio.files();
    let new = || studio.files().into_iter().filter(|name| !own.contains(name)).collect::<Vec<_>>();
    let paint = ["paint", &content, "-s", &style, "-n", "2", "--scales", "1", "--save-every", "1", "--json"];
    let run = studio.run(&paint).good();
    assert!(!run.stdout.contains("warning"), "{}", run.stdout);
    assert!(run.stdout.contains("\"checkpoint\""), "{}", run.stdout);
    let made = new();
    assert_eq!(made.len(), 2, "the picture and a snapshot: {made:?}");
    assert!(made.iter().all(|name| name.starts_with("猫") && name.ends_with(".png") && name.len() <= 255), "{made:?}");
    made.iter().for_each(|name| std::fs::remove_file(studio.path(name)).unwrap());

    studio.model("m.safetensors", &["a"]);
    studio.model("other.safetensors", &["other"]);
    for model in ["m.safetensors", "other.safetensors"] {
        studio.run(&["stylize", &content, "-s", model, "-q"]).good();
        studio.run(&["stylize", &style, "-s", model, "-q", "--format", "webp"]).good();
    }
    let models = ["m.safetensors", "other.safetensors"];
    let made: Vec<String> = new().into_iter().filter(|name| !models.contains(&name.as_str())).collect();
    assert_eq!(made.len(), 4, "{made:?}");
    assert!(made.iter().filter(|name| name.ends_with("-other.png") || name.ends_with("-other.webp")).count() == 2);
    made.iter().for_each(|name| std::fs::remove_file(studio.path(name)).unwrap());

    let model = format!("{}.safetensors", long("ü", 242));
    let run = studio.run(&train(&["-o", &model])).good();
    assert!(!run.stdout.contains("warning"), "{}", run.stdout);
    assert_eq!(new().len(), 2 + 4, "model, checkpoint, preview, curve: {:?}", new());
    studio.run(&["train", "--resume", "-o", &model, "--steps", "3", "-q"]).good();

    // A name that is given is not changed: it is refused before the work.
    let too_long = format!("{}.png", long("x", 260));
    let run = studio.paint(&["-o", &too_long, "--json"]);
    assert_eq!(run.stdout, "", "nothing was begun");
    run.refused(&["is too long"]);
    studio.paint(&["-o", "o.png", "--checkpoint", &too_long]).refused(&["is too long"]);
}

#[cfg(unix)]
#[test]
fn an_output_keeps_its_mode_and_a_link_stays_a_link() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let studio = Studio::new();
    std::fs::create_dir(studio.path("d")).unwrap();
    studio.write("d/target.png", b"old");
    std::fs::set_permissions(studio.path("d/target.png"), std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("d/target.png", studio.path("link.png")).unwrap();
    studio.paint(&["-o", "link.png"]).good();
    assert!(studio.path("link.png").symlink_metadata().unwrap().is_symlink());
    assert_eq!(studio.path("d/target.png").metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(studio.size("d/target.png"), (96, 64));

    // What a shell opened for the output is written to, not replaced.
    studio.model("m.safetensors", &["a"]);
    let redirected = std::fs::File::create(studio.path("shell.png")).unwrap();
    let device = std::path::Path::new("/dev/stdout").symlink_metadata().unwrap().file_type();
    let args = ["stylize", "cat.png", "-s", "m.safetensors", "--format", "png", "-o", "/dev/stdout", "-q"];
    let status = studio.command(&args).stdout(redirected.try_clone().unwrap()).status().unwrap();
    assert!(status.success());
    assert!(redirected.metadata().unwrap().len() > 1000, "the file that was open has the picture");
    assert_eq!(studio.size("shell.png"), (96, 64));
    assert_eq!(std::path::Path::new("/dev/stdout").symlink_metadata().unwrap().file_type(), device);
}

const STEP: &str = "\"event\":\"step\"";

/// Starts a run and waits until a line of its JSON has this word in it.
fn started(studio: &Studio, args: &[&str], word: &str) -> Child {
    let mut child = studio.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains(word)).unwrap();
    child
}

#[test]
fn a_checkpoint_is_used_by_one_process_at_a_time() {
    let studio = with_photographs();
    let paint = ["paint", "cat.png", "-s", "night.png", "--scales", "1", "-n", "1000000", "--json", "-o", "out.png"];
    let resume = ["paint", "--resume", KEPT, "-q"];
    let mut first = started(&studio, &paint, STEP);
    let before = std::fs::read(studio.path(KEPT)).unwrap();
    for args in [&paint[..], &resume] {
        studio.run(args).refused(&[&format!("`{KEPT}` is in use by another run")]);
    }
    assert_eq!(std::fs::read(studio.path(KEPT)).unwrap(), before);
    first.kill().unwrap();
    first.wait().unwrap();
    studio.run(&paint).refused(&["a painting that is not finished"]);
    let mut third = started(&studio, &["paint", "--resume", KEPT, "--json"], STEP);
    studio.run(&resume).refused(&["is in use by another run"]);
    third.kill().unwrap();
    third.wait().unwrap();
    std::fs::remove_file(studio.path(KEPT)).unwrap();
    studio.paint(&["-o", "out.png"]).good();
    assert_eq!(studio.files(), ["cat.png", "night.png", "out.png", "photos"], "a clean end leaves no lock");

    let args = train(&["-o", "m.safetensors", "--steps", "1000000"]);
    let mut first = started(&studio, &args, STEP);
    studio.run(&args).refused(&["`m-checkpoint.safetensors` is in use by another run"]);
    studio.run(&["train", "--resume", "-o", "m.safetensors"]).refused(&["is in use by another run"]);
    first.kill().unwrap();
    first.wait().unwrap();
    studio.run(&args).refused(&["m-checkpoint.safetensors", "--resume"]);
    studio.run(&["train", "--resume", "-o", "m.safetensors", "--steps", "1", "-q"]).good();
    assert!(!studio.path("m-checkpoint.safetensors.lock").exists());
}

#[cfg(target_os = "linux")]
mod disk {
    use super::*;
    use std::io::Write;
    use std::path::Path;
    use std::process::Command;

    /// A small file system in memory, until it is dropped.
    struct SmallDisk<'a>(&'a Path);

    impl<'a> SmallDisk<'a> {
        /// Nothing where this process may not mount; that is a failure where `IMPASTO_REQUIRE_MOUNT` is set.
        fn mount(folder: &'a Path, size: &str) -> Option<Self> {
            std::fs::create_dir(folder).unwrap();
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(folder);
            let mounted = mount.output().is_ok_and(|output| output.status.success());
            assert!(mounted || std::env::var_os("IMPASTO_REQUIRE_MOUNT").is_none(), "cannot mount a small disk");
            if !mounted {
                let _ = writeln!(std::io::stderr(), "skipped: cannot mount a small disk here");
            }
            mounted.then_some(Self(folder))
        }

        fn files(&self) -> Vec<String> {
            let entries = std::fs::read_dir(self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for SmallDisk<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(self.0).status();
        }
    }

    #[test]
    fn a_full_disk_is_said_and_destroys_nothing() {
        let studio = with_photographs();
        let folder = studio.path("small");
        let Some(disk) = SmallDisk::mount(&folder, "16k") else { return };
        studio.write("small/out.png", b"precious");
        let paint = |output: &str, kept: &str| {
            let args = ["paint", "cat.png", "-s", "night.png", "-n", "2", "-o", output, "--json"];
            Run::of(studio.command(&args).env("TMPDIR", studio.path(kept)).output().unwrap())
        };
        let run = paint("small/out.png", "photos");
        assert!(run.stdout.contains("the disk is full"), "the checkpoint has no room: {}", run.stdout);
        run.refused(&["cannot write `small/out.png`: the disk is full", "the picture is kept in"]);
        assert_eq!(disk.files(), ["out.png"]);
        assert_eq!(std::fs::read(studio.path("small/out.png")).unwrap(), b"precious");
        let photos = std::fs::read_dir(studio.path("photos")).unwrap().map(|entry| entry.unwrap().path());
        let kept: Vec<_> = photos.filter(|path| path.extension().is_some_and(|ending| ending == "png")).collect();
        assert_eq!(kept.len(), 1);
        assert_eq!(image::open(&kept[0]).unwrap().width(), 96);
        // Nowhere at all.
        paint("small/out.png", "small").refused(&["cannot write `small/out.png`: the disk is full"]);
        assert_eq!(disk.files(), ["out.png"]);

        studio.model("m.safetensors", &["a"]);
        studio
            .run(&["stylize", "cat.png", "-s", "m.safetensors", "-o", "small/out.png", "--size", "256"])
            .refused(&["cannot write `small/out.png`: the disk is full"]);
        studio
            .run(&["models", "export", "m.safetensors", "--safetensors", "small/m.safetensors"])
            .refused(&["cannot write `small/m.safetensors`: the disk is full"]);
        assert_eq!(std::fs::read(studio.path("small/out.png")).unwrap(), b"precious");
        assert_eq!(disk.files(), ["out.png"]);
    }

    /// A library that is loaded before the C library: it notes every call that changes a file in `$STEPS`, and kills the
    /// process before the call of the number `$KILL_AT`.
    const STEPS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int count;

static void step(const char *call, const char *from, const char *to) {
    char line[9000];
    int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", call, from, to);
    int file = syscall(SYS_openat, AT_FDCWD, getenv("STEPS"), O_WRONLY | O_APPEND | O_CREAT, 0666);
    if (__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST) == atoi(getenv("KILL_AT"))) {
        raise(SIGKILL);
    }
    syscall(SYS_write, file, line, length);
    syscall(SYS_close, file);
}

static void file_step(const char *call, int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    if (path[0] == '/' && strncmp(path, "/dev/", 5) && strncmp(path, "/proc/", 6)) {
        step(call, path, "");
    }
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int rename(const char *from, const char *to) { REAL(rename); step("rename", from, to); return real(from, to); }
int unlink(const char *path) { REAL(unlink); step("unlink", path, ""); return real(path); }
int fsync(int file) { REAL(fsync); file_step("fsync", file); return real(file); }
ssize_t write(int file, const void *bytes, size_t length) {
    REAL(write); file_step("write", file); return real(file, bytes, length);
}
"#;

    /// The library, built with the C compiler that Rust links with.
    fn library(studio: &Studio) -> String {
        studio.write("steps.c", STEPS.as_bytes());
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o", "steps.so", "steps.c", "-ldl"])
            .current_dir(studio.folder.path())
            .status();
        assert!(built.unwrap().success());
        studio.path("steps.so").to_string_lossy().into_owned()
    }

    /// Paints over an old `out.png`, killed before the given step, and returns all steps that were made.
    fn paint_until(studio: &Studio, library: &str, kill_at: usize) -> Vec<Vec<String>> {
        studio.write("out.png", b"old");
        for name in ["steps", KEPT] {
            let _ = std::fs::remove_file(studio.path(name));
        }
        let args = ["paint", "cat.png", "-s", "night.png", "--scales", "1", "-n", "2", "--size", "32", "-q"];
        let mut command =
            studio.command(&[&args[..], &["-o", "out.png", "--curve", "curve.csv", "--threads", "1"]].concat());
        command.env("LD_PRELOAD", library).env("STEPS", studio.path("steps")).env("KILL_AT", kill_at.to_string());
        let status = command.status().unwrap();
        assert_eq!(status.success(), kill_at == 0, "{status}");
        let steps = std::fs::read_to_string(studio.path("steps")).unwrap_or_default();
        steps.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }

    /// Where in the steps one with these words comes first.
    fn position(steps: &[Vec<String>], call: &str, end: &str) -> usize {
        let wanted = |step: &Vec<String>| step[0] == call && step[1..].iter().any(|path| path.ends_with(end));
        steps.iter().position(wanted).unwrap_or_else(|| panic!("no {call} of {end} in {steps:#?}"))
    }

    #[test]
    fn a_run_killed_between_any_two_steps_of_its_end_loses_nothing() {
        let studio = Studio::new();
        let library = library(&studio);
        let steps = paint_until(&studio, &library, 0);
        let painted = std::fs::read(studio.path("out.png")).unwrap();

        // What a power cut leaves: a file's bytes are on the disk before it gets its name, and its name before the
        // checkpoint is removed.
        let removed = position(&steps, "unlink", KEPT);
        let folder = studio.folder.path().canonicalize().unwrap().to_string_lossy().into_owned();
        for name in [KEPT, "out.png", "curve.csv"] {
            let renamed = position(&steps, "rename", name);
            let temporary = &steps[renamed][1];
            let temporary = temporary.rsplit('/').next().unwrap();
            let of_it = |step: &Vec<String>| step[1].ends_with(temporary);
            let last = steps[..renamed].iter().rfind(|step| of_it(step)).unwrap();
            assert_eq!(last[0], "fsync", "{name}: {steps:#?}");
            let named = steps[renamed..removed].iter().any(|step| step[0] == "fsync" && step[1] == folder);
            assert!(named, "{name}: {steps:#?}");
        }

        // What a kill leaves, before each step from the last checkpoint on.
        let begin = position(&steps, "rename", KEPT) + 1;
        assert!(removed > begin + 8, "{steps:#?}");
        for kill_at in begin + 1..=steps.len() {
            paint_until(&studio, &library, kill_at);
            let left = std::fs::read(studio.path("out.png")).unwrap();
            assert!(left == b"old" || left == painted, "half a picture before step {kill_at}");
            if studio.path(KEPT).exists() {
                studio.run(&["paint", "--resume", KEPT, "-q"]).good();
                let pixels = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().to_rgb8().into_raw();
                let resumed = std::fs::read(studio.path("out.png")).unwrap();
                assert!(pixels(&resumed) == pixels(&painted), "another picture after step {kill_at}");
            } else {
                assert!(left == painted, "nothing is left before step {kill_at}");
            }
            assert!(!studio.path(KEPT).exists());
        }
    }
}

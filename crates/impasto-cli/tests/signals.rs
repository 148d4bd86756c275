//! Signals that end a run: everything is saved, the exit code names the signal, and what was ignored stays ignored.
#![cfg(unix)]

mod common;

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{Run, Studio, send};

const KEPT: &str = "out.png-checkpoint.safetensors";

/// A painting that would take hours.
const PAINT: [&str; 13] = [
    "paint",
    "cat.png",
    "-s",
    "night.png",
    "-o",
    "out.png",
    "--size",
    "64",
    "--scales",
    "1",
    "-n",
    "1000000",
    "--json",
];

/// A command in which a shell ignores a signal, as `nohup` does, before the program starts.
fn ignoring(studio: &Studio, signal: &str, args: &[&str]) -> Command {
    studio.script(&format!("trap '' {signal}; exec \"$0\" \"$@\""), args)
}

/// A run with its lines of JSON.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads this many more lines of steps; the run does not end before.
    #[track_caller]
    fn steps(&mut self, count: usize) {
        let steps = self.lines.by_ref().map(Result::unwrap).filter(|line| line.contains("\"event\":\"step\""));
        assert_eq!(steps.take(count).count(), count);
    }

    /// Everything until the end: the other lines and the exit.
    fn end(self) -> (Vec<String>, Run) {
        let lines = self.lines.map(Result::unwrap).collect();
        (lines, Run::of(self.child.wait_with_output().unwrap()))
    }
}

#[test]
fn a_painting_is_saved_and_the_exit_code_is_that_of_the_signal() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let studio = Studio::new();
        let mut run = Running::new(studio.command(&PAINT));
        run.steps(2);
        send(signal, &run.child);
        let (lines, run) = run.end();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        assert!(lines.last().unwrap().contains("\"saved\""), "{lines:?}");
        assert_eq!(studio.size("out.png"), (64, 43));
        assert!(run.stderr.contains(KEPT) && studio.path(KEPT).exists(), "{}", run.stderr);
    }
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    for signal in ["HUP", "INT"] {
        let studio = Studio::new();
        let mut run = Running::new(ignoring(&studio, signal, &PAINT));
        run.steps(2);
        send(signal, &run.child);
        run.steps(20);
        send("TERM", &run.child);
        let (_, run) = run.end();
        assert_eq!(run.code, Some(143), "{signal}: {}", run.stderr);
        assert!(studio.path("out.png").exists());
    }
}

/// The mask of signals in a line of `/proc/PID/status`.
#[cfg(target_os = "linux")]
fn mask(child: &Child, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let mask = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap()
}

/// The program waits for a pipe into which nobody writes.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_is_answered_while_the_program_waits_for_a_file() {
    let studio = Studio::new();
    assert!(Command::new("mkfifo").arg(studio.path("pipe")).status().unwrap().success());
    let mut child = studio.command(&["paint", "cat.png", "-s", "pipe"]).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_handler(&child);
    send("INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(told, "error: stopped before there was anything to keep\n");
}

/// Nobody reads the lines of the events, so the program waits for ever in the middle of a step.
#[cfg(target_os = "linux")]
#[test]
fn a_second_ctrl_c_exits_at_once() {
    let studio = Studio::new();
    let mut child = studio.command(&PAINT).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    wait_until_idle(&child);
    send("INT", &child);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None, "the first only asks it to stop");
    send("INT", &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Waits until the program has used no processor time for a while.
#[cfg(target_os = "linux")]
fn wait_until_idle(child: &Child) {
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        // utime and stime, `proc_pid_stat(5)`.
        stat.split(' ').skip(13).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut before = Vec::new();
    while before != used() {
        before = used();
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
}

/// Waits until the program catches SIGINT.
#[cfg(target_os = "linux")]
fn wait_for_handler(child: &Child) {
    const INT: u64 = 1 << 1;
    while mask(child, "SigCgt:") & INT == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_training_keeps_its_network_and_its_checkpoint() {
    let studio = Studio::new();
    std::fs::create_dir(studio.path("photos")).unwrap();
    for i in 0..8 {
        studio.shrink("coffee.png", 80, 64 + i, &format!("photos/{i}.png"));
    }
    let small = ["--image-size", "64", "--style-size", "64", "--width", "16", "--residual-blocks", "1", "--batch", "1"];
    let rest = ["train", "-s", "night.png", "--photos", "photos", "--steps", "1000000", "--json", "-o"];
    for (signal, code) in [("TERM", 143), ("HUP", 129)] {
        let model = format!("{signal}.safetensors");
        let mut run = Running::new(studio.command(&[&rest[..], &[&model], &small[..]].concat()));
        run.steps(2);
        send(signal, &run.child);
        let (lines, run) = run.end();
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        assert!(lines.iter().any(|line| line.contains("\"stopped\"")), "{lines:?}");
        assert!(studio.path(&model).exists());
        let steps = ["--steps", "3", "-q"];
        studio.run(&[&["train", "--resume", "-o", &model][..], &steps[..]].concat()).good();
    }
    let mut run = Running::new(ignoring(&studio, "HUP", &[&rest[..], &["m.safetensors"], &small[..]].concat()));
    run.steps(2);
    send("HUP", &run.child);
    run.steps(5);
    send("TERM", &run.child);
    assert_eq!(run.end().1.code, Some(143));
}

#[test]
fn a_batch_leaves_whole_pictures_when_it_is_terminated() {
    let studio = Studio::new();
    studio.model("one.safetensors", &["a"]);
    std::fs::create_dir(studio.path("in")).unwrap();
    for number in 0..200 {
        std::fs::copy(studio.path("cat.png"), studio.path(&format!("in/{number:03}.png"))).unwrap();
    }
    let args = ["stylize", "in", "-s", "one.safetensors", "-o", "out", "--json", "--stroke-size", "0.5"];
    let mut run = Running::new(studio.command(&args));
    assert!(run.lines.next().unwrap().unwrap().contains("\"done\""));
    send("TERM", &run.child);
    let (lines, run) = run.end();
    assert_eq!(run.code, Some(143), "{}", run.stderr);
    let written: Vec<_> = std::fs::read_dir(studio.path("out")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(written.len() == 1 + lines.len() && written.len() < 200, "{written:?}");
    written.iter().for_each(|path| assert_eq!(image::open(path).unwrap().width(), 96));
}

/// The server sends half of the file and then nothing.
#[test]
fn a_pull_keeps_what_has_arrived_and_does_not_wait_for_the_network() {
    let studio = Studio::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/half.safetensors", server.local_addr().unwrap());
    let manifest = format!(
        "[[model]]\nname = \"half\"\nkind = \"style\"\nfile = \"half.safetensors\"\nsize = 2000\nsha256 = \"{}\"\n\
         url = \"{url}\"\norigin = \"a test\"\nlicence = \"CC0-1.0\"\n",
        "0".repeat(64)
    );
    studio.write("list.toml", manifest.as_bytes());
    let args = ["models", "pull", "half", "--manifest", "list.toml", "--dir", "models"];
    let mut command = studio.command(&args);
    for proxy in ["ALL_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy"] {
        command.env_remove(proxy);
    }
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let (mut peer, _) = server.accept().unwrap();
    let mut request = [0; 1024];
    assert!(peer.read(&mut request).unwrap() > 0);
    peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n").unwrap();
    peer.write_all(&[7; 1000]).unwrap();
    let part = studio.path("models/half.safetensors.part");
    while std::fs::metadata(&part).map_or(0, |metadata| metadata.len()) < 1000 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    send("TERM", &child);
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(143), "{}", run.stderr);
    assert_eq!(std::fs::read(&part).unwrap(), [7; 1000]);
}

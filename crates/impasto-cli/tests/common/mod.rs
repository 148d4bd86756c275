//! What the end-to-end tests share: the binary, a folder, real pictures at a small size.
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use impasto::styles::{ModelCard, StyleCard, StyleDtype, StyleModel, StyleNetShape};
use tempfile::TempDir;

/// A folder with a small photograph (`cat.png`, 96×64) and a small painting (`night.png`, 80×64) in it.
pub(crate) struct Studio {
    pub(crate) folder: TempDir,
    /// Where the program keeps what it knows of its own runs.
    pub(crate) state: TempDir,
}

impl Studio {
    pub(crate) fn new() -> Self {
        let studio = Self { folder: tempfile::tempdir().unwrap(), state: tempfile::tempdir().unwrap() };
        studio.shrink("chelsea.png", 96, 64, "cat.png");
        studio.shrink("starry-night.jpg", 80, 64, "night.png");
        studio
    }

    /// A real picture at another size, in the format of the name.
    pub(crate) fn shrink(&self, from: &str, width: u32, height: u32, name: &str) {
        let picture = image::open(example(from)).unwrap();
        let small = picture.resize_exact(width, height, image::imageops::FilterType::Triangle).to_rgb8();
        small.save(self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// The binary, run in the folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_impasto"));
        command.args(args);
        command
    }

    /// A bash script, run in the folder; the binary is `$0`.
    pub(crate) fn script(&self, script: &str, args: &[&str]) -> Command {
        let mut command = self.program("bash");
        command.args(["-c", script, env!("CARGO_BIN_EXE_impasto")]).args(args);
        command
    }

    fn program(&self, program: &str) -> Command {
        #[cfg(unix)]
        use_default_signals();
        let mut command = Command::new(program);
        command.current_dir(self.folder.path());
        command.env("IMPASTO_MODELS", self.path("models"));
        command.env("IMPASTO_STYLES", self.state.path().join("styles"));
        command.env("XDG_STATE_HOME", self.state.path());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).output().unwrap())
    }

    /// Paints the cat with little work; `args` come on top.
    pub(crate) fn paint(&self, args: &[&str]) -> Run {
        let all = ["paint", "cat.png", "--style", "night.png", "--iterations", "2"];
        self.run(&[&all, args].concat())
    }

    /// Writes a small style model whose weights are random, with styles of these names.
    pub(crate) fn model(&self, name: &str, styles: &[&str]) {
        let shape = StyleNetShape { width: 16, residual_blocks: 1, styles: styles.len(), ..StyleNetShape::JOHNSON };
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state) / f64::from(u32::MAX) - 0.5
        };
        let mut parameters = vec![0.0; shape.parameter_count()];
        for parameter in shape.parameters() {
            let inputs: usize = parameter.shape.iter().skip(1).product();
            let norm = parameter.name.ends_with("scale") || parameter.name.ends_with("shift");
            let (centre, spread) = if norm { (0.5, 1.0) } else { (0.0, (12.0 / inputs as f64).sqrt()) };
            parameters[parameter.range].fill_with(|| (centre + spread * random()) as f32);
        }
        let styles = styles.iter().map(|name| StyleCard { name: (*name).into(), ..StyleCard::default() }).collect();
        let card = ModelCard { name: "random".into(), styles, ..ModelCard::default() };
        StyleModel { shape, parameters, predictor: None, card }.save(&self.path(name), StyleDtype::F32).unwrap();
    }

    /// The names of all files in the folder.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Columns and rows of a picture in the folder.
    pub(crate) fn size(&self, name: &str) -> (u32, u32) {
        let picture = image::open(self.path(name)).unwrap();
        (picture.width(), picture.height())
    }
}

/// Programs that are started from here have the default effect of these signals, even if this process was started with
/// some of them ignored: a handler is reset by `exec`. In this process the handlers have the default effect as well.
#[cfg(unix)]
fn use_default_signals() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
            signal_hook::flag::register_conditional_default(signal, always).unwrap();
        }
    });
}

/// Sends a signal, such as `INT`, to a program.
#[cfg(unix)]
#[track_caller]
pub(crate) fn send(signal: &str, child: &std::process::Child) {
    let status = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// How a run of the binary ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// It went well.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// It was refused with exit code 2 and one sentence that has all of these words in it.
    #[track_caller]
    pub(crate) fn refused(self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        let last = self.stderr.trim_end().lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>();
        assert_eq!(last.len(), 1, "one sentence: {}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in: {}", self.stderr);
        }
        for sign in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!self.stderr.contains(sign), "{}", self.stderr);
        }
    }

    /// Every line of stdout as JSON.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A picture that comes with the project.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name)
}

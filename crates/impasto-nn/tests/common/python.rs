//! Python for the tests that compare with it: a virtual environment below `target/`, made once.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

const SYSTEM: &str = if cfg!(windows) { "python" } else { "python3" };

/// The Python of the environment with `tools/requirements.txt`, or `None`, said loudly, where it cannot be had.
///
/// # Panics
/// If it cannot be had and `IMPASTO_REQUIRE_PYTHON` is `1`, as it is in continuous integration.
pub(crate) fn interpreter() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let python = PYTHON.get_or_init(|| match prepare().or_else(system_with_numpy) {
        Ok(python) => Some(python),
        Err(reason) => {
            assert!(std::env::var_os("IMPASTO_REQUIRE_PYTHON").is_none_or(|v| v != "1"), "{reason}");
            // Not `eprintln`: the test harness would swallow it.
            let _ = writeln!(std::io::stderr(), "\nWARNING: A TEST IS LEFT OUT: no Python with NumPy: {reason}\n");
            None
        }
    });
    python.as_deref()
}

/// As [`interpreter`], where it has these modules as well; those of `tools/requirements.txt` it has unless it is the
/// system's own.
///
/// # Panics
/// As [`interpreter`].
pub(crate) fn interpreter_with(modules: &[&str]) -> Option<&'static Path> {
    let python = interpreter()?;
    let import = format!("import {}", modules.join(", "));
    let Err(reason) = run(Command::new(python).args(["-c", &import])) else { return Some(python) };
    assert!(std::env::var_os("IMPASTO_REQUIRE_PYTHON").is_none_or(|v| v != "1"), "{reason}");
    let _ = writeln!(std::io::stderr(), "\nWARNING: A TEST IS LEFT OUT: {reason}\n");
    None
}

/// A file of the folder `tools/` of the repository.
pub(crate) fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools").join(name)
}

fn prepare() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let bin = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
    let (python, marker) = (folder.join(bin), folder.join("installed.txt"));
    let text = |e: std::io::Error| e.to_string();
    let requirements = fs::read_to_string(tool("requirements.txt")).map_err(text)?;
    fs::create_dir_all(&folder).map_err(text)?;
    // Tests of several processes may want it at once; the lock goes with the file.
    let lock = fs::File::create(folder.join("lock")).map_err(text)?;
    lock.lock().map_err(text)?;
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == requirements) {
        return Ok(python);
    }
    run(Command::new(SYSTEM).args(["-m", "venv"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(&python).args(pip).arg(tool("requirements.txt")))?;
    fs::write(marker, requirements).map_err(text)?;
    Ok(python)
}

/// Where no environment can be made, the system's Python will do if it has what is needed. An error tells why there is
/// no environment.
fn system_with_numpy(reason: String) -> Result<PathBuf, String> {
    let found = run(Command::new(SYSTEM).args(["-c", "import numpy, scipy.io"]));
    found.map(|()| PathBuf::from(SYSTEM)).map_err(|_| reason)
}

/// Runs a command to its end; an error carries what it printed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?} cannot be started: {e}"))?;
    let printed = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?} failed: {printed}")) }
}

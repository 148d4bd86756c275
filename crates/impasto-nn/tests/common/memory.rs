//! Tests that must pass in little memory.

use std::process::Command;

/// Address space of such a test in kB: code, stacks, and some hundred MB for what a file may ask for.
const LITTLE: u64 = 700_000;

/// Runs a test of the same binary again in a process that cannot have more. Where that cannot be arranged (only Linux
/// has `ulimit -v` in earnest) the test has run with plenty of memory and that has to do.
pub(crate) fn run_with_little(test: &str) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let command = format!("ulimit -v {LITTLE} && exec \"$0\" {test} --exact --test-threads=1");
    let mut child = Command::new("sh");
    let output = child.arg("-c").arg(command).arg(std::env::current_exe().unwrap()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
}

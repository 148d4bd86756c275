//! What goes to stdout and stderr: a reader that went away is no error.

use std::error::Error;
use std::io::{self, Write};

/// Writes text to stdout.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes one value as a line of JSON to stdout.
pub(crate) fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    let line = serde_json::to_string(value).map_err(io::Error::other)?;
    print(&format!("{line}\n"))
}

/// Writes a line to stderr.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes the one sentence of an error to stderr.
pub(crate) fn complain(error: &dyn Error) {
    note(&format!("error: {error}"));
}

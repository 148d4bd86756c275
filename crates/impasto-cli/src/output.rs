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

/// Writes a line to stderr. Names come from files and folders, so nothing in it may move the cursor or colour the
/// terminal.
pub(crate) fn note(line: &str) {
    let lines: Vec<String> = line.split('\n').map(harmless).collect();
    let _ = writeln!(io::stderr().lock(), "{}", lines.join("\n"));
}

/// The text with a question mark for each character that would steer a terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Writes the one sentence of an error to stderr.
pub(crate) fn complain(error: &dyn Error) {
    note(&format!("error: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_reach_the_terminal() {
        assert_eq!(harmless("no file `a\x1b[31m\u{9b}b\tc`\n"), "no file `a?[31m?b?c`?");
    }
}

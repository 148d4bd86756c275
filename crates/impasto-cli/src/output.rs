//! What goes to stdout and stderr: a reader that went away is no error, and no text steers the terminal.
//!
//! Names of files, texts in them and addresses come from anybody. They pass through [`safe`] here, where they leave for
//! the terminal, and nowhere else.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Writes lines of text to stdout.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let lines: Vec<String> = text.split('\n').map(safe).collect();
    print_exact(&lines.join("\n"))
}

/// Writes text to stdout that is for a file or a program, as it is.
pub(crate) fn print_exact(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Writes a path as a line to stdout: to a program as it is, so that it names the file.
pub(crate) fn print_path(path: &Path) -> io::Result<()> {
    let line = format!("{}\n", path.display());
    if io::stdout().is_terminal() { print(&line) } else { print_exact(&line) }
}

/// Writes one value as a line of JSON to stdout.
pub(crate) fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    let line = serde_json::to_string(value).map_err(io::Error::other)?;
    print_exact(&format!("{}\n", safe_json(&line)))
}

/// Writes a JSON schema to stdout.
pub(crate) fn print_schema(schema: &serde_json::Value) -> io::Result<()> {
    print_exact(&format!(
        "{schema:#}
"
    ))
}

/// Writes a line to stderr.
pub(crate) fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", safe(line));
}

/// Writes a line to stderr, and others that belong to it below, indented.
pub(crate) fn note_list(line: &str, list: impl IntoIterator<Item = String>) {
    note(line);
    list.into_iter().for_each(|line| note(&format!("  {line}")));
}

/// Writes the one sentence of an error to stderr.
pub(crate) fn complain(error: &dyn Error) {
    note(&format!("error: {error}"));
}

/// A line in which every character that would move the cursor, colour the terminal, or change the order of what is
/// read stands as an escape, such as `\u{1b}`.
pub(crate) fn safe(line: &str) -> String {
    escaped(line, |c| c.escape_default().to_string())
}

/// JSON with the same characters escaped as JSON has it: the same value. Control characters below 0x20 are already.
pub(crate) fn safe_json(json: &str) -> String {
    escaped(json, |c| if c == '\n' { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) })
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            let _ = write!(escaped, "{}", escape(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Controls, C1 among them; marks, embeddings, overrides and isolates of direction (UAX 9); separators of lines.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_reach_the_terminal() {
        let name = "no file `a\x1b[31m\u{9b}b\tc\u{202e}gpj.exe`\nerror: \u{2066}ö…";
        let expected = r"no file `a\u{1b}[31m\u{9b}b\tc\u{202e}gpj.exe`\nerror: \u{2066}ö…";
        assert_eq!(safe(name), expected);
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = "a\x1b\u{9b}\u{202e}\n\"ö";
        let json = safe_json(&serde_json::to_string(value).unwrap());
        assert!(json.chars().all(|c| !steers(c)), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
    }
}

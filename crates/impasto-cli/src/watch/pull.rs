//! Ways to watch a download.

use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::time::Duration;

use impasto::job::Event;
use impasto::models::PullEvent;
use indicatif::{DecimalBytes, ProgressBar};

use super::{Bar, Quiet, Watch, Watcher};
use crate::output;

/// Lines of progress where there is no bar: one for each of this many parts of the file.
const LINES: u64 = 10;

/// A bar on a terminal, plain lines elsewhere, nothing when quiet.
pub(crate) fn pull(quiet: bool) -> Watch {
    let terminal = io::stderr().is_terminal();
    let bar = || match terminal {
        true => Bar::new(0, "{wide_bar} {decimal_bytes} of {decimal_total_bytes}, {msg}"),
        false => Bar(ProgressBar::hidden()),
    };
    let watcher: Box<dyn Watcher> =
        if quiet { Box::new(Quiet) } else { Box::new(Progress { bar: bar(), lines: !terminal, told: 0 }) };
    Watch(Mutex::new(watcher))
}

struct Progress {
    bar: Bar,
    lines: bool,
    /// Parts of the file that a line has been written for.
    told: u64,
}

impl Watcher for Progress {
    fn event(&mut self, event: &Event) {
        let Event::Pull(event) = event else { return };
        match event {
            PullEvent::Started { url, have: 0, .. } => self.line(&format!("pulling {url}")),
            PullEvent::Started { url, have, total } => {
                self.line(&format!("pulling {url}, resuming at {} of {}", DecimalBytes(*have), DecimalBytes(*total)));
            }
            PullEvent::Progress { bytes, total, rate } => self.advance(*bytes, *total, *rate),
            PullEvent::Retrying { reason, pause, .. } => {
                self.line(&format!("{reason}; trying again in {} s", pause));
            }
            PullEvent::Elsewhere { reason } => self.line(&format!("{reason}; trying another address")),
            PullEvent::Checking { path } => self.line(&format!("checking {}", path.display())),
            PullEvent::Done { already: true, .. } => self.line("the file is there already, and right"),
            PullEvent::Done { .. } => self.line("the checksum is right"),
            _ => {}
        }
    }
}

impl Progress {
    fn advance(&mut self, bytes: u64, total: u64, rate: f64) {
        let left = Duration::from_secs_f64(((total - bytes) as f64 / rate.max(1.0)).min(1e6));
        let message = format!("{}/s, {} s left", DecimalBytes(rate as u64), left.as_secs());
        self.bar.set_length(total);
        self.bar.set_position(bytes);
        self.bar.set_message(message.clone());
        let part = bytes * LINES / total.max(1);
        if self.lines && part != self.told {
            self.told = part;
            self.line(&format!("{} of {}, {message}", DecimalBytes(bytes), DecimalBytes(total)));
        }
    }

    /// Writes a line, above the bar where there is one.
    fn line(&self, text: &str) {
        if self.lines {
            output::note(text);
        } else {
            self.bar.println(output::safe(text));
        }
    }
}

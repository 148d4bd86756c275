//! Ways to watch a job: sinks over its events.

mod paint;
mod pull;
mod stylize;
mod train;

use std::io::IsTerminal;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use impasto::job::{Event, EventSink};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

pub(crate) use paint::Paint;
pub(crate) use pull::pull;
pub(crate) use stylize::{Stylize, skipped_text};
pub(crate) use train::Train;

/// One way to watch: it is told one event after the other.
pub(crate) trait Watcher: Send {
    /// Something happened.
    fn event(&mut self, event: &Event);
}

/// How the person wants to watch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
}

/// What a kind of job shows a person.
pub(crate) trait Shown {
    /// A progress bar on stderr.
    fn bar(self) -> Box<dyn Watcher>;

    /// Plain lines on stderr, more of them if `verbose`.
    fn lines(self, verbose: bool) -> Box<dyn Watcher>;

    /// Whether JSON is written of an event.
    fn in_json(event: &Event) -> bool {
        let _ = event;
        true
    }
}

/// A sink of the events of a job: a bar on a terminal, plain lines elsewhere, JSON for programs.
pub(crate) struct Watch(Mutex<Box<dyn Watcher>>);

impl Watch {
    pub(crate) fn new<S: Shown + 'static>(wish: Wish, shown: S) -> Self {
        let watcher: Box<dyn Watcher> = if wish.json {
            Box::new(Json { quiet: wish.quiet, wanted: S::in_json })
        } else if wish.quiet {
            Box::new(Quiet)
        } else if std::io::stderr().is_terminal() && !wish.verbose {
            shown.bar()
        } else {
            shown.lines(wish.verbose)
        };
        Self(Mutex::new(watcher))
    }
}

impl EventSink for Watch {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    }
}

/// One event a line on stdout, for programs; what a person should know goes to stderr as well.
struct Json {
    quiet: bool,
    wanted: fn(&Event) -> bool,
}

impl Watcher for Json {
    fn event(&mut self, event: &Event) {
        if (self.wanted)(event)
            && let Err(error) = output::print_json(event)
        {
            output::complain(&error);
        }
        if let Some(message) = event.warning().filter(|_| !self.quiet) {
            output::note(&warning(event, message));
        }
    }
}

/// Nothing.
struct Quiet;

impl Watcher for Quiet {
    fn event(&mut self, _event: &Event) {}
}

/// A warning in a line, with the file that it is about.
fn warning(event: &Event, message: &str) -> String {
    match event {
        Event::Stylize(impasto::stylize::StylizeEvent::Warning { input, .. }) => {
            format!("warning: `{}`: {message}", input.display())
        }
        _ => format!("warning: {message}"),
    }
}

/// A progress bar that is cleared when it is dropped, so that nothing is written into it.
struct Bar(ProgressBar);

impl Bar {
    /// What matters most comes first in the template: `wide_msg` is cut at the edge of a narrow terminal.
    fn new(length: u64, template: &str) -> Self {
        let bar = ProgressBar::new(length);
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }
}

impl Deref for Bar {
    type Target = ProgressBar;

    fn deref(&self) -> &ProgressBar {
        &self.0
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Says which steps have a line: every one, or one in so much time.
struct StepLines {
    /// No time if every step has one.
    between: Option<Duration>,
    last: Option<Instant>,
}

impl StepLines {
    fn new(every_step: bool, between: Duration) -> Self {
        Self { between: (!every_step).then_some(between), last: None }
    }

    fn every_step(&self) -> bool {
        self.between.is_none()
    }

    /// Whether this step has a line.
    fn is_due(&mut self) -> bool {
        let due = match (self.between, self.last) {
            (Some(between), Some(last)) => last.elapsed() >= between,
            _ => true,
        };
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}

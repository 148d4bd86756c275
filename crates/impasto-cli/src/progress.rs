//! Ways to watch a run.

use std::time::{Duration, Instant};

use impasto::objective::Losses;
use impasto::progress::{End, Event, Flow, Observer};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::{interrupt, output};

/// Without a terminal a line is written this often.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// The parts of a bar: it shows the share of the work, for a step at a small size is little of it.
const WORK: u64 = 10_000;

/// One of the ways.
pub(crate) enum Watch {
    Bar(Bar),
    Lines(Lines),
    Json(Json),
    Quiet(Quiet),
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) -> Flow {
        match self {
            Self::Bar(bar) => bar.event(event),
            Self::Lines(lines) => lines.event(event),
            Self::Json(json) => json.event(event),
            Self::Quiet(quiet) => quiet.event(event),
        }
        if interrupt::requested() { Flow::Stop } else { Flow::Continue }
    }
}

/// A progress bar on stderr.
pub(crate) struct Bar {
    bar: ProgressBar,
    begun: Option<Instant>,
}

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new(WORK);
        // What matters most comes first: `wide_msg` is cut at the edge of a narrow terminal.
        let template = "{bar:20.cyan/blue} {wide_msg}";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message("reading pictures and network");
        Self { bar, begun: None }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Started { .. } => {
                self.begun = Some(Instant::now());
                self.bar.set_message("looking at content and style");
            }
            Event::Step { done, .. } => {
                self.bar.set_position((done * WORK as f64) as u64);
                self.bar.set_message(output::safe(&sentence(event)));
            }
            Event::Scale { .. } | Event::Checkpoint { .. } => {}
            Event::Finished { .. } => {
                self.bar.finish_and_clear();
                output::note(&sentence(event));
            }
            _ => self.bar.suspend(|| output::note(&sentence(event))),
        }
    }
}

impl Drop for Bar {
    /// An error must not be written into a bar.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Plain lines on stderr, every few seconds, or for every step.
pub(crate) struct Lines {
    every_step: bool,
    last: Option<Instant>,
}

impl Lines {
    pub(crate) fn new(every_step: bool) -> Self {
        Self { every_step, last: None }
    }

    fn event(&mut self, event: &Event) {
        if let Event::Step { .. } = event {
            let due = self.last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
            if self.every_step || due {
                self.last = Some(Instant::now());
                output::note(&sentence(event));
            }
        } else if self.every_step || !matches!(event, Event::Checkpoint { .. }) {
            output::note(&sentence(event));
        }
    }
}

/// One event a line on stdout, for programs; what a person should know goes to stderr as well.
pub(crate) struct Json {
    quiet: bool,
}

impl Json {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    fn event(&mut self, event: &Event) {
        if let Err(error) = output::print_json(event) {
            output::complain(&error);
        }
        if let (Event::Warning { .. }, false) = (event, self.quiet) {
            output::note(&sentence(event));
        }
    }
}

/// Nothing.
pub(crate) struct Quiet;

impl Quiet {
    fn event(&mut self, _event: &Event) {}
}

fn sentence(event: &Event) -> String {
    match event {
        Event::Started { width, height, iterations, network, device } => {
            format!("painting {width}×{height} pixels in {iterations} iterations with {network} on {device}")
        }
        Event::Step { iteration, iterations, scale, scales, width, height, elapsed, left, losses, .. } => {
            let rate = *iteration as f64 / elapsed.max(1e-9);
            let left = HumanDuration(Duration::from_secs_f64(left.min(1e8)));
            let size = if *scales > 1 { format!("  {width}×{height} ({scale} of {scales})") } else { String::new() };
            let Losses { loss, content, style, .. } = losses;
            format!(
                "{iteration}/{iterations}  {left:#} left{size}  {rate:.2} steps/s  loss {loss:.3e}  content {content:.3e}  \
                 style {style:.3e}"
            )
        }
        Event::Scale { scale, scales, width, height, iterations } => {
            format!("size {scale} of {scales}: {width}×{height} pixels, {iterations} iterations")
        }
        Event::Cell { cell, cells, label } => format!("painting {cell} of {cells}: {label}"),
        Event::Checkpoint { path, .. } => format!("kept the run in {}", path.display()),
        Event::Restarted { iteration, reason } => format!("iteration {iteration}: the optimiser restarts: {reason}"),
        Event::RolledBack { iteration, reason } => {
            format!("iteration {iteration}: the loss is not finite: back to the last good picture, {reason}")
        }
        Event::Warning { message } => format!("warning: {message}"),
        Event::Saved { path, .. } => format!("wrote {}", path.display()),
        Event::Finished { iteration, elapsed, end, losses } => {
            let end = match end {
                End::Complete => "done",
                End::Stopped => "stopped",
                End::Converged(reason) => reason,
            };
            format!("{end} after {iteration} iterations in {elapsed:.1} s: loss {:.4e}", losses.loss)
        }
    }
}

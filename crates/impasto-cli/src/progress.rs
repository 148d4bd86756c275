//! Ways to watch a run.

use std::time::{Duration, Instant};

use impasto::objective::Losses;
use impasto::progress::{End, Event, Flow, Observer};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::{interrupt, output};

/// Without a terminal a line is written this often.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

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
        if interrupt::pressed() { Flow::Stop } else { Flow::Continue }
    }
}

/// A progress bar on stderr.
pub(crate) struct Bar {
    bar: ProgressBar,
    begun: Option<Instant>,
}

impl Bar {
    pub(crate) fn new(iterations: usize) -> Self {
        let bar = ProgressBar::new(iterations as u64);
        // What matters most comes first: `wide_msg` is cut at the edge of a narrow terminal.
        let template = "{bar:20.cyan/blue} {pos}/{len}  {wide_msg}";
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
            Event::Step { iteration, iterations, elapsed, losses } => {
                self.bar.set_position(*iteration as u64);
                self.bar.set_message(step_line(*iteration, *iterations, *elapsed, losses));
            }
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
        if let Event::Step { iteration, iterations, elapsed, losses } = event {
            let due = self.last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
            if self.every_step || due {
                self.last = Some(Instant::now());
                output::note(&format!(
                    "{iteration}/{iterations}  {}",
                    step_line(*iteration, *iterations, *elapsed, losses)
                ));
            }
        } else {
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

fn step_line(iteration: usize, iterations: usize, elapsed: f64, losses: &Losses) -> String {
    let rate = iteration as f64 / elapsed.max(1e-9);
    let left = Duration::from_secs_f64(((iterations - iteration) as f64 / rate).min(1e8));
    let Losses { loss, content, style, .. } = losses;
    let left = HumanDuration(left);
    format!("{left:#} left  {rate:.2} steps/s  loss {loss:.3e}  content {content:.3e}  style {style:.3e}")
}

fn sentence(event: &Event) -> String {
    match event {
        Event::Started { width, height, iterations, network, device } => {
            format!("painting {width}×{height} pixels in {iterations} iterations with {network} on {device}")
        }
        Event::Step { iteration, iterations, elapsed, losses } => step_line(*iteration, *iterations, *elapsed, losses),
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

//! Ways to watch a painting.

use std::time::Duration;

use impasto::job::{End, Event};
use impasto::objective::Losses;
use impasto::paint::PaintEvent;
use indicatif::HumanDuration;

use super::{Bar, Shown, StepLines, Watcher};
use crate::output;

/// Without a terminal a line is written this often.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// The parts of a bar: it shows the share of the work, for a step at a small size is little of it.
const WORK: u64 = 10_000;

/// A painting.
pub(crate) struct Paint;

impl Shown for Paint {
    fn bar(self) -> Box<dyn Watcher> {
        let bar = Bar::new(WORK, "{bar:20.cyan/blue} {wide_msg}");
        bar.set_message("reading pictures and network");
        Box::new(OnBar(bar))
    }

    fn lines(self, verbose: bool) -> Box<dyn Watcher> {
        Box::new(Lines(StepLines::new(verbose, BETWEEN_LINES)))
    }
}

/// A progress bar on stderr.
struct OnBar(Bar);

impl Watcher for OnBar {
    fn event(&mut self, event: &Event) {
        let (Self(bar), Event::Paint(event)) = (self, event) else { return };
        match event {
            PaintEvent::Started { .. } => bar.set_message("looking at content and style"),
            PaintEvent::Step { done, .. } => {
                bar.set_position((done * WORK as f64) as u64);
                bar.set_message(output::safe(&sentence(event)));
            }
            PaintEvent::Scale { .. } | PaintEvent::Checkpoint { .. } => {}
            PaintEvent::Finished { .. } => {
                bar.finish_and_clear();
                output::note(&sentence(event));
            }
            _ => bar.suspend(|| output::note(&sentence(event))),
        }
    }
}

/// Plain lines on stderr, every few seconds, or for every step.
struct Lines(StepLines);

impl Watcher for Lines {
    fn event(&mut self, event: &Event) {
        let Event::Paint(event) = event else { return };
        if let PaintEvent::Step { .. } = event {
            if self.0.is_due() {
                output::note(&sentence(event));
            }
        } else if self.0.every_step() || !matches!(event, PaintEvent::Checkpoint { .. }) {
            output::note(&sentence(event));
        }
    }
}

fn sentence(event: &PaintEvent) -> String {
    match event {
        PaintEvent::Started { width, height, iterations, network, device } => {
            format!("painting {width}×{height} pixels in {iterations} iterations with {network} on {device}")
        }
        PaintEvent::Step { iteration, iterations, scale, scales, width, height, elapsed, left, losses, .. } => {
            let rate = *iteration as f64 / elapsed.max(1e-9);
            let left = HumanDuration(Duration::from_secs_f64(left.min(1e8)));
            let size = if *scales > 1 { format!("  {width}×{height} ({scale} of {scales})") } else { String::new() };
            let Losses { loss, content, style, .. } = losses;
            format!(
                "{iteration}/{iterations}  {left:#} left{size}  {rate:.2} steps/s  loss {loss:.3e}  content {content:.3e}  \
                 style {style:.3e}"
            )
        }
        PaintEvent::Scale { scale, scales, width, height, iterations } => {
            format!("size {scale} of {scales}: {width}×{height} pixels, {iterations} iterations")
        }
        PaintEvent::Cell { cell, cells, label } => format!("painting {cell} of {cells}: {label}"),
        PaintEvent::Checkpoint { path, .. } => format!("kept the run in {}", path.display()),
        PaintEvent::Restarted { iteration, reason } => {
            format!("iteration {iteration}: the optimiser restarts: {reason}")
        }
        PaintEvent::RolledBack { iteration, reason } => {
            format!("iteration {iteration}: the loss is not finite: back to the last good picture, {reason}")
        }
        PaintEvent::Warning { message } => format!("warning: {message}"),
        PaintEvent::Saved { path, .. } => format!("wrote {}", path.display()),
        PaintEvent::Finished { iteration, elapsed, end, losses } => {
            let end = match end {
                End::Complete | End::TimeUp => "done",
                End::Stopped => "stopped",
                End::Converged(reason) => reason,
            };
            format!("{end} after {iteration} iterations in {elapsed:.1} s: loss {:.4e}", losses.loss)
        }
        _ => String::new(),
    }
}

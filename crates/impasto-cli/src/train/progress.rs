//! Ways to watch a training.

use std::time::{Duration, Instant};

use impasto::progress::Flow;
use impasto::train::{Skipped, TrainEnd, TrainEvent};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::{interrupt, output};

/// Without a terminal a line is written this often.
const BETWEEN_LINES: Duration = Duration::from_secs(20);

/// So many photographs that could not be used are listed at the end; more are counted.
const MOST_LISTED: usize = 20;

/// One of the ways.
pub(super) enum Watch {
    Bar { bar: ProgressBar },
    Lines { every_step: bool, last: Option<Instant> },
    Json { quiet: bool },
    Quiet,
}

impl Watch {
    /// A progress bar on stderr.
    pub(super) fn bar(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        // What matters most comes first: `wide_msg` is cut at the edge of a narrow terminal.
        let template = "{bar:20.cyan/blue} {pos}/{len}  {wide_msg}";
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message("reading pictures and network");
        Self::Bar { bar }
    }

    /// Plain lines on stderr, now and then, or for every step.
    pub(super) fn lines(every_step: bool) -> Self {
        Self::Lines { every_step, last: None }
    }

    /// One event a line on stdout, for programs; what a person should know goes to stderr as well.
    pub(super) fn json(quiet: bool) -> Self {
        Self::Json { quiet }
    }

    pub(super) fn event(&mut self, event: &TrainEvent) -> Flow {
        match self {
            Self::Bar { bar } => on_bar(bar, event),
            Self::Lines { every_step, last } => on_lines(*every_step, last, event),
            Self::Json { quiet } => on_json(*quiet, event),
            Self::Quiet => {}
        }
        if interrupt::requested() { Flow::Stop } else { Flow::Continue }
    }
}

impl Drop for Watch {
    /// An error must not be written into a bar.
    fn drop(&mut self) {
        if let Self::Bar { bar } = self {
            bar.finish_and_clear();
        }
    }
}

fn on_bar(bar: &ProgressBar, event: &TrainEvent) {
    match event {
        TrainEvent::Step { step, steps, .. } => {
            bar.set_length(*steps as u64);
            bar.set_position(*step as u64);
            bar.set_message(output::safe(&sentence(event)));
        }
        TrainEvent::Finished { .. } => {
            bar.finish_and_clear();
            output::note_list(&sentence(event), listed(event));
        }
        // Seen every few minutes, and no news.
        TrainEvent::Saved { step, .. } if (*step as u64) == bar.position() && !bar.is_finished() => {}
        _ => bar.suspend(|| output::note(&sentence(event))),
    }
}

fn on_lines(every_step: bool, last: &mut Option<Instant>, event: &TrainEvent) {
    if let TrainEvent::Step { step, steps, .. } = event {
        let due = last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
        if every_step || due {
            *last = Some(Instant::now());
            output::note(&format!("{step}/{steps}  {}", sentence(event)));
        }
        return;
    }
    output::note_list(&sentence(event), listed(event));
    if let (TrainEvent::Validated { styles, .. }, true) = (event, every_step) {
        for style in styles {
            let losses = &style.losses;
            let parts = format!("content {:.3e}  style {:.3e}", losses.content, losses.style);
            output::note(&format!("  {}: loss {:.4e}  {parts}", style.name, losses.loss));
        }
    }
}

fn on_json(quiet: bool, event: &TrainEvent) {
    if let Err(error) = output::print_json(event) {
        output::complain(&error);
    }
    if let (TrainEvent::Warning { .. }, false) = (event, quiet) {
        output::note(&sentence(event));
    }
}

fn sentence(event: &TrainEvent) -> String {
    match event {
        TrainEvent::Started {
            photographs,
            held_out,
            report,
            styles,
            image_size,
            step,
            steps,
            minutes,
            network,
            device,
            ..
        } => {
            let styles = styles.join(", ");
            let from = if *step > 0 { format!(", on from step {step}") } else { String::new() };
            let minutes = minutes.map(|m| format!(" or {m} minutes")).unwrap_or_default();
            format!(
                "learning {styles} from {photographs} photographs at {image_size} pixels ({held_out} held out for \
                 validation, {report} for reports), {steps} \
                 steps{minutes}{from}, with {network} on {device}"
            )
        }
        TrainEvent::Step { left, images_per_second, losses, .. } => {
            let left = HumanDuration(Duration::from_secs_f64(left.clamp(0.0, 1e8)));
            let (loss, content, style) = (losses.loss, losses.content, losses.style);
            format!(
                "{left:#} left  {images_per_second:.2} images/s  loss {loss:.3e}  content {content:.3e}  style {style:.3e}"
            )
        }
        TrainEvent::Validated { step, best, losses, .. } => {
            let best = if *best { ", the best so far" } else { "" };
            format!("step {step}: a loss of {:.4e} on the photographs held out{best}", losses.loss)
        }
        TrainEvent::Skipped(Skipped { reason, .. }) => format!("left out: {reason}"),
        TrainEvent::RolledBack { step, reason } => {
            format!("step {step}: the loss is not finite: back to the last good network, {reason}")
        }
        TrainEvent::Warning { message } => format!("warning: {message}"),
        TrainEvent::Saved { path, .. } => format!("wrote {}", path.display()),
        TrainEvent::Finished { step, elapsed, end, best_step, losses, skipped } => {
            let end = match end {
                TrainEnd::Complete => "done",
                TrainEnd::TimeUp => "the time is up",
                TrainEnd::Stopped => "stopped; go on with `--resume`",
            };
            let time = HumanDuration(Duration::from_secs_f64(elapsed.max(0.0)));
            let loss = losses.loss;
            let left_out = match skipped.len() {
                0 => String::new(),
                count => format!("; left out, because they could not be used: {count}"),
            };
            format!(
                "{end}: {step} steps in {time:#}, the best network is that of step {best_step} with a loss of \
                 {loss:.4e}{left_out}"
            )
        }
    }
}

/// The photographs that could not be used.
fn listed(event: &TrainEvent) -> Vec<String> {
    let TrainEvent::Finished { skipped, .. } = event else { return Vec::new() };
    let reasons = skipped.iter().take(MOST_LISTED).map(|photo| photo.reason.clone());
    let rest = skipped.len().saturating_sub(MOST_LISTED);
    reasons.chain((rest > 0).then(|| format!("and {rest} more"))).collect()
}

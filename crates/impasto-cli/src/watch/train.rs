//! Ways to watch a training.

use std::time::Duration;

use impasto::job::{End, Event};
use impasto::train::{Skipped, TrainEvent};
use indicatif::HumanDuration;

use super::{Bar, Shown, StepLines, Watcher};
use crate::output;

/// Without a terminal a line is written this often.
const BETWEEN_LINES: Duration = Duration::from_secs(20);

/// The most photographs that could not be used which are listed at the end; more are counted.
const MOST_LISTED: usize = 20;

/// A training with this number of steps.
pub(crate) struct Train {
    pub(crate) steps: usize,
}

impl Shown for Train {
    fn bar(self) -> Box<dyn Watcher> {
        let bar = Bar::new(self.steps as u64, "{bar:20.cyan/blue} {pos}/{len}  {wide_msg}");
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
        let (Self(bar), Event::Train(event)) = (self, event) else { return };
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
}

/// Plain lines on stderr, now and then, or for every step.
struct Lines(StepLines);

impl Watcher for Lines {
    fn event(&mut self, event: &Event) {
        let Event::Train(event) = event else { return };
        if let TrainEvent::Step { step, steps, .. } = event {
            if self.0.is_due() {
                output::note(&format!("{step}/{steps}  {}", sentence(event)));
            }
            return;
        }
        output::note_list(&sentence(event), listed(event));
        if let (TrainEvent::Validated { styles, .. }, true) = (event, self.0.every_step()) {
            for style in styles {
                let losses = &style.losses;
                let parts = format!("content {:.3e}  style {:.3e}", losses.content, losses.style);
                output::note(&format!("  {}: loss {:.4e}  {parts}", style.name, losses.loss));
            }
        }
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
                End::Complete | End::Converged(_) => "done",
                End::TimeUp => "the time is up",
                End::Stopped => "stopped; resume it with `--resume`",
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
        _ => String::new(),
    }
}

/// The photographs that could not be used.
fn listed(event: &TrainEvent) -> Vec<String> {
    let TrainEvent::Finished { skipped, .. } = event else { return Vec::new() };
    let reasons = skipped.iter().take(MOST_LISTED).map(|photo| photo.reason.clone());
    let rest = skipped.len().saturating_sub(MOST_LISTED);
    reasons.chain((rest > 0).then(|| format!("and {rest} more"))).collect()
}

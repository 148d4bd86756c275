//! Ways to watch a batch of pictures that are stylised.

use std::path::Path;
use std::time::{Duration, Instant};

use impasto::job::Event;
use impasto::memory::Bytes;
use impasto::stylize::StylizeEvent;
use indicatif::HumanDuration;

use super::{Bar, Shown, Watcher, warning};
use crate::output;

/// A batch.
pub(crate) struct Stylize;

impl Shown for Stylize {
    fn bar(self) -> Box<dyn Watcher> {
        Box::new(OnBar { bar: Bar::new(0, "{bar:20.cyan/blue} {pos}/{len}  {wide_msg}"), begun: Instant::now() })
    }

    fn lines(self, verbose: bool) -> Box<dyn Watcher> {
        Box::new(Lines { verbose })
    }

    fn in_json(event: &Event) -> bool {
        matches!(event, Event::Stylize(event) if event.ends_a_picture())
    }
}

/// A progress bar on stderr. What one picture alone leaves is said in a line.
struct OnBar {
    bar: Bar,
    begun: Instant,
}

impl Watcher for OnBar {
    fn event(&mut self, event: &Event) {
        let (Self { bar, begun }, Event::Stylize(of_batch)) = (self, event) else { return };
        match of_batch {
            StylizeEvent::Started { pictures, .. } => bar.set_length(*pictures as u64),
            StylizeEvent::Painting { input, .. } => {
                let (done, all) = (bar.position(), bar.length().unwrap_or(0));
                let left = begun.elapsed().as_secs_f64() / done.max(1) as f64 * all.saturating_sub(done) as f64;
                let left = if done == 0 { String::new() } else { format!("{:#} left  ", rounded(left)) };
                bar.set_message(output::safe(&format!("{left}{}", input.display())));
            }
            StylizeEvent::Warning { message, .. } => bar.suspend(|| output::note(&warning(event, message))),
            StylizeEvent::Done { output, .. } if bar.length() == Some(1) => {
                bar.suspend(|| output::note(&format!("wrote {}", shown(output))));
            }
            StylizeEvent::Finished { .. } => {
                bar.finish_and_clear();
                summary(of_batch);
            }
            _ => bar.inc(1),
        }
    }
}

/// A line on stderr for each picture.
struct Lines {
    verbose: bool,
}

impl Watcher for Lines {
    fn event(&mut self, event: &Event) {
        let Event::Stylize(of_batch) = event else { return };
        match of_batch {
            StylizeEvent::Started { pictures, style, device } if self.verbose => {
                output::note(&format!("painting {pictures} pictures as {style} on {device}"));
            }
            StylizeEvent::Done { output, width, height, network_seconds, seconds, network_bytes, .. } => {
                let details = if self.verbose {
                    let memory = Bytes(*network_bytes as u64);
                    format!(": {width}×{height} in {seconds:.2} s, the network {network_seconds:.2} s with {memory}")
                } else {
                    String::new()
                };
                output::note(&format!("wrote {}{details}", shown(output)));
            }
            StylizeEvent::Skipped { output, .. } => output::note(&format!("{} is already there", output.display())),
            StylizeEvent::Warning { message, .. } => output::note(&warning(event, message)),
            StylizeEvent::Finished { .. } => summary(of_batch),
            _ => {}
        }
    }
}

/// How many pictures there are, where there is more than one.
fn summary(event: &StylizeEvent) {
    let StylizeEvent::Finished { done, skipped, failed, elapsed, .. } = event else { return };
    if done + skipped + failed > 1 {
        output::note(&format!("{done} pictures in {elapsed:.1} s{}", skipped_text(*skipped)));
    }
}

/// How many pictures were skipped, behind other numbers.
pub(crate) fn skipped_text(skipped: usize) -> String {
    if skipped == 0 { String::new() } else { format!(", {skipped} already there") }
}

fn rounded(seconds: f64) -> HumanDuration {
    HumanDuration(Duration::from_secs_f64(seconds.clamp(0.0, 1e8).round()))
}

fn shown(output: &Path) -> String {
    if output == "-" { "to standard output".into() } else { output.display().to_string() }
}

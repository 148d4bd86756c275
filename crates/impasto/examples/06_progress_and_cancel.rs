//! Paint with a progress bar and a cancel key: Enter stops the painting and keeps the picture as it stands.
//!
//! ```text
//! cargo run --release -p impasto --example 06_progress_and_cancel -- photo.jpg painting.jpg out.png
//! ```

use std::error::Error;

use impasto::PaintJob;
use impasto::job::{Context, Control, Event, Job};
use impasto::settings::Overrides;
use indicatif::{ProgressBar, ProgressStyle};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [content, style, output] = &args[..] else {
        return Err("give a photograph, a painting, and the name of the picture to make".into());
    };
    let job = PaintJob::new(Overrides {
        content: Some(content.into()),
        style: vec![style.parse()?],
        output: Some(output.into()),
        ..Overrides::default()
    })?;

    let control = Control::default();
    let cancel = control.clone();
    std::thread::spawn(move || std::io::stdin().read_line(&mut String::new()).map(|_| cancel.stop()));

    let bar = ProgressBar::new(1000).with_style(ProgressStyle::with_template("{wide_bar} {msg} (Enter stops)")?);
    let sink = |event: &Event| {
        if let Some(progress) = event.progress() {
            bar.set_position((1000.0 * progress.done) as u64);
            bar.set_message(progress.left.map_or_else(String::new, |seconds| format!("{seconds:.0} s left")));
        }
    };
    let painting = job.run(&Context::new(&sink).with_control(&control))?;
    bar.finish_with_message(format!("{:?}: a loss of {:.3e}", painting.end, painting.losses.loss));
    Ok(())
}

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]
//! Paint a photograph in the style of a painting, from files to a file.
//!
//! ```text
//! cargo run --release -p impasto --example 01_paint -- photo.jpg painting.jpg out.png
//! ```

use std::error::Error;

use impasto::PaintJob;
use impasto::job::{Context, Event, Job};
use impasto::paint::PaintEvent;
use impasto::settings::{Overrides, Preset, StyleFile};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(content), Some(style), Some(output)) = (args.next(), args.next(), args.next()) else {
        return Err("give a photograph, a painting, and the name of the picture to make".into());
    };
    let job = PaintJob::new(Overrides {
        content: Some(content.into()),
        style: vec![StyleFile { path: style.into(), weight: 1.0 }],
        output: Some(output.into()),
        preset: Some(Preset::Fast),
        ..Overrides::default()
    })?;
    let sink = |event: &Event| {
        if let Event::Paint(PaintEvent::Step { iteration, iterations, losses, .. }) = event {
            eprintln!("{iteration}/{iterations}: {:.3e}", losses.loss);
        }
    };
    let painting = job.run(&Context::new(&sink))?;
    eprintln!("a loss of {:.3e} after {} iterations", painting.losses.loss, painting.history.len());
    Ok(())
}

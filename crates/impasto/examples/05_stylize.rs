#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]
//! Paint photographs in styles that a network has learned: one in memory, in a blend, and a whole folder.
//!
//! ```text
//! cargo run --release -p impasto --example 05_stylize -- photo.jpg folder out
//! ```

use std::error::Error;
use std::path::Path;

use impasto::job::{Context, Event, Job};
use impasto::settings::Colors;
use impasto::styles::{Blend, StyleChoice, names};
use impasto::stylize::StylizeEvent;
use impasto::{Picture, StylizeJob, StylizeSettings, Stylizer};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(photo), Some(folder), Some(out)) = (args.next(), args.next(), args.next()) else {
        return Err("give a photograph, a folder of photographs, and a folder to write to".into());
    };

    // A stylizer is made once and paints as many pictures as there are.
    let [one, other, ..] = names()[..] else { return Err("two styles are built in at least".into()) };
    let blend = Blend::find(&[format!("{one}:2").parse()?, other.parse()?])?;
    let stylizer = Stylizer::new(&blend, &StylizeSettings { colors: Colors::Content, ..StylizeSettings::default() })?;
    let stylized = stylizer.stylize(Picture::read(Path::new(&photo))?)?;
    eprintln!("{} in {:.2} s on {}", blend.label(), stylized.network_seconds, stylizer.device());
    stylized.picture.write("blend.png".as_ref(), None)?;

    // A job finds the pictures of a folder, reads and writes while the network works, and a bad file does not stop it.
    let job = StylizeJob {
        inputs: vec![folder.into()],
        styles: vec![StyleChoice::new(one)],
        output: Some(out.into()),
        ..StylizeJob::default()
    };
    let sink = |event: &Event| {
        if let Event::Stylize(StylizeEvent::Done { output, seconds, .. }) = event {
            eprintln!("{} in {seconds:.2} s", output.display());
        }
    };
    let summary = job.run(&Context::new(&sink))?;
    for failure in &summary.failures {
        eprintln!("{failure}");
    }
    eprintln!("{} pictures in {:.1} s", summary.done, summary.seconds);
    Ok(())
}

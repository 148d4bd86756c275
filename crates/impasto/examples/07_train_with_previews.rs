#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]
//! Train a network on a painting and watch it learn: previews are written to `preview.png` twice a second at most.
//!
//! ```text
//! cargo run --release -p impasto --example 07_train_with_previews -- painting.jpg photos model.safetensors 5
//! ```

use std::error::Error;
use std::time::Duration;

use impasto::TrainJob;
use impasto::job::{Context, Event, Job, Previews};
use impasto::train::{TrainEvent, TrainOverrides};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [painting, photos, model, minutes] = &args[..] else {
        return Err("give a painting, a folder of photographs, the model to make, and minutes".into());
    };
    let job = TrainJob::new(TrainOverrides {
        style: vec![painting.parse()?],
        photos: vec![photos.into()],
        output: Some(model.into()),
        minutes: Some(minutes.parse()?),
        ..TrainOverrides::default()
    })?;

    let previews = Previews::new(Duration::from_millis(500), Some(256), |preview| {
        match preview.picture.write("preview.png".as_ref(), None) {
            Ok(()) => eprintln!("preview.png is the network after {} steps", preview.step),
            Err(error) => eprintln!("{error}"),
        }
    });
    let sink = |event: &Event| {
        if let Event::Train(TrainEvent::Step { step, steps, losses, .. }) = event {
            eprintln!("step {step} of {steps}: a loss of {:.3e}", losses.loss);
        }
    };
    let trained = job.run(&Context::new(&sink).with_previews(&previews))?;
    eprintln!("{:?}: a loss of {:.3e} on photographs not trained on", trained.end, trained.losses.loss);
    Ok(())
}

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]
//! Paint pictures that are in memory, with settings of one's own, and look at them on the way.
//!
//! ```text
//! cargo run --release -p impasto --example 02_pictures_in_memory
//! ```

use std::error::Error;

use impasto::paint::Masks;
use impasto::progress::{Event, Flow, Observer};
use impasto::settings::{LayerWeights, Preset};
use impasto::{Picture, Scene, Settings, network, paint};

/// Stops once the loss is a tenth of what it was.
#[derive(Default)]
struct UntilGood {
    first: Option<f64>,
}

impl Observer for UntilGood {
    fn event(&mut self, event: &Event) -> Flow {
        let Event::Step { losses, .. } = event else { return Flow::Continue };
        let first = *self.first.get_or_insert(losses.loss);
        if losses.loss < first / 10.0 { Flow::Stop } else { Flow::Continue }
    }

    fn picture(&mut self, iteration: usize, picture: &Picture) {
        let mean = picture.data().iter().sum::<f32>() / picture.data().len() as f32;
        eprintln!("after {iteration} iterations the mean grey is {mean:.1}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // Any source of pixels will do; here, a photograph's worth of gradients and a painting's worth of stripes.
    let (height, width) = (96, 128);
    let pixel = |value: fn(usize, usize) -> u8| {
        let values = (0..height).flat_map(move |y| (0..width).flat_map(move |x| [value(y, x); 3]));
        Picture::from_rgb8(height, width, &values.collect::<Vec<u8>>())
    };
    let content = pixel(|y, x| (y + x) as u8);
    let style = pixel(|y, x| if (y / 4 + x / 8) % 2 == 0 { 230 } else { 20 });

    let settings = Settings {
        style_layers: LayerWeights::new([("relu1_1", 1.0), ("relu3_1", 0.5)]),
        save_every: Some(5),
        iterations: 40,
        ..Settings::preset(Preset::Default)
    };
    let scene = Scene { content, styles: vec![(style, 1.0)], start: None, masks: Masks::default() };
    let painting = paint(&scene, &settings, network("vgg19")?, &mut UntilGood::default())?;
    eprintln!("{:?} after {} iterations", painting.end, painting.history.len());
    Ok(())
}

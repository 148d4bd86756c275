#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]
//! Paint pictures that are in memory, with settings of one's own, with previews, and stop by a condition of one's own.
//!
//! ```text
//! cargo run --release -p impasto --example 02_pictures_in_memory
//! ```

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use impasto::job::{Context, Control, Event, Previews};
use impasto::paint::{Masks, PaintEvent};
use impasto::settings::{LayerWeights, Preset};
use impasto::{Picture, Scene, Settings, network, paint};

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
        iterations: 40,
        ..Settings::preset(Preset::Default)
    };
    let scene = Scene { content, styles: vec![(style, 1.0)], start: None, masks: Masks::default() };

    // Stops once the loss is a tenth of what it was.
    let (control, first) = (Control::default(), OnceLock::new());
    let sink = |event: &Event| {
        let Event::Paint(PaintEvent::Step { losses, .. }) = event else { return };
        if losses.loss < first.get_or_init(|| losses.loss) / 10.0 {
            control.stop();
        }
    };
    // Five times a second at most, on a thread of its own.
    let previews = Previews::new(Duration::from_millis(200), Some(64), |preview| {
        let data = preview.picture.data();
        eprintln!("after {} iterations the mean is {:.1}", preview.step, data.iter().sum::<f32>() / data.len() as f32);
    });
    let context = Context::new(&sink).with_control(&control).with_previews(&previews);
    let painting = paint(&scene, &settings, network("vgg19")?, &context)?;
    eprintln!("{:?} after {} iterations", painting.end, painting.history.len());
    Ok(())
}

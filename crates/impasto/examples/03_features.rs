#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]
//! Look at a picture through the network: the objective alone, without painting.
//!
//! ```text
//! cargo run --release -p impasto --example 03_features -- one.jpg other.jpg
//! ```

use std::error::Error;
use std::path::Path;

use impasto::device::Machine;
use impasto::objective::{Objective, Weights};
use impasto::{Picture, Settings, network};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(one), Some(other)) = (args.next(), args.next()) else {
        return Err("give two pictures".into());
    };
    let one = Picture::read(Path::new(&one))?.resized_to_longer_side(256);
    let other = Picture::read(Path::new(&other))?.resized_to_longer_side(256);

    let settings = Settings { content_weight: 1.0, style_weight: 1.0, ..Settings::default() };
    let network = network("vgg19")?;
    let weights = Weights::new(&settings, network.kind)?;
    let machine = Machine::new(&network, &settings, &weights.taps())?;
    // What is the style of `one` worth, seen from `other`, and how far is its content from its own? (Not at all.)
    let mut objective = Objective::new(machine, &weights, &one, &[(other, 1.0)]);
    let losses = objective.value(one.data());
    println!("style {:.4e}, content {:.4e}", losses.style, losses.content);
    Ok(())
}

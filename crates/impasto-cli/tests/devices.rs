//! `--device` reaches every command that computes: on the reference the results are those of the processor.

mod common;

use common::Studio;
use serde_json::Value;

fn lines(studio: &Studio, args: &[&str]) -> Vec<Value> {
    let run = studio.command(args).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    String::from_utf8(run.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a run says that it computes on.
fn device(lines: &[Value]) -> &str {
    lines.iter().find_map(|line| line["device"].as_str()).unwrap()
}

#[test]
fn every_command_computes_where_it_is_told() {
    let studio = Studio::new();
    studio.shrink("coffee.png", 48, 40, "small.png");
    let layers = ["--content-layers", "conv2_1", "--style-layers", "conv1_1,conv2_1"];
    let with =
        |args: &[&str], more: &[&str]| lines(&studio, &[args, &["--device", "reference", "--json"], more].concat());

    let paint = ["paint", "small.png", "--style", "night.png", "--scales", "1", "-n", "2", "-o", "out.png"];
    assert_eq!(device(&with(&paint, &layers)), "reference, plain loops");
    let stylize = ["stylize", "small.png", "-s", "starry-night", "-o"];
    with(&[&stylize[..], &["reference.png"]].concat(), &[]);
    lines(&studio, &[&stylize[..], &["cpu.png", "--json"]].concat());
    let pixels = |name: &str| image::open(studio.path(name)).unwrap().to_rgb8().into_raw();
    let (reference, cpu) = (pixels("reference.png"), pixels("cpu.png"));
    assert!(reference.len() == cpu.len() && reference.iter().zip(&cpu).all(|(a, b)| a.abs_diff(*b) <= 1));

    let eval = ["eval", "--content", "small.png", "--style", "night.png", "out.png"];
    let (reference, cpu) = (with(&eval, &layers), lines(&studio, &[&eval[..], &["--json"], &layers].concat()));
    let gram = |lines: &[Value]| lines[0]["gram"]["conv2_1"].as_f64().unwrap();
    assert!((gram(&reference) / gram(&cpu) - 1.0).abs() < 1e-3, "{} and {}", gram(&reference), gram(&cpu));
}

#[test]
fn a_device_that_does_not_exist_is_refused() {
    let studio = Studio::new();
    let args = ["stylize", "cat.png", "-s", "starry-night", "--device", "tpu", "-o", "out.png"];
    let run = studio.command(&args).output().unwrap();
    let message = String::from_utf8(run.stderr).unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(message.contains("`auto`, `cpu` or `reference`"), "{message}");
}

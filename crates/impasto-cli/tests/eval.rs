//! `impasto eval` on real pictures.

mod common;

use common::Studio;

#[test]
fn a_photograph_and_its_style_are_told_apart() {
    let studio = Studio::new();
    let args = ["eval", "--json", "--content", "cat.png", "--style", "night.png", "cat.png", "night.png"];
    let run = studio.command(&args).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    let text = String::from_utf8(run.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [photo, style] = lines.try_into().unwrap();
    assert_eq!((photo["path"].as_str(), photo["width"].as_u64()), (Some("cat.png"), Some(96)));
    assert_eq!((photo["ssim"].as_f64().unwrap() * 1e6).round(), 1e6);
    assert_eq!(photo["content"]["conv4_2"].as_f64(), Some(0.0));
    let gram = |of: &serde_json::Value| of["gram"]["conv3_1"].as_f64().unwrap();
    assert!(gram(&photo) > 0.3 && gram(&style) < 1e-4, "{} {}", gram(&photo), gram(&style));
    let grain = |of: &serde_json::Value| of["surface"]["grain"]["luma"].as_f64().unwrap();
    assert!(grain(&style) > 2.0 * grain(&photo), "{} {}", grain(&style), grain(&photo));
    assert!(style["content"]["conv4_2"].as_f64().unwrap() > 0.5 && style["ssim"].as_f64().unwrap() < 0.5);
}

#[test]
fn the_table_names_every_layer_and_bad_input_is_one_sentence() {
    let studio = Studio::new();
    let run = |more: &[&str]| {
        let args = [&["eval", "--content", "cat.png", "--style", "night.png"], more].concat();
        studio.command(&args).output().unwrap()
    };
    let table = run(&["cat.png", "--content-layers", "conv2_2", "--style-layers", "relu1_1,conv3_1=0"]);
    let text = String::from_utf8(table.stdout).unwrap();
    assert!(text.contains("conv2_2") && text.contains("conv1_1") && !text.contains("conv3_1"), "{text}");
    for (args, sentence) in [
        (&["no.png"][..], "error: there is no file `no.png`\n"),
        (
            &["cat.png", "--size", "40"],
            "error: at this size the picture is 40×27 pixels: measuring needs at least 32 on each side\n",
        ),
        (
            &["cat.png", "--style-layers", "conv9_1"],
            "error: the network has no layer `conv9_1`: did you mean `conv1_1`?\n",
        ),
    ] {
        let run = run(args);
        assert_eq!((run.status.code(), String::from_utf8(run.stderr).unwrap().as_str()), (Some(2), sentence));
    }
}

//! Weight files by path, and what is said of them.

mod common;

use common::Studio;

#[test]
fn models_are_listed_for_people_and_programs() {
    let studio = Studio::new();
    let list = studio.run(&["models", "list"]).good().stdout;
    assert!(list.contains("vgg19") && list.contains("built in") && list.contains("CC BY 4.0"), "{list}");
    let json: Vec<serde_json::Value> =
        serde_json::from_str(&studio.run(&["models", "list", "--json"]).good().stdout).unwrap();
    assert_eq!((&json[0]["name"], &json[0]["kind"]), (&"vgg19".into(), &"network".into()));
    for model in &json {
        for key in ["name", "kind", "origin", "licence"] {
            assert!(model[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {model}");
        }
        assert!(model["size"].as_u64().unwrap() > 1_000_000);
    }
}

#[test]
fn a_model_is_shown() {
    let studio = Studio::new();
    let shown = studio.run(&["models", "show", "vgg19"]).good().stdout;
    assert!(shown.contains("VGG19") && shown.contains("conv5_4.weight"), "{shown}");
    let json: serde_json::Value =
        serde_json::from_str(&studio.run(&["models", "show", "vgg19", "--json"]).good().stdout).unwrap();
    assert!(json.to_string().contains("512"));
    studio.run(&["models", "show", "cat.png"]).refused(&["cat.png"]);
    studio.run(&["models", "show", "nothing.pth"]).refused(&["nothing.pth"]);
    studio.run(&["models", "pull", "nothing"]).refused(&["no model called `nothing`"]);
}

#[test]
fn a_tensor_of_any_name_is_shown() {
    let studio = Studio::new();
    let name = "w".repeat(70_000);
    let header = serde_json::json!({ &name: { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] } }).to_string();
    let length = (header.len() as u64).to_le_bytes();
    studio.write("long.safetensors", &[&length[..], header.as_bytes(), &[0; 4]].concat());
    assert!(studio.run(&["models", "show", "long.safetensors"]).good().stdout.contains(&name));
}

/// The built-in weights again, under a name that says nothing: known by their content, and the same picture comes out.
#[test]
fn a_network_by_path_is_known_by_its_content() {
    let studio = Studio::new();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../impasto-nn/weights/vgg19-codebook8.safetensors");
    std::fs::copy(weights, studio.path("weights.dat")).unwrap();
    let pixels = |name: &str| image::open(studio.path(name)).unwrap().to_rgb8();
    studio.paint(&["--network", "weights.dat", "-o", "file.png"]).good();
    studio.paint(&["--network", "vgg19", "-o", "built-in.png"]).good();
    assert_eq!(pixels("file.png"), pixels("built-in.png"));

    let bytes = std::fs::read(weights).unwrap();
    studio.write("cut.dat", &bytes[..bytes.len() / 3]);
    studio.write("text.dat", b"these are no weights");
    studio.write("empty.dat", b"");
    for name in ["cut.dat", "text.dat", "empty.dat", "night.png", "missing.dat"] {
        studio.paint(&["--network", name, "-o", "out.png"]).refused(&[name]);
    }
    assert!(!studio.files().contains(&"out.png".to_owned()));
}

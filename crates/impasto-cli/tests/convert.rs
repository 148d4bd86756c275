//! Style models from other programs and for them.

mod common;

use common::{Run, Studio};

/// A folder with networks of another program in it, made by `tools/make_style_fixtures.py`.
fn studio() -> Studio {
    let studio = Studio::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../impasto-nn/tests/styles");
    for (from, to) in [("narrow-old.pth", "candy.pth"), ("narrow-9.onnx", "mosaic.onnx")] {
        std::fs::copy(format!("{fixtures}/{from}"), studio.path(to)).unwrap();
    }
    studio
}

#[test]
fn a_network_is_imported_shown_and_exported() {
    let studio = studio();
    let import = ["models", "import", "candy.pth", "-o", "candy.safetensors", "--style-name", "sweets"];
    let card = ["--author", "somebody", "--license", "BSD-3-Clause", "--title", "Candies", "--f16"];
    assert_eq!(studio.run(&[&import[..], &card].concat()).good().stdout, "candy.safetensors\n");

    let shown = studio.run(&["models", "show", "candy.safetensors"]).good().stdout;
    for part in ["candy, format version 1", "16 channels wide, 2 residual blocks", "sweets  Candies", "somebody"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(shown.contains("BSD-3-Clause") && shown.contains("imported from candy.pth"), "{shown}");
    let json = studio.run(&["models", "show", "candy.safetensors", "--json"]).good().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["kind"], &json["licence"]), (&"style".into(), &"BSD-3-Clause".into()));
    assert_eq!(json["style_model"]["styles"][0]["name"], "sweets");
    assert_eq!(json["tensors"][0]["dtype"], "f16");

    let export = ["models", "export", "candy.safetensors", "--onnx", "a.onnx", "--safetensors", "b.safetensors"];
    assert_eq!(studio.run(&export).good().stdout, "a.onnx\nb.safetensors\n");
    let shown = studio.run(&["models", "show", "a.onnx"]).good().stdout;
    assert!(shown.contains("ONNX file") && shown.contains("impasto models import"), "{shown}");
    studio.run(&["models", "import", "a.onnx", "-o", "c.safetensors"]).good();
    assert_eq!(studio.files().iter().filter(|name| name.contains("tmp")).count(), 0);
}

#[test]
fn built_in_styles_are_listed_shown_and_exported() {
    let studio = Studio::new();
    let list = studio.run(&["models", "list", "--json"]).good().stdout;
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let names: Vec<_> = list.iter().filter(|m| m["kind"] == "style" && m["state"] == "built in").collect();
    assert!(names.len() >= 5);
    let one = names[0]["name"].as_str().unwrap();
    let shown = studio.run(&["models", "show", one]).good().stdout;
    assert!(shown.contains(one) && shown.contains("inside the program"), "{shown}");
    studio.run(&["models", "export", one, "--onnx", "one.onnx"]).good();
    studio.run(&["models", "export", "styles", "--safetensors", "all.safetensors", "--f16"]).good();
    studio.run(&["stylize", "cat.png", "--style", &format!("all.safetensors#{one}"), "-o", "a.png"]).good();
    studio.run(&["stylize", "cat.png", "--style", one, "-o", "b.png"]).good();
    let pixels = |name: &str| image::open(studio.path(name)).unwrap().to_rgb8();
    assert_eq!(pixels("a.png"), pixels("b.png"));
    studio.run(&["models", "pull", one]).refused(&[one, "built in"]);
    studio.run(&["models", "export", "styles", "--onnx", "out.onnx"]).refused(&[one, "--style NAME[:WEIGHT]"]);
}

#[test]
fn the_network_of_any_style_is_exported_with_or_without_a_picture() {
    let studio = Studio::new();
    let shown = studio.run(&["models", "show", "any"]).good().stdout;
    assert!(shown.contains("any picture as a style"), "{shown}");
    assert_eq!(studio.run(&["models", "export", "any", "--onnx", "any.onnx"]).good().stdout, "any.onnx\n");
    studio.run(&["models", "export", "any", "--safetensors", "any.safetensors", "--f16"]).good();
    for (network, name) in [("any#night.png", "a"), ("night.png", "b"), ("any.safetensors#night.png", "c")] {
        let model = format!("{name}.safetensors");
        studio.run(&["models", "export", network, "--safetensors", &model]).good();
        studio.run(&["stylize", "cat.png", "-s", &model, "-o", &format!("{name}.png")]).good();
    }
    studio.run(&["stylize", "cat.png", "-s", "any#night.png", "-o", "d.png"]).good();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| image::open(studio.path(&format!("{name}.png"))).unwrap());
    assert!(a == b && b == c && c == d);
    let kept = |args: &[&str]| {
        let mut command = studio.command(args);
        Run::of(command.env("IMPASTO_STYLES", studio.path("styles")).output().unwrap()).good();
    };
    kept(&["styles", "add", "night.png", "--name", "evening"]);
    kept(&["models", "export", "evening", "--safetensors", "evening.safetensors"]);
    kept(&["stylize", "cat.png", "-s", "evening", "-o", "e.png"]);
    kept(&["stylize", "cat.png", "-s", "evening.safetensors", "-o", "f.png"]);
    let [e, f] = ["e.png", "f.png"].map(|name| image::open(studio.path(name)).unwrap());
    assert!(e == f, "a kept style, exported or not");
    studio.run(&["models", "export", "night.png", "--onnx", "night.onnx", "--pytorch", "torch.safetensors"]).good();
    studio.run(&["models", "import", "night.onnx", "-o", "night.safetensors"]).good();
}

#[test]
fn what_cannot_be_converted_says_why() {
    let studio = studio();
    studio.write("text.png", b"this is not a picture");
    studio.run(&["models", "import", "mosaic.onnx", "-o", "mosaic.safetensors"]).good();
    let import = |file: &str, out: &str, words: &[&str]| {
        studio.run(&["models", "import", file, "-o", out]).refused(words);
    };
    import("cat.png", "out.safetensors", &["cat.png", "PNG picture", "cannot be imported"]);
    import("missing.pth", "out.safetensors", &["missing.pth", "does not exist"]);
    import("candy.pth", "candy.pth", &["candy.pth", "another name"]);
    import("candy.pth", "nowhere/out.safetensors", &["the folder `nowhere` does not exist"]);
    import("mosaic.safetensors", "out.safetensors", &["already"]);
    let export = |model: &str, more: &[&str], words: &[&str]| {
        studio.run(&[&["models", "export", model], more].concat()).refused(words);
    };
    export("nothing", &["--onnx", "out.onnx"], &["`nothing`", "impasto models list"]);
    export("missing.png", &["--onnx", "out.onnx"], &["`missing.png` is neither a style", "nor a file"]);
    export("text.png", &["--onnx", "out.onnx"], &["`text.png` is not a picture"]);
    export("any#missing.png", &["--onnx", "out.onnx"], &["there is no picture `missing.png`", "`any` has no style"]);
    export("any#text.png", &["--onnx", "out.onnx"], &["`text.png` is not a picture"]);
    export("any", &["--pytorch", "out.safetensors"], &["name a picture, as `any#PICTURE`", "--style NAME (`"]);
    export("mosaic.safetensors#cat.png", &["--onnx", "out.onnx"], &["cannot take the picture `cat.png` as a style"]);
    export("mosaic.safetensors#missing.png", &["--onnx", "out.onnx"], &["has no style called `missing.png`"]);
    export("cat.png", &["--onnx", "cat.png"], &["`--onnx` would overwrite the picture", "another name"]);
    export("candy.pth", &["--onnx", "out.onnx"], &["impasto models import"]);
    export("mosaic.safetensors", &["--onnx", "out.onnx", "--style", "mozaic"], &["did you mean `mosaic`?"]);
    export("mosaic.safetensors", &["--onnx", "out.onnx", "--style", "mosaic:0"], &["weight of 0"]);
    export("mosaic.safetensors", &["--pytorch", "out.safetensors"], &["32 channels wide"]);
    export("mosaic.safetensors", &["--safetensors", "mosaic.safetensors"], &["another name"]);
    assert_eq!(studio.run(&["models", "export", "mosaic.safetensors"]).code, Some(2));
    assert!(!studio.files().iter().any(|name| name.starts_with("out") || name.contains("tmp")));
}

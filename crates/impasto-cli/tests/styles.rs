//! `impasto styles`: pictures that are kept as styles, by the binary.

mod common;

use common::Studio;

fn pixels(studio: &Studio, name: &str) -> image::RgbImage {
    image::open(studio.path(name)).unwrap().to_rgb8()
}

/// The gallery and the kept style in one list, each with what is known of it.
#[test]
fn a_picture_is_kept_listed_used_and_removed() {
    let studio = Studio::new();
    let added = studio.run(&["styles", "add", "night.png", "--name", "mine", "--title", "Van Gogh, small"]).good();
    assert_eq!(added.stdout, "mine\n");
    let list = studio.run(&["styles", "list"]).good().stdout;
    assert!(list.lines().any(|line| line.starts_with("great-wave ") && line.contains("Hokusai")), "{list}");
    assert!(
        list.lines().any(|line| line.starts_with("mine ") && line.ends_with("kept      Van Gogh, small")),
        "{list}"
    );
    let json = studio.run(&["styles", "show", "mine", "--json"]).good().json().remove(0);
    assert_eq!((&json["built_in"], &json["title"]), (&false.into(), &"Van Gogh, small".into()));

    // The picture is not needed any more, and gives what it gave itself, but for what 16 bits leave out.
    studio.run(&["stylize", "cat.png", "-s", "night.png", "-o", "itself.png"]).good();
    std::fs::remove_file(studio.path("night.png")).unwrap();
    studio.run(&["stylize", "cat.png", "-s", "mine"]).good();
    let (kept, itself) = (pixels(&studio, "cat-mine.png"), pixels(&studio, "itself.png"));
    let away = kept.iter().zip(itself.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(away <= 2, "{away}");
    studio.run(&["stylize", "cat.png", "-s", "mine:2", "-s", "great-wave", "-o", "blend.png"]).good();
    assert_ne!(pixels(&studio, "blend.png"), kept);

    studio.run(&["styles", "remove", "mine"]).good();
    studio.run(&["stylize", "cat.png", "-s", "mine"]).refused(&["there is no style `mine`"]);
}

#[test]
fn what_cannot_be_kept_is_told_in_a_sentence() {
    let studio = Studio::new();
    studio.write("text.jpg", b"not a picture");
    studio.run(&["styles", "add", "night.png"]).good();
    for (args, said) in [
        (&["styles", "add", "night.png"][..], "there is a style `night` already"),
        (&["styles", "add", "missing.png"], "missing.png"),
        (&["styles", "add", "text.jpg"], "text.jpg"),
        (&["styles", "add", "cat.png", "--name", "great-wave"], "is a built-in style"),
        (&["styles", "add", "cat.png", "--name", "../up"], "cannot be a style's name"),
        (&["styles", "add", "cat.png", "--max-pixels", "100"], "cat.png"),
        (&["styles", "remove", "nigth"], "did you mean `night`?"),
        (&["styles", "show", "great-wav"], "great-wav"),
    ] {
        studio.run(args).refused(&[said]);
    }
    assert_eq!(studio.run(&["styles", "list"]).good().stdout.lines().filter(|line| line.contains(" kept")).count(), 1);
}

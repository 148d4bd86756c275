//! `docs/settings.md`, made of the flags and the presets. The test writes it anew with `IMPASTO_WRITE_DOCS=1`.

use clap::{Arg, CommandFactory};
use impasto::Settings;
use impasto::settings::{Overrides, Preset};
use impasto::stylize::{StylizeOverrides, StylizeSettings};
use impasto::train::{TrainOverrides, TrainSettings};

use crate::args::Args;

/// What the article calls its settings.
const ARTICLE_NAMES: [(&str, &str); 11] = [
    ("content", "`CONTENT_IMAGE`"),
    ("style", "`STYLE_IMAGE`"),
    ("output", "`OUTPUT_IMAGE`"),
    ("network", "`VGG_MODEL_PATH`"),
    ("content_layers", "`CONTENT_LOSS_LAYERS`"),
    ("style_layers", "`STYLE_LOSS_LAYERS`"),
    ("content_weight", "`ALPHA`"),
    ("style_weight", "`BETA`"),
    ("init", "`NOISE`"),
    ("size", "`IMAGE_WIDTH`, `IMAGE_HEIGHT`"),
    ("iterations", "`TRAIN_EPOCHS`"),
];

/// Flags that no settings file has: what to do, and what to print.
const ACTIONS: [&str; 14] = [
    "input",
    "config",
    "again",
    "sweep",
    "print_config",
    "print_schema",
    "plan",
    "resume",
    "jobs",
    "json",
    "quiet",
    "verbose",
    "help",
    "version",
];

const HEAD: &str = "\
# Settings

Every setting has a flag and a key in a settings file (`--config FILE.toml`). Flags override the file, the file overrides
the preset. `impasto paint --print-config` and `impasto train --print-config` print a whole file, `--print-schema` its
JSON schema, which editors and forms understand. `impasto stylize` takes flags alone. This page is made from
the program: `IMPASTO_WRITE_DOCS=1 cargo test -p impasto-cli settings_docs` writes it again.

Where a default is missing, the description says what happens without the setting.
";

const FORMULAS: &str = "\
`IMAGE_MEAN_VALUE` of the article has no key: it follows from the network file.

## The losses

`content_weight · content + style_weight · style + tv_weight · total_variation`, on pixels 0–255, with M positions and N
channels, weighted by the layers' weights and averaged over the layers:

| | `loss_scale = \"absolute\"` | `loss_scale = \"relative\"`, times 10⁴ |
|---|---|---|
| content | `Σ(F−P)² / (2·M·N)` | `Σ(F−P)² / ΣP²` |
| style, `gram` | `Σ(G−A)² / (4·M²·N²)` | `Σ(G−A)² / ΣA² · c` |
| style, `wasserstein` | `W²` | `W² / (mean square of the style's feature) · c` |
| style, `sliced` | the mean over directions of the `W²` of projections | the same `/ (mean square of the style's feature) · c` |
| total variation | the squared differences of neighbours | the same on a scale of 0–1 |

`c` is the mean square of the style's feature over that of the photograph's at the layer, to the power of 0.8, between ¼
and 4. `conv4_2` and `relu4_2` both name the layer behind its ReLU.

Every picture carries its settings: a PNG as the text `impasto:settings`, JPEG, WebP and TIFF as an XMP property.
";

/// The whole page.
fn page() -> String {
    let presets = [Preset::Article, Preset::Default, Preset::Fast, Preset::Best];
    let painted = presets.map(|preset| (preset.to_string(), table(&paint_toml(preset))));
    let trained = [("default".to_owned(), table(&train_toml()))];
    let stylized = [("default".to_owned(), table(&stylize_toml()))];
    let paint = section("paint", &painted, &ARTICLE_NAMES);
    let (stylize, train) = (section("stylize", &stylized, &[]), section("train", &trained, &[]));
    format!("{HEAD}\n{paint}\n{FORMULAS}\n{stylize}\n{train}")
}

fn paint_toml(preset: Preset) -> String {
    Overrides::from(&Settings::preset(preset)).to_toml().unwrap()
}

fn train_toml() -> String {
    TrainOverrides::from(&TrainSettings::default()).to_toml().unwrap()
}

fn stylize_toml() -> String {
    toml::to_string(&StylizeOverrides::from(&StylizeSettings::default())).unwrap()
}

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

/// The settings of a command: a row for each flag that a settings file has as well.
fn section(command: &str, defaults: &[(String, toml::Table)], article: &[(&str, &str)]) -> String {
    let mut args = Args::command();
    args.build();
    let arguments = args.find_subcommand(command).unwrap();
    let names: String = defaults.iter().map(|(name, _)| format!(" `{name}` |")).collect();
    let rule = "---|".repeat(defaults.len());
    let mut text = format!("## `impasto {command}`\n\n| key | flag |{names} |\n|---|---|{rule}---|\n");
    for argument in arguments.get_arguments().filter(|argument| !ACTIONS.contains(&argument.get_id().as_str())) {
        let key = argument.get_id().as_str();
        let values: String = defaults.iter().map(|(_, table)| format!(" {} |", default(table, key))).collect();
        let named = article.iter().find(|(name, _)| *name == key);
        let named = named.map(|(_, name)| format!(" In the article: {name}.")).unwrap_or_default();
        let help = argument.get_help().unwrap_or_default().to_string();
        text += &format!("| `{key}` | {} |{values} {}{named} |\n", flag(argument), cell(&end(&help)));
    }
    text
}

/// `--iterations N`, or what an argument without a flag is called.
fn flag(argument: &Arg) -> String {
    let Some(long) = argument.get_long() else { return "first argument".into() };
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    let takes = argument.get_action().takes_values();
    let value = argument.get_value_names().unwrap_or_default().iter().map(|name| format!(" {name}"));
    let value: String = if takes { value.collect() } else { String::new() };
    cell(&format!("`{short}--{long}{value}`"))
}

/// A default as a settings file has it, layers as flags have them.
fn default(table: &toml::Table, key: &str) -> String {
    match table.get(key) {
        None => String::new(),
        Some(toml::Value::String(text)) => text.clone(),
        Some(toml::Value::Table(layers)) => {
            let layers: Vec<String> = layers.iter().map(|(layer, weight)| format!("{layer} {weight}")).collect();
            layers.join(", ")
        }
        Some(value) => value.to_string(),
    }
}

/// Text in a cell of a table: a line does not end, and a bar does not separate.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn end(sentence: &str) -> String {
    if sentence.ends_with('.') { sentence.to_owned() } else { format!("{sentence}.") }
}

#[test]
fn settings_docs_are_those_of_the_program() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    if std::env::var_os("IMPASTO_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let stale = "docs/settings.md is stale: IMPASTO_WRITE_DOCS=1 cargo test -p impasto-cli settings_docs";
    assert!(written == page(), "{stale}");
}

#[test]
fn settings_docs_have_every_key_of_a_settings_file() {
    let page = page();
    let tables = [table(&paint_toml(Preset::Default)), table(&train_toml()), table(&stylize_toml())];
    for key in tables.iter().flat_map(toml::Table::keys) {
        assert!(page.contains(&format!("| `{key}` |")), "{key}");
    }
}

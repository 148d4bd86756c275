//! What is printed of models: a table, or a sheet for one.

use std::io::{self, Write};

use impasto::models::{Listed, ModelKind, Shown, ShownStyleModel};
use indicatif::DecimalBytes;

use crate::output::safe;

/// The widest column of names: formatting takes no width above 65,535, and a file may hold any name.
const WIDEST: usize = 60;

/// The list as an aligned table.
pub(super) fn table(out: &mut dyn Write, models: &[Listed]) -> io::Result<()> {
    let row = |model: &Listed| {
        let (kind, size, state) =
            (model.kind.to_string(), DecimalBytes(model.size).to_string(), model.state.to_string());
        [safe(&model.name), kind, size, state, safe(&model.licence), safe(&model.origin)]
    };
    let heading = ["name", "kind", "size", "state", "licence", "origin"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heading).chain(models.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).min(WIDEST);
    let widths: [usize; 6] = std::array::from_fn(width);
    for [name, kind, size, state, licence, origin] in &rows {
        let [w_name, w_kind, w_size, w_state, w_licence, _] = widths;
        write!(out, "{name:w_name$}  {kind:w_kind$}  {size:>w_size$}  {state:w_state$}  ")?;
        writeln!(out, "{licence:w_licence$}  {origin}")?;
    }
    Ok(())
}

/// What a model holds, key by key, then its tensors.
pub(super) fn sheet(out: &mut dyn Write, shown: &Shown) -> io::Result<()> {
    let mut line = |key: &str, value: &str| writeln!(out, "{key:14} {}", safe(value));
    line("name", &shown.name)?;
    if let Some(state) = shown.state {
        line("state", &state.to_string())?;
    }
    if let Some(path) = &shown.path {
        line("file", &path.display().to_string())?;
    }
    line("size", &DecimalBytes(shown.size).to_string())?;
    line("format", &shown.format)?;
    line("kind", kind_text(shown.kind))?;
    if let Some(network) = shown.network {
        line("network", network.name())?;
    }
    if let Some(p) = shown.preprocessing {
        line("preprocessing", &format!("(rgb − {}) · {}, rgb 0–255", triple(p.mean), triple(p.scale)))?;
    }
    for (key, value) in [("problem", &shown.problem), ("origin", &shown.origin), ("licence", &shown.licence)] {
        if let Some(value) = value {
            line(key, value)?;
        }
    }
    if let Some(model) = &shown.style_model {
        for (key, value) in style_lines(model) {
            line(key, &value)?;
        }
    }
    line("parameters", &grouped(shown.parameters))?;
    for (key, value) in &shown.metadata {
        line("metadata", &format!("{key} = {value}"))?;
    }
    let width = shown.tensors.iter().map(|tensor| tensor.name.chars().count()).max().unwrap_or(0).min(WIDEST);
    for (i, tensor) in shown.tensors.iter().enumerate() {
        let shape = tensor.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        let text = format!("{:width$}  {shape}  {}", tensor.name, tensor.dtype);
        line(if i == 0 { "tensors" } else { "" }, &text)?;
    }
    Ok(())
}

/// What a style model says of itself, as keys and values.
fn style_lines(model: &ShownStyleModel) -> Vec<(&'static str, String)> {
    let any = if model.any_style { ", any picture as a style" } else { "" };
    let mut lines = vec![
        ("model", format!("{}, format version {}", model.name, model.format_version)),
        ("architecture", format!("{} channels wide, {} residual blocks{any}", model.width, model.residual_blocks)),
    ];
    for (key, value) in [("author", &model.author), ("source", &model.source)] {
        lines.extend(value.clone().map(|value| (key, value)));
    }
    for style in &model.styles {
        let title = style.title.as_ref().map(|title| format!("  {title}")).unwrap_or_default();
        lines.push(("style", format!("{}{title}", style.name)));
        if let Some(bytes) = style.thumbnail_bytes {
            lines.push(("", format!("thumbnail of {}", DecimalBytes(bytes as u64))));
        }
        lines.extend(style.picture_sha256.as_ref().map(|hash| ("", format!("picture's SHA-256 {hash}"))));
    }
    match &model.training {
        Some(serde_json::Value::Object(settings)) => {
            lines.extend(settings.iter().map(|(key, value)| ("training", format!("{key} = {value}"))));
        }
        other => lines.extend(other.iter().map(|value| ("training", value.to_string()))),
    }
    lines
}

fn kind_text(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Network => "network",
        ModelKind::Style => "style",
        ModelKind::Unknown => "nothing that impasto paints with",
    }
}

/// Three numbers to four places; one if they are equal.
fn triple(numbers: [f32; 3]) -> String {
    match numbers.map(|number| (number * 1e4).round() / 1e4) {
        [r, g, b] if r == g && g == b => format!("{r}"),
        [r, g, b] => format!("({r}, {g}, {b})"),
    }
}

/// A number with its digits in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect::<Vec<_>>();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto::models::{list_in, show_in};

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_table_is_aligned() {
        let text = text(|out| table(out, &list_in(None)));
        let column = text.lines().next().unwrap().find("licence").unwrap();
        assert!(text.lines().count() > 4);
        for line in text.lines() {
            assert!(line.is_char_boundary(column) && &line[column - 2..column] == "  ", "{line}");
            assert!(!line[column..].starts_with(' ') && !line.ends_with(' '), "{line}");
        }
    }

    #[test]
    fn the_sheet_of_the_built_in_network_says_what_matters() {
        let text = text(|out| sheet(out, &show_in("vgg19", None).unwrap()));
        for part in ["VGG19", "(123.68, 116.779, 103.939)", "CC BY 4.0", "20 024 384", "conv5_4.weight  512×512×3×3"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_file_does_not_steer_the_terminal() {
        let mut shown = show_in("styles", None).unwrap();
        shown.style_model.as_mut().unwrap().author = Some("\u{1b}[2Jnobody\r\n".into());
        let text = text(|out| sheet(out, &shown));
        assert!(text.contains(r"\u{1b}[2Jnobody\r\n") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn numbers_are_grouped_in_threes() {
        assert_eq!([0, 999, 1_000, 143_667_240].map(grouped), ["0", "999", "1 000", "143 667 240"]);
    }
}

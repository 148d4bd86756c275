//! The losses of a run as a picture or a table.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::objective::Losses;
use crate::picture::{Picture, PictureFormat, WriteError};

const SIZE: (u32, u32) = (900, 560);

/// What is stored in a picture of a curve, so that it is not taken for a photograph.
const WRITTEN_AS_CURVE: &str = "command = \"curve\"\n";

/// How a curve is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveFormat {
    /// A vector drawing.
    Svg,
    /// A picture of 900×560 pixels.
    Png,
    /// A table: `iteration,elapsed,loss,content,style,total_variation`.
    Csv,
}

impl CurveFormat {
    /// The format that the ending of a path stands for.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn of(path: &Path) -> Result<Self, WriteError> {
        match path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase().as_str() {
            "svg" => Ok(Self::Svg),
            "png" => Ok(Self::Png),
            "csv" => Ok(Self::Csv),
            _ => Err(WriteError::CurveFormat(path.into())),
        }
    }

    /// Checks that a curve can be written there later.
    ///
    /// # Errors
    /// If the ending is unknown or the folder cannot be written to.
    pub fn check_writable(path: &Path) -> Result<(), WriteError> {
        Self::of(path)?;
        Ok(impasto_files::check(path)?)
    }
}

/// Writes the losses of a run, each with the seconds since its start, to a file. `begun` are the iterations before
/// each size that was painted at: where they are more than one, lines tell them apart.
///
/// # Errors
/// If the ending is unknown or the file cannot be written.
pub fn write(history: &[(f64, Losses)], begun: &[usize], path: &Path) -> Result<(), WriteError> {
    let format = CurveFormat::of(path)?;
    let drawn = match format {
        CurveFormat::Csv => Ok(csv(history).into_bytes()),
        CurveFormat::Svg => svg(history, begun).map(String::into_bytes),
        CurveFormat::Png => png(history, begun),
    };
    Ok(impasto_files::write(path, |file| file.write_all(&drawn.map_err(io::Error::other)?))?)
}

fn csv(history: &[(f64, Losses)]) -> String {
    let row = |(i, (elapsed, l)): (usize, &(f64, Losses))| {
        format!("{},{elapsed:.4},{},{},{},{}\n", i + 1, l.loss, l.content, l.style, l.total_variation)
    };
    let rows: String = history.iter().enumerate().map(row).collect();
    format!("iteration,elapsed,loss,content,style,total_variation\n{rows}")
}

fn svg(history: &[(f64, Losses)], begun: &[usize]) -> Result<String, String> {
    let mut text = String::new();
    draw(history, begun, SVGBackend::with_string(&mut text, SIZE).into_drawing_area())?;
    Ok(text)
}

fn png(history: &[(f64, Losses)], begun: &[usize]) -> Result<Vec<u8>, String> {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let mut rgb = vec![0; width * height * 3];
    draw(history, begun, BitMapBackend::with_buffer(&mut rgb, SIZE).into_drawing_area())?;
    let settings = Some(WRITTEN_AS_CURVE);
    Picture::from_rgb8(height, width, &rgb)
        .to_file_bytes(PictureFormat::Png, settings)
        .map_err(|error| error.to_string())
}

/// Makes the font known that labels are drawn in.
pub(crate) fn register_fonts() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // Only an unreadable font is refused, and this one is part of the program.
        let _ = register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
}

/// The total lies wide and pale under its parts: where one of them is nearly all of it, both are seen.
const TOTAL: RGBColor = RGBColor(0xc4, 0xc4, 0xc4);

/// What a line is called, its colour and width, and what it shows.
type Part = (&'static str, RGBColor, u32, fn(&Losses) -> f64);

/// Total, content and style over the iterations, the losses on a logarithmic axis.
fn draw<B: DrawingBackend>(
    history: &[(f64, Losses)],
    begun: &[usize],
    area: DrawingArea<B, Shift>,
) -> Result<(), String> {
    register_fonts();
    let told = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
    area.fill(&WHITE).map_err(told)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(80)
        .build_cartesian_2d(1f64..(history.len().max(2) as f64), range(history).log_scale())
        .map_err(told)?;
    chart
        .configure_mesh()
        .x_desc("iteration")
        .y_desc("loss")
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{v:.1e}"))
        .label_style(("sans-serif", 15))
        .light_line_style(WHITE)
        .draw()
        .map_err(told)?;
    let Range { start, end } = range(history);
    for begun in begun.iter().skip(1) {
        let x = *begun as f64 + 0.5;
        chart.draw_series(LineSeries::new([(x, start), (x, end)], TOTAL.stroke_width(1))).map_err(told)?;
    }
    let parts: [Part; 4] = [
        ("total", TOTAL, 5, |l| l.loss),
        ("content", RGBColor(0x1b, 0x6c, 0xa8), 2, |l| l.content),
        ("style", RGBColor(0xd1, 0x7a, 0x22), 2, |l| l.style),
        ("total variation", RGBColor(0x5a, 0x8f, 0x3c), 2, |l| l.total_variation),
    ];
    for (name, color, width, part) in parts {
        let points: Vec<(f64, f64)> = (1..).map(f64::from).zip(history.iter().map(|(_, l)| part(l))).collect();
        if points.iter().any(|(_, v)| *v > 0.0) {
            let drawn = points.into_iter().filter(|(_, v)| *v > 0.0 && v.is_finite());
            let line = chart.draw_series(LineSeries::new(drawn, color.stroke_width(width))).map_err(told)?;
            line.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(width)));
        }
    }
    let mut legend = chart.configure_series_labels();
    legend
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE)
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 16));
    legend.draw().map_err(told)?;
    area.present().map_err(told)
}

/// From a bit below the lowest part to a bit above the highest total.
fn range(history: &[(f64, Losses)]) -> Range<f64> {
    let parts = history.iter().flat_map(|(_, l)| [l.loss, l.content, l.style, l.total_variation]);
    let good = parts.filter(|v| *v > 0.0 && v.is_finite());
    let (low, high) = good.fold((f64::INFINITY, 0.0), |(low, high), v| (v.min(low), v.max(high)));
    if high > 0.0 { low * 0.7..high * 1.4 } else { 0.1..10.0 }
}

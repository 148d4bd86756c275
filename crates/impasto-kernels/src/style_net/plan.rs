//! How a picture goes through the network within so much memory.

use super::picture::{Canvas, PAD};
use super::planes::Field;
use super::shape::StyleNetShape;
use super::weights::winograd_layers;
use super::{StyleNetError, check_size};
use crate::layout::Layout;
use crate::memory::Buffer;
use crate::{Shape, winograd};
use std::ops::Range;

/// Rows of the picture in a strip of the layers at full resolution.
const BAND: usize = 128;

/// Rows beyond a strip that its own rows depend on, in whole fours: 4 for the first and for the last layer, as many as
/// the layer skips for each halving and enlarging one (1 at full resolution, 2 at half), and one row of the stream for
/// each convolution of a residual block.
pub(super) fn halo(shape: StyleNetShape) -> usize {
    let divisor = shape.stream_divisor();
    (2 * PAD + 2 * (divisor - 1) + 2 * divisor * shape.residual_blocks).next_multiple_of(4)
}

/// What stays in memory while a picture goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Everything; buffers are kept for the next picture.
    Whole,
    /// The layers at a half and a quarter of the resolution; those at full resolution go in strips of this many rows,
    /// their sums in a pass of their own. The same result to rounding.
    Bands(usize),
    /// Nothing: strips of this many rows run from the picture on, once for each normalisation.
    Strips(usize),
}

impl Plan {
    /// The fastest plan within `budget` bytes, and the bytes it takes.
    pub(super) fn new(
        shape: StyleNetShape,
        (height, width): (usize, usize),
        workers: usize,
        budget: usize,
    ) -> Result<(Self, usize), StyleNetError> {
        check_size(shape, height, width)?;
        let size @ (full, _) = (height.next_multiple_of(4), width.next_multiple_of(4));
        let whole = whole_bytes(shape, size, workers);
        if whole <= budget {
            return Ok((Self::Whole, whole));
        }
        let bands = band_bytes(shape, size, workers).unwrap_or(whole);
        if bands <= budget && bands < whole {
            return Ok((Self::Bands(BAND), bands));
        }
        let strip = |rows: usize| whole_bytes(shape, ((rows + 2 * halo(shape)).min(full), size.1), workers);
        let needed = strip(4).min(bands).min(whole);
        // Rows in fours: as many as fit.
        let fitting = (1..=full / 4).rev().map(|fours| 4 * fours).find(|&rows| strip(rows) <= budget);
        match fitting {
            Some(rows) => Ok((Self::Strips(rows), strip(rows))),
            None => Err(StyleNetError::Budget { needed, budget }),
        }
    }
}

/// The strips of this many rows that `0..height` consists of.
pub(super) fn strips(height: usize, rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..height).step_by(rows.max(1)).map(move |first| first..(first + rows).min(height))
}

/// Bytes of a feature of this many channels, at full resolution over `divisor`.
fn field(channels: usize, size: (usize, usize), divisor: usize, offset: usize) -> usize {
    let (height, width) = (size.0 / divisor + 2 * offset, size.1 / divisor + 2 * offset);
    Layout::new(Shape { channels, height, width }).len() * size_of::<f32>()
}

fn scratch_bytes(shape: StyleNetShape, workers: usize) -> usize {
    scratch_len(shape) * workers * size_of::<f32>()
}

/// Floats of scratch that each worker needs.
pub(super) fn scratch_len(shape: StyleNetShape) -> usize {
    let layers = shape.layers();
    let channels = layers[winograd_layers(shape)].iter().map(|layer| layer.in_channels.max(layer.out_channels));
    winograd::scratch_for(channels.max().unwrap_or(0))
}

fn canvas_bytes(size: (usize, usize)) -> usize {
    3 * (size.0 + 2 * PAD) * (size.1 + 2 * PAD) * size_of::<f32>()
}

/// Everything at once.
fn whole_bytes(shape: StyleNetShape, size: (usize, usize), workers: usize) -> usize {
    let w = shape.width;
    let half = if shape.downsamplings == 2 { field(2 * w, size, 2, 0) } else { 0 };
    let fields = field(w, size, 1, PAD) + half + 3 * stream_bytes(shape, size);
    canvas_bytes(size) + fields + scratch_bytes(shape, workers)
}

fn stream_bytes(shape: StyleNetShape, size: (usize, usize)) -> usize {
    field(shape.stream_channels(), size, shape.stream_divisor(), 0)
}

/// The larger of a half and a quarter, and of three quarters; and a strip. Only networks with two downsamplings have so
/// much less below full resolution that bands are worth it.
fn band_bytes(shape: StyleNetShape, size: (usize, usize), workers: usize) -> Option<usize> {
    if shape.downsamplings != 2 {
        return None;
    }
    let w = shape.width;
    let (half, quarter) = (field(2 * w, size, 2, 0), stream_bytes(shape, size));
    let strip = (BAND.min(size.0), size.1);
    let strip = canvas_bytes(strip) + field(w, strip, 1, PAD);
    Some((half + quarter).max(3 * quarter) + strip + scratch_bytes(shape, workers))
}

/// Features that are kept from picture to picture where sizes stay.
#[derive(Default)]
pub(super) struct Workspace {
    pub(super) canvas: Option<Canvas>,
    pub(super) full: Option<Field>,
    pub(super) half: Option<Field>,
    /// The stream and what a residual block makes of it.
    pub(super) streams: [Option<Field>; 3],
    pub(super) scratch: Option<Buffer<f32>>,
}

/// The feature of a slot, made anew where it has another shape.
pub(super) fn take(slot: &mut Option<Field>, shape: Shape, offset: usize) -> Field {
    match slot.take() {
        Some(field) if field.shape == shape && field.offset == offset => field,
        _ => Field::new(shape, offset),
    }
}

/// The same for a canvas.
pub(super) fn take_canvas(slot: &mut Option<Canvas>, height: usize, width: usize) -> Canvas {
    match slot.take() {
        Some(canvas) if (canvas.height, canvas.width) == (height, width) => canvas,
        _ => Canvas::new(height, width, PAD),
    }
}

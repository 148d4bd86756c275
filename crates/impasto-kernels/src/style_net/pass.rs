//! One pass of a picture, or of some of its rows, through the network.

use super::picture::{PAD, PlanesRows, reflect_twice};
use super::plan::{Workspace, scratch_len, strips, take, take_canvas};
use super::planes::{Field, Sums};
use super::rows::{self, Before, Edge, InPlace, Join, MirrorRows, Padded, Shared, Squares};
use super::shape::{LayerRole, StyleNetShape};
use super::statistics::Statistics;
use super::tiles::{Activate, Enlarged, Feature, Raw};
use super::weights::Weights;
use super::window::{Places, TAPS, Window};
use crate::memory::{Buffer, View, ViewMut};
use crate::winograd::{self, Source, Winograd};
use crate::{Isa, Shape, Threads};
use std::ops::{ControlFlow, Range};

/// A network whose weights are packed.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    pub(super) isa: Isa,
    pub(super) threads: &'a Threads,
    pub(super) shape: StyleNetShape,
    pub(super) weights: &'a Weights,
}

/// A pass.
pub(super) struct Pass<'a> {
    net: Packed<'a>,
    picture: &'a [f32],
    size: (usize, usize),
    workspace: &'a mut Workspace,
    pub(super) statistics: Statistics,
    sums: Vec<Sums>,
    scratch: Buffer<f32>,
    /// The first row of the picture that is run.
    start: usize,
}

/// The rows that a pass runs, and how many of them at a time at full resolution.
#[derive(Clone)]
struct Extent {
    height: usize,
    band: usize,
    width: usize,
}

impl Extent {
    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        strips(self.height, self.band.min(self.height))
    }

    fn many(&self) -> bool {
        self.band < self.height
    }

    fn shape(&self, channels: usize, divisor: usize) -> Shape {
        Shape { channels, height: self.height / divisor, width: self.width / divisor }
    }
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        net: Packed<'a>,
        picture: &'a [f32],
        size: (usize, usize),
        workspace: &'a mut Workspace,
        statistics: Statistics,
    ) -> Self {
        let workers = net.threads.count();
        let sums = statistics.layers.iter().map(|layer| Sums::new(layer.out_channels, workers)).collect();
        let scratch = workspace.scratch.take().unwrap_or_else(|| Buffer::new(scratch_len(net.shape) * workers));
        Self { net, picture, size, workspace, statistics, sums, scratch, start: 0 }
    }

    /// Runs some rows of the picture, continued to whole fours, at most `band` of them at a time at full resolution,
    /// and writes `wanted` of them out. Where statistics are looked for, it ends when they are found.
    pub(super) fn run(&mut self, rows: Range<usize>, band: usize, out: &mut [f32], wanted: Range<usize>) {
        self.start = rows.start;
        let extent = Extent { height: rows.len(), band, width: self.size.1.next_multiple_of(4) };
        let keep = !extent.many();
        let has_half = self.net.shape.downsamplings == 2;
        let half_shape = self.half_shape(&extent);
        let mut half = has_half.then(|| take(&mut self.workspace.half, half_shape, 0));
        let mut streams = std::mem::take(&mut self.workspace.streams);
        let ControlFlow::Continue(stream) = self.run_to_stream(&extent, &mut half, &mut streams, keep) else {
            self.workspace.half = half;
            self.workspace.streams = streams;
            return;
        };
        match &mut half {
            Some(half) => {
                let found = self.run_up1(&stream, half);
                // In bands, memory counts: the stream is released before the features at full resolution are made.
                streams[0] = keep.then_some(stream);
                if found.is_continue() {
                    let _ = self.run_last_up(&extent, half, out, wanted);
                }
            }
            None if self.net.shape.downsamplings == 1 => {
                let _ = self.run_last_up(&extent, &stream, out, wanted);
                streams[0] = Some(stream);
            }
            None => {
                self.run_out(&extent, &stream, out, wanted);
                streams[0] = Some(stream);
            }
        }
        if keep {
            self.workspace.half = half;
            self.workspace.streams = streams;
        }
    }

    fn half_shape(&self, extent: &Extent) -> Shape {
        extent.shape(2 * self.net.shape.width, 2)
    }

    /// From the picture to what comes out of the last residual block. It breaks where the sums are found that the pass was
    /// for, and all buffers are back in their places then.
    fn run_to_stream(
        &mut self,
        extent: &Extent,
        half: &mut Option<Field>,
        streams: &mut [Option<Field>; 3],
        keep: bool,
    ) -> ControlFlow<(), Field> {
        if let Some(half) = half {
            self.run_down2(extent, half)?;
        }
        let net = self.net.shape;
        let shape = extent.shape(net.stream_channels(), net.stream_divisor());
        let mut stream = take(&mut streams[0], shape, 0);
        let found = match half {
            Some(half) => self.run_down3(half, &mut stream),
            None if net.downsamplings == 1 => self.run_down2(extent, &mut stream),
            None => self.run_only_down(extent, &mut stream),
        };
        if found.is_break() {
            streams[0] = Some(stream);
            return ControlFlow::Break(());
        }
        self.activate(net.stream_layer(), &mut stream, 0, shape.height, 0);
        rows::fill_border(self.net.isa, self.net.threads, &mut stream, self.stream_edge(0));
        if !keep {
            *half = None;
        }
        let (mut near, mut far) = (take(&mut streams[1], shape, 0), take(&mut streams[2], shape, 0));
        let blocks = net.residual_blocks;
        let found = (0..blocks).try_for_each(|block| self.run_block(block, &mut stream, &mut near, &mut far));
        if keep {
            (streams[1], streams[2]) = (Some(near), Some(far));
        } else {
            drop((near, far));
            *half = Some(Field::new(self.half_shape(extent), 0));
        }
        if found.is_break() {
            streams[0] = Some(stream);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(stream)
    }

    /// How the stream is continued beyond its edges in front of residual block `block`, or of what follows the last one.
    fn stream_edge(&self, block: usize) -> Edge {
        if block == self.net.shape.residual_blocks { Edge::Repeat } else { Edge::Reflect }
    }

    /// A layer's sums are there, in `sums` for the whole field; its normalisation follows if it is not known yet. Breaks if
    /// these are the sums that the pass was for.
    fn settle(&mut self, layer: usize, field: &Field, divisor: usize) -> ControlFlow<()> {
        if layer < self.statistics.known {
            return ControlFlow::Continue(());
        }
        let Some(rows) = self.statistics.rows.clone() else {
            let totals = self.sums[layer].totals();
            self.statistics.set(layer, &totals, field.shape.positions());
            return ControlFlow::Continue(());
        };
        let rows = (rows.start - self.start) / divisor..(rows.end - self.start) / divisor;
        self.add_rows(layer, field, rows);
        ControlFlow::Break(())
    }

    /// Adds the sums of some rows of a layer to what is found.
    fn add_rows(&mut self, layer: usize, field: &Field, rows: Range<usize>) {
        let width = field.shape.width;
        let squares = Squares { source: Shared::of(field), first: rows.start, width };
        let blocks = field.layout.blocks();
        rows::run(self.net.isa, self.net.threads, squares, blocks, rows.len(), Some(&mut self.sums[layer]));
        self.statistics.add(self.sums[layer].totals(), rows.len() * width);
    }

    fn sum_all(&mut self, layer: usize, field: &Field) {
        let squares = Squares { source: Shared::of(field), first: 0, width: field.shape.width };
        let (blocks, height) = (field.layout.blocks(), field.shape.height);
        rows::run(self.net.isa, self.net.threads, squares, blocks, height, Some(&mut self.sums[layer]));
    }

    /// The first layer, if it is the only one in front of the stream.
    fn run_only_down(&mut self, extent: &Extent, stream: &mut Field) -> ControlFlow<()> {
        self.run_down1(extent, 0..extent.height, stream, (0, 0));
        self.settle(0, stream, 1)
    }

    /// Rows `band` of the first layer's output, one more above where there is one, four columns inside `full`.
    fn run_down1_of_band(&mut self, extent: &Extent, band: &Range<usize>, full: &mut Field) {
        let above = usize::from(band.start > 0);
        self.run_down1(extent, band.start - above..band.end, full, (PAD - above, PAD));
    }

    /// Rows of the first layer's output, from `corner` of what the target holds on.
    fn run_down1(&mut self, extent: &Extent, rows: Range<usize>, target: &mut Field, corner: (usize, usize)) {
        let first = rows.start;
        let mut canvas = take_canvas(&mut self.workspace.canvas, rows.len(), extent.width);
        let (start, height) = (self.start, extent.height);
        let inside = |i: usize| Edge::Reflect.source((first + i) as isize - PAD as isize, height) + start;
        canvas.fill_rows(self.picture, self.size.0, self.size.1, 1.0 / 255.0, |i| {
            reflect_twice(inside(i) as isize, self.size.0.next_multiple_of(4), self.size.0)
        });
        let sums = (!extent.many()).then_some(&mut self.sums[0]);
        let net = self.net;
        net.weights.down1.run(net.isa, net.threads, &canvas, target, corner, sums);
        self.workspace.canvas = Some(canvas);
    }

    /// Breaks if the threads are to abandon the pass.
    fn check_interrupt(&self) -> ControlFlow<()> {
        if self.net.threads.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn take_full(&mut self, extent: &Extent, rows: usize) -> Field {
        let shape = Shape { channels: self.net.shape.width, height: rows, width: extent.width };
        take(&mut self.workspace.full, shape, PAD)
    }

    /// The first two layers; the second one puts out features at half the resolution.
    fn run_down2(&mut self, extent: &Extent, half: &mut Field) -> ControlFlow<()> {
        if extent.many() {
            for band in extent.bands() {
                self.check_interrupt()?;
                let mut full = self.take_full(extent, band.len());
                self.run_down1_of_band(extent, &band, &mut full);
                self.add_rows(0, &full, 0..band.len());
                self.workspace.full = Some(full);
            }
            self.statistics.conclude(0);
        }
        for band in extent.bands() {
            self.check_interrupt()?;
            let mut full = self.take_full(extent, band.len());
            self.run_down1_of_band(extent, &band, &mut full);
            let found = if extent.many() { ControlFlow::Continue(()) } else { self.settle(0, &full, 1) };
            if found.is_continue() {
                self.activate(0, &mut full, -isize::from(band.start > 0), band.len(), 1);
                self.mirror(&mut full, 1, [band.start == 0, false]);
                let places = |ky, kx| Places::new(full.layout, PAD - 1 + ky, PAD - 1 + kx, 2);
                self.run_strided(1, places, &full, half, band.start / 2, band.len() / 2);
            }
            self.workspace.full = Some(full);
            found?;
        }
        self.sum_all(1, half);
        self.settle(1, half, 2)
    }

    /// The third layer.
    fn run_down3(&mut self, half: &mut Field, stream: &mut Field) -> ControlFlow<()> {
        self.activate(1, half, 0, half.shape.height, 0);
        rows::fill_border(self.net.isa, self.net.threads, half, Edge::Reflect);
        let (layout, height) = (half.layout, stream.shape.height);
        self.run_strided(2, |ky, kx| Places::bordered(layout, ky, kx, 2), half, stream, 0, height);
        self.sum_all(2, stream);
        self.settle(2, stream, 4)
    }

    fn run_strided(
        &self,
        layer: usize,
        places: impl Fn(usize, usize) -> Places,
        input: &Field,
        target: &mut Field,
        first: usize,
        height: usize,
    ) {
        let width = target.shape.width;
        let taps: [Places; TAPS] = std::array::from_fn(|tap| places(tap / 3, tap % 3));
        Window {
            weights: &self.net.weights.strided[layer - 1],
            input: View::new(&input.data),
            taps,
            target: Places::new(target.layout, first, 0, 1),
            output: ViewMut::new(&mut target.data),
            height,
            width,
        }
        .run(self.net.isa, self.net.threads);
    }

    /// Normalises and activates this many rows from `first` on in place, and continues them by `pad` columns.
    fn activate(&self, layer: usize, field: &mut Field, first: isize, rows: usize, pad: usize) {
        let norm = &self.statistics.norms[layer];
        let (blocks, rows) = (field.layout.blocks(), rows + first.unsigned_abs());
        let activate = Activate::new(&norm.factor, &norm.offset);
        let kernel = InPlace { field: Shared::new(field), activate, first, pad };
        rows::run(self.net.isa, self.net.threads, kernel, blocks, rows, None);
    }

    /// Continues a feature by the mirror image of its rows, above and below as wanted.
    fn mirror(&self, field: &mut Field, pad: usize, wanted: [bool; 2]) {
        let blocks = field.layout.blocks();
        let kernel = MirrorRows { field: Shared::new(field), pad, wanted };
        rows::run(self.net.isa, self.net.threads, kernel, blocks, 2 * pad, None);
    }

    /// One residual block: what it adds, added to the stream.
    fn run_block(&mut self, block: usize, stream: &mut Field, near: &mut Field, far: &mut Field) -> ControlFlow<()> {
        let (isa, threads) = (self.net.isa, self.net.threads);
        let (layer, divisor) = (self.net.shape.stream_layer() + 1 + 2 * block, self.net.shape.stream_divisor());
        self.convolve(layer, Feature { plane: stream.plane(), activate: None }, near);
        self.settle(layer, near, divisor)?;
        rows::fill_border(isa, threads, near, Edge::Reflect);
        let norm = &self.statistics.norms[layer];
        let activate = Some(Activate::new(&norm.factor, &norm.offset));
        let source = Feature { plane: near.plane(), activate };
        convolve(self.net, layer + 1, &mut self.sums, source, far, &mut self.scratch);
        self.settle(layer + 1, far, divisor)?;
        let norm = &self.statistics.norms[layer + 1];
        let activate = Activate::new(&norm.factor, &norm.offset);
        let (blocks, height) = (far.layout.blocks(), far.shape.height);
        let kernel = Join { before: Before::Target, source: Shared::of(far), activate, target: Shared::new(stream) };
        rows::run(isa, threads, kernel, blocks, height, None);
        rows::fill_border(isa, threads, stream, self.stream_edge(block + 1));
        ControlFlow::Continue(())
    }

    /// A Winograd layer into a whole field, and its sums.
    fn convolve(&mut self, layer: usize, source: impl Source, target: &mut Field) {
        convolve(self.net, layer, &mut self.sums, source, target, &mut self.scratch);
    }

    /// The first of two enlarging layers.
    fn run_up1(&mut self, stream: &Field, half: &mut Field) -> ControlFlow<()> {
        let layer = self.statistics.layers.len() - 3;
        self.convolve(layer, Enlarged(Feature { plane: stream.plane(), activate: None }), half);
        self.settle(layer, half, 2)?;
        rows::fill_border(self.net.isa, self.net.threads, half, Edge::Repeat);
        ControlFlow::Continue(())
    }

    /// The last layer, where no layer enlarges.
    fn run_out(&mut self, extent: &Extent, stream: &Field, out: &mut [f32], wanted: Range<usize>) {
        let mut full = self.take_full(extent, extent.height);
        let (blocks, height) = (full.layout.blocks(), full.layout.shape.height);
        let target = Shared::new(&mut full);
        let kernel = Padded { source: Shared::of(stream), activate: None, target, edge: Edge::Reflect };
        rows::run(self.net.isa, self.net.threads, kernel, blocks, height, None);
        self.write(&full, &(0..extent.height), out, wanted);
        self.workspace.full = Some(full);
    }

    /// The last layer over a band of rows, of which those `wanted` are written out.
    fn write(&self, full: &Field, band: &Range<usize>, out: &mut [f32], wanted: Range<usize>) {
        let first = band.start + self.start;
        let rows = wanted.start.max(first)..wanted.end.min(band.end + self.start);
        let target = PlanesRows { out, size: self.size, first: rows.start, factor: 255.0 };
        let rows = rows.start - first..rows.end - first;
        self.net.weights.out.run(self.net.isa, self.net.threads, full, rows, target);
    }

    /// The last enlarging layer, from what comes out of the layer before it, and the last layer.
    fn run_last_up(&mut self, extent: &Extent, half: &Field, out: &mut [f32], wanted: Range<usize>) -> ControlFlow<()> {
        let layer = self.statistics.layers.len() - 2;
        if extent.many() {
            for band in extent.bands() {
                self.check_interrupt()?;
                let mut full = self.take_full(extent, band.len());
                self.enlarge(layer, half, &band, &mut full, PAD);
                self.statistics.add(self.sums[layer].totals(), band.len() * extent.width);
                self.workspace.full = Some(full);
            }
            self.statistics.conclude(layer);
        }
        for band in extent.bands() {
            self.check_interrupt()?;
            let mut full = self.take_full(extent, band.len());
            let (top, bottom) = (band.start == 0, band.end == extent.height);
            let above = if top { 0 } else { PAD };
            let below = if bottom { 0 } else { PAD };
            self.enlarge(layer, half, &(band.start - above..band.end + below), &mut full, PAD - above);
            let found = if extent.many() { ControlFlow::Continue(()) } else { self.settle(layer, &full, 1) };
            if found.is_continue() {
                self.activate(layer, &mut full, -(above as isize), band.len() + below, PAD);
                self.mirror(&mut full, PAD, [top, bottom]);
                self.write(&full, &band, out, wanted.clone());
            }
            self.workspace.full = Some(full);
            found?;
        }
        ControlFlow::Continue(())
    }

    /// Rows of the last enlarging layer's output, from row `first` of what `full` holds on.
    fn enlarge(&mut self, layer: usize, half: &Field, rows: &Range<usize>, full: &mut Field, first: usize) {
        let plane = half.rows_from(rows.start / 2, rows.len() / 2);
        let norm = &self.statistics.norms[layer - 1];
        // The stream is normalised already.
        let is_raw = self.statistics.layers[layer - 1].role == LayerRole::Up;
        let activate = is_raw.then(|| Activate::new(&norm.factor, &norm.offset));
        let source = Enlarged(Feature { plane, activate });
        let size = (rows.len(), full.shape.width);
        let target = FieldRows { field: full, corner: (first, PAD), size };
        convolve_rows(self.net, layer, &mut self.sums, source, target, &mut self.scratch);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.workspace.scratch = Some(std::mem::replace(&mut self.scratch, Buffer::new(0)));
    }
}

/// A Winograd layer into a whole field.
fn convolve(
    net: Packed<'_>,
    layer: usize,
    sums: &mut [Sums],
    source: impl Source,
    target: &mut Field,
    scratch: &mut [f32],
) {
    let size = (target.shape.height, target.shape.width);
    convolve_rows(net, layer, sums, source, FieldRows { field: target, corner: (0, 0), size }, scratch);
}

/// Some rows and columns of a field, to be written.
struct FieldRows<'a> {
    field: &'a mut Field,
    /// The first row and column, of what the field holds.
    corner: (usize, usize),
    /// Rows and columns.
    size: (usize, usize),
}

/// A Winograd layer into some rows and columns of a field.
fn convolve_rows(
    net: Packed<'_>,
    layer: usize,
    sums: &mut [Sums],
    source: impl Source,
    FieldRows { field: target, corner, size }: FieldRows<'_>,
    scratch: &mut [f32],
) {
    let sink = Raw { plane: target.plane_mut(), size, corner, sums: sums[layer].begin() };
    let weights = net.weights.winograd.layer(layer);
    winograd::run(net.isa, net.threads, &Winograd { weights, height: size.0, width: size.1, source, sink }, scratch);
}

//! Direct convolutions between three planes and blocks of channels: the network's first layer, its last one, and the
//! last one's way back.

use super::planes::{Field, Sums, SumsView};
use super::rows::Edge;
use crate::Isa;
use crate::interrupt::Interrupt;
use crate::layout::PlaneMut;
use crate::memory::{Buffer, View, ViewMut};
use crate::register_rows::{GroupedRows, RowGroup};
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use std::ops::Range;

/// Planes of a picture.
pub(super) const PLANES: usize = 3;

/// Side of the kernels.
pub(super) const SIDE: usize = 9;

/// Rows and columns that a kernel reaches beyond its middle.
pub(super) const PAD: usize = SIDE / 2;

/// Values of a window: three planes by nine by nine.
pub(super) const WINDOW: usize = PLANES * SIDE * SIDE;

/// Three planes with `pad` rows and columns around, planar.
pub(super) struct Canvas {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) pad: usize,
    pub(super) data: Buffer<f32>,
}

impl Canvas {
    pub(super) fn new(height: usize, width: usize, pad: usize) -> Self {
        // Sixteen more, so that a vector may be read at the last value.
        let len = PLANES * (height + 2 * pad) * (width + 2 * pad) + LANES;
        Self { height, width, pad, data: Buffer::new(len) }
    }

    pub(super) fn columns(&self) -> usize {
        self.width + 2 * self.pad
    }

    fn rows(&self) -> usize {
        self.height + 2 * self.pad
    }

    /// Floats from one plane to the next.
    pub(super) fn plane_len(&self) -> usize {
        self.rows() * self.columns()
    }

    /// Fills it with `factor` times a picture and its mirror image; rows and columns of the canvas that the picture
    /// does not have are continued so as well.
    pub(super) fn fill(&mut self, picture: &[f32], height: usize, width: usize, factor: f32) {
        let (full, pad) = (self.height, self.pad as isize);
        // The picture is continued to the canvas's size first, and that is then reflected again.
        let row = |i: usize| reflect_twice(i as isize - pad, full, height);
        self.fill_rows(picture, height, width, factor, row);
    }

    /// The same, but row i of the canvas, counted with its pad, is row `row(i)` of the picture.
    pub(super) fn fill_rows(
        &mut self,
        picture: &[f32],
        height: usize,
        width: usize,
        factor: f32,
        row: impl Fn(usize) -> usize,
    ) {
        let (rows, columns, pad) = (self.rows(), self.columns(), self.pad as isize);
        let sources: Vec<usize> = (0..columns).map(|x| reflect_twice(x as isize - pad, self.width, width)).collect();
        for (line, target) in self.data[..PLANES * rows * columns].chunks_exact_mut(columns).enumerate() {
            let source = &picture[(line / rows * height + row(line % rows)) * width..][..width];
            target.iter_mut().zip(&sources).for_each(|(value, &x)| *value = source[x] * factor);
        }
    }

    /// Fills its inside with `factor` times planes of its own size; what is around stays.
    pub(super) fn fill_inside(&mut self, planes: &[f32], factor: f32) {
        let (columns, pad, plane_len) = (self.columns(), self.pad, self.plane_len());
        for (row, source) in planes.chunks_exact(self.width).enumerate() {
            let at = row / self.height * plane_len + (row % self.height + pad) * columns + pad;
            for (value, &source) in self.data[at..at + self.width].iter_mut().zip(source) {
                *value = source * factor;
            }
        }
    }
}

/// Where row or column `i` of a picture of `side`, continued to `full` by reflection and then by reflection again, is.
pub(super) fn reflect_twice(i: isize, full: usize, side: usize) -> usize {
    Edge::Reflect.source(Edge::Reflect.source(i, full) as isize, side)
}

/// Weights from a window of three planes to blocks, packed: `[panel][243][16 · blocks]`.
pub(super) struct FromPlanes {
    channels: usize,
    panel_blocks: usize,
    data: Buffer<f32>,
}

impl FromPlanes {
    pub(super) fn new(isa: Isa, channels: usize) -> Self {
        Self { channels, panel_blocks: isa.panel_blocks(), data: Buffer::new(WINDOW * channels) }
    }

    /// `value(place in the window: plane, row, column; channel)`
    pub(super) fn set(&mut self, value: impl Fn(usize, usize) -> f32) {
        for tap in 0..WINDOW {
            for channel in 0..self.channels {
                let at = crate::direct::packed_at(self.panel_blocks, WINDOW, self.channels, tap, channel);
                self.data[at] = value(tap, channel);
            }
        }
    }

    /// Convolves all of a canvas but its outermost four rows and columns into a feature, from row and column `corner`
    /// of what its layout holds on.
    pub(super) fn run(
        &self,
        isa: Isa,
        threads: &Threads,
        canvas: &Canvas,
        target: &mut Field,
        corner: (usize, usize),
        sums: Option<&mut Sums>,
    ) {
        let count = threads.count();
        let (height, width) = (canvas.rows() - 2 * PAD, canvas.columns() - 2 * PAD);
        let room = target.layout.shape;
        assert!(corner.0 + height <= room.height && corner.1 + width <= room.width, "the feature has room");
        let job = FromJob {
            weights: self,
            canvas: View::new(&canvas.data),
            columns: canvas.columns(),
            plane_len: canvas.plane_len(),
            target: target.plane_mut(),
            corner,
            sums: sums.map(Sums::begin),
        };
        let blocks = self.channels / LANES;
        threads.run(|worker| {
            let mut kernel = job;
            if let Some(sums) = &mut kernel.sums {
                sums.worker = worker;
            }
            let (rows, interrupt) = (part(height, count, worker), threads.interrupt());
            isa.run(GroupedRows { kernel, rows, width, blocks, interrupt });
        });
    }
}

#[derive(Clone, Copy)]
struct FromJob<'a> {
    weights: &'a FromPlanes,
    canvas: View<'a, f32>,
    columns: usize,
    plane_len: usize,
    target: PlaneMut<'a>,
    corner: (usize, usize),
    sums: Option<SumsView<'a>>,
}

impl RowGroup for FromJob<'_> {
    #[inline(always)]
    unsafe fn group<S: Simd, const R: usize, const V: usize>(&self, s: S, first_block: usize, y: usize, x: usize) {
        let mut sums = [[s.zero(); V]; R];
        // SAFETY: the canvas reaches four beyond every position, the blocks exist, and the worker alone has this row.
        unsafe {
            let start = first_block * LANES * WINDOW;
            let mut weights = View::new(&self.weights.data).at(start, WINDOW * V * LANES);
            for line in 0..PLANES * SIDE {
                let row = y + line % SIDE;
                let at = line / SIDE * self.plane_len + row * self.columns + x;
                let input = self.canvas.at(at, SIDE - 1 + R);
                for column in 0..SIDE {
                    let columns: [S::V; V] = s.load_many(weights, LANES);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let value = s.splat(*input.add(column + r));
                        for (sum, column) in sums.iter_mut().zip(columns) {
                            *sum = s.mul_add(value, column, *sum);
                        }
                    }
                    weights = weights.add(V * LANES);
                }
            }
            let layout = self.target.layout;
            let (mut totals, mut squares) = ([s.zero(); V], [s.zero(); V]);
            for (r, sums) in sums.into_iter().enumerate() {
                for (v, sum) in sums.into_iter().enumerate() {
                    totals[v] = s.add(totals[v], sum);
                    squares[v] = s.mul_add(sum, sum, squares[v]);
                    let at = layout.at(first_block + v, y + self.corner.0, x + r + self.corner.1);
                    s.store(self.target.data.at(at, LANES), sum);
                }
            }
            if let Some(sums) = self.sums {
                for v in 0..V {
                    sums.add(s, first_block + v, totals[v], squares[v]);
                }
            }
        }
    }
}

/// Weights from blocks to three planes: `[block][row][column][plane][16]`, and the bias of each plane.
pub(super) struct ToPlanes {
    blocks: usize,
    data: Buffer<f32>,
    bias: [f32; PLANES],
}

impl ToPlanes {
    pub(super) fn new(channels: usize) -> Self {
        Self { blocks: channels / LANES, data: Buffer::new(WINDOW * channels), bias: [0.0; PLANES] }
    }

    /// `value(place in the window: plane, row, column; channel)`
    pub(super) fn set(&mut self, bias: [f32; PLANES], value: impl Fn(usize, usize) -> f32) {
        self.bias = bias;
        for channel in 0..self.blocks * LANES {
            for tap in 0..WINDOW {
                let (plane, place) = (tap / (SIDE * SIDE), tap % (SIDE * SIDE));
                let at = ((channel / LANES * SIDE * SIDE + place) * PLANES + plane) * LANES + channel % LANES;
                self.data[at] = value(tap, channel);
            }
        }
    }

    /// Convolves a feature with a border of four rows and columns into planar `3 × height × width`, times a factor.
    /// Rows and columns that the planes do not have are left out.
    pub(super) fn run(&self, isa: Isa, threads: &Threads, source: &Field, rows: Range<usize>, target: PlanesRows<'_>) {
        let PlanesRows { out, size, first, factor } = target;
        assert_eq!(source.offset, PAD, "the feature has a border of four rows and columns");
        assert!(size.1 <= source.shape.width, "the feature is as wide as the planes");
        let count = threads.count();
        assert!(rows.end <= source.shape.height, "the feature has these rows");
        let height = rows.len().min(size.0.saturating_sub(first));
        let out = ViewMut::new(&mut out[..PLANES * size.0 * size.1]);
        let job = ToJob { weights: self, source: source.plane(), start: rows.start, first, size, factor, out };
        threads.run(|worker| {
            isa.run(ToRows { job, rows: part(height, count, worker), interrupt: threads.interrupt() });
        });
    }
}

/// Where the last layer's rows go.
pub(super) struct PlanesRows<'a> {
    /// Three planes.
    pub(super) out: &'a mut [f32],
    /// Rows and columns of a plane.
    pub(super) size: (usize, usize),
    /// The first row to be written.
    pub(super) first: usize,
    /// What values are multiplied by.
    pub(super) factor: f32,
}

#[derive(Clone, Copy)]
struct ToJob<'a> {
    weights: &'a ToPlanes,
    source: crate::layout::Plane<'a>,
    start: usize,
    first: usize,
    size: (usize, usize),
    factor: f32,
    out: ViewMut<'a, f32>,
}

struct ToRows<'a> {
    job: ToJob<'a>,
    rows: Range<usize>,
    interrupt: &'a Interrupt,
}

impl Op for ToRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.job.size.1;
        for y in self.rows {
            if self.interrupt.requested() {
                return;
            }
            if S::MANY_REGISTERS {
                for x in (0..width / 8 * 8).step_by(8) {
                    s.vectorise(ToGroup::<8> { job: &self.job, y, x });
                }
                for x in width / 8 * 8..width {
                    s.vectorise(ToGroup::<1> { job: &self.job, y, x });
                }
            } else {
                for x in (0..width / 2 * 2).step_by(2) {
                    s.vectorise(ToGroup::<2> { job: &self.job, y, x });
                }
                for x in width / 2 * 2..width {
                    s.vectorise(ToGroup::<1> { job: &self.job, y, x });
                }
            }
        }
    }
}

/// `R` positions of a row.
struct ToGroup<'a, 'b, const R: usize> {
    job: &'a ToJob<'b>,
    y: usize,
    x: usize,
}

impl<const R: usize> Op for ToGroup<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { job, y, x } = self;
        let layout = job.source.layout;
        let mut sums = [[s.zero(); PLANES]; R];
        // SAFETY: the feature reaches four beyond every position, and the worker alone has this row of the planes.
        unsafe {
            let mut weights = View::new(&job.weights.data).at(0, job.weights.data.len());
            for line in 0..job.weights.blocks * SIDE {
                let at = layout.at(line / SIDE, job.start + y + line % SIDE, x);
                let input = job.source.data.at(at, (SIDE - 1 + R) * LANES);
                for column in 0..SIDE {
                    let factors: [S::V; PLANES] = s.load_many(weights, LANES);
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let value = s.load(input.add((column + r) * LANES));
                        for (sum, factor) in sums.iter_mut().zip(factors) {
                            *sum = s.mul_add(value, factor, *sum);
                        }
                    }
                    weights = weights.add(PLANES * LANES);
                }
            }
            let (height, width) = job.size;
            for (r, sums) in sums.into_iter().enumerate() {
                for (plane, sum) in sums.into_iter().enumerate() {
                    let mut lanes = [0.0_f32; LANES];
                    s.store(lanes.as_mut_ptr(), sum);
                    let mut length = LANES / 2;
                    while length > 0 {
                        for i in 0..length {
                            lanes[i] += lanes[i + length];
                        }
                        length /= 2;
                    }
                    let value = (lanes[0] + job.weights.bias[plane]) * job.factor;
                    *job.out.at((plane * height + job.first + y) * width + x + r, 1) = value;
                }
            }
        }
    }
}

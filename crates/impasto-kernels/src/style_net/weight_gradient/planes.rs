//! The first and the last layer, between three planes and blocks of channels.

use super::super::picture::{Canvas, PAD, PLANES, SIDE, WINDOW};
use super::super::planes::Field;
use super::WeightSums;
use crate::Isa;
use crate::layout::Plane;
use crate::memory::{View, ViewMut};
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use std::ops::Range;

/// Adds the gradient of the first layer to `[plane, row, column][channel out]`.
pub(in crate::style_net) fn from_planes(
    isa: Isa,
    threads: &Threads,
    canvas: &Canvas,
    gradient: &Field,
    sums: &mut WeightSums,
) {
    let (share, count) = (sums.share, threads.count());
    let sums = sums.view();
    threads.run(|worker| {
        let rows = part(gradient.shape.height, count, worker);
        isa.run(FromRows { canvas, gradient, plane: gradient.plane(), rows, sums, start: worker * share });
    });
}

struct FromRows<'a> {
    canvas: &'a Canvas,
    gradient: &'a Field,
    plane: Plane<'a>,
    rows: Range<usize>,
    sums: ViewMut<'a, f32>,
    start: usize,
}

impl Op for FromRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let blocks = self.gradient.layout.blocks();
        for y in self.rows.clone() {
            for line in 0..PLANES * SIDE {
                for block in 0..blocks {
                    s.vectorise(FromLine { of: &self, y, line, block });
                }
            }
        }
    }
}

/// One row of a plane's window by one block of channels.
struct FromLine<'a, 'b> {
    of: &'a FromRows<'b>,
    y: usize,
    line: usize,
    block: usize,
}

impl Op for FromLine<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { of, y, line, block } = self;
        let (canvas, width, channels) = (of.canvas, of.gradient.shape.width, of.gradient.shape.channels);
        let mut sums = [s.zero(); SIDE];
        // SAFETY: the canvas reaches four beyond every position; the sums are the worker's own.
        unsafe {
            let row = canvas.pad - PAD + y + line % SIDE;
            let at = line / SIDE * canvas.plane_len() + row * canvas.columns() + canvas.pad - PAD;
            let input = View::new(&canvas.data).at(at, width + SIDE - 1);
            let gradient = of.plane.data.at(of.gradient.row(block, y), width * LANES);
            for x in 0..width {
                let value = s.load(gradient.add(x * LANES));
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = s.mul_add(s.splat(*input.add(x + column)), value, *sum);
                }
            }
            for (column, sum) in sums.into_iter().enumerate() {
                let target = of.sums.at(of.start + (line * SIDE + column) * channels + block * LANES, LANES);
                s.store(target, s.add(s.load(target), sum));
            }
        }
    }
}

/// Adds the gradient of the last layer to `[block][row][column][plane][16]`.
pub(in crate::style_net) fn to_planes(
    isa: Isa,
    threads: &Threads,
    input: &Field,
    gradient: &Canvas,
    sums: &mut WeightSums,
) {
    let (share, count) = (sums.share, threads.count());
    let sums = sums.view();
    threads.run(|worker| {
        let rows = part(gradient.height, count, worker);
        isa.run(ToRows { input: input.plane(), gradient, rows, sums, start: worker * share });
    });
}

struct ToRows<'a> {
    input: Plane<'a>,
    gradient: &'a Canvas,
    rows: Range<usize>,
    sums: ViewMut<'a, f32>,
    start: usize,
}

impl Op for ToRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for y in self.rows.clone() {
            for line in 0..self.input.layout.blocks() * SIDE {
                if S::MANY_REGISTERS {
                    s.vectorise(ToLine::<SIDE> { of: &self, y, line, first: 0 });
                } else {
                    for first in (0..SIDE).step_by(3) {
                        s.vectorise(ToLine::<3> { of: &self, y, line, first });
                    }
                }
            }
        }
    }
}

/// `N` columns of one row of a block's window, for all planes.
struct ToLine<'a, 'b, const N: usize> {
    of: &'a ToRows<'b>,
    y: usize,
    line: usize,
    first: usize,
}

impl<const N: usize> Op for ToLine<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { of, y, line, first } = self;
        let (canvas, layout) = (of.gradient, of.input.layout);
        let mut sums = [[s.zero(); PLANES]; N];
        // SAFETY: the feature reaches four beyond every position; the sums are the worker's own.
        unsafe {
            let at = layout.at(line / SIDE, y + line % SIDE, first);
            let input = of.input.data.at(at, (canvas.width + N - 1) * LANES);
            let (pad, columns, plane_len) = (canvas.pad, canvas.columns(), canvas.plane_len());
            let start = (y + pad) * columns + pad;
            let gradient = View::new(&canvas.data).at(start, 2 * plane_len + canvas.width);
            for x in 0..canvas.width {
                let mut factors = [s.zero(); PLANES];
                for (plane, factor) in factors.iter_mut().enumerate() {
                    *factor = s.splat(*gradient.add(plane * plane_len + x));
                }
                for (column, sums) in sums.iter_mut().enumerate() {
                    let value = s.load(input.add((x + column) * LANES));
                    for (sum, factor) in sums.iter_mut().zip(factors) {
                        *sum = s.mul_add(value, factor, *sum);
                    }
                }
            }
            for (column, sums) in sums.into_iter().enumerate() {
                for (plane, sum) in sums.into_iter().enumerate() {
                    let place = (line * SIDE + first + column) * PLANES + plane;
                    let target = of.sums.at(of.start + place * LANES, LANES);
                    s.store(target, s.add(s.load(target), sum));
                }
            }
        }
    }
}

/// Floats of the first and of the last layer.
pub(in crate::style_net) fn planes_len(channels: usize) -> usize {
    WINDOW * channels
}

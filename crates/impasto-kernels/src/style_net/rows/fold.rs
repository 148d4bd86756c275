//! The way back through a feature's continuation, a ReLU and a normalisation.

use super::super::tiles::{Activate, PerChannel};
use super::{Edge, ReadOnly, RowKernel, Shared};
use crate::simd::{LANES, Simd};

/// Folds what lies in the ring of a gradient back to the rows and columns it was a continuation of, adds it to the
/// stream's gradient where there is one, closes it where the ReLU was closed, and adds up `Σ g` and `Σ g·x`.
#[derive(Clone, Copy)]
pub(in crate::style_net) struct Fold<'a> {
    pub(in crate::style_net) gradient: Shared<'a>,
    /// How the feature was continued, and how far.
    pub(in crate::style_net) edge: (Edge, usize),
    pub(in crate::style_net) stream: Option<Shared<'a>>,
    /// What came out of the convolution, before its normalisation.
    pub(in crate::style_net) raw: ReadOnly<'a>,
    /// The normalisation in front of the ReLU, where there is one.
    pub(in crate::style_net) relu: Option<Activate<'a>>,
}

impl RowKernel for Fold<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, sums: &mut [S::V; 2]) {
        let (edge, pad) = self.edge;
        let Shared { height, width, .. } = self.gradient;
        // SAFETY: block and row exist; each row of the ring stands for one row inside, and is read with that one.
        unsafe {
            let row = self.gradient.at(block, y as isize, 0);
            self.fold_columns(s, row, block, y as isize);
            for outside in edge.mirrors(y, height, pad).into_iter().flatten() {
                let more = self.gradient.at(block, outside, 0);
                self.fold_columns(s, more, block, outside);
                for x in 0..width {
                    let at = x * LANES;
                    s.store(row.add(at), s.add(s.load(row.add(at)), s.load(more.add(at))));
                }
            }
            let target = match self.stream {
                Some(stream) => stream.at(block, y as isize, 0),
                None => row,
            };
            let raw = self.raw.at(block, y, 0);
            let (factor, offset) = match self.relu {
                Some(relu) => relu.block(s, block),
                None => (s.zero(), s.splat(1.0)),
            };
            for x in 0..width {
                let at = x * LANES;
                let value = s.load(raw.add(at));
                let mut gradient = s.load(row.add(at));
                if self.stream.is_some() {
                    gradient = s.add(gradient, s.load(target.add(at)));
                }
                gradient = s.keep(s.greater(s.mul_add(factor, value, offset), s.zero()), gradient);
                s.store(target.add(at), gradient);
                sums[0] = s.add(sums[0], gradient);
                sums[1] = s.mul_add(gradient, value, sums[1]);
            }
        }
    }
}

impl Fold<'_> {
    /// Adds the columns outside to those inside that they stand for.
    /// # Safety
    /// `row` is that row of the gradient's block.
    #[inline(always)]
    unsafe fn fold_columns<S: Simd>(&self, s: S, row: *mut f32, block: usize, y: isize) {
        let (edge, pad) = self.edge;
        let width = self.gradient.width;
        let (first, last) = (-(pad as isize), (width + pad) as isize);
        for outside in (first..0).chain(width as isize..last) {
            // SAFETY: the column lies in the ring, the one it stands for inside.
            unsafe {
                let inside = row.add(edge.source(outside, width) * LANES);
                s.store(inside, s.add(s.load(inside), s.load(self.gradient.at(block, y, outside))));
            }
        }
    }
}

/// `target = gradient·g + value·x + constant` for each channel.
#[derive(Clone, Copy)]
pub(in crate::style_net) struct NormGradient<'a> {
    /// `g`, where it is not the target itself.
    pub(in crate::style_net) source: Option<ReadOnly<'a>>,
    pub(in crate::style_net) raw: ReadOnly<'a>,
    /// `gradient`
    pub(in crate::style_net) of_gradient: PerChannel<'a>,
    /// `value`
    pub(in crate::style_net) of_value: PerChannel<'a>,
    pub(in crate::style_net) constant: PerChannel<'a>,
    pub(in crate::style_net) target: Shared<'a>,
}

impl RowKernel for NormGradient<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, s: S, block: usize, y: usize, _: &mut [S::V; 2]) {
        // SAFETY: block and row exist in all.
        unsafe {
            let (gradient, value) = (self.of_gradient.block(s, block), self.of_value.block(s, block));
            let constant = self.constant.block(s, block);
            let raw = self.raw.at(block, y, 0);
            let target = self.target.at(block, y as isize, 0);
            let source = match &self.source {
                Some(source) => source.at(block, y, 0),
                None => target.cast_const(),
            };
            for x in 0..self.target.width {
                let at = x * LANES;
                let affine = s.mul_add(value, s.load(raw.add(at)), constant);
                s.store(target.add(at), s.mul_add(gradient, s.load(source.add(at)), affine));
            }
        }
    }
}

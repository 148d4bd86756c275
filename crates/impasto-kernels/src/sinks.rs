//! What becomes of the output of a convolution: bias, ReLU, ReLU masks and pooling forward; the ReLU's mask backward.

use crate::layout::{Layout, PlaneMut};
use crate::memory::{View, ViewMut};
use crate::pool::PoolTarget;
use crate::simd::{LANES, Simd};
use crate::winograd::{Sink, TILE};

/// Forward: `max(value + bias, 0)`.
#[derive(Clone, Copy)]
pub(crate) struct Activation<'a> {
    /// The layout of the feature, whether it is stored or not.
    pub(crate) layout: Layout,
    /// One value for each channel.
    pub(crate) bias: View<'a, f32>,
    /// Where the feature goes, if anybody needs it.
    pub(crate) feature: Option<ViewMut<'a, f32>>,
    /// Where the ReLU masks of the feature go, if a backward pass follows.
    pub(crate) relu_mask: Option<ViewMut<'a, u16>>,
    /// Where the pooled feature goes, if a pooling follows.
    pub(crate) pooled: Option<PoolTarget<'a>>,
}

impl Sink for Activation<'_> {
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize, values: [S::V; 16]) {
        let layout = self.layout;
        let (rows, columns) = (layout.shape.height - ty * TILE, layout.shape.width - tx * TILE);
        let large = layout.is_large();
        // SAFETY: the block exists, only positions inside the feature are written, and the caller alone has this tile.
        unsafe {
            let bias = s.load(self.bias.at(block * LANES, LANES));
            let mut values = values;
            for value in &mut values {
                *value = s.max(s.add(*value, bias), s.zero());
            }
            for (i, &value) in values.iter().enumerate() {
                let (y, x) = (i / TILE, i % TILE);
                if y < rows && x < columns {
                    let (y, x) = (ty * TILE + y, tx * TILE + x);
                    if let Some(feature) = self.feature {
                        let target = feature.at(layout.at(block, y, x), LANES);
                        if large {
                            s.stream(target, value);
                        } else {
                            s.store(target, value);
                        }
                    }
                    if let Some(relu_mask) = self.relu_mask {
                        *relu_mask.at(layout.mask_at(block, y, x), 1) = s.greater(value, s.zero());
                    }
                }
            }
            if let Some(target) = self.pooled {
                let pooled = target.plane.layout.shape;
                for i in 0..4 {
                    let (py, px) = (ty * TILE / 2 + i / 2, tx * TILE / 2 + i % 2);
                    if py < pooled.height && px < pooled.width {
                        let corner = i / 2 * 2 * TILE + i % 2 * 2;
                        let four =
                            [values[corner], values[corner + 1], values[corner + TILE], values[corner + TILE + 1]];
                        target.put(s, layout.shape, (block, py, px), four);
                    }
                }
            }
        }
    }
}

/// Backward: the gradient, 0 where the ReLU was closed.
#[derive(Clone, Copy)]
pub(crate) struct Masked<'a> {
    /// Where the gradient goes.
    pub(crate) plane: PlaneMut<'a>,
    /// The ReLU masks of the feature of the same shape; none where a pooling lies between.
    pub(crate) relu_mask: Option<View<'a, u16>>,
}

impl Sink for Masked<'_> {
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize, values: [S::V; 16]) {
        let layout = self.plane.layout;
        let (rows, columns) = (layout.shape.height - ty * TILE, layout.shape.width - tx * TILE);
        for (i, &value) in values.iter().enumerate() {
            let (y, x) = (i / TILE, i % TILE);
            if y < rows && x < columns {
                let (y, x) = (ty * TILE + y, tx * TILE + x);
                // SAFETY: the position exists, and the caller alone has this tile.
                unsafe {
                    let value = match self.relu_mask {
                        Some(relu_mask) => s.keep(*relu_mask.at(layout.mask_at(block, y, x), 1), value),
                        None => value,
                    };
                    s.store(self.plane.data.at(layout.at(block, y, x), LANES), value);
                }
            }
        }
    }
}

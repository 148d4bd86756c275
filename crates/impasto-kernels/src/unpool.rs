//! The backward of a pooling and of the ReLU in front of it.

use crate::layout::{Layout, Plane, PlaneMut};
use crate::memory::View;
use crate::pool::{Pool, corner, l2, present};
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use crate::winograd::Source;
use crate::{Isa, Pooling};

/// The gradient of a pooled plane, and all that is needed to carry it through the pooling and the ReLU before it.
#[derive(Clone, Copy)]
pub(crate) struct Unpool<'a> {
    /// The gradient behind the pooling.
    pub(crate) gradient: Plane<'a>,
    /// How a window became one value.
    pub(crate) pool: Pool,
    /// The places of the largest values, for [`Pooling::Max`].
    pub(crate) argmax: Option<View<'a, u32>>,
    /// The feature in front of the pooling, for [`Pooling::L2`].
    pub(crate) feature: Option<Plane<'a>>,
    /// The layout of the feature in front of the pooling.
    pub(crate) layout: Layout,
    /// Its ReLU masks.
    pub(crate) relu_mask: View<'a, u16>,
}

const AVERAGE: u8 = 0;
const MAX: u8 = 1;
const L2: u8 = 2;

impl Unpool<'_> {
    /// The gradients of the four values of a window in front of the ReLU, 0 where there is none. `WHOLE` says that all
    /// four exist.
    /// # Safety
    /// The pooled position exists.
    #[inline(always)]
    unsafe fn window<S: Simd, const POOLING: u8, const WHOLE: bool>(
        &self,
        s: S,
        block: usize,
        py: usize,
        px: usize,
    ) -> [S::V; 4] {
        let (layout, pooled) = (self.layout, self.gradient.layout);
        let present = if WHOLE { [true; 4] } else { present(layout.shape) };
        // SAFETY: the position exists, and of its window only what is present is read.
        unsafe {
            let gradient = s.load(self.gradient.data.at(pooled.at(block, py, px), LANES));
            let gradient = s.mul(gradient, s.splat(self.pool.scale));
            let mut parts = match POOLING {
                AVERAGE => [s.mul(gradient, s.splat(share(present))); 4],
                MAX => self.largest(s, gradient, pooled.mask_at(block, py, px)),
                _ => self.direction(s, gradient, present, block, py, px),
            };
            for i in 0..4 {
                parts[i] = if present[i] {
                    let at = layout.mask_at(block, 2 * py + i / 2, 2 * px + i % 2);
                    s.keep(*self.relu_mask.at(at, 1), parts[i])
                } else {
                    s.zero()
                };
            }
            parts
        }
    }

    /// All of the gradient where the value was the largest one.
    /// # Safety
    /// The place exists.
    #[inline(always)]
    unsafe fn largest<S: Simd>(&self, s: S, gradient: S::V, at: usize) -> [S::V; 4] {
        let Some(argmax) = self.argmax else { unreachable!("max pooling keeps argmax") };
        // SAFETY: the caller's promise.
        let argmax = unsafe { *argmax.at(at, 1) };
        let (low, high) = (argmax as u16, (argmax >> 16) as u16);
        [
            s.keep(!low & !high, gradient),
            s.keep(low & !high, gradient),
            s.keep(!low & high, gradient),
            s.keep(low & high, gradient),
        ]
    }

    /// `gradient · x / ‖x‖`, 0 where the norm is.
    /// # Safety
    /// The position exists.
    #[inline(always)]
    unsafe fn direction<S: Simd>(
        &self,
        s: S,
        gradient: S::V,
        present: [bool; 4],
        block: usize,
        py: usize,
        px: usize,
    ) -> [S::V; 4] {
        let Some(feature) = self.feature else { unreachable!("L2 pooling keeps the feature") };
        // SAFETY: the caller's promise.
        let mut values = unsafe { corner(s, &feature, block, py, px) };
        let norm = l2(s, values, present);
        let positive = s.greater(norm, s.zero());
        let factor = s.keep(positive, s.div(gradient, norm));
        for value in &mut values {
            *value = s.mul(*value, factor);
        }
        values
    }

    /// A tile of the unpooled gradient: the sixteen windows that touch it.
    /// # Safety
    /// Block and tile exist.
    #[inline(always)]
    unsafe fn tile_of<S: Simd, const POOLING: u8>(&self, s: S, block: usize, ty: usize, tx: usize) -> [S::V; 36] {
        let pooled = self.gradient.layout.shape;
        let mut values = [s.zero(); 36];
        let inside = ty > 0 && tx > 0 && 2 * ty + 2 < pooled.height && 2 * tx + 2 < pooled.width;
        for wy in 0..4 {
            for wx in 0..4 {
                let (py, px) = ((2 * ty + wy).wrapping_sub(1), (2 * tx + wx).wrapping_sub(1));
                // SAFETY: the window exists; inside, the feature has more than one row and column.
                let parts = unsafe {
                    if inside {
                        self.window::<S, POOLING, true>(s, block, py, px)
                    } else if py < pooled.height && px < pooled.width {
                        self.window::<S, POOLING, false>(s, block, py, px)
                    } else {
                        [s.zero(); 4]
                    }
                };
                for (i, part) in parts.into_iter().enumerate() {
                    // The tile begins in the middle of the first window.
                    let (row, column) = ((2 * wy + i / 2).wrapping_sub(1), (2 * wx + i % 2).wrapping_sub(1));
                    if row < 6 && column < 6 {
                        values[row * 6 + column] = part;
                    }
                }
            }
        }
        values
    }
}

/// What each value of a window gets of its mean's gradient.
#[inline(always)]
fn share(present: [bool; 4]) -> f32 {
    match present {
        [_, true, true, _] => 0.25,
        [_, false, false, _] => 1.0,
        _ => 0.5,
    }
}

/// The unpooled gradient without ever writing it out.
impl Source for Unpool<'_> {
    #[inline(always)]
    unsafe fn tile<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) -> [S::V; 36] {
        // SAFETY: the caller's promise.
        unsafe {
            match self.pool.pooling {
                Pooling::Average => self.tile_of::<S, AVERAGE>(s, block, ty, tx),
                Pooling::Max => self.tile_of::<S, MAX>(s, block, ty, tx),
                Pooling::L2 => self.tile_of::<S, L2>(s, block, ty, tx),
            }
        }
    }

    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, block: usize, ty: usize, tx: usize) {
        let pooled = self.gradient.layout;
        for row in 0..4 {
            for column in 0..2 {
                s.prefetch(self.gradient.data.near(pooled.bordered(block, 2 * ty + row, 2 * tx + column + 2)));
            }
        }
    }
}

/// Carries a gradient through a pooling and the ReLU before it, and writes it out.
pub(crate) fn unpool(isa: Isa, threads: &Threads, source: Unpool<'_>, target: PlaneMut<'_>) {
    let count = threads.count();
    let pooled = source.gradient.layout;
    threads.run(|worker| {
        let rows = part(pooled.blocks() * pooled.shape.height, count, worker);
        isa.run(Spread { source, target, rows });
    });
}

struct Spread<'a> {
    source: Unpool<'a>,
    target: PlaneMut<'a>,
    rows: std::ops::Range<usize>,
}

impl Op for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let pooled = self.source.gradient.layout.shape;
        let layout = self.target.layout;
        for row in self.rows {
            let (block, py) = (row / pooled.height, row % pooled.height);
            for px in 0..pooled.width {
                // SAFETY: the position exists; the plane has room for whole windows, border included; the worker alone
                // has this row of windows.
                unsafe {
                    let parts = match self.source.pool.pooling {
                        Pooling::Average => self.source.window::<S, AVERAGE, false>(s, block, py, px),
                        Pooling::Max => self.source.window::<S, MAX, false>(s, block, py, px),
                        Pooling::L2 => self.source.window::<S, L2, false>(s, block, py, px),
                    };
                    for (i, part) in parts.into_iter().enumerate() {
                        let at = layout.at(block, 2 * py + i / 2, 2 * px + i % 2);
                        s.store(self.target.data.at(at, LANES), part);
                    }
                }
            }
            // SAFETY: as above; what no window covers gets no gradient.
            unsafe {
                for dy in 0..2 {
                    for x in 2 * pooled.width..layout.shape.width {
                        s.store(self.target.data.at(layout.at(block, 2 * py + dy, x), LANES), s.zero());
                    }
                }
                if py + 1 == pooled.height {
                    for y in 2 * pooled.height..layout.shape.height {
                        for x in 0..layout.shape.width {
                            s.store(self.target.data.at(layout.at(block, y, x), LANES), s.zero());
                        }
                    }
                }
            }
        }
    }
}

//! 2×2 pooling with stride 2 on blocked planes.

use crate::layout::{Plane, PlaneMut};
use crate::memory::ViewMut;
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use crate::{Isa, Pooling, Shape};

/// The shape behind a pooling.
pub(crate) fn pooled_shape(shape: Shape) -> Shape {
    Shape { channels: shape.channels, height: (shape.height / 2).max(1), width: (shape.width / 2).max(1) }
}

/// Which of the four values of a window exist, row major: a side of length 1 has a window cut to 1.
#[inline(always)]
pub(crate) fn present(shape: Shape) -> [bool; 4] {
    let (below, right) = (shape.height > 1, shape.width > 1);
    [true, right, below, below && right]
}

/// How a window becomes one value.
#[derive(Clone, Copy)]
pub(crate) struct Pool {
    pub(crate) pooling: Pooling,
    /// A factor on the value.
    pub(crate) scale: f32,
}

/// Pools one window: the value, and for [`Pooling::Max`] its place in two bits for each channel, low bits in the low
/// half. Of equal values the first one in row-major order counts.
#[inline(always)]
pub(crate) fn window<S: Simd>(s: S, pool: Pool, values: [S::V; 4], present: [bool; 4]) -> (S::V, u32) {
    let scale = s.splat(pool.scale);
    let mut found = values[0];
    match pool.pooling {
        Pooling::Average => {
            let mut count = 1.0;
            for i in 1..4 {
                if present[i] {
                    found = s.add(found, values[i]);
                    count += 1.0;
                }
            }
            (s.mul(found, s.splat(pool.scale / count)), 0)
        }
        Pooling::Max => {
            let (mut low, mut high) = (0u16, 0u16);
            for i in 1..4 {
                if present[i] {
                    let better = s.greater(values[i], found);
                    found = s.select(better, values[i], found);
                    low = if i & 1 == 1 { low | better } else { low & !better };
                    high = if i & 2 == 2 { high | better } else { high & !better };
                }
            }
            (s.mul(found, scale), u32::from(low) | u32::from(high) << 16)
        }
        Pooling::L2 => (s.mul(l2(s, values, present), scale), 0),
    }
}

/// `‖values‖`
#[inline(always)]
pub(crate) fn l2<S: Simd>(s: S, values: [S::V; 4], present: [bool; 4]) -> S::V {
    let mut sum = s.mul(values[0], values[0]);
    for i in 1..4 {
        if present[i] {
            sum = s.mul_add(values[i], values[i], sum);
        }
    }
    s.sqrt(sum)
}

/// The four values of a window, those beyond the edge from the border.
/// # Safety
/// The window lies inside the plane or its border.
#[inline(always)]
pub(crate) unsafe fn corner<S: Simd>(s: S, plane: &Plane<'_>, block: usize, py: usize, px: usize) -> [S::V; 4] {
    let mut values = [s.zero(); 4];
    for (i, value) in values.iter_mut().enumerate() {
        let at = plane.layout.at(block, 2 * py + i / 2, 2 * px + i % 2);
        // SAFETY: the caller's promise.
        *value = unsafe { s.load(plane.data.at(at, LANES)) };
    }
    values
}

/// Where the pooled values go.
#[derive(Clone, Copy)]
pub(crate) struct PoolTarget<'a> {
    /// The pooled plane.
    pub(crate) plane: PlaneMut<'a>,
    /// How a window becomes one value.
    pub(crate) pool: Pool,
    /// Where the places of the largest values go, if they are kept.
    pub(crate) argmax: Option<ViewMut<'a, u32>>,
}

impl PoolTarget<'_> {
    /// Pools one window of a feature of this shape.
    /// # Safety
    /// The pooled position exists, and no other thread has it.
    #[inline(always)]
    pub(crate) unsafe fn put<S: Simd>(&self, s: S, shape: Shape, at: (usize, usize, usize), values: [S::V; 4]) {
        let (block, py, px) = at;
        let layout = self.plane.layout;
        let (value, argmax) = window(s, self.pool, values, present(shape));
        // SAFETY: the caller's promise.
        unsafe {
            s.store(self.plane.data.at(layout.at(block, py, px), LANES), value);
            if let Some(target) = self.argmax {
                *target.at(layout.mask_at(block, py, px), 1) = argmax;
            }
        }
    }
}

/// Pools a whole plane.
pub(crate) fn pool(isa: Isa, threads: &Threads, source: Plane<'_>, target: PoolTarget<'_>) {
    let count = threads.count();
    let layout = target.plane.layout;
    threads.run(|worker| {
        let rows = part(layout.blocks() * layout.shape.height, count, worker);
        isa.run(WholePlane { source, target, rows });
    });
}

struct WholePlane<'a> {
    source: Plane<'a>,
    target: PoolTarget<'a>,
    rows: std::ops::Range<usize>,
}

impl Op for WholePlane<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let shape = self.target.plane.layout.shape;
        for row in self.rows {
            let (block, py) = (row / shape.height, row % shape.height);
            for px in 0..shape.width {
                // SAFETY: the window lies inside the source or its border; each row belongs to one worker.
                unsafe {
                    let values = corner(s, &self.source, block, py, px);
                    self.target.put(s, self.source.layout.shape, (block, py, px), values);
                }
            }
        }
    }
}

//! 2×2 pooling with stride 2 on blocked planes, and its backward through the ReLU in front of it.

use crate::layout::{Layout, Plane, PlaneMut};
use crate::memory::{View, ViewMut};
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

/// Pools one window: the value, and for [`Pooling::Max`] its place in two bits for each channel, low bits in the low
/// half. Of equal values the first one in row-major order counts.
#[inline(always)]
pub(crate) fn window<S: Simd>(s: S, pooling: Pooling, values: [S::V; 4], present: [bool; 4]) -> (S::V, u32) {
    let mut found = values[0];
    match pooling {
        Pooling::Average => {
            let mut count = 1.0;
            for i in 1..4 {
                if present[i] {
                    found = s.add(found, values[i]);
                    count += 1.0;
                }
            }
            (s.mul(found, s.splat(1.0 / count)), 0)
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
            (found, u32::from(low) | u32::from(high) << 16)
        }
        Pooling::L2 => (l2(s, values, present), 0),
    }
}

#[inline(always)]
fn l2<S: Simd>(s: S, values: [S::V; 4], present: [bool; 4]) -> S::V {
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
unsafe fn corner<S: Simd>(s: S, plane: &Plane<'_>, block: usize, py: usize, px: usize) -> [S::V; 4] {
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
    pub(crate) pooling: Pooling,
    /// Where the places of the largest values go, if they are kept.
    pub(crate) places: Option<ViewMut<'a, u32>>,
}

impl PoolTarget<'_> {
    /// Pools one window of a feature of this shape.
    /// # Safety
    /// The pooled position exists, and no other thread has it.
    #[inline(always)]
    pub(crate) unsafe fn put<S: Simd>(&self, s: S, shape: Shape, at: (usize, usize, usize), values: [S::V; 4]) {
        let (block, py, px) = at;
        let layout = self.plane.layout;
        let (value, places) = window(s, self.pooling, values, present(shape));
        // SAFETY: the caller's promise.
        unsafe {
            s.store(self.plane.data.at(layout.at(block, py, px), LANES), value);
            if let Some(target) = self.places {
                *target.at(layout.sign_at(block, py, px), 1) = places;
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
        isa.run(Pool { source, target, rows });
    });
}

struct Pool<'a> {
    source: Plane<'a>,
    target: PoolTarget<'a>,
    rows: std::ops::Range<usize>,
}

impl Op for Pool<'_> {
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

/// The gradient of a pooled plane, and all that is needed to carry it through the pooling and the ReLU before it.
#[derive(Clone, Copy)]
pub(crate) struct Unpool<'a> {
    /// The gradient behind the pooling.
    pub(crate) gradient: Plane<'a>,
    /// How a window became one value.
    pub(crate) pooling: Pooling,
    /// The places of the largest values, for [`Pooling::Max`].
    pub(crate) places: Option<View<'a, u32>>,
    /// The feature in front of the pooling, for [`Pooling::L2`].
    pub(crate) feature: Option<Plane<'a>>,
    /// The layout of the feature in front of the pooling.
    pub(crate) layout: Layout,
    /// Its ReLU signs.
    pub(crate) signs: View<'a, u16>,
}

impl Unpool<'_> {
    /// The gradients of the four values of a window, before the ReLU, 0 where there is none.
    /// # Safety
    /// The pooled position exists.
    #[inline(always)]
    unsafe fn window<S: Simd>(&self, s: S, block: usize, py: usize, px: usize) -> [S::V; 4] {
        let layout = self.layout;
        let pooled = self.gradient.layout;
        let present = present(layout.shape);
        // SAFETY: the position exists, and of its window only what is present is read.
        unsafe {
            let gradient = s.load(self.gradient.data.at(pooled.at(block, py, px), LANES));
            let count = present.iter().filter(|&&is| is).count();
            let mut parts = match self.pooling {
                Pooling::Average => [s.mul(gradient, s.splat(1.0 / count as f32)); 4],
                Pooling::Max => self.largest(s, gradient, pooled.sign_at(block, py, px)),
                Pooling::L2 => self.direction(s, gradient, present, (block, py, px)),
            };
            for (i, part) in parts.iter_mut().enumerate() {
                *part = if present[i] {
                    let at = layout.sign_at(block, 2 * py + i / 2, 2 * px + i % 2);
                    s.keep(*self.signs.at(at, 1), *part)
                } else {
                    s.zero()
                };
            }
            parts
        }
    }

    /// # Safety
    /// The place exists.
    #[inline(always)]
    unsafe fn largest<S: Simd>(&self, s: S, gradient: S::V, at: usize) -> [S::V; 4] {
        let Some(places) = self.places else { unreachable!("max pooling keeps places") };
        // SAFETY: the caller's promise.
        let places = unsafe { *places.at(at, 1) };
        let (low, high) = (places as u16, (places >> 16) as u16);
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
        (block, py, px): (usize, usize, usize),
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
}

/// Carries a gradient through a pooling and the ReLU before it.
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
                    let parts = self.source.window(s, block, py, px);
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

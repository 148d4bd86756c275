//! Operations on long slices for optimisers, threaded and vectorised.
//!
//! Each worker has one contiguous part, so results are the same bits for the same number of threads and instruction
//! set.

use crate::Isa;
use crate::memory::{View, ViewMut};
use crate::simd::{LANES, Op, Simd};
use crate::size::product;
use crate::threads::{Threads, part};
use std::ops::Range;

/// Below this many values threads are not worth waking.
const SMALL: usize = 1 << 14;

/// Runs `work(range)` on each worker's part of `0..len`, parts beginning at multiples of `step`.
fn split<R: Send>(threads: &Threads, len: usize, step: usize, work: impl Fn(Range<usize>) -> R + Sync) -> Vec<R> {
    if len < SMALL {
        return vec![work(0..len)];
    }
    let (steps, count) = (len.div_ceil(step), threads.count());
    threads.run(|worker| {
        let part = part(steps, count, worker);
        work(part.start * step..(part.end * step).min(len))
    })
}

/// Up to sixteen values from `at` on, filled up with zeros.
fn tail(slice: &[f32], at: usize) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    let rest = &slice[at..];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

/// `Σ a·b`, products and sum in double precision.
///
/// # Panics
/// Where the lengths differ; so do all functions here.
pub fn dot(isa: Isa, threads: &Threads, a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "both slices have the same length");
    let parts = split(threads, a.len(), LANES, |part| isa.run(Dot { a: &a[part.clone()], b: &b[part] }));
    parts.into_iter().sum()
}

struct Dot<'a> {
    a: &'a [f32],
    b: &'a [f32],
}

impl Op for Dot<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let whole = self.a.len() / LANES * LANES;
        let (a, b) = (View::new(self.a), View::new(self.b));
        let mut sum = s.wide_zero();
        for at in (0..whole).step_by(LANES) {
            // SAFETY: sixteen values lie there.
            let (a, b) = unsafe { (s.load(a.at(at, LANES)), s.load(b.at(at, LANES))) };
            sum = s.wide_mul_add(a, b, sum);
        }
        let (a, b) = (tail(self.a, whole), tail(self.b, whole));
        // SAFETY: both arrays hold sixteen values.
        let (a, b) = unsafe { (s.load(a.as_ptr()), s.load(b.as_ptr())) };
        s.wide_sum(s.wide_mul_add(a, b, sum))
    }
}

/// What happens to sixteen values at a time.
trait Each<const N: usize, const M: usize>: Copy + Sync {
    /// From N values that are read and M that change to their new values.
    fn apply<S: Simd>(self, s: S, inputs: [S::V; N], state: [S::V; M]) -> [S::V; M];
}

/// Applies `kernel` everywhere.
fn each<const N: usize, const M: usize, K: Each<N, M>>(
    isa: Isa,
    threads: &Threads,
    kernel: K,
    inputs: [&[f32]; N],
    state: [&mut [f32]; M],
) {
    let len = state[0].len();
    assert!(inputs.iter().all(|input| input.len() == len), "all slices have the same length");
    assert!(state.iter().all(|state| state.len() == len), "all slices have the same length");
    let state = state.map(ViewMut::new);
    split(threads, len, LANES, |part| {
        let inputs = inputs.map(|input| &input[part.clone()]);
        // SAFETY: parts do not overlap.
        let state = state.map(|state| unsafe { state.slice(part.start, part.len()) });
        isa.run(EachPart { kernel, inputs, state });
    });
}

struct EachPart<'a, const N: usize, const M: usize, K> {
    kernel: K,
    inputs: [&'a [f32]; N],
    state: [&'a mut [f32]; M],
}

impl<const N: usize, const M: usize, K: Each<N, M>> Op for EachPart<'_, N, M, K> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { kernel, inputs, mut state } = self;
        let len = state[0].len();
        let whole = len / LANES * LANES;
        let sources = inputs.map(View::new);
        let targets = state.each_mut().map(|state| ViewMut::new(state));
        for at in (0..whole).step_by(LANES) {
            // SAFETY: all slices hold sixteen values there.
            unsafe {
                let (mut values, mut before) = ([s.zero(); N], [s.zero(); M]);
                for i in 0..N {
                    values[i] = s.load(sources[i].at(at, LANES));
                }
                for i in 0..M {
                    before[i] = s.load(targets[i].at(at, LANES));
                }
                let after = kernel.apply(s, values, before);
                for i in 0..M {
                    s.store(targets[i].at(at, LANES), after[i]);
                }
            }
        }
        let values = inputs.map(|input| tail(input, whole));
        let before = state.each_ref().map(|state| tail(state, whole));
        // SAFETY: the arrays hold sixteen values.
        let after = unsafe {
            let (values, before) = (values.map(|v| s.load(v.as_ptr())), before.map(|v| s.load(v.as_ptr())));
            kernel.apply(s, values, before).map(|value| {
                let mut lanes = [0.0; LANES];
                s.store(lanes.as_mut_ptr(), value);
                lanes
            })
        };
        for (state, lanes) in state.into_iter().zip(after) {
            state[whole..].copy_from_slice(&lanes[..len - whole]);
        }
    }
}

/// `y += a · x`
pub fn axpy(isa: Isa, threads: &Threads, a: f32, x: &[f32], y: &mut [f32]) {
    each(isa, threads, Axpy(a), [x], [y]);
}

#[derive(Clone, Copy)]
struct Axpy(f32);

impl Each<1, 1> for Axpy {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, [x]: [S::V; 1], [y]: [S::V; 1]) -> [S::V; 1] {
        [s.mul_add(s.splat(self.0), x, y)]
    }
}

/// `x *= a`
pub fn scale(isa: Isa, threads: &Threads, a: f32, x: &mut [f32]) {
    each(isa, threads, Scale(a), [], [x]);
}

#[derive(Clone, Copy)]
struct Scale(f32);

impl Each<0, 1> for Scale {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, _: [S::V; 0], [x]: [S::V; 1]) -> [S::V; 1] {
        [s.mul(s.splat(self.0), x)]
    }
}

/// What Adam is told (Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Which step this is, from 1.
    pub step: u32,
    /// The step size.
    pub learning_rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
}

/// One step of Adam: `m = β₁m + (1−β₁)g`, `v = β₂v + (1−β₂)g²`, `p −= lr · m̂ / (√v̂ + ε)` with
/// `m̂ = m / (1−β₁ᵗ)`, `v̂ = v / (1−β₂ᵗ)`.
pub fn adam_step(
    isa: Isa,
    threads: &Threads,
    adam: Adam,
    gradient: &[f32],
    params: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
) {
    let correction = |beta: f32| 1.0 - f64::from(beta).powf(f64::from(adam.step));
    let kernel = AdamStep {
        beta1: adam.beta1,
        beta2: adam.beta2,
        rate: (f64::from(adam.learning_rate) / correction(adam.beta1)) as f32,
        root: (1.0 / correction(adam.beta2)) as f32,
        epsilon: adam.epsilon,
    };
    each(isa, threads, kernel, [gradient], [params, m, v]);
}

#[derive(Clone, Copy)]
struct AdamStep {
    beta1: f32,
    beta2: f32,
    rate: f32,
    root: f32,
    epsilon: f32,
}

impl Each<1, 3> for AdamStep {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, [g]: [S::V; 1], [p, m, v]: [S::V; 3]) -> [S::V; 3] {
        let m = s.mul_add(s.splat(self.beta1), m, s.mul(s.splat(1.0 - self.beta1), g));
        let v = s.mul_add(s.splat(self.beta2), v, s.mul(s.splat(1.0 - self.beta2), s.mul(g, g)));
        let norm = s.add(s.sqrt(s.mul(v, s.splat(self.root))), s.splat(self.epsilon));
        [s.neg_mul_add(s.splat(self.rate), s.div(m, norm), p), m, v]
    }
}

/// The total variation of a planar picture, `Σ (x[i,j+1] − x[i,j])² + (x[i+1,j] − x[i,j])²` over all channels, added
/// up in double precision (squared differences, as in Johnson et al. 2016, section 3.2). `factor` times its gradient
/// is added to `gradient`.
///
/// # Panics
/// Where `picture` is not a whole number of planes of `height × width`, or `gradient` is not as long.
pub fn total_variation(
    isa: Isa,
    threads: &Threads,
    picture: &[f32],
    height: usize,
    width: usize,
    factor: f32,
    gradient: &mut [f32],
) -> f64 {
    assert_eq!(picture.len(), gradient.len(), "the gradient has the size of the picture");
    if picture.is_empty() {
        return 0.0;
    }
    let plane = product(&[height, width]).unwrap_or(usize::MAX);
    assert!(picture.len().is_multiple_of(plane), "a picture is a number of planes");
    let len = picture.len();
    let (picture, gradient) = (View::new(picture), ViewMut::new(gradient));
    let parts = split(threads, len, width, |part| {
        let rows = part.start / width..part.end / width;
        isa.run(Variation { picture, gradient, height, width, factor: 2.0 * factor, rows })
    });
    parts.into_iter().sum()
}

struct Variation<'a> {
    picture: View<'a, f32>,
    gradient: ViewMut<'a, f32>,
    height: usize,
    width: usize,
    factor: f32,
    rows: Range<usize>,
}

impl Op for Variation<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let width = self.width;
        let (mut sum, mut edges) = (s.wide_zero(), 0.0);
        for row in self.rows.clone() {
            let y = row % self.height;
            let start = row * width;
            // A neighbour beyond the edge is the pixel itself: its difference is 0.
            let above = if y > 0 { start - width } else { start };
            let below = if y + 1 < self.height { start + width } else { start };
            let mut x = 1;
            while x + LANES < width {
                // SAFETY: these sixteen pixels and their neighbours left and right lie in the row.
                unsafe {
                    let at = |start: usize| s.load(self.picture.at(start, LANES));
                    let here = at(start + x);
                    let (right, down) = (s.sub(at(start + x + 1), here), s.sub(at(below + x), here));
                    let (left, up) = (s.sub(here, at(start + x - 1)), s.sub(here, at(above + x)));
                    sum = s.wide_mul_add(right, right, sum);
                    sum = s.wide_mul_add(down, down, sum);
                    let slope = s.sub(s.add(left, up), s.add(right, down));
                    let target = self.gradient.at(start + x, LANES);
                    s.store(target, s.mul_add(s.splat(self.factor), slope, s.load(target)));
                }
                x += LANES;
            }
            for x in std::iter::once(0).chain(x..width) {
                edges += self.pixel(start, above, below, x);
            }
        }
        s.wide_sum(sum) + edges
    }
}

impl Variation<'_> {
    /// One pixel near the left or right edge.
    #[inline(always)]
    fn pixel(&self, start: usize, above: usize, below: usize, x: usize) -> f64 {
        // SAFETY: all of these pixels exist; the row belongs to this worker.
        unsafe {
            let at = |index: usize| *self.picture.at(index, 1);
            let here = at(start + x);
            let right = if x + 1 < self.width { at(start + x + 1) - here } else { 0.0 };
            let left = if x > 0 { here - at(start + x - 1) } else { 0.0 };
            let (down, up) = (at(below + x) - here, here - at(above + x));
            *self.gradient.at(start + x, 1) += self.factor * ((left + up) - (right + down));
            f64::from(right).powi(2) + f64::from(down).powi(2)
        }
    }
}

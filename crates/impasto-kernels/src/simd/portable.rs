//! Plain Rust: sixteen floats in an array, left to the compiler to vectorise with what the target always has.

use super::{LANES, Op, Simd};

/// Every CPU has it.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Portable {
    #[expect(clippy::unnecessary_wraps, reason = "the other instruction sets may be missing")]
    pub(crate) fn new() -> Option<Self> {
        Some(Self)
    }
}

/// Sixteen floats.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct V([f32; LANES]);

type D = [f64; LANES];

/// A function of its own for each piece of work, as for the other instruction sets.
#[inline(never)]
fn enter<O: Op>(s: Portable, op: O) -> O::Output {
    op.run(s)
}

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> V {
    let mut r = [0.0; LANES];
    for (i, r) in r.iter_mut().enumerate() {
        *r = f(i);
    }
    V(r)
}

#[inline(always)]
fn fused(a: f32, b: f32, c: f32) -> f32 {
    // Where the target has no fused instruction, `mul_add` would be a call into the C library.
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) { a.mul_add(b, c) } else { a * b + c }
}

impl Simd for Portable {
    type V = V;
    type D = D;

    const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };
    const VECTORS: usize = 1;

    #[inline(always)]
    fn vectorise<O: Op>(self, op: O) -> O::Output {
        enter(self, op)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> V {
        V([x; LANES])
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: the caller's promise; an array of floats has no stricter alignment than a float.
        V(unsafe { p.cast::<[f32; LANES]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; LANES]>().write(v.0) }
    }
    #[inline(always)]
    unsafe fn stream(self, p: *mut f32, v: V) {
        // SAFETY: the caller's promise.
        unsafe { self.store(p, v) }
    }
    #[inline(always)]
    fn fence(self) {}
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}

    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        each(|i| a.0[i] + b.0[i])
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        each(|i| a.0[i] - b.0[i])
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        each(|i| a.0[i] * b.0[i])
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        each(|i| a.0[i] / b.0[i])
    }
    #[inline(always)]
    fn mul_add(self, a: V, b: V, c: V) -> V {
        each(|i| fused(a.0[i], b.0[i], c.0[i]))
    }
    #[inline(always)]
    fn neg_mul_add(self, a: V, b: V, c: V) -> V {
        each(|i| fused(-a.0[i], b.0[i], c.0[i]))
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        each(|i| if a.0[i] > b.0[i] { a.0[i] } else { b.0[i] })
    }
    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        each(|i| a.0[i].sqrt())
    }
    #[inline(always)]
    fn greater(self, a: V, b: V) -> u16 {
        (0..LANES).fold(0, |bits, i| bits | u16::from(a.0[i] > b.0[i]) << i)
    }
    #[inline(always)]
    fn select(self, bits: u16, a: V, b: V) -> V {
        each(|i| if bits >> i & 1 == 1 { a.0[i] } else { b.0[i] })
    }

    #[inline(always)]
    fn wide_zero(self) -> D {
        [0.0; LANES]
    }
    #[inline(always)]
    fn wide_add(self, a: V, c: D) -> D {
        std::array::from_fn(|i| c[i] + f64::from(a.0[i]))
    }
    #[inline(always)]
    fn wide_mul_add(self, a: V, b: V, c: D) -> D {
        std::array::from_fn(|i| c[i] + f64::from(a.0[i]) * f64::from(b.0[i]))
    }
    #[inline(always)]
    fn wide_sum(self, a: D) -> f64 {
        a.iter().sum()
    }
    #[inline(always)]
    unsafe fn wide_load(self, p: *const f64) -> D {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<D>().read() }
    }
    #[inline(always)]
    unsafe fn wide_store(self, p: *mut f64, v: D) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<D>().write(v) }
    }
}

//! AVX-512: one register holds sixteen floats.

use super::{Op, Simd};
use std::arch::x86_64::*;

/// Exists only where the CPU has AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// The capability, where the CPU has it.
    pub(crate) fn new() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("fma");
        has.then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline(never)]
fn enter<O: Op>(s: Avx512, op: O) -> O::Output {
    op.run(s)
}

/// Evaluates one intrinsic.
macro_rules! with {
    ($e:expr) => {
        // SAFETY: a value of `Avx512` exists only where the CPU has the features of the intrinsic; pointers are the
        // caller's promise.
        unsafe { $e }
    };
}

impl Simd for Avx512 {
    type V = __m512;
    type D = [__m512d; 2];

    const ROWS: usize = 14;
    const VECTORS: usize = 2;

    #[inline(always)]
    fn vectorise<O: Op>(self, op: O) -> O::Output {
        with!(enter(self, op))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        with!(_mm512_set1_ps(x))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m512 {
        with!(_mm512_loadu_ps(p))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m512) {
        with!(_mm512_storeu_ps(p, v))
    }
    #[inline(always)]
    unsafe fn stream(self, p: *mut f32, v: __m512) {
        debug_assert!((p as usize).is_multiple_of(64));
        with!(_mm512_stream_ps(p, v))
    }
    #[inline(always)]
    fn fence(self) {
        with!(_mm_sfence())
    }
    #[inline(always)]
    fn prefetch(self, p: *const f32) {
        with!(_mm_prefetch::<_MM_HINT_T0>(p.cast()))
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        with!(_mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        with!(_mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        with!(_mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        with!(_mm512_div_ps(a, b))
    }
    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        with!(_mm512_fmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn neg_mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        with!(_mm512_fnmadd_ps(a, b, c))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        with!(_mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn sqrt(self, a: __m512) -> __m512 {
        with!(_mm512_sqrt_ps(a))
    }
    #[inline(always)]
    fn greater(self, a: __m512, b: __m512) -> u16 {
        with!(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b))
    }
    #[inline(always)]
    fn select(self, bits: u16, a: __m512, b: __m512) -> __m512 {
        with!(_mm512_mask_blend_ps(bits, b, a))
    }

    #[inline(always)]
    fn wide_zero(self) -> [__m512d; 2] {
        [with!(_mm512_setzero_pd()); 2]
    }
    #[inline(always)]
    fn wide_add(self, a: __m512, c: [__m512d; 2]) -> [__m512d; 2] {
        let [low, high] = widen(self, a);
        [with!(_mm512_add_pd(c[0], low)), with!(_mm512_add_pd(c[1], high))]
    }
    #[inline(always)]
    fn wide_mul_add(self, a: __m512, b: __m512, c: [__m512d; 2]) -> [__m512d; 2] {
        let (a, b) = (widen(self, a), widen(self, b));
        [with!(_mm512_fmadd_pd(a[0], b[0], c[0])), with!(_mm512_fmadd_pd(a[1], b[1], c[1]))]
    }
    #[inline(always)]
    fn wide_sum(self, a: [__m512d; 2]) -> f64 {
        with!(_mm512_reduce_add_pd(_mm512_add_pd(a[0], a[1])))
    }
    #[inline(always)]
    unsafe fn wide_load(self, p: *const f64) -> [__m512d; 2] {
        with!([_mm512_loadu_pd(p), _mm512_loadu_pd(p.add(8))])
    }
    #[inline(always)]
    unsafe fn wide_store(self, p: *mut f64, v: [__m512d; 2]) {
        with!({
            _mm512_storeu_pd(p, v[0]);
            _mm512_storeu_pd(p.add(8), v[1]);
        })
    }
}

#[inline(always)]
fn widen(_: Avx512, a: __m512) -> [__m512d; 2] {
    with!({
        let high = _mm512_extractf32x8_ps::<1>(a);
        [_mm512_cvtps_pd(_mm512_castps512_ps256(a)), _mm512_cvtps_pd(high)]
    })
}

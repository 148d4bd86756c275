//! AVX2 with FMA: two registers hold sixteen floats.

use super::{Op, Simd};
use std::arch::x86_64::*;

/// Exists only where the CPU has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The capability, where the CPU has it.
    pub(crate) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,fma")]
#[inline(never)]
fn enter<O: Op>(s: Avx2, op: O) -> O::Output {
    op.run(s)
}

/// Evaluates one intrinsic.
macro_rules! with {
    ($e:expr) => {
        // SAFETY: a value of `Avx2` exists only where the CPU has the features of the intrinsic; pointers are the
        // caller's promise.
        unsafe { $e }
    };
}

/// The same on both halves.
macro_rules! both {
    ($f:ident, $($x:ident),+) => {
        [with!($f($($x[0]),+)), with!($f($($x[1]),+))]
    };
}

type V = [__m256; 2];
type D = [__m256d; 4];

impl Simd for Avx2 {
    type V = V;
    type D = D;

    const ROWS: usize = 6;
    const VECTORS: usize = 1;

    #[inline(always)]
    fn vectorise<O: Op>(self, op: O) -> O::Output {
        with!(enter(self, op))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> V {
        [with!(_mm256_set1_ps(x)); 2]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        with!([_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(8))])
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        with!({
            _mm256_storeu_ps(p, v[0]);
            _mm256_storeu_ps(p.add(8), v[1]);
        })
    }
    #[inline(always)]
    unsafe fn stream(self, p: *mut f32, v: V) {
        debug_assert!((p as usize).is_multiple_of(64));
        with!({
            _mm256_stream_ps(p, v[0]);
            _mm256_stream_ps(p.add(8), v[1]);
        })
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
    fn add(self, a: V, b: V) -> V {
        both!(_mm256_add_ps, a, b)
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        both!(_mm256_sub_ps, a, b)
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        both!(_mm256_mul_ps, a, b)
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        both!(_mm256_div_ps, a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: V, b: V, c: V) -> V {
        both!(_mm256_fmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn neg_mul_add(self, a: V, b: V, c: V) -> V {
        both!(_mm256_fnmadd_ps, a, b, c)
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        both!(_mm256_max_ps, a, b)
    }
    #[inline(always)]
    fn sqrt(self, a: V) -> V {
        both!(_mm256_sqrt_ps, a)
    }
    #[inline(always)]
    fn greater(self, a: V, b: V) -> u16 {
        let half = |i: usize| with!(_mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a[i], b[i]))) as u16;
        half(0) | half(1) << 8
    }
    #[inline(always)]
    fn select(self, bits: u16, a: V, b: V) -> V {
        let half = |i: usize, bits: u8| {
            with!({
                let lanes = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
                let set = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits)), lanes);
                let mask = _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, lanes));
                _mm256_blendv_ps(b[i], a[i], mask)
            })
        };
        let [low, high] = bits.to_le_bytes();
        [half(0, low), half(1, high)]
    }

    #[inline(always)]
    fn wide_zero(self) -> D {
        [with!(_mm256_setzero_pd()); 4]
    }
    #[inline(always)]
    fn wide_add(self, a: V, c: D) -> D {
        let a = widen(self, a);
        std::array::from_fn(|i| with!(_mm256_add_pd(c[i], a[i])))
    }
    #[inline(always)]
    fn wide_mul_add(self, a: V, b: V, c: D) -> D {
        let (a, b) = (widen(self, a), widen(self, b));
        std::array::from_fn(|i| with!(_mm256_fmadd_pd(a[i], b[i], c[i])))
    }
    #[inline(always)]
    fn wide_sum(self, a: D) -> f64 {
        let mut lanes = [0.0; 4];
        with!({
            let sum = _mm256_add_pd(_mm256_add_pd(a[0], a[1]), _mm256_add_pd(a[2], a[3]));
            _mm256_storeu_pd(lanes.as_mut_ptr(), sum);
        });
        (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    }
    #[inline(always)]
    unsafe fn wide_load(self, p: *const f64) -> D {
        std::array::from_fn(|i| with!(_mm256_loadu_pd(p.add(4 * i))))
    }
    #[inline(always)]
    unsafe fn wide_store(self, p: *mut f64, v: D) {
        for (i, v) in v.into_iter().enumerate() {
            with!(_mm256_storeu_pd(p.add(4 * i), v));
        }
    }
}

#[inline(always)]
fn widen(_: Avx2, a: V) -> D {
    let low = |i: usize| with!(_mm256_cvtps_pd(_mm256_castps256_ps128(a[i])));
    let high = |i: usize| with!(_mm256_cvtps_pd(_mm256_extractf128_ps::<1>(a[i])));
    [low(0), high(0), low(1), high(1)]
}

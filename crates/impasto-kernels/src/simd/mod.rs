//! Sixteen floats at a time, written once for every instruction set.
//!
//! A kernel is a struct that implements [`Op`]; [`Isa::run`](crate::Isa) calls it inside a function compiled for the
//! instruction set, and everything it does is inlined there.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Floats in a vector, and channels in a block of the activations.
pub(crate) const LANES: usize = 16;

/// A piece of work that is compiled once for each instruction set.
pub(crate) trait Op {
    /// What it returns.
    type Output;

    /// Does the work. Implementations carry `#[inline(always)]`.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// An instruction set, as a value that only exists where the CPU has it.
///
/// `V` is sixteen `f32`, `D` sixteen `f64`.
///
/// Closures do not inherit the features of the function around them: hot code works on arrays of vectors in loops.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Sixteen `f32`.
    type V: Copy;
    /// Sixteen `f64`.
    type D: Copy;

    /// Most rows (tiles, positions) of the register block of a multiply.
    const ROWS: usize;
    /// Whether enough registers are there for the larger tiles of kernels that have two sizes of them.
    const MANY_REGISTERS: bool = Self::ROWS >= 14;
    /// Vectors (blocks of sixteen channels) of the register block of a multiply.
    const VECTORS: usize;

    /// Runs `op` inside a function compiled for this instruction set.
    fn vectorise<O: Op>(self, op: O) -> O::Output;

    /// Sixteen times `x`.
    fn splat(self, x: f32) -> Self::V;
    /// # Safety
    /// `p` is good for reading 16 floats.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `p` is good for writing 16 floats.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// Stores past the caches where that is possible; [`fence`](Simd::fence) has to follow before others read.
    /// # Safety
    /// `p` is good for writing 16 floats and aligned to 64 bytes.
    unsafe fn stream(self, p: *mut f32, v: Self::V);
    /// Makes all that was streamed visible to other threads.
    fn fence(self);
    /// Asks for the line at `p`, which need not be valid.
    fn prefetch(self, p: *const f32);

    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a − b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a · b + c`
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c − a · b`
    fn neg_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger of each pair.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Square roots.
    fn sqrt(self, a: Self::V) -> Self::V;
    /// Bit i says whether `a[i] > b[i]`.
    fn greater(self, a: Self::V, b: Self::V) -> u16;
    /// `a` where the bit is set, `b` elsewhere.
    fn select(self, bits: u16, a: Self::V, b: Self::V) -> Self::V;

    /// Sixteen zeros.
    fn wide_zero(self) -> Self::D;
    /// `c + a`
    fn wide_add(self, a: Self::V, c: Self::D) -> Self::D;
    /// `c + a · b`, the product in double precision.
    fn wide_mul_add(self, a: Self::V, b: Self::V, c: Self::D) -> Self::D;
    /// The sum of all lanes, always in the same order.
    fn wide_sum(self, a: Self::D) -> f64;
    /// # Safety
    /// `p` is good for reading 16 doubles.
    unsafe fn wide_load(self, p: *const f64) -> Self::D;
    /// # Safety
    /// `p` is good for writing 16 doubles.
    unsafe fn wide_store(self, p: *mut f64, v: Self::D);

    /// `N` vectors, the first at `p`, each `stride` floats behind the one before.
    /// # Safety
    /// Each of them is good for reading 16 floats.
    #[inline(always)]
    unsafe fn load_many<const N: usize>(self, p: *const f32, stride: usize) -> [Self::V; N] {
        let mut values = [self.zero(); N];
        for (i, value) in values.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *value = unsafe { self.load(p.add(i * stride)) };
        }
        values
    }

    /// Sixteen zeros.
    #[inline(always)]
    fn zero(self) -> Self::V {
        self.splat(0.0)
    }

    /// `v` where the bit is set, 0 elsewhere.
    #[inline(always)]
    fn keep(self, bits: u16, v: Self::V) -> Self::V {
        self.select(bits, v, self.zero())
    }
}

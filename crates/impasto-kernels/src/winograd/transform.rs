//! The transforms of Winograd's F(4×4, 3×3) with the points 0, 1, −1, 2, −2, ∞ (Lavin and Gray 2016, "Fast algorithms
//! for convolutional neural networks", section 4.3), sixteen channels at a time.

use crate::simd::Simd;

/// Values in a tile of the input, and frequencies.
pub(crate) const FREQUENCIES: usize = 36;

/// `Bᵀ·d` for six values.
#[inline(always)]
fn input_pass<S: Simd>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    let (two, four, five) = (s.splat(2.0), s.splat(4.0), s.splat(5.0));
    let even = s.neg_mul_add(four, d[2], d[4]);
    let odd = s.neg_mul_add(four, d[1], d[3]);
    let outer = s.sub(d[4], d[2]);
    let inner = s.sub(d[3], d[1]);
    [
        s.mul_add(four, d[0], s.neg_mul_add(five, d[2], d[4])),
        s.add(even, odd),
        s.sub(even, odd),
        s.mul_add(two, inner, outer),
        s.neg_mul_add(two, inner, outer),
        s.mul_add(four, d[1], s.neg_mul_add(five, d[3], d[5])),
    ]
}

/// `Aᵀ·m` for six values.
#[inline(always)]
fn output_pass<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    let (two, four, eight) = (s.splat(2.0), s.splat(4.0), s.splat(8.0));
    let (sum1, sum2) = (s.add(m[1], m[2]), s.add(m[3], m[4]));
    let (difference1, difference2) = (s.sub(m[1], m[2]), s.sub(m[3], m[4]));
    [
        s.add(m[0], s.add(sum1, sum2)),
        s.mul_add(two, difference2, difference1),
        s.mul_add(four, sum2, sum1),
        s.add(s.mul_add(eight, difference2, difference1), m[5]),
    ]
}

/// `G·g` for three values.
#[inline(always)]
fn weight_pass<S: Simd>(s: S, g: [S::V; 3]) -> [S::V; 6] {
    let (quarter, sixth) = (s.splat(1.0 / 4.0), s.splat(-1.0 / 6.0));
    let (a24, a12, a6) = (s.splat(1.0 / 24.0), s.splat(1.0 / 12.0), s.splat(1.0 / 6.0));
    let outer = s.mul(sixth, s.add(g[0], g[2]));
    let near = s.mul(sixth, g[1]);
    let far = s.mul_add(a6, g[2], s.mul(a24, g[0]));
    let middle = s.mul(a12, g[1]);
    [s.mul(quarter, g[0]), s.add(outer, near), s.sub(outer, near), s.add(far, middle), s.sub(far, middle), g[2]]
}

/// `Bᵀ·d·B` of a 6×6 tile, row major.
#[inline(always)]
pub(crate) fn input<S: Simd>(s: S, d: &[S::V; 36]) -> [S::V; 36] {
    let mut half = [s.zero(); 36];
    for i in 0..6 {
        let pass = input_pass(s, [d[i], d[i + 6], d[i + 12], d[i + 18], d[i + 24], d[i + 30]]);
        for row in 0..6 {
            half[row * 6 + i] = pass[row];
        }
    }
    let mut out = [s.zero(); 36];
    for i in (0..36).step_by(6) {
        let pass = input_pass(s, [half[i], half[i + 1], half[i + 2], half[i + 3], half[i + 4], half[i + 5]]);
        for (out, value) in out[i..].iter_mut().zip(pass) {
            *out = value;
        }
    }
    out
}

/// `Aᵀ·m·A` of 36 frequencies: a 4×4 tile, row major.
#[inline(always)]
pub(crate) fn output<S: Simd>(s: S, m: &[S::V; 36]) -> [S::V; 16] {
    let mut half = [s.zero(); 24];
    for i in 0..6 {
        let pass = output_pass(s, [m[i], m[i + 6], m[i + 12], m[i + 18], m[i + 24], m[i + 30]]);
        for row in 0..4 {
            half[row * 6 + i] = pass[row];
        }
    }
    let mut out = [s.zero(); 16];
    for row in 0..4 {
        let i = row * 6;
        let pass = output_pass(s, [half[i], half[i + 1], half[i + 2], half[i + 3], half[i + 4], half[i + 5]]);
        for (out, value) in out[row * 4..].iter_mut().zip(pass) {
            *out = value;
        }
    }
    out
}

/// `G·g·Gᵀ` of a 3×3 kernel, row major.
#[inline(always)]
pub(crate) fn weight<S: Simd>(s: S, g: &[S::V; 9]) -> [S::V; 36] {
    let mut half = [s.zero(); 18];
    for i in 0..3 {
        let pass = weight_pass(s, [g[i], g[i + 3], g[i + 6]]);
        for row in 0..6 {
            half[row * 3 + i] = pass[row];
        }
    }
    let mut out = [s.zero(); 36];
    for row in 0..6 {
        let pass = weight_pass(s, [half[row * 3], half[row * 3 + 1], half[row * 3 + 2]]);
        for (out, value) in out[row * 6..].iter_mut().zip(pass) {
            *out = value;
        }
    }
    out
}

/// `A·y` for four values: the transpose of the output's pass.
#[inline(always)]
fn output_adjoint_pass<S: Simd>(s: S, y: [S::V; 4]) -> [S::V; 6] {
    let (two, four) = (s.splat(2.0), s.splat(4.0));
    let (even, odd) = (s.add(y[0], y[2]), s.add(y[1], y[3]));
    let far_even = s.mul_add(four, y[2], y[0]);
    let far_odd = s.mul(two, s.mul_add(four, y[3], y[1]));
    [y[0], s.add(even, odd), s.sub(even, odd), s.add(far_even, far_odd), s.sub(far_even, far_odd), y[3]]
}

/// `Gᵀ·u` for six values: the transpose of the weight's pass.
#[inline(always)]
fn weight_adjoint_pass<S: Simd>(s: S, u: [S::V; 6]) -> [S::V; 3] {
    let (quarter, a6) = (s.splat(1.0 / 4.0), s.splat(1.0 / 6.0));
    let (a24, a12) = (s.splat(1.0 / 24.0), s.splat(1.0 / 12.0));
    let (near, far) = (s.add(u[1], u[2]), s.add(u[3], u[4]));
    let (near_odd, far_odd) = (s.sub(u[2], u[1]), s.sub(u[3], u[4]));
    [
        s.mul_add(quarter, u[0], s.neg_mul_add(a6, near, s.mul(a24, far))),
        s.mul_add(a6, near_odd, s.mul(a12, far_odd)),
        s.mul_add(a6, s.sub(far, near), u[5]),
    ]
}

/// `A·y·Aᵀ` of a 4×4 tile, row major: 36 frequencies of the gradient of the output.
#[inline(always)]
pub(crate) fn output_adjoint<S: Simd>(s: S, y: &[S::V; 16]) -> [S::V; 36] {
    let mut half = [s.zero(); 24];
    for i in 0..4 {
        let pass = output_adjoint_pass(s, [y[i], y[i + 4], y[i + 8], y[i + 12]]);
        for row in 0..6 {
            half[row * 4 + i] = pass[row];
        }
    }
    let mut out = [s.zero(); 36];
    for row in 0..6 {
        let i = row * 4;
        let pass = output_adjoint_pass(s, [half[i], half[i + 1], half[i + 2], half[i + 3]]);
        for (out, value) in out[row * 6..].iter_mut().zip(pass) {
            *out = value;
        }
    }
    out
}

/// `Gᵀ·u·G` of 36 frequencies: the gradient of a 3×3 kernel, row major.
#[inline(always)]
pub(crate) fn weight_adjoint<S: Simd>(s: S, u: &[S::V; 36]) -> [S::V; 9] {
    let mut half = [s.zero(); 18];
    for i in 0..6 {
        let pass = weight_adjoint_pass(s, [u[i], u[i + 6], u[i + 12], u[i + 18], u[i + 24], u[i + 30]]);
        for row in 0..3 {
            half[row * 6 + i] = pass[row];
        }
    }
    let mut out = [s.zero(); 9];
    for row in 0..3 {
        let i = row * 6;
        let pass = weight_adjoint_pass(s, [half[i], half[i + 1], half[i + 2], half[i + 3], half[i + 4], half[i + 5]]);
        for (out, value) in out[row * 3..].iter_mut().zip(pass) {
            *out = value;
        }
    }
    out
}

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
pub(super) fn input<S: Simd>(s: S, tile: &[S::V; 36]) -> [S::V; 36] {
    let mut half = [s.zero(); 36];
    for column in 0..6 {
        let pass = input_pass(s, std::array::from_fn(|row| tile[row * 6 + column]));
        for row in 0..6 {
            half[row * 6 + column] = pass[row];
        }
    }
    let mut out = [s.zero(); 36];
    for row in 0..6 {
        let pass = input_pass(s, std::array::from_fn(|column| half[row * 6 + column]));
        out[row * 6..row * 6 + 6].copy_from_slice(&pass);
    }
    out
}

/// `Aᵀ·m·A` of 36 frequencies: a 4×4 tile, row major.
#[inline(always)]
pub(super) fn output<S: Simd>(s: S, tile: &[S::V; 36]) -> [S::V; 16] {
    let mut half = [s.zero(); 24];
    for column in 0..6 {
        let pass = output_pass(s, std::array::from_fn(|row| tile[row * 6 + column]));
        for row in 0..4 {
            half[row * 6 + column] = pass[row];
        }
    }
    let mut out = [s.zero(); 16];
    for row in 0..4 {
        let pass = output_pass(s, std::array::from_fn(|column| half[row * 6 + column]));
        out[row * 4..row * 4 + 4].copy_from_slice(&pass);
    }
    out
}

/// `G·g·Gᵀ` of a 3×3 kernel, row major.
#[inline(always)]
pub(super) fn weight<S: Simd>(s: S, kernel: &[S::V; 9]) -> [S::V; 36] {
    let mut half = [s.zero(); 18];
    for column in 0..3 {
        let pass = weight_pass(s, std::array::from_fn(|row| kernel[row * 3 + column]));
        for row in 0..6 {
            half[row * 3 + column] = pass[row];
        }
    }
    let mut out = [s.zero(); 36];
    for row in 0..6 {
        let pass = weight_pass(s, std::array::from_fn(|column| half[row * 3 + column]));
        out[row * 6..row * 6 + 6].copy_from_slice(&pass);
    }
    out
}

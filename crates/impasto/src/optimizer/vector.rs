//! The few operations on long vectors that optimisers are made of.

/// `Σ a·b`, summed in `f64`.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    // Eight sums at a time, so that the compiler can keep them in one register.
    let mut sums = [0.0f64; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f64 = rest.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for i in 0..8 {
            sums[i] += f64::from(a[i]) * f64::from(b[i]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `y += factor · x`.
pub(super) fn add_scaled(y: &mut [f32], factor: f64, x: &[f32]) {
    let factor = factor as f32;
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}

/// `y *= factor`.
pub(super) fn scale(y: &mut [f32], factor: f64) {
    y.iter_mut().for_each(|y| *y *= factor as f32);
}

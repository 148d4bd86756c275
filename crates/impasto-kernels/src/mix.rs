//! Linear combinations of planes: a small matrix times a long and low one.

use crate::Isa;
use crate::memory::{View, ViewMut};
use crate::simd::{LANES, Op, Simd};
use crate::threads::{Threads, part};
use std::ops::Range;

/// Positions that are worked on at a time: a few hundred channels of them stay in the second-level cache.
const CHUNK: usize = 32 * LANES;

/// `out[k][p] = Σ_c matrix[k][c] · planes[c][p]`, each row-major: `matrix` has `channels` columns, `planes` as many rows,
/// `out` as many rows as the matrix. The same bits for the same instruction set, whatever the number of threads.
///
/// # Panics
/// Where the lengths do not fit.
pub fn mix(isa: Isa, threads: &Threads, matrix: &[f32], planes: &[f32], channels: usize, out: &mut [f32]) {
    assert!(channels > 0 && matrix.len().is_multiple_of(channels), "the matrix has a column for each channel");
    assert!(planes.len().is_multiple_of(channels), "all planes are equally long");
    let (rows, positions) = (matrix.len() / channels, planes.len() / channels);
    assert_eq!(out.len(), rows * positions, "the result has a plane for each row of the matrix");
    let chunks = positions.div_ceil(CHUNK);
    let (count, out) = (threads.count(), ViewMut::new(out));
    threads.run(|worker| {
        let mine = part(chunks, count, worker);
        let mine = mine.start * CHUNK..(mine.end * CHUNK).min(positions);
        isa.run(Mix { matrix: View::new(matrix), planes: View::new(planes), channels, rows, positions, mine, out });
    });
}

struct Mix<'a> {
    matrix: View<'a, f32>,
    planes: View<'a, f32>,
    channels: usize,
    rows: usize,
    positions: usize,
    /// The positions of this worker.
    mine: Range<usize>,
    out: ViewMut<'a, f32>,
}

impl Op for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let starts = self.mine.clone().step_by(CHUNK);
        for start in starts {
            let end = (start + CHUNK).min(self.mine.end);
            let whole = start + (end - start) / LANES * LANES;
            if S::MANY_REGISTERS {
                s.vectorise(Rows::<8> { of: &self, start, whole, end });
            } else {
                s.vectorise(Rows::<4> { of: &self, start, whole, end });
            }
        }
    }
}

/// All rows of the matrix over some positions, `R` rows at a time.
struct Rows<'a, 'b, const R: usize> {
    of: &'a Mix<'b>,
    start: usize,
    /// Where the last whole vector ends.
    whole: usize,
    end: usize,
}

impl<const R: usize> Op for Rows<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let of = self.of;
        for first in (0..of.rows).step_by(R) {
            let count = R.min(of.rows - first);
            for at in (self.start..self.whole).step_by(LANES) {
                let mut sums = [s.zero(); R];
                for channel in 0..of.channels {
                    // SAFETY: channel, rows and sixteen positions exist; rows beyond the last repeat it.
                    unsafe {
                        let values = s.load(of.planes.at(channel * of.positions + at, LANES));
                        for (r, sum) in sums.iter_mut().enumerate() {
                            let row = first + r.min(count - 1);
                            let factor = s.splat(*of.matrix.at(row * of.channels + channel, 1));
                            *sum = s.mul_add(factor, values, *sum);
                        }
                    }
                }
                for (r, sum) in sums.into_iter().take(count).enumerate() {
                    // SAFETY: the row has these positions, and they are this worker's.
                    unsafe { s.store(of.out.at((first + r) * of.positions + at, LANES), sum) };
                }
            }
            for at in self.whole..self.end {
                for row in first..first + count {
                    // SAFETY: as above, for one position.
                    unsafe {
                        let factor = |channel: usize| *of.matrix.at(row * of.channels + channel, 1);
                        let value = |channel: usize| *of.planes.at(channel * of.positions + at, 1);
                        let mut sum = 0.0f32;
                        for channel in 0..of.channels {
                            sum = factor(channel).mul_add(value(channel), sum);
                        }
                        *of.out.at(row * of.positions + at, 1) = sum;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_product_on_every_instruction_set() {
        let value = |i: usize, seed: f32| ((i as f32 + seed) * 0.37).sin();
        for (rows, channels, positions) in [(1, 1, 1), (3, 16, 40), (13, 48, 1234), (32, 64, 5000)] {
            let matrix: Vec<f32> = (0..rows * channels).map(|i| value(i, 0.5)).collect();
            let planes: Vec<f32> = (0..channels * positions).map(|i| value(i, 7.1)).collect();
            for isa in Isa::available() {
                let of = |threads: usize| {
                    let mut out = vec![f32::NAN; rows * positions];
                    mix(isa, &Threads::new(threads), &matrix, &planes, channels, &mut out);
                    out
                };
                let out = of(3);
                for (i, found) in out.iter().enumerate() {
                    let (row, at) = (i / positions, i % positions);
                    let product =
                        |c: usize| f64::from(matrix[row * channels + c]) * f64::from(planes[c * positions + at]);
                    let expected: f64 = (0..channels).map(product).sum();
                    assert!((f64::from(*found) - expected).abs() < 1e-4, "{isa:?} {rows}×{channels}×{positions}: {i}");
                }
                assert_eq!(out, of(1), "{isa:?}");
            }
        }
    }
}

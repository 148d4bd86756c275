//! Where the time goes, and what the machine could do at best.

use crate::simd::{Op, Simd};
use crate::{Isa, Threads};
use std::time::{Duration, Instant};

/// A part of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A convolution with bias, ReLU and pooling.
    Forward,
    /// The same once more on the way back, where only bands of rows are kept.
    Again,
    /// The backward of a pooling and the ReLU before it, where it is written out; otherwise it is part of what reads
    /// it.
    Unpool,
    /// What flows in at a tap; at convolution 0 it is part of the backward of convolution 1.
    Tap,
    /// The backward of a convolution and of the ReLU before it. That of convolution 0 is part of that of convolution 1
    /// unless a pooling lies between.
    Backward,
}

/// How long a part of the last pass took.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Which part.
    pub part: Part,
    /// Of which convolution, from 0.
    pub convolution: usize,
    /// The time.
    pub time: Duration,
}

/// Timings of the last passes, where they are wanted: not every platform has a clock.
#[derive(Default)]
pub(crate) struct Profile {
    pub(crate) enabled: bool,
    pub(crate) timings: Vec<Timing>,
}

impl Profile {
    /// Does `work` and records how long it took; the times of bands of rows add up.
    pub(crate) fn time<R>(&mut self, part: Part, convolution: usize, work: impl FnOnce() -> R) -> R {
        if !self.enabled {
            return work();
        }
        let start = Instant::now();
        let result = work();
        let time = start.elapsed();
        match self.timings.iter_mut().find(|timing| (timing.part, timing.convolution) == (part, convolution)) {
            Some(timing) => timing.time += time,
            None => self.timings.push(Timing { part, convolution, time }),
        }
        result
    }
}

/// The most floating-point operations per second that these threads reach with nothing but fused multiply-adds in
/// registers, best of a few tries.
pub fn peak_flops(isa: Isa, threads: &Threads) -> f64 {
    const ROUNDS: usize = 2_000_000;
    let mut best = 0.0f64;
    for _ in 0..5 {
        let start = Instant::now();
        let flops: f64 = threads.run(|_| isa.run(Spin { rounds: ROUNDS })).into_iter().sum();
        best = best.max(flops / start.elapsed().as_secs_f64());
    }
    best
}

struct Spin {
    rounds: usize,
}

impl Op for Spin {
    /// Operations done.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        // Eight independent sums hide the latency; a vector is one register or two.
        const SUMS: usize = 10;
        let used = if S::VECTORS == 2 { SUMS } else { SUMS / 2 };
        let mut sums = [s.splat(std::hint::black_box(1.0)); SUMS];
        let (a, b) = (s.splat(std::hint::black_box(0.5)), s.splat(std::hint::black_box(0.25)));
        for _ in 0..self.rounds {
            for sum in &mut sums[..used] {
                *sum = s.mul_add(a, *sum, b);
            }
        }
        let sum = sums.into_iter().reduce(|x, y| s.add(x, y)).unwrap_or(a);
        std::hint::black_box(s.wide_sum(s.wide_add(sum, s.wide_zero())));
        (self.rounds * used * 16 * 2) as f64
    }
}

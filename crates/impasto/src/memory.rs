//! How much memory a painting takes, and how much there is.

use std::fmt;

use sysinfo::System;

use crate::objective::tiles::{Reach, Tile, tiles, window_of};
use crate::settings::OptimizerKind;

/// How pictures pass through the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// In one piece.
    #[default]
    Whole,
    /// In windows of at most so many pixels, each with what lies around it; the result is the same.
    Tiles {
        /// Rows of a window.
        height: usize,
        /// Columns of a window.
        width: usize,
    },
}

impl Layout {
    /// The windows of a picture of so many rows and columns, for a tap that looks so far.
    pub fn tiles(self, size: (usize, usize), reach: Reach) -> Vec<Tile> {
        match self {
            Self::Whole => tiles(size, size, reach),
            Self::Tiles { height, width } => {
                // Another picture than the one it was made for has its own windows, as large.
                let fits = |window: &(usize, usize)| size.0 >= window.0 && size.1 >= window.1;
                let window = Some((height, width)).filter(fits).or_else(|| window_of(size, height * width, reach));
                tiles(size, window.unwrap_or((0, 0)), reach)
            }
        }
    }
}

/// The network itself: its weights, and the same packed for both directions.
const NETWORK: u64 = 620 << 20;

/// What the trunk, the losses and Adam keep for each pixel, in bytes: measured as the peak of whole runs with the
/// default layers, 256² to 1024² (`docs/performance.md`), and rounded up.
const PER_PIXEL: u64 = 1050;

/// What L-BFGS remembers for each pixel on top: 10 steps and 10 changes of the gradient, three channels, 4 bytes.
const LBFGS_PER_PIXEL: u64 = 10 * 2 * 3 * 4;

/// The peak memory of painting a picture of so many pixels, in bytes.
pub fn estimate(pixels: usize, optimizer: OptimizerKind) -> u64 {
    NETWORK + pixels as u64 * per_pixel(optimizer)
}

/// The pixels of the largest picture whose [`estimate`] is at most `bytes`.
pub fn fitting(bytes: u64, optimizer: OptimizerKind) -> usize {
    (bytes.saturating_sub(NETWORK) / per_pixel(optimizer)) as usize
}

fn per_pixel(optimizer: OptimizerKind) -> u64 {
    match optimizer {
        OptimizerKind::Adam => PER_PIXEL,
        OptimizerKind::Lbfgs => PER_PIXEL + LBFGS_PER_PIXEL,
    }
}

/// The memory that is free on this machine or in this container, in bytes; nothing where that cannot be known.
pub fn available() -> Option<u64> {
    let mut system = System::new();
    system.refresh_memory();
    let free = system.cgroup_limits().map_or(system.available_memory(), |group| {
        group.total_memory.saturating_sub(group.rss).min(system.available_memory())
    });
    (free > 0).then_some(free)
}

/// Bytes for people.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = self.0 as f64 / f64::from(1u32 << 30);
        if gib < 1.0 { write!(f, "{:.0} MiB", gib * 1024.0) } else { write!(f, "{gib:.1} GiB") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_the_most_that_is_within_the_estimate() {
        for optimizer in [OptimizerKind::Adam, OptimizerKind::Lbfgs] {
            let pixels = fitting(4 << 30, optimizer);
            assert!(estimate(pixels, optimizer) <= 4 << 30 && estimate(pixels + 1, optimizer) > 4 << 30);
            assert_eq!(fitting(1 << 20, optimizer), 0);
        }
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(available().is_none_or(|free| free > 1 << 20));
    }
}

//! Why nothing was painted.

use super::checkpoint::CheckpointError;
use crate::bytes::Bytes;
use crate::device::DeviceError;
use crate::job::Stopped;
use crate::picture::MIN_SIDE;
use crate::settings::SettingsError;

/// Why nothing was painted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PaintError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is nothing to compute with.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// There is no style, or all styles weigh nothing.
    #[error("no style to paint by: give at least one style picture a weight above 0")]
    NoStyle,
    /// The picture would be too small to see anything in it.
    #[error("at this size the picture is {width}×{height} pixels: choose one with at least {MIN_SIDE} on each side")]
    TooSmall {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// It would not fit into memory.
    #[error(
        "painting {width}×{height} pixels takes at least {} of memory and {} may be taken: {}allow more with `--memory`",
        Bytes(*needed), Bytes(*limit),
        instead(*fitting, *adam, *moments)
    )]
    Memory {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes that may be taken.
        limit: u64,
        /// A longer side that would fit, if any would.
        fitting: Option<usize>,
        /// Whether it would fit with Adam, which remembers less.
        adam: bool,
        /// Whether the style loss is one of features: one of moments needs less, and pictures can go in tiles.
        moments: bool,
    },
    /// A checkpoint cannot be resumed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The very first loss is not a number.
    #[error("the loss of the start is not finite: make the weights smaller, or check the network file")]
    NotFinite,
    /// It was stopped before its first step.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What to do where memory is short, before allowing more of it.
fn instead(fitting: Option<usize>, adam: bool, moments: bool) -> String {
    let smaller = fitting.map(|size| format!("choose a smaller size, such as `--size {size}`, or "));
    let adam = if adam { "take `--optimizer adam`, which needs less, or " } else { "" };
    let moments = if moments { "take `--style-loss wasserstein`, which needs less, or " } else { "" };
    adam.to_owned() + moments + &smaller.unwrap_or_default()
}

//! What can be wrong with a trunk that is asked for.

use thiserror::Error;

/// Why a trunk cannot be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TrunkError {
    /// A trunk without taps computes nothing that can be asked for.
    #[error("no layer is looked at: name at least one")]
    NoTaps,
    /// The network ends before this tap.
    #[error("layer number {tap} does not exist: the network has {convolutions} convolutions, counted from 0")]
    NoSuchTap {
        /// The tap that was asked for.
        tap: usize,
        /// How many convolutions the network has.
        convolutions: usize,
    },
}

/// The taps in ascending order, each once, or why they cannot be had from a network of so many convolutions.
pub(super) fn checked_taps(taps: &[usize], convolutions: usize) -> Result<Vec<usize>, TrunkError> {
    let mut taps = taps.to_vec();
    taps.sort_unstable();
    taps.dedup();
    match taps.last() {
        None => Err(TrunkError::NoTaps),
        Some(&tap) if tap >= convolutions => Err(TrunkError::NoSuchTap { tap, convolutions }),
        Some(_) => Ok(taps),
    }
}

//! What `fuzz/` does with a checkpoint: all that a training does with it before the first step.

use std::path::Path;

use super::TrainError;
use super::checkpoint::Checkpoint;

/// Reads a checkpoint with all that is in it, of a network of so many parameters.
///
/// # Errors
/// As [`TrainJob::resume`](super::TrainJob::resume).
pub fn probe(path: &Path, parameters: usize) -> Result<(), TrainError> {
    Checkpoint::read(path)?.state(parameters)?.best_losses();
    Ok(())
}

//! What `fuzz/` does with a checkpoint: all that a training does with it before the first step.

use std::path::Path;

use super::TrainError;
use super::checkpoint::Checkpoint;
use crate::device;
use crate::settings::Device;

/// Reads a checkpoint with all that is in it, of a network of this many parameters.
///
/// # Errors
/// As [`TrainJob::resume`](super::TrainJob::resume).
pub fn probe(path: &Path, parameters: usize) -> Result<(), TrainError> {
    let backend = device::backend(Device::Cpu, Some(1))?;
    Checkpoint::read(path)?.state(parameters, backend)?.best_losses();
    Ok(())
}

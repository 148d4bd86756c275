//! What `fuzz/` does with a checkpoint: all that a painting does with it before the first evaluation, and one step.

use std::path::Path;

use super::checkpoint::{CheckpointError, Kept};
use crate::device;
use crate::optimizer::optimizer;
use crate::settings::Device;

/// Reads a checkpoint with all that is in it, and takes one step from there.
///
/// # Errors
/// As [`PaintJob::resume`](super::PaintJob::resume).
pub fn probe(path: &Path) -> Result<(), CheckpointError> {
    let mut kept = Kept::read(path)?;
    kept.iterations();
    let Ok(backend) = device::backend(Device::Cpu, Some(1)) else { return Ok(()) };
    let mut optimizer = optimizer(&kept.settings.settings(), backend.clone());
    let (mut state, _) = kept.state(optimizer.as_mut(), &*backend)?;
    let gradient = backend.upload(vec![1.0; state.picture.len()]);
    optimizer.tell(&mut state.picture, 1.0, &gradient);
    optimizer.best();
    Ok(())
}

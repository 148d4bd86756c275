//! What `fuzz/` does with a checkpoint: all that a painting does with it before the first evaluation, and one step.

use std::path::Path;

use super::checkpoint::{CheckpointError, Kept};
use crate::device::Cpu;
use crate::optimizer::optimizer;

/// Reads a checkpoint with all that is in it, and takes one step from there.
///
/// # Errors
/// As [`PaintJob::resume`](super::PaintJob::resume).
pub fn probe(path: &Path) -> Result<(), CheckpointError> {
    let mut kept = Kept::read(path)?;
    kept.iterations();
    let mut optimizer = optimizer(&kept.settings.settings(), Cpu::new(1));
    let (mut state, _) = kept.state(optimizer.as_mut())?;
    let gradient = vec![1.0; state.picture.len()];
    optimizer.tell(&mut state.picture, 1.0, &gradient);
    optimizer.best();
    Ok(())
}

//! The checkpoint of a run that was stopped: written beside the work of finishing its picture and writing that, since it
//! takes as long as a step.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use impasto_nn::backend::Backend;

use super::checkpoint::{Keeper, Snapshot};
use super::state::State;
use super::{PaintEvent, Scale};
use crate::memory::Plan;
use crate::optimizer::Optimizer;

/// All that the checkpoint holds of a run that is over.
pub(super) struct LastCheckpoint {
    pub(super) keeper: Keeper,
    pub(super) state: State,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) scales: Vec<Scale>,
    pub(super) plans: Vec<Plan>,
    pub(super) backend: Arc<dyn Backend>,
    /// Seconds over all sessions.
    pub(super) elapsed: f64,
}

/// A checkpoint that is being written; dropping this waits until it is on the disk.
pub(super) struct Writing(Option<JoinHandle<PaintEvent>>);

impl LastCheckpoint {
    /// Begins to write.
    pub(super) fn begin(self) -> Writing {
        Writing(Some(thread::spawn(|| self.write())))
    }

    fn write(mut self) -> PaintEvent {
        self.keeper.keep(Snapshot {
            state: &self.state,
            optimizer: self.optimizer.as_ref(),
            scales: &self.scales,
            plans: &self.plans,
            backend: &*self.backend,
            elapsed: self.elapsed,
        })
    }
}

impl Writing {
    /// Waits until the checkpoint is on the disk; what to tell of it.
    pub(super) fn end(mut self) -> Option<PaintEvent> {
        self.0.take()?.join().ok()
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(writing) = self.0.take() {
            let _ = writing.join();
        }
    }
}

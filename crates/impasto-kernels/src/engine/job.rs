//! What all stretches of an engine share.

use crate::trunk::PackedTrunk;
use crate::{Border, Isa, Pooling, Threads};
use std::sync::Arc;

/// The network, who runs it, and how.
pub(super) struct Job {
    pub(super) trunk: Arc<PackedTrunk>,
    pub(super) threads: Threads,
    pub(super) pooling: Pooling,
    /// The factor on what a pooling puts out.
    pub(super) pooling_scale: f32,
    /// What lies around the picture.
    pub(super) border: Border,
    /// `x = (p − mean) · scale`
    pub(super) mean: [f32; 3],
    pub(super) scale: [f32; 3],
}

impl Job {
    pub(super) fn isa(&self) -> Isa {
        self.trunk.isa()
    }
}

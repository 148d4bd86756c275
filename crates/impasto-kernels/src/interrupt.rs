//! Abandoning work in the middle of a pass.

use std::sync::{Arc, PoisonError, RwLock};

/// Says whether the work in progress is to be abandoned. It may block, which pauses the work.
type Check = Arc<dyn Fn() -> bool + Send + Sync>;

/// What [`Threads`](crate::Threads) ask between pieces of work; clones share it. Nothing is asked unless a check is set.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<RwLock<Option<Check>>>);

impl Interrupt {
    /// Replaces the check.
    pub(crate) fn set(&self, check: Option<Check>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = check;
    }

    /// Whether to abandon the work. The check runs without the lock: while it blocks, another may be set.
    pub(crate) fn requested(&self) -> bool {
        let check = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        check.is_some_and(|check| check())
    }
}

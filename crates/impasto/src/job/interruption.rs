//! From the control of a job to the threads that compute for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use impasto_nn::kernels::Threads;

use super::{Control, ControlState};

/// What happens to a job whose control says [`ControlState::Released`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRelease {
    /// It waits.
    Wait,
    /// It abandons its pass, since it can do it again from a checkpoint.
    Abandon,
}

/// Interrupts passes of networks on some threads as a control says, as long as it lives.
///
/// Once a pass was abandoned, all others end at once too until [`take`](Self::take) is called: they would compute with
/// what the first one left.
pub(crate) struct Interruption {
    threads: Threads,
    abandoned: Arc<AtomicBool>,
}

impl Interruption {
    pub(crate) fn new(threads: &Threads, control: &Control, on_release: OnRelease) -> Self {
        let abandoned = Arc::new(AtomicBool::new(false));
        let (control, latch) = (control.clone(), abandoned.clone());
        let waits = move |state| match state {
            ControlState::Paused => true,
            ControlState::Released => on_release == OnRelease::Wait,
            ControlState::Running | ControlState::Stopped => false,
        };
        threads.interrupt_when(move || {
            if !latch.load(Ordering::SeqCst) && control.wait_while(waits) == ControlState::Running {
                return false;
            }
            latch.store(true, Ordering::SeqCst);
            true
        });
        Self { threads: threads.clone(), abandoned }
    }

    /// Whether a pass was abandoned since the last call, so that all results since then are of no use.
    pub(crate) fn take(&self) -> bool {
        self.abandoned.swap(false, Ordering::SeqCst)
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        self.threads.never_interrupt();
    }
}

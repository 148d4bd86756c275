//! Pausing and stopping a job.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The job was stopped before there was anything to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped before there was anything to keep")]
pub struct Stopped;

/// What a job is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlState {
    /// Work.
    Running,
    /// Wait, with all that is in memory.
    Paused,
    /// Wait, and give the memory back where the job can be resumed from a checkpoint; else as `Paused`.
    Released,
    /// End, and keep what there is. A job that was told so cannot be resumed.
    Stopped,
}

impl ControlState {
    const ALL: [Self; 4] = [Self::Running, Self::Paused, Self::Released, Self::Stopped];
}

/// Pauses, resumes and stops a job, from any thread; clones control the same job.
///
/// Networks ask it between pieces of work of a few milliseconds, so a job answers within a fraction of a step. Work that
/// is thrown away for that is done again, and results do not differ by a bit.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The index of the state in [`ControlState::ALL`].
    state: AtomicU8,
    /// Held while the state changes, so that nobody misses it.
    pauses: Mutex<Pauses>,
    changed: Condvar,
}

/// The time that a job has waited.
#[derive(Debug, Default)]
struct Pauses {
    /// The pauses that are over.
    over: Duration,
    /// When the pause began that is not over.
    since: Option<Instant>,
}

impl Control {
    /// Has the job wait where it is. It uses no processor time until it is resumed, and keeps its memory.
    pub fn pause(&self) {
        self.set(ControlState::Paused);
    }

    /// Has the job wait and give its memory back, if it can be resumed from a checkpoint: a
    /// [`PaintJob`](crate::PaintJob) with one does. Others wait as after [`pause`](Self::pause).
    pub fn pause_and_release(&self) {
        self.set(ControlState::Released);
    }

    /// Has a paused job continue.
    pub fn resume(&self) {
        self.set(ControlState::Running);
    }

    /// Ends the job. What there is by then is kept: the picture as it stands, a checkpoint, a part of a download.
    pub fn stop(&self) {
        self.set(ControlState::Stopped);
    }

    /// What the job is to do now.
    pub fn state(&self) -> ControlState {
        ControlState::ALL[usize::from(self.0.state.load(Ordering::SeqCst))]
    }

    /// Whether the job was told to end.
    pub fn is_stopped(&self) -> bool {
        self.state() == ControlState::Stopped
    }

    /// Waits until the job is neither paused nor released.
    ///
    /// # Errors
    /// If it was told to end.
    pub fn wait(&self) -> Result<(), Stopped> {
        match self.wait_while(|state| matches!(state, ControlState::Paused | ControlState::Released)) {
            ControlState::Stopped => Err(Stopped),
            _ => Ok(()),
        }
    }

    /// Waits while the state is so, and returns the one behind it.
    pub(crate) fn wait_while(&self, waits: impl Fn(ControlState) -> bool) -> ControlState {
        let state = self.state();
        if !waits(state) {
            return state;
        }
        let mut guard = self.pauses();
        loop {
            let state = self.state();
            if !waits(state) {
                return state;
            }
            guard = self.0.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The time that the job was paused, in all.
    pub fn paused(&self) -> Duration {
        let pauses = self.pauses();
        pauses.over + pauses.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn set(&self, state: ControlState) {
        let mut pauses = self.pauses();
        if self.is_stopped() {
            return;
        }
        self.0.state.store(state as u8, Ordering::SeqCst);
        match state {
            ControlState::Paused | ControlState::Released => {
                pauses.since.get_or_insert_with(Instant::now);
            }
            ControlState::Running | ControlState::Stopped => {
                let last = pauses.since.take().map_or(Duration::ZERO, |since| since.elapsed());
                pauses.over += last;
            }
        }
        self.0.changed.notify_all();
    }

    fn pauses(&self) -> MutexGuard<'_, Pauses> {
        self.0.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_paused_job_waits_until_it_is_resumed_or_stopped() {
        for (end, expected) in [(Control::resume as fn(&Control), Ok(())), (Control::stop, Err(Stopped))] {
            let control = Control::default();
            assert_eq!(control.wait(), Ok(()));
            control.pause();
            let job = thread::spawn({
                let control = control.clone();
                move || control.wait()
            });
            thread::sleep(Duration::from_millis(30));
            assert!(!job.is_finished());
            control.pause_and_release();
            thread::sleep(Duration::from_millis(30));
            assert!(!job.is_finished());
            end(&control);
            assert_eq!(job.join().unwrap(), expected);
            let paused = control.paused();
            assert!(paused >= Duration::from_millis(55) && paused == control.paused(), "{paused:?}");
        }
    }

    #[test]
    fn what_was_stopped_stays_stopped() {
        let control = Control::default();
        control.stop();
        control.resume();
        control.pause();
        assert_eq!(control.state(), ControlState::Stopped);
    }

    #[test]
    fn states_are_their_own_numbers() {
        for (number, state) in ControlState::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, number);
        }
    }
}

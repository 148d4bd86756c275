//! Worker threads with a static partition of work, so that results do not depend on scheduling.
//!
//! A pass through a network is hundreds of short pieces of work, each shared out among all threads and waited for. So
//! the calling thread does the first share itself, and threads that wait look for more for a moment before they sleep:
//! waking a thread takes longer than many of the pieces.

use crate::interrupt::Interrupt;
use std::any::Any;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a thread looks for work, or for the end of it, before it sleeps.
const PATIENCE: Duration = Duration::from_micros(100);

/// Worker threads; clones share them, and what interrupts them.
#[derive(Clone)]
pub struct Threads {
    pool: Option<Arc<Pool>>,
    interrupt: Interrupt,
}

impl Threads {
    /// This many threads, the calling one among them. 0 counts as 1. Where the system refuses to start them, the calling
    /// thread does all the work.
    pub fn new(count: usize) -> Self {
        let pool = if count <= 1 { None } else { Pool::new(count - 1).map(Arc::new) };
        Self { pool, interrupt: Interrupt::default() }
    }

    /// How many threads work.
    pub fn count(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.helpers.len() + 1)
    }

    /// Asks `check` between pieces of work, every few milliseconds at most, from every thread. Where it returns true,
    /// passes of networks end early: what they leave is undefined, but of the right size and finite where it is a number
    /// that sums up a feature (moments, distances). The caller must throw it away. A check that blocks pauses the work.
    /// Packing of weights and [`vector`](crate::vector) operations always run to their end.
    pub fn interrupt_when(&self, check: impl Fn() -> bool + Send + Sync + 'static) {
        self.interrupt.set(Some(Arc::new(check)));
    }

    /// Lets passes run to their end from here on.
    pub fn never_interrupt(&self) {
        self.interrupt.set(None);
    }

    /// What says whether to abandon the work.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Whether the work in progress is to be abandoned; waits while it is paused.
    pub fn interrupted(&self) -> bool {
        self.interrupt.requested()
    }

    /// Calls `work(worker)` for each worker from 0 to [`count`](Threads::count), each on its own thread, and returns
    /// when all are done. Several threads that call it take turns; `work` must not call it.
    ///
    /// # Panics
    /// If `work` does, when all are done.
    pub(crate) fn run<R: Send>(&self, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
        match &self.pool {
            None => vec![work(0)],
            Some(pool) => pool.run(work),
        }
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Threads({})", self.count())
    }
}

/// Part `index` of `parts` nearly equal parts of `0..total`.
pub(crate) fn part(total: usize, parts: usize, index: usize) -> Range<usize> {
    total * index / parts..total * (index + 1) / parts
}

/// Threads that help, and what they share with whoever calls.
struct Pool {
    shared: Arc<Shared>,
    helpers: Vec<JoinHandle<()>>,
    /// Held while a piece of work runs.
    turn: Mutex<()>,
}

/// What goes between the calling thread and those that help.
struct Shared {
    /// Counts pieces of work; a new number is a new piece.
    piece: AtomicUsize,
    /// The piece: written before its number, read behind it.
    work: UnsafeCell<Option<Work>>,
    /// How many helpers have not finished it.
    unfinished: AtomicUsize,
    ending: AtomicBool,
    /// For those that sleep.
    sleep: Mutex<()>,
    wake: Condvar,
    done: Condvar,
}

/// A closure that outlives its piece of work, without its type.
#[derive(Clone, Copy)]
struct Work {
    closure: *const (),
    call: unsafe fn(*const (), usize),
}

// SAFETY: the cell is written while no helper runs (see `Pool::run`) and only read otherwise; the closure it points to
// is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

/// A lock that holds nothing that a panic could leave half done.
fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for a moment whether something is so.
fn soon(is_so: impl Fn() -> bool) -> bool {
    let mut began = None;
    loop {
        for _ in 0..64 {
            if is_so() {
                return true;
            }
            std::hint::spin_loop();
        }
        if began.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return false;
        }
    }
}

impl Pool {
    fn new(helpers: usize) -> Option<Self> {
        let shared = Arc::new(Shared {
            piece: AtomicUsize::new(0),
            work: UnsafeCell::new(None),
            unfinished: AtomicUsize::new(0),
            ending: AtomicBool::new(false),
            sleep: Mutex::new(()),
            wake: Condvar::new(),
            done: Condvar::new(),
        });
        let mut pool = Self { shared, helpers: Vec::new(), turn: Mutex::new(()) };
        for worker in 1..=helpers {
            let shared = pool.shared.clone();
            let builder = std::thread::Builder::new().name(format!("kernels-{worker}"));
            pool.helpers.push(builder.spawn(move || shared.help(worker)).ok()?);
        }
        Some(pool)
    }

    fn run<R: Send, F: Fn(usize) -> R + Sync>(&self, work: F) -> Vec<R> {
        type Outcome<R> = Result<R, Box<dyn Any + Send>>;
        let _turn = lock(&self.turn);
        let outcomes: Vec<Mutex<Option<Outcome<R>>>> = (0..=self.helpers.len()).map(|_| Mutex::new(None)).collect();
        let one = |worker: usize| {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(worker)));
            *outcomes[worker].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        };
        self.share(&one);
        let outcomes = outcomes.into_iter().map(|outcome| outcome.into_inner().unwrap_or_else(PoisonError::into_inner));
        outcomes
            .map(|outcome| outcome.expect("every worker ran").unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    }

    /// Has every worker call `one`, which does not panic, and waits for them.
    fn share<F: Fn(usize) + Sync>(&self, one: &F) {
        /// # Safety
        /// `closure` is a live `F`.
        unsafe fn call<F: Fn(usize)>(closure: *const (), worker: usize) {
            // SAFETY: the caller's promise.
            unsafe { (*closure.cast::<F>())(worker) }
        }
        let shared = &*self.shared;
        // SAFETY: the turn is ours and all helpers have finished the piece before, so none reads the cell.
        unsafe { *shared.work.get() = Some(Work { closure: std::ptr::from_ref(one).cast(), call: call::<F> }) };
        shared.unfinished.store(self.helpers.len(), Ordering::Relaxed);
        shared.piece.fetch_add(1, Ordering::Release);
        // Whoever is about to sleep holds the lock between looking at the number and sleeping.
        drop(lock(&shared.sleep));
        shared.wake.notify_all();
        one(0);
        let finished = || shared.unfinished.load(Ordering::Acquire) == 0;
        if !soon(finished) {
            let mut guard = lock(&shared.sleep);
            while !finished() {
                guard = shared.done.wait(guard).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl Shared {
    /// What a helper does until the pool goes.
    fn help(&self, worker: usize) {
        let mut seen = 0;
        loop {
            let news = || self.piece.load(Ordering::Acquire) != seen || self.ending.load(Ordering::Acquire);
            if !soon(news) {
                let mut guard = lock(&self.sleep);
                while !news() {
                    guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
                }
            }
            if self.ending.load(Ordering::Acquire) {
                return;
            }
            // One piece at a time: the next one comes when this helper has finished.
            seen = self.piece.load(Ordering::Acquire);
            // SAFETY: the cell was written before the number that was read, and is not written again until this helper
            // has finished; the closure lives until then.
            unsafe {
                if let Some(Work { closure, call }) = *self.work.get() {
                    call(closure, worker);
                }
            }
            if self.unfinished.fetch_sub(1, Ordering::AcqRel) == 1 {
                drop(lock(&self.sleep));
                self.done.notify_one();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Release);
        drop(lock(&self.shared.sleep));
        self.shared.wake.notify_all();
        for helper in self.helpers.drain(..) {
            // A helper catches the panics of its work, so there is nothing to pass on.
            let _ = helper.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn every_worker_runs_once_each_time() {
        for count in [0, 1, 2, 5] {
            let threads = Threads::new(count);
            assert_eq!(threads.count(), count.max(1));
            for round in 0..300 {
                if round % 100 == 99 {
                    // Long enough for the helpers to fall asleep.
                    std::thread::sleep(3 * PATIENCE);
                }
                assert_eq!(
                    threads.run(|worker| worker * round),
                    (0..count.max(1)).map(|w| w * round).collect::<Vec<_>>()
                );
            }
        }
    }

    #[test]
    fn several_callers_take_turns() {
        let (threads, at_work, total) = (Threads::new(3), AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        threads.clone().run(|_| {
                            assert!(at_work.fetch_add(1, Ordering::SeqCst) < 3);
                            total.fetch_add(1, Ordering::SeqCst);
                            at_work.fetch_sub(1, Ordering::SeqCst);
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 4 * 100 * 3);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_threads_useful() {
        let threads = Threads::new(3);
        for bad in 0..3 {
            let caught = catch_unwind(AssertUnwindSafe(|| threads.run(|worker| assert_ne!(worker, bad))));
            assert!(caught.is_err());
            assert_eq!(threads.run(|worker| worker), [0, 1, 2]);
        }
    }
}

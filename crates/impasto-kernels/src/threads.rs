//! Worker threads with a static partition of work, so that results do not depend on scheduling.

use std::ops::Range;
use std::sync::Arc;

/// A pool of worker threads; clones share it.
#[derive(Clone)]
pub struct Threads(Option<Arc<rayon::ThreadPool>>);

impl Threads {
    /// A pool of `count` threads. 0 counts as 1. Where the system refuses to start them, the work is done by the
    /// calling thread.
    pub fn new(count: usize) -> Self {
        if count <= 1 {
            return Self(None);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|i| format!("kernels-{i}")).build();
        Self(pool.ok().map(Arc::new))
    }

    /// How many threads work.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// Calls `work(worker)` for each worker from 0 to [`count`](Threads::count), each on its own thread, and returns
    /// when all are done.
    pub(crate) fn run<R: Send>(&self, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
        match &self.0 {
            None => vec![work(0)],
            Some(pool) => pool.broadcast(|context| work(context.index())),
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

//! Pictures of a job on its way, by time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::picture::Picture;

/// The picture of a job as it stands.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The steps behind it: iterations of a painting, steps of a training, pictures of a batch.
    pub step: usize,
    /// The picture, made smaller where its longer side is larger than wanted.
    pub picture: Picture,
}

/// Makes the picture of a preview, on the thread of the previews.
type Make = Box<dyn FnOnce() -> Picture + Send>;

struct Task {
    step: usize,
    make: Make,
}

/// Previews: at most one every so often, never larger than wanted, made and shown on a thread of their own so that the
/// job does not wait for them. While one is being shown, none is made.
///
/// Dropping it waits for the last preview to be shown.
pub struct Previews {
    every: Duration,
    /// When the last one was begun.
    last: Mutex<Option<Instant>>,
    busy: Arc<AtomicBool>,
    /// Taken when it is dropped.
    tasks: Option<SyncSender<Task>>,
    worker: Option<JoinHandle<()>>,
}

impl Previews {
    /// At most one preview every `every`, whose longer side has at most `size` pixels (any, if `None`), handed to
    /// `show`.
    pub fn new(every: Duration, size: Option<usize>, mut show: impl FnMut(Preview) + Send + 'static) -> Self {
        let (tasks, waiting) = sync_channel::<Task>(1);
        let busy = Arc::new(AtomicBool::new(false));
        let idle = busy.clone();
        let work = move || {
            for Task { step, make } in waiting {
                let picture = make();
                let longer = picture.height().max(picture.width());
                let picture = match size {
                    Some(size) if longer > size => picture.resized_to_longer_side(size),
                    _ => picture,
                };
                show(Preview { step, picture });
                idle.store(false, Ordering::SeqCst);
            }
        };
        // Where the system refuses a thread there are no previews.
        let worker = thread::Builder::new().spawn(work).ok();
        Self { every, last: Mutex::new(None), busy, tasks: worker.is_some().then_some(tasks), worker }
    }

    /// Whether it is time for one, and the last one has been shown.
    pub(crate) fn due(&self) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        !self.busy.load(Ordering::SeqCst) && last.is_none_or(|last| last.elapsed() >= self.every)
    }

    /// Hands over what makes the next one.
    pub(crate) fn offer(&self, step: usize, make: impl FnOnce() -> Picture + Send + 'static) {
        if let Some(tasks) = self.tasks.as_ref().filter(|_| !self.busy.swap(true, Ordering::SeqCst)) {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            // The thread is gone if showing a preview panicked; then there are no more.
            let _ = tasks.try_send(Task { step, make: Box::new(make) });
        }
    }
}

impl Drop for Previews {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(worker) = self.worker.take() {
            // A panic in `show` was reported when it happened.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn previews_come_by_time_scaled_and_never_block() {
        let (shown, previews) = channel();
        let every = Duration::from_millis(40);
        let sink = Previews::new(every, Some(8), move |preview| {
            thread::sleep(Duration::from_millis(10));
            shown.send(preview).unwrap();
        });
        let begun = Instant::now();
        let (mut step, mut offered) = (0, 0);
        while begun.elapsed() < Duration::from_millis(300) {
            step += 1;
            if sink.due() {
                let before = Instant::now();
                sink.offer(step, || {
                    thread::sleep(Duration::from_millis(20));
                    Picture::from_planar(16, 12, vec![1.0; 3 * 16 * 12])
                });
                assert!(before.elapsed() < Duration::from_millis(15), "an offer takes no time");
                offered += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        drop(sink);
        let all: Vec<Preview> = previews.iter().collect();
        assert_eq!(all.len(), offered);
        assert!((2..=8).contains(&offered), "{offered} previews in 300 ms, at most one in 40");
        assert!(all.iter().all(|preview| (preview.picture.height(), preview.picture.width()) == (8, 6)));
        assert!(all.windows(2).all(|pair| pair[0].step < pair[1].step));
    }
}

//! What a job runs with.

use std::io::{Read, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Control, Event, EventSink, Previews, Stopped};

/// How often a job that waits for other work asks its control.
const POLL: Duration = Duration::from_millis(20);

/// The stack of a thread that reads files, as large as that of a main thread.
const STACK: usize = 8 << 20;

/// What a job runs with: where its events go, what controls it, and who wants previews. The default tells nobody anything
/// and runs to its end.
#[derive(Clone)]
pub struct Context<'a> {
    events: &'a dyn EventSink,
    control: Control,
    previews: Option<&'a Previews>,
    streams: Option<Arc<dyn Streams>>,
}

/// What a job reads from and writes to where it is given `-` for a file.
pub trait Streams: Send + Sync {
    /// Where to read, such as standard input.
    fn input(&self) -> Box<dyn Read + '_>;

    /// Where to write, such as standard output.
    fn output(&self) -> Box<dyn Write + '_>;
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self::new(&|_: &Event| ())
    }
}

impl<'a> Context<'a> {
    /// Tells this sink all events.
    pub fn new(events: &'a dyn EventSink) -> Self {
        Self { events, control: Control::default(), previews: None, streams: None }
    }

    /// Is paused and stopped by this control.
    #[must_use]
    pub fn with_control(mut self, control: &Control) -> Self {
        self.control = control.clone();
        self
    }

    /// Gives previews of its picture.
    #[must_use]
    pub fn with_previews(mut self, previews: &'a Previews) -> Self {
        self.previews = Some(previews);
        self
    }

    /// Reads from and writes to these where it is given `-` for a file. Without them `-` is refused.
    #[must_use]
    pub fn with_streams(mut self, streams: impl Streams + 'static) -> Self {
        self.streams = Some(Arc::new(streams));
        self
    }

    /// What `-` stands for.
    pub(crate) fn streams(&self) -> Option<&Arc<dyn Streams>> {
        self.streams.as_ref()
    }

    /// What controls the job.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Tells an event.
    pub(crate) fn tell(&self, event: impl Into<Event>) {
        self.events.event(&event.into());
    }

    /// Who wants previews, if it is time for one.
    pub(crate) fn due_previews(&self) -> Option<&'a Previews> {
        self.previews.filter(|previews| previews.due())
    }

    /// Does work that cannot be interrupted, such as decoding, on a thread of its own. If the job is stopped meanwhile,
    /// this returns at once and the thread ends by itself later.
    ///
    /// # Errors
    /// If the job is stopped.
    pub(crate) fn abandonable<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.control.wait()?;
        let (sender, receiver) = sync_channel(1);
        let work = Arc::new(Mutex::new(Some(work)));
        let theirs = work.clone();
        let worker = thread::Builder::new().stack_size(STACK).spawn(move || {
            if let Some(work) = take(&theirs) {
                // Nobody listens if the job was stopped.
                let _ = sender.send(work());
            }
        });
        let Ok(worker) = worker else {
            // The system refuses a thread, so the work is still here.
            return take(&work).map(|work| work()).ok_or(Stopped);
        };
        loop {
            match receiver.recv_timeout(POLL) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) if self.control.is_stopped() => return Err(Stopped),
                Err(RecvTimeoutError::Timeout) => {}
                // Only a panic of the work closes the channel without a result.
                Err(RecvTimeoutError::Disconnected) => resume_unwind(worker.join().expect_err("it sent no result")),
            }
        }
    }
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn work_is_left_behind_when_the_job_is_stopped() {
        let control = Control::default();
        let context = Context::default().with_control(&control);
        assert_eq!(context.abandonable(|| 7), Ok(7));
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            control.stop();
        });
        let begun = Instant::now();
        assert_eq!(context.abandonable(|| thread::sleep(Duration::from_secs(5))), Err(Stopped));
        assert!(begun.elapsed() < Duration::from_secs(1));
        stopper.join().unwrap();
        assert_eq!(context.abandonable(|| 7), Err(Stopped));
    }

    #[test]
    #[should_panic(expected = "in the work")]
    fn a_panic_of_the_work_reaches_the_job() {
        let _ = Context::default().abandonable(|| panic!("in the work"));
    }
}

//! Where events go.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use super::Event;

/// Receives the events of a job, from any of its threads. It should return quickly: the job waits for it.
///
/// Any `Fn(&Event) + Send + Sync` is one; so is the sender of a channel, and a `Mutex<Vec<Event>>`, which keeps them all.
pub trait EventSink: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> EventSink for F {
    fn event(&self, event: &Event) {
        self(event);
    }
}

impl EventSink for Sender<Event> {
    /// A receiver that is gone is no error.
    fn event(&self, event: &Event) {
        let _ = self.send(event.clone());
    }
}

impl EventSink for Mutex<Vec<Event>> {
    fn event(&self, event: &Event) {
        self.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}

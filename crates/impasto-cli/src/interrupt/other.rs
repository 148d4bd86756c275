//! Ctrl-C and the closing of the console.

use std::process;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Received, SIGINT, SIGNALLED};

/// Installs the handler.
pub(super) fn watch(received: &Received) {
    let any = Arc::clone(&received.any);
    let _ = ctrlc::set_handler(move || {
        if any.swap(true, Ordering::SeqCst) {
            process::exit(i32::from(SIGNALLED + SIGINT));
        }
    });
}

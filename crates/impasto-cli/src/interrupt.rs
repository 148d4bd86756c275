//! Ctrl-C: the first finishes the step and keeps the picture, the second ends at once.

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

static PRESSED: AtomicUsize = AtomicUsize::new(0);

/// From here on Ctrl-C is counted. A machine that cannot do that keeps the usual meaning of Ctrl-C.
pub(crate) fn watch() {
    let _ = ctrlc::set_handler(|| {
        if PRESSED.fetch_add(1, Ordering::SeqCst) > 0 {
            process::exit(i32::from(crate::INTERRUPTED));
        }
    });
}

/// Whether Ctrl-C was pressed.
pub(crate) fn pressed() -> bool {
    PRESSED.load(Ordering::SeqCst) > 0
}

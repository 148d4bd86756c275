//! Signals that end a run: the first finishes the step and saves, and Ctrl-C after it exits at once.
//!
//! A signal that was ignored when the program started stays ignored: `nohup` ignores SIGHUP, and a shell ignores SIGINT
//! for the jobs that a script runs in the background.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod system;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{process, thread};

/// Signals have the exit code 128 and their number, as in shells.
const SIGNALLED: u8 = 128;

/// The number of SIGINT.
const SIGINT: u8 = 2;

/// How often [`exit_after`] checks for a signal.
const POLL: Duration = Duration::from_millis(50);

/// What the handlers write.
#[derive(Default)]
struct Received {
    /// Whether any signal arrived.
    any: Arc<AtomicBool>,
    /// The number of the last one.
    last: Arc<AtomicUsize>,
}

static RECEIVED: OnceLock<Received> = OnceLock::new();

fn received() -> &'static Received {
    RECEIVED.get_or_init(Received::default)
}

/// From here on signals are counted. Where a handler cannot be installed the signal keeps its usual effect.
pub(crate) fn watch() {
    static WATCHING: OnceLock<()> = OnceLock::new();
    WATCHING.get_or_init(|| system::watch(received()));
}

/// Whether a signal asked the run to stop.
pub(crate) fn requested() -> bool {
    received().any.load(Ordering::SeqCst)
}

/// Set once a signal asks the run to stop.
pub(crate) fn flag() -> Arc<AtomicBool> {
    Arc::clone(&received().any)
}

/// The exit code of a run that a signal stopped: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
pub(crate) fn exit_code() -> u8 {
    let last = u8::try_from(received().last.load(Ordering::SeqCst)).unwrap_or(0);
    SIGNALLED.saturating_add(if last == 0 { SIGINT } else { last })
}

/// Exits so long after a signal, even if the program waits for something else. For work where nothing has to be saved.
pub(crate) fn exit_after(grace: Duration) {
    thread::spawn(move || {
        while !requested() {
            thread::sleep(POLL);
        }
        thread::sleep(grace);
        process::exit(i32::from(exit_code()));
    });
}

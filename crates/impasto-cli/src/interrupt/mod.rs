//! Signals that end a job: the first stops it and keeps what there is, and Ctrl-C after it exits at once.
//!
//! A signal that was ignored when the program started stays ignored: `nohup` ignores SIGHUP, and a shell ignores SIGINT
//! for the jobs that a script runs in the background.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "other.rs")]
mod system;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use impasto::job::Control;

/// Signals have the exit code 128 and their number, as in shells.
const SIGNALLED: u8 = 128;

/// The number of SIGINT.
const SIGINT: u8 = 2;

/// How often a thread checks for a signal.
const POLL: Duration = Duration::from_millis(5);

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

/// What signals stop, from here on. Where a handler cannot be installed the signal keeps its usual effect.
pub(crate) fn control() -> Control {
    static CONTROL: OnceLock<Control> = OnceLock::new();
    let begin = || {
        system::watch(received());
        let control = Control::default();
        let stops = control.clone();
        thread::spawn(move || {
            while !requested() {
                thread::sleep(POLL);
            }
            stops.stop();
        });
        control
    };
    CONTROL.get_or_init(begin).clone()
}

/// Whether a signal asked the run to stop.
pub(crate) fn requested() -> bool {
    received().any.load(Ordering::SeqCst)
}

/// The exit code of a run that a signal stopped: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
pub(crate) fn exit_code() -> u8 {
    let last = u8::try_from(received().last.load(Ordering::SeqCst)).unwrap_or(0);
    SIGNALLED.saturating_add(if last == 0 { SIGINT } else { last })
}

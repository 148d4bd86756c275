//! SIGINT, SIGTERM and SIGHUP.

use std::fs;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::{Received, SIGNALLED};

/// Installs the handlers, except for signals that are ignored.
pub(super) fn watch(received: &Received) {
    for signal in [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)) {
        if signal == SIGINT {
            // Handlers run in this order, so the first signal of all does not exit. A terminal that closes may send
            // SIGHUP twice: only Ctrl-C exits at once.
            let code = i32::from(SIGNALLED) + signal;
            let _ = flag::register_conditional_shutdown(signal, code, Arc::clone(&received.any));
        }
        let _ = flag::register_usize(signal, Arc::clone(&received.last), signal as usize);
        let _ = flag::register(signal, Arc::clone(&received.any));
    }
}

/// Whether a signal was ignored when the program started, as Linux tells. Elsewhere no safe call tells it: `nohup`
/// leaves no standard stream on a terminal, so without one SIGHUP keeps the effect that it was started with.
fn is_ignored(signal: i32) -> bool {
    match fs::read_to_string("/proc/self/status").ok().as_deref().and_then(ignored_in) {
        Some(mask) => mask >> (signal - 1) & 1 == 1,
        None => signal == SIGHUP && !(stdin().is_terminal() || stdout().is_terminal() || stderr().is_terminal()),
    }
}

/// The mask of ignored signals, the lowest bit for signal 1 (`proc_pid_status(5)`).
fn ignored_in(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert_eq!(ignored_in("Name:\timpasto\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"), Some(0x1001));
        assert_eq!(ignored_in("Name:\timpasto\n"), None);
        assert_eq!(ignored_in("SigIgn:\tnone\n"), None);
    }
}

//! How much memory there is.

use sysinfo::System;

/// The share of the free memory that a run takes at most by default.
const SHARE: f64 = 0.75;

/// The most memory that a run takes by default: a share of the free memory; `None` if that is unknown.
pub(crate) fn share_of_available() -> Option<u64> {
    available().map(|free| (free as f64 * SHARE) as u64)
}

/// The memory that is free on this machine or in this container, in bytes; nothing where that cannot be known.
pub fn available() -> Option<u64> {
    let mut system = System::new();
    system.refresh_memory();
    let free = system.cgroup_limits().map_or(system.available_memory(), |group| {
        group.total_memory.saturating_sub(group.rss).min(system.available_memory())
    });
    (free > 0).then_some(free)
}

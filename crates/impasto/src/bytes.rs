//! Amounts of memory for people.

use std::fmt;

/// Bytes for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = self.0 as f64 / f64::from(1u32 << 30);
        if gib < 1.0 { write!(f, "{:.0} MiB", gib * 1024.0) } else { write!(f, "{gib:.1} GiB") }
    }
}

//! Bytes for people.

use std::fmt;

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gib = self.0 as f64 / f64::from(1u32 << 30);
        if gib < 1.0 { write!(f, "{:.0} MiB", gib * 1024.0) } else { write!(f, "{gib:.1} GiB") }
    }
}

/// Bytes in hexadecimal, such as those of a hash.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

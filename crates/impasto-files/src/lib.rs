//! Files of impasto: the one place that writes, locks and compares them.
//!
//! ```text
//! write     a file appears whole and on the disk, or not at all
//! Lock      one process at a time
//! Places    no output of a run overwrites an input or another output
//! names     names that fit into a folder
//! ```

mod durable;
mod error;
mod identity;
mod lock;
pub mod names;
mod places;

pub use durable::{check, remove, rename_durably, write, write_to_temporary_folder};
pub use error::FileError;
pub use lock::{Lock, LockError, open_locked};
pub use places::{Clash, Places};

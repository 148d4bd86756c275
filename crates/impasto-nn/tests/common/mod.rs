//! What several tests need.

// Every test is a crate of its own and uses a part of this.
#![allow(dead_code)]

pub(crate) mod damage;
pub(crate) mod memory;
pub(crate) mod networks;
pub(crate) mod python;
pub(crate) mod styles;

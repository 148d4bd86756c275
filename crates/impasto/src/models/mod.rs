//! The networks that come with the program, and where others can be had.

/// The file of a pulled network.
pub fn find(_name: &str) -> Option<std::path::PathBuf> {
    None
}

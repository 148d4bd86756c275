//! What a painting leaves.

use crate::job::End;
use crate::objective::Losses;
use crate::picture::Picture;

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Painting {
    /// The picture.
    pub picture: Picture,
    /// Its losses.
    pub losses: Losses,
    /// Seconds and losses of every iteration.
    pub history: Vec<(f64, Losses)>,
    /// The iterations before each size that was painted at, the first 0.
    pub begun: Vec<usize>,
    /// Why it ended.
    pub end: End,
}

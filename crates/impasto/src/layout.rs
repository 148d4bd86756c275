//! How pictures pass through the network.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::objective::tiles::{Reach, Tile, tiles, window_of};

/// How pictures pass through the network. The results are the same to rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// In one piece.
    #[default]
    Whole,
    /// The shallow part of the network in bands of rows, the rest in one piece.
    Bands {
        /// Rows of a band. One that holds the whole picture saves memory too, see
        /// [`set_bands`](impasto_nn::kernels::Engine::set_bands).
        rows: usize,
    },
    /// In windows of at most this height and width in pixels, each with a margin around it.
    Tiles {
        /// Rows of a window.
        height: usize,
        /// Columns of a window.
        width: usize,
    },
}

impl Layout {
    /// The windows of a picture of this height and width, for a tap with this receptive field.
    pub fn tiles(self, size: (usize, usize), reach: Reach) -> Vec<Tile> {
        let Self::Tiles { height, width } = self else { return tiles(size, size, reach) };
        // Another picture than the one it was made for has its own windows, as large.
        let fits = |window: &(usize, usize)| size.0 >= window.0 && size.1 >= window.1;
        let window = Some((height, width)).filter(fits).or_else(|| window_of(size, height * width, reach));
        tiles(size, window.unwrap_or((0, 0)), reach)
    }

    /// The rows of its bands, if it has any; every tile is one.
    pub fn bands(self) -> Option<usize> {
        match self {
            Self::Whole => None,
            Self::Bands { rows } => Some(rows),
            Self::Tiles { .. } => Some(usize::MAX),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Bands { rows } => write!(f, "bands of {rows} rows"),
            Self::Tiles { height, width } => write!(f, "tiles of {width}×{height}"),
        }
    }
}

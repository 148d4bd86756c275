//! How pictures are stylised: every setting and its default.

use serde::Serialize;

use crate::settings::{Colors, Device, MaxPixels, SettingsError, in_range};

/// The widest range of stroke sizes: beyond it the network sees strokes of a kind that it never learned.
pub const STROKE_SIZES: std::ops::RangeInclusive<f64> = 0.25..=4.0;

/// Everything that a stylised picture depends on but the picture and the style.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StylizeSettings {
    /// The longer side of the result in pixels; the photograph's own size where there is none.
    pub size: Option<usize>,
    /// From 0, the photograph itself, to 1, the style as it was trained: the share of the painted picture in the
    /// result, pixel by pixel.
    pub strength: f64,
    /// How large the strokes are, within [`STROKE_SIZES`]; 1 is as trained. The network sees the photograph with its
    /// sides divided by this, and its answer is brought back to size.
    pub stroke_size: f64,
    /// Whose colours the result has. The style is learned: `match` and `histogram` give the painting the photograph's
    /// colours afterwards.
    pub colors: Colors,
    /// Bytes of memory that the whole run may take; chosen by what is free where there is none.
    pub memory: Option<u64>,
    /// The most pixels of a picture that is read.
    pub max_pixels: MaxPixels,
    /// What computes.
    pub device: Device,
    /// Threads of the CPU; all cores where there is none.
    pub threads: Option<usize>,
}

impl Default for StylizeSettings {
    fn default() -> Self {
        Self {
            size: None,
            strength: 1.0,
            stroke_size: 1.0,
            colors: Colors::Style,
            memory: None,
            max_pixels: MaxPixels::default(),
            device: Device::Auto,
            threads: None,
        }
    }
}

impl StylizeSettings {
    /// Checks every number, so that nothing can go wrong later that could be known now.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn check(&self) -> Result<(), SettingsError> {
        in_range("the size", self.size.unwrap_or(8), !matches!(self.size, Some(0 | 100_001..)), "from 1 to 100000")?;
        in_range("the strength", self.strength, (0.0..=1.0).contains(&self.strength), "from 0 to 1")?;
        in_range("the stroke size", self.stroke_size, STROKE_SIZES.contains(&self.stroke_size), "from 0.25 to 4")?;
        in_range("the number of threads", self.threads.unwrap_or(1), self.threads != Some(0), "at least 1")?;
        in_range("the memory", self.memory.unwrap_or(1), self.memory != Some(0), "more than nothing, such as `2GiB`")
    }
}

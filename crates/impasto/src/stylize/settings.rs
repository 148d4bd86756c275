//! How pictures are stylised: every setting and its default.

use super::allowance::Allowance;
use crate::picture::ReadLimits;
use crate::settings::{
    Colors, Device, MaxPixels, MemorySize, Range, SIZE, STRENGTH, SettingsError, THREADS, declare, schema,
};

/// Beyond it the network sees strokes of a kind that it never learned.
const STROKE_SIZE: Range = Range::new("the stroke size", "from 0.25 to 4", 0.25, 4.0);

declare! {
    /// Any subset of the settings of stylising.
    StylizeOverrides over
    /// Everything that a stylised picture depends on but the picture and the style.
    StylizeSettings
    lists {}
    files {}
    settings "Settings" {
        /// The longer side of the result in pixels [default: the photograph's].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        option size: usize where SIZE;
        /// How much of the painting is in the result, pixel by pixel: 0 is the photograph, 1 the style as it was trained
        /// [default: 1].
        #[arg(value_name = "0…1", allow_negative_numbers = true)]
        value strength: f64 where STRENGTH;
        /// How large the strokes are, from 0.25 to 4; 1 is as trained [default: 1]. The network sees the photograph with
        /// its sides divided by this, and its answer is brought back to size.
        #[arg(value_name = "X", allow_negative_numbers = true)]
        value stroke_size: f64 where STROKE_SIZE;
        /// The colours of the result: those of the `style`; of the `content`, where only brightness is painted; or the
        /// content's by `match`, mean and covariance, or by `histogram` [default: style].
        #[arg(value_name = "WHOSE")]
        value colors: Colors;
    }
    settings "Machine" {
        /// Memory that may be taken, such as `2GiB`: what needs more goes in strips, which is slower [default: by what is
        /// free, at most 1.9 GiB up to 12 megapixels].
        #[arg(value_name = "SIZE", allow_hyphen_values = true)]
        option memory: MemorySize;
        /// The most pixels of a picture to read, such as `500MP`: a photograph, a style or a mask [default: 200MP].
        #[arg(value_name = "N")]
        value max_pixels: MaxPixels;
        /// The device to compute on: `auto`, `cpu` or `reference` (plain loops, very slow, to check the others).
        value device: Device;
        /// Threads of the CPU [default: all cores].
        #[arg(value_name = "N", allow_negative_numbers = true)]
        option threads: usize where THREADS;
    }
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
        self.check_ranges()
    }

    /// What reading a picture may take, a photograph as well as a style or a mask.
    pub(crate) fn read_limits(&self) -> ReadLimits {
        let memory = Allowance::new(self.memory.map(|memory| memory.0));
        ReadLimits::new(self.max_pixels, Some(memory.reading()))
    }
}

impl StylizeOverrides {
    /// The settings: what is given here, the rest by default.
    pub fn settings(&self) -> StylizeSettings {
        self.over_settings(StylizeSettings::default())
    }

    /// The JSON schema (draft 2020-12) of the settings, with their defaults.
    pub fn schema() -> serde_json::Value {
        schema(&Self::from(&StylizeSettings::default()))
    }
}

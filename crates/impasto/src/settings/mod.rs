//! What a painting is made with: presets, a settings file over them, flags over both.

mod declare;
mod error;
mod file;
mod layers;
mod painting;
mod paths;
mod presets;
mod range;
mod schema;
mod strength;
mod values;

pub use crate::picture::MaxPixels;
pub use crate::value::ValueError;
pub(crate) use declare::{declare, declared};
pub use error::SettingsError;
pub(crate) use error::nearest;
pub(crate) use file::{read_text, read_toml, to_toml};
pub use layers::LayerWeights;
pub(crate) use painting::{CONTENT_WEIGHT, LEARNING_RATE, SIZE, STRENGTH, STYLE_WEIGHT, THREADS, TV_WEIGHT};
pub use painting::{Overrides, Settings};
pub use range::Range;
pub(crate) use range::in_range;
pub(crate) use schema::{Declared, schema};
pub use values::{
    BorderKind, Colors, Device, Init, LossScale, MemorySize, OptimizerKind, PoolingKind, Preset, StyleFile,
    StyleLossKind,
};
pub(crate) use values::{named_numbers, named_numbers_text};

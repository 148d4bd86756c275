//! Neural style transfer: paint a photograph in the style of a painting.

pub mod models;
pub mod picture;
pub mod settings;

pub use picture::Picture;
pub use settings::Settings;

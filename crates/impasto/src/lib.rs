//! Neural style transfer: paint a photograph in the style of a painting.

pub mod curve;
pub mod device;
pub mod memory;
pub mod models;
pub mod network;
pub mod objective;
pub mod optimizer;
pub mod paint;
pub mod picture;
pub mod progress;
pub mod settings;

pub use network::network;
pub use paint::{PaintJob, Painting, Scene, paint};
pub use picture::Picture;
pub use settings::Settings;

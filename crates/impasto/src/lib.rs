//! Neural style transfer: paint a photograph in the style of a painting.
//!
//! [`paint`](paint()) works on pictures in memory, [`PaintJob`] from files to a file; both tell [`progress::Event`]s to
//! whoever watches. Every setting and its default is in [`Settings`]. What a network has learned of a style is painted
//! in one pass by [`Stylizer`] and, from files to files, [`StylizeJob`].
//!
//! ```no_run
//! use impasto::paint::Masks;
//! use impasto::progress::{Event, Flow};
//! use impasto::{Picture, Scene, Settings, network, paint};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let scene = Scene {
//!     content: Picture::read("photo.jpg".as_ref())?,
//!     styles: vec![(Picture::read("painting.jpg".as_ref())?, 1.0)],
//!     start: None,
//!     masks: Masks::default(),
//! };
//! let settings = Settings { size: Some(512), ..Settings::default() };
//! let painting = paint(&scene, &settings, network("vgg19")?, &mut |event: &Event| {
//!     println!("{event:?}");
//!     Flow::Continue
//! })?;
//! painting.picture.write("out.png".as_ref(), None)?;
//! # Ok(())
//! # }
//! ```

pub mod colors;
pub mod curve;
pub mod device;
pub mod eval;
mod luma;
pub mod memory;
pub mod models;
pub mod network;
pub mod objective;
pub mod optimizer;
mod own_runs;
pub mod paint;
pub mod picture;
pub mod progress;
mod recorded;
pub mod settings;
pub mod styles;
pub mod stylize;
mod tensors;
pub mod train;

pub use network::network;
pub use paint::{PaintJob, Painting, Scene, paint};
pub use picture::Picture;
pub use settings::Settings;
pub use stylize::{StylizeJob, StylizeSettings, Stylizer};

//! Neural style transfer: paint a photograph in the style of a painting.
//!
//! [`paint`](paint()) works on pictures in memory, [`PaintJob`] from files to a file. Every setting and its default is in
//! [`Settings`]. What a network has learned of a style is painted in one pass by [`Stylizer`] and, from files to files,
//! [`StylizeJob`]; [`TrainJob`] teaches it. Jobs run with a [`job::Context`], which tells events, gives previews, and pauses
//! and stops them.
//!
//! ```no_run
//! use impasto::job::{Context, Event};
//! use impasto::paint::Masks;
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
//! let sink = |event: &Event| println!("{event:?}");
//! let painting = paint(&scene, &settings, network("vgg19")?, &Context::new(&sink))?;
//! painting.picture.write("out.png".as_ref(), None)?;
//! # Ok(())
//! # }
//! ```

mod bytes;
pub mod colors;
pub mod curve;
pub mod device;
pub mod eval;
mod free_memory;
mod history;
pub mod job;
mod layout;
mod luma;
pub mod memory;
pub mod models;
pub mod network;
pub mod objective;
pub mod optimizer;
mod own_runs;
pub mod paint;
pub mod picture;
mod recorded;
pub mod settings;
pub mod styles;
pub mod stylize;
mod tensors;
pub mod train;
mod value;

pub use job::Job;
pub use network::network;
pub use paint::{PaintJob, Painting, Scene, paint};
pub use picture::Picture;
pub use settings::Settings;
pub use stylize::{StylizeJob, StylizeSettings, Stylizer};
pub use train::TrainJob;

//! The networks that come with the program, and where others can be had.
//!
//! ```text
//! Manifest ── Entry ──▶ pull ──▶ <file>.part ──▶ checksum ──▶ <file> and its receipt <file>.toml
//!                                                                └▶ list, find, show
//!
//! a network of another program ──▶ import ──▶ a style model ──▶ export ──▶ ONNX, PyTorch, safetensors
//! ```
//!
//! ```no_run
//! use impasto::job::{Context, Event, Job};
//! use impasto::models::{Manifest, PullJob, PullOptions, default_dir, find};
//!
//! let entry = Manifest::built_in().get("vgg16-torchvision")?.clone();
//! let sink = |event: &Event| eprintln!("{event:?}");
//! let path = PullJob { entry, dir: default_dir()?, options: PullOptions::default() }.run(&Context::new(&sink))?;
//! assert_eq!(find("vgg16"), Some(path));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod catalogue;
mod convert;
mod error;
mod event;
mod folder;
mod manifest;
mod open;
mod part;
mod pull;
mod show;
mod transfer;

pub use catalogue::{BUILT_IN, BUILT_IN_ANY, BUILT_IN_STYLES, Listed, State, find, find_in, list, list_in};
pub use convert::{ConvertError, Exports, ImportOptions, export, import};
pub use error::PullError;
pub use event::PullEvent;
pub use folder::{FOLDER_VARIABLE, NoFolder, default_dir};
pub use impasto_nn::style_model::{StyleDtype, StyleModelError};
pub use manifest::{Entry, Kind, Manifest, ManifestError};
pub use pull::{PullJob, PullOptions};
pub use show::{ModelKind, ShowError, Shown, ShownStyle, ShownStyleModel, Tensor, show, show_in};

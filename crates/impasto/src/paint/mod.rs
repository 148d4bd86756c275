//! Painting: Gatys et al. 2015. The pixels themselves are moved until the loss is low.

mod again;
mod checkpoint;
mod error;
mod event;
mod finish;
mod in_memory;
mod inputs;
mod job;
mod last_checkpoint;
mod masks;
mod painting;
mod places;
mod plan;
mod prepared;
mod probe;
mod pyramid;
mod ready;
mod run;
mod run_end;
mod scene;
mod start;
mod state;
mod sweep;

pub use crate::recorded::MissingFiles;
pub use again::{AgainError, again, shown};
pub use checkpoint::{CheckpointError, checkpoint_path};
pub use error::PaintError;
pub use event::PaintEvent;
pub use in_memory::paint;
pub use job::{JobError, PaintJob};
pub use masks::{Mask, MaskError, Masks, NO_MASK};
pub use painting::Painting;
pub use plan::{PaintPlan, ScalePlan, plan};
#[doc(hidden)]
pub use probe::probe;
pub use pyramid::{Scale, scales};
pub use scene::Scene;
pub use start::start;
pub use sweep::{Axis, SweepError, sweep};

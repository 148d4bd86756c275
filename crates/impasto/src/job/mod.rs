//! Jobs: painting, stylising, training, evaluating and downloading, each run with a [`Context`].
//!
//! A job is built from typed input and gives a typed result. The context holds what a front end needs while it runs: a
//! sink for [`Event`]s, a [`Control`] that pauses and stops it, and [`Previews`] of the picture. A progress bar, plain
//! lines, JSON lines, server-sent events and tests are sinks over the same events.
//!
//! ```no_run
//! use impasto::job::{Context, Control, Event, Job, Previews};
//! use impasto::settings::Overrides;
//! use impasto::PaintJob;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let job = PaintJob::new(Overrides {
//!     content: Some("photo.jpg".into()),
//!     style: vec!["painting.jpg".parse()?],
//!     output: Some("out.png".into()),
//!     ..Overrides::default()
//! })?;
//! let control = Control::default(); // clones pause, resume and stop the job from other threads
//! let sink = |event: &Event| println!("{event:?}");
//! let previews = Previews::new(Duration::from_millis(500), Some(256), |preview| {
//!     println!("a preview after {} steps", preview.step);
//! });
//! let context = Context::new(&sink).with_control(&control).with_previews(&previews);
//! let painting = job.run(&context)?;
//! println!("{:?}: a loss of {:.3e}", painting.end, painting.losses.loss);
//! # Ok(())
//! # }
//! ```

mod context;
mod control;
mod end;
mod event;
mod interruption;
mod preview;
mod sink;

pub use context::{Context, Streams};
pub use control::{Control, ControlState, Stopped};
pub use end::End;
pub(crate) use end::lossy_path;
pub use event::{Event, Progress};
pub(crate) use interruption::{Interruption, OnRelease};
pub use preview::{Preview, Previews};
pub use sink::EventSink;

/// Work that is run with a context.
pub trait Job {
    /// What it leaves.
    type Output;
    /// Why it was not done.
    type Error;

    /// Does the work on the calling thread and those that it starts.
    ///
    /// # Errors
    /// Each job says which; all that can be known is found before the work begins.
    fn run(&self, context: &Context<'_>) -> Result<Self::Output, Self::Error>;
}

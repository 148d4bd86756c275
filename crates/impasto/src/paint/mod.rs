//! Painting: Gatys et al. 2015. The pixels themselves are moved until the loss is low.

mod again;
mod checkpoint;
mod finish;
mod inputs;
mod job;
mod masks;
mod places;
mod plan;
mod probe;
mod pyramid;
mod ready;
mod run;
mod start;
mod state;
mod sweep;

use std::sync::Arc;

use impasto_nn::vgg::Vgg;

use crate::device::DeviceError;
use crate::memory::Bytes;
use crate::objective::{Losses, Weights};
use crate::picture::{MIN_SIDE, Picture};
use crate::progress::{End, Event, Observer};
use crate::settings::{Settings, SettingsError};

pub use crate::recorded::MissingFiles;
pub use again::{AgainError, again, shown};
use checkpoint::Kept;
pub use checkpoint::{CheckpointError, checkpoint_path};
use finish::paint_kept;
pub use job::{JobError, PaintJob};
pub use masks::{Mask, MaskError, Masks, NO_MASK};
pub use plan::{PaintPlan, ScalePlan, plan};
#[doc(hidden)]
pub use probe::probe;
pub use pyramid::{Scale, scales};
use ready::Ready;
use run::{Keeping, Run};
pub use start::start;
pub use sweep::{Axis, SweepError, sweep};

/// Why nothing was painted.
#[derive(Debug, thiserror::Error)]
pub enum PaintError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is nothing to compute with.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// There is no style, or all styles weigh nothing.
    #[error("no style to paint by: give at least one style picture a weight above 0")]
    NoStyle,
    /// The picture would be too small to see anything in it.
    #[error("at this size the picture is {width}×{height} pixels: choose one with at least {MIN_SIDE} on each side")]
    TooSmall {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// It would not fit into memory.
    #[error(
        "painting {width}×{height} pixels takes at least {} of memory and {} may be taken: {}allow more with `--memory`",
        Bytes(*needed), Bytes(*limit),
        instead(*fitting, *adam)
    )]
    Memory {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes that may be taken.
        limit: u64,
        /// A longer side that would fit, if any would.
        fitting: Option<usize>,
        /// Whether it would fit with Adam, which remembers less.
        adam: bool,
    },
    /// A painting that was kept cannot be gone on with.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The very first loss is not a number.
    #[error("the loss of the start is not finite: make the weights smaller, or check the network file")]
    NotFinite,
}

/// What to do where memory is short, before allowing more of it.
fn instead(fitting: Option<usize>, adam: bool) -> String {
    let smaller = fitting.map(|size| format!("choose a smaller size, such as `--size {size}`, or "));
    let adam = if adam { "take `--optimizer adam`, which needs less, or " } else { "" };
    adam.to_owned() + &smaller.unwrap_or_default()
}

/// The pictures of a painting, of any size.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What is painted.
    pub content: Picture,
    /// How it is painted, and each style's share; the shares are made to sum to 1.
    pub styles: Vec<(Picture, f64)>,
    /// Where to start, for [`Init::File`](crate::settings::Init::File).
    pub start: Option<Picture>,
    /// Where each style counts, and what stays as it is.
    pub masks: Masks,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Painting {
    /// The picture.
    pub picture: Picture,
    /// Its losses.
    pub losses: Losses,
    /// Seconds and losses of every iteration.
    pub history: Vec<(f64, Losses)>,
    /// The iterations before each size that was painted at, the first 0.
    pub begun: Vec<usize>,
    /// Why it ended.
    pub end: End,
}

/// Paints a scene, in the colours that the settings want, and as opaque as the content is.
///
/// # Errors
/// If the settings or the pictures cannot be used; never once the first step is made.
pub fn paint(
    scene: &Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    observer: &mut dyn Observer,
) -> Result<Painting, PaintError> {
    paint_kept(scene.clone(), settings, network, Keeping::default(), observer)
}

/// Paints a scene whose styles have the colours that they shall have, from its start or from where it was kept, and
/// keeps it on the way.
fn paint_prepared(
    scene: Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    keeping: Keeping,
    observer: &mut dyn Observer,
) -> Result<Painting, PaintError> {
    settings.check()?;
    let weights = Weights::new(&settings.with_strength(), network.kind)?;
    let scales = match &keeping.kept {
        Some(kept) => kept.scales().to_vec(),
        None => scales(scene.working_size(settings.size), settings),
    };
    scene.check(&scales)?;
    let scene = scene.with_shares();
    let kept = keeping.kept.as_ref().map(Kept::plans);
    let Ready { computing, plans, smaller, .. } = Ready::new(&network, (&scene, &scales), (settings, &weights), kept)?;
    let (preprocessing, device) = (network.preprocessing, computing.device.clone());
    // The trunk has its own copy: 80 MB less where the caller keeps none.
    drop(network);
    if smaller {
        let message = "there is less memory than when this painting was begun, so it goes on in smaller parts: the \
                       picture will differ in its last bits";
        observer.event(&Event::Warning { message: message.into() });
    }
    let last = scales[scales.len() - 1];
    observer.event(&Event::Started {
        width: last.width,
        height: last.height,
        iterations: scales.iter().map(|scale| scale.iterations).sum(),
        network: settings.network.clone(),
        device: device.clone(),
    });
    if let Some(kept) = keeping.kept.as_ref().filter(|kept| kept.device() != device) {
        let (was, is) = (kept.device(), &device);
        let message = format!("begun on {was} and gone on with on {is}: the picture will differ in its last bits");
        observer.event(&Event::Warning { message });
    }
    Run::new(scene, settings, (scales, plans), computing, &preprocessing, keeping, observer)?.run()
}

impl Scene {
    /// Rows and columns of the picture that is painted.
    fn working_size(&self, size: Option<usize>) -> (usize, usize) {
        let (height, width) = (self.content.height(), self.content.width());
        size.map_or((height, width), |size| self.content.size_with_longer_side(size))
    }

    /// Whether there is something to paint.
    fn check(&self, scales: &[Scale]) -> Result<(), PaintError> {
        let total: f64 = self.styles.iter().map(|(_, share)| share).sum();
        if total.is_nan() || total <= 0.0 {
            return Err(PaintError::NoStyle);
        }
        let Scale { height, width, .. } = scales[scales.len() - 1];
        if width.min(height) < MIN_SIDE {
            return Err(PaintError::TooSmall { width, height });
        }
        Ok(())
    }

    /// With the styles that are used alone, their shares summing to 1.
    fn with_shares(self) -> Self {
        let total: f64 = self.styles.iter().map(|(_, share)| share).sum();
        let mut of_styles = self.masks.styles.into_iter();
        let all = self.styles.into_iter().map(|(style, share)| (style, share / total, of_styles.next().flatten()));
        let used = all.filter(|(_, share, _)| *share > 0.0).map(|(style, share, mask)| ((style, share), mask));
        let (styles, of_styles) = used.unzip();
        Self { styles, masks: Masks { styles: of_styles, ..self.masks }, ..self }
    }

    /// The content at a size, and the styles with its longer side times `style_scale`.
    fn at(&self, scale: Scale, style_scale: f64) -> Self {
        let content = self.content.resized(scale.height, scale.width);
        let side = style_side(scale.height.max(scale.width), style_scale);
        let styles = self.styles.iter().map(|(style, share)| (style.resized_to_longer_side(side), *share)).collect();
        Self { content, styles, start: self.start.clone(), masks: Masks::default() }
    }

    /// The same, for the last time: nothing of the scene is kept beside it.
    fn at_last(&mut self, scale: Scale, style_scale: f64) -> Self {
        let (mut content, styles) = (Picture::from_planar(1, 1, vec![0.0; 3]), std::mem::take(&mut self.styles));
        std::mem::swap(&mut content, &mut self.content);
        self.start = None;
        if (content.height(), content.width()) != (scale.height, scale.width) {
            content = content.resized(scale.height, scale.width);
        }
        let side = style_side(scale.height.max(scale.width), style_scale);
        let styles = styles.into_iter().map(|(style, share)| (style.resized_to_longer_side(side), share)).collect();
        Self { content, styles, start: None, masks: Masks::default() }
    }
}

/// The longer side of the styles for a picture with this longer side.
fn style_side(longer: usize, style_scale: f64) -> usize {
    ((longer as f64 * style_scale).round() as usize).max(MIN_SIDE)
}

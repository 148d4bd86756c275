//! Painting: Gatys et al. 2015. The pixels themselves are moved until the loss is low.

mod again;
mod checkpoint;
mod job;
mod pyramid;
mod run;
mod start;
mod state;
mod strength;
mod sweep;

use std::sync::Arc;

use impasto_nn::vgg::Vgg;

use crate::device::{DeviceError, Machine};
use crate::memory::{self, Bytes};
use crate::objective::{Losses, Weights};
use crate::picture::{MIN_SIDE, Picture};
use crate::progress::{End, Event, Observer};
use crate::settings::{Settings, SettingsError};

pub use again::{AgainError, again, shown};
pub use checkpoint::{CheckpointError, checkpoint_path};
pub use job::{JobError, PaintJob};
pub use pyramid::{Scale, scales};
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
        "painting {width}×{height} pixels takes about {} of memory and {} is free: choose a smaller size, such as \
         `--size {fitting}`",
        Bytes(*needed), Bytes(*free)
    )]
    Memory {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// A longer side that would fit.
        fitting: usize,
    },
    /// A painting that was kept cannot be gone on with.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The very first loss is not a number.
    #[error("the loss of the start is not finite: make the weights smaller, or check the network file")]
    NotFinite,
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

/// Paints a scene.
///
/// # Errors
/// If the settings or the pictures cannot be used; never once the first step is made.
pub fn paint(
    scene: &Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    observer: &mut dyn Observer,
) -> Result<Painting, PaintError> {
    paint_kept(scene, settings, network, Keeping::default(), observer)
}

/// Paints a scene from its start or from where it was kept, and keeps it on the way.
fn paint_kept(
    scene: &Scene,
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
    scene.check(&scales, settings)?;
    let scene = scene.with_shares();
    let machine = Machine::new(&network, settings, &weights.taps())?;
    let preprocessing = network.preprocessing;
    // The trunk has its own copy, packed: 80 MB less where the caller keeps none.
    drop(network);
    let last = scales[scales.len() - 1];
    observer.event(&Event::Started {
        width: last.width,
        height: last.height,
        iterations: scales.iter().map(|scale| scale.iterations).sum(),
        network: settings.network.clone(),
        device: machine.device.clone(),
    });
    if let Some(kept) = keeping.kept.as_ref().filter(|kept| kept.device() != machine.device) {
        let (was, is) = (kept.device(), &machine.device);
        let message = format!("begun on {was} and gone on with on {is}: the picture will differ in its last bits");
        observer.event(&Event::Warning { message });
    }
    Run::new(&scene, settings, scales, (machine, &weights), &preprocessing, keeping, observer)?.run()
}

impl Scene {
    /// Rows and columns of the picture that is painted.
    fn working_size(&self, size: Option<usize>) -> (usize, usize) {
        let (height, width) = (self.content.height(), self.content.width());
        size.map_or((height, width), |size| self.content.size_with_longer_side(size))
    }

    /// Whether there is something to paint, and memory for the content and the styles at the size that is painted.
    fn check(&self, scales: &[Scale], settings: &Settings) -> Result<(), PaintError> {
        let total: f64 = self.styles.iter().map(|(_, share)| share).sum();
        if total.is_nan() || total <= 0.0 {
            return Err(PaintError::NoStyle);
        }
        let Scale { height, width, .. } = scales[scales.len() - 1];
        if width.min(height) < MIN_SIDE {
            return Err(PaintError::TooSmall { width, height });
        }
        let longer = height.max(width);
        let side = style_side(longer, settings.style_scale);
        let style_pixels = self.styles.iter().map(|(style, _)| style.size_with_longer_side(side)).map(|(h, w)| h * w);
        let pixels = style_pixels.fold(height * width, usize::max);
        let needed = memory::estimate(pixels, settings.optimizer);
        let Some(free) = memory::available().filter(|free| *free < needed) else { return Ok(()) };
        let fitting = memory::fitting(free, settings.optimizer);
        let fitting = (longer as f64 * (fitting as f64 / pixels as f64).sqrt()) as usize;
        Err(PaintError::Memory { width, height, needed, free, fitting })
    }

    /// The styles that are used, their shares summing to 1.
    fn with_shares(&self) -> Self {
        let total: f64 = self.styles.iter().map(|(_, share)| share).sum();
        let used = self.styles.iter().filter(|(_, share)| *share > 0.0);
        let styles = used.map(|(style, share)| (style.clone(), share / total)).collect();
        Self { styles, ..self.clone() }
    }

    /// The content at a size, and the styles with its longer side times `style_scale`.
    fn at(&self, scale: Scale, style_scale: f64) -> Self {
        let content = self.content.resized(scale.height, scale.width);
        let side = style_side(scale.height.max(scale.width), style_scale);
        let styles = self.styles.iter().map(|(style, share)| (style.resized_to_longer_side(side), *share)).collect();
        Self { content, styles, start: self.start.clone() }
    }
}

/// The longer side of the styles for a picture with this longer side.
fn style_side(longer: usize, style_scale: f64) -> usize {
    ((longer as f64 * style_scale).round() as usize).max(MIN_SIDE)
}

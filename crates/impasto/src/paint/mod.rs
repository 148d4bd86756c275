//! Painting: Gatys et al. 2015. The pixels themselves are moved until the loss is low.

mod finish;
mod job;
mod start;

use std::sync::Arc;
use std::time::Instant;

use impasto_nn::vgg::Vgg;

use crate::device::{Cpu, DeviceError, Machine};
use crate::memory::{self, Bytes};
use crate::objective::{Losses, Objective, Weights};
use crate::optimizer::{self, Optimizer, Outcome};
use crate::picture::{MIN_SIDE, Picture};
use crate::progress::{End, Event, Flow, Observer};
use crate::settings::{Settings, SettingsError};

pub use finish::paint;
pub use job::{JobError, PaintJob};
pub use start::start;

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
    /// Why it ended.
    pub end: End,
}

/// Paints a scene whose styles have the colours that they shall have.
fn paint_prepared(
    scene: &Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    observer: &mut dyn Observer,
) -> Result<Painting, PaintError> {
    settings.check()?;
    let weights = Weights::new(settings, network.kind)?;
    scene.check_memory(settings)?;
    let scene = scene.at_size(settings.size)?;
    let machine = Machine::new(&network, settings, &weights.taps())?;
    let preprocessing = network.preprocessing;
    // The trunk has its own copy, packed: 80 MB less where the caller keeps none.
    drop(network);
    let start = start(&scene, settings, &preprocessing);
    let (width, height) = (start.width(), start.height());
    observer.event(&Event::Started {
        width,
        height,
        iterations: settings.iterations,
        network: settings.network.clone(),
        device: machine.device.clone(),
    });
    let cpu = machine.cpu.clone();
    let objective = Objective::new(machine, &weights, &scene.content, &scene.styles);
    Run::new(objective, optimizer::optimizer(settings, cpu.clone()), cpu, settings, start).run(observer)
}

impl Scene {
    /// Rows and columns of the picture that is painted.
    fn working_size(&self, size: Option<usize>) -> (usize, usize) {
        let (height, width) = (self.content.height(), self.content.width());
        size.map_or((height, width), |size| self.content.size_with_longer_side(size))
    }

    /// Whether the content and the styles fit into memory at the size that is painted.
    fn check_memory(&self, settings: &Settings) -> Result<(), PaintError> {
        let (height, width) = self.working_size(settings.size);
        let longer = height.max(width);
        let style_pixels = self.styles.iter().map(|(style, _)| style.size_with_longer_side(longer)).map(|(h, w)| h * w);
        let pixels = style_pixels.fold(height * width, usize::max);
        let needed = memory::estimate(pixels, settings.optimizer);
        let Some(free) = memory::available().filter(|free| *free < needed) else { return Ok(()) };
        let fitting = memory::fitting(free, settings.optimizer);
        let fitting = (longer as f64 * (fitting as f64 / pixels as f64).sqrt()) as usize;
        Err(PaintError::Memory { width, height, needed, free, fitting })
    }

    /// The content at the size that is painted, the styles with the same longer side, their shares summing to 1.
    fn at_size(&self, size: Option<usize>) -> Result<Self, PaintError> {
        let total: f64 = self.styles.iter().map(|(_, share)| share).sum();
        if total.is_nan() || total <= 0.0 {
            return Err(PaintError::NoStyle);
        }
        let (height, width) = self.working_size(size);
        if width.min(height) < MIN_SIDE {
            return Err(PaintError::TooSmall { width, height });
        }
        let content = self.content.resized(height, width);
        let size = height.max(width);
        let used = self.styles.iter().filter(|(_, share)| *share > 0.0);
        let styles = used.map(|(style, share)| (style.resized_to_longer_side(size), share / total)).collect();
        Ok(Self { content, styles, start: self.start.clone() })
    }
}

struct Run<'a> {
    objective: Objective,
    optimizer: Box<dyn Optimizer>,
    cpu: Cpu,
    settings: &'a Settings,
    height: usize,
    width: usize,
    picture: Vec<f32>,
    /// The lowest loss evaluated, and its picture: the answer of a line search.
    best: Option<(Losses, Vec<f32>)>,
    history: Vec<(f64, Losses)>,
}

impl<'a> Run<'a> {
    fn new(
        objective: Objective,
        optimizer: Box<dyn Optimizer>,
        cpu: Cpu,
        settings: &'a Settings,
        start: Picture,
    ) -> Self {
        let (height, width) = (start.height(), start.width());
        Self {
            objective,
            optimizer,
            cpu,
            settings,
            height,
            width,
            picture: start.into_data(),
            best: None,
            history: vec![],
        }
    }

    fn run(mut self, observer: &mut dyn Observer) -> Result<Painting, PaintError> {
        let begun = Instant::now();
        let mut end = End::Complete;
        let mut gradient = vec![0.0; self.picture.len()];
        for iteration in 1..=self.settings.iterations {
            let losses = self.objective.value_and_gradient(&self.picture, &mut gradient);
            if iteration == 1 && !optimizer::is_finite(&self.cpu, losses.loss, &gradient) {
                return Err(PaintError::NotFinite);
            }
            self.remember(losses);
            let outcome = self.optimizer.tell(&mut self.picture, losses.loss, &gradient);
            let elapsed = begun.elapsed().as_secs_f64();
            self.history.push((elapsed, losses));
            let iterations = self.settings.iterations;
            let flow = observer.event(&Event::Step { iteration, iterations, elapsed, losses });
            end = report(outcome, iteration, observer).unwrap_or(end);
            if flow == Flow::Stop && end == End::Complete && iteration < iterations {
                end = End::Stopped;
            }
            if end != End::Complete {
                break;
            }
            if self.settings.save_every.is_some_and(|every| iteration % every == 0) && iteration < iterations {
                observer.picture(iteration, &self.shown());
            }
        }
        Ok(self.finish(begun, end, observer))
    }

    /// Keeps the best picture of an optimiser that visits worse ones on its way.
    fn remember(&mut self, losses: Losses) {
        if self.optimizer.keeps_best() && self.best.as_ref().is_none_or(|(best, _)| losses.loss < best.loss) {
            let (best, picture) = self.best.get_or_insert_with(|| (losses, Vec::new()));
            *best = losses;
            picture.clear();
            picture.extend_from_slice(&self.picture);
        }
    }

    /// The picture as it would be left now.
    fn shown(&self) -> Picture {
        let data = self.best.as_ref().map_or(&self.picture, |(_, picture)| picture);
        Picture::from_planar(self.height, self.width, data.clone())
    }

    fn finish(mut self, begun: Instant, end: End, observer: &mut dyn Observer) -> Painting {
        let losses = match &self.best {
            Some((losses, _)) => *losses,
            None => self.objective.value(&self.picture),
        };
        let picture = self.shown();
        let elapsed = begun.elapsed().as_secs_f64();
        observer.event(&Event::Finished { iteration: self.history.len(), elapsed, end: end.clone(), losses });
        Painting { picture, losses, history: self.history, end }
    }
}

/// Tells what an optimiser said; the end of the run, if it has nothing left to do.
fn report(outcome: Outcome, iteration: usize, observer: &mut dyn Observer) -> Option<End> {
    match outcome {
        Outcome::Moved => {}
        Outcome::RolledBack(reason) => {
            observer.event(&Event::RolledBack { iteration, reason });
        }
        Outcome::Restarted(reason) => {
            observer.event(&Event::Restarted { iteration, reason });
        }
        Outcome::Converged(reason) => return Some(End::Converged(reason)),
    }
    None
}

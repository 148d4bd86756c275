//! Optimisers that are asked for the next picture and told its loss.
//!
//! An optimiser never evaluates anything itself: it is handed the loss and the gradient at the picture as it stands,
//! and moves the picture to where it wants the next evaluation. One evaluation is one iteration, whoever runs, so a run
//! can stop, be shown, or be saved after any of them.

mod adam;
mod lbfgs;
mod line_search;
mod vector;

use serde::Serialize;

pub use adam::Adam;
pub use lbfgs::{Lbfgs, remembered};
pub use vector::{Numbers, Slice};

use crate::device::Cpu;
use crate::picture::Picture;
use crate::settings::{OptimizerKind, Settings};

/// What an optimiser made of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The picture was moved to the next place.
    Moved,
    /// The loss or the gradient was not finite: the picture is back nearer to the last good one, for a shorter step.
    RolledBack(String),
    /// The picture was moved, but what was learnt about the loss before was dropped, for this reason.
    Restarted(String),
    /// No step lowers the loss any more, for this reason; the picture is the best one found.
    Converged(String),
}

/// What an optimiser knows: numbers, and slices as long as the picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory<'a> {
    /// Exact where they are stored as they are.
    pub numbers: Vec<f64>,
    /// Each of the picture's length.
    pub slices: Vec<Slice<'a>>,
}

/// Something that moves a picture downhill.
pub trait Optimizer: Send {
    /// Takes the loss and the gradient at `picture`, and moves `picture` to where it is to be evaluated next.
    ///
    /// The first evaluation must be finite; a later one that is not takes `picture` back and shortens the step.
    fn tell(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Outcome;

    /// The picture was enlarged from so many rows and columns to others: what was learnt goes with it.
    ///
    /// The losses are means over the picture, so the gradient at one pixel shrinks as the number of pixels grows.
    fn enlarge(&mut self, from: (usize, usize), to: (usize, usize));

    /// Everything that the next step depends on.
    fn memory(&self) -> Memory<'_>;

    /// Takes back what [`Optimizer::memory`] gave, for a picture of as many values; nothing where it is not from an
    /// optimiser of this kind.
    fn recall(&mut self, numbers: &[f64], slices: Vec<Numbers>) -> Option<()>;

    /// Whether the answer is the best place evaluated: a line search visits places it will not keep. Adam's moments move
    /// the picture beyond what was evaluated last, and the last place is the best guess.
    fn keeps_best(&self) -> bool;

    /// The loss at the best place evaluated; nothing where that is the picture as it stands.
    fn best_loss(&self) -> Option<f64> {
        None
    }

    /// The best place evaluated, made anew; nothing where that is the picture as it stands.
    fn best(&self) -> Option<Vec<f32>> {
        None
    }
}

/// Whether an evaluation can be built on.
pub(crate) fn is_finite(cpu: &Cpu, loss: f64, gradient: &[f32]) -> bool {
    loss.is_finite() && cpu.dot(gradient, gradient).is_finite()
}

/// Planes of so many rows and columns at another size, times a factor.
fn enlarged(planes: &mut Vec<f32>, from: (usize, usize), to: (usize, usize), factor: f64) {
    let picture = Picture::from_planar(from.0, from.1, std::mem::take(planes)).resized(to.0, to.1);
    *planes = picture.into_data();
    planes.iter_mut().for_each(|value| *value *= factor as f32);
}

/// How much smaller the gradient at one pixel is once a picture has grown.
fn shrinkage(from: (usize, usize), to: (usize, usize)) -> f64 {
    (from.0 * from.1) as f64 / (to.0 * to.1) as f64
}

/// The optimiser that the settings name.
pub fn optimizer(settings: &Settings, cpu: Cpu) -> Box<dyn Optimizer> {
    match settings.optimizer {
        OptimizerKind::Adam => Box::new(Adam::new(settings.learning_rate, cpu)),
        OptimizerKind::Lbfgs => Box::new(Lbfgs::new(settings.learning_rate, cpu)),
    }
}

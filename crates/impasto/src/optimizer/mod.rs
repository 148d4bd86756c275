//! Optimisers that are asked for the next picture and told its loss.
//!
//! An optimiser never evaluates anything itself: it is handed the loss and the gradient at the picture as it stands,
//! and moves the picture to where it wants the next evaluation. One evaluation is one iteration, whoever runs, so a run
//! can stop, be shown, or be saved after any of them.

mod adam;
mod lbfgs;
mod line_search;

use serde::Serialize;

pub use adam::Adam;
pub use lbfgs::Lbfgs;

use crate::device::Cpu;
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

/// Something that moves a picture downhill.
pub trait Optimizer: Send {
    /// Takes the loss and the gradient at `picture`, and moves `picture` to where it is to be evaluated next.
    ///
    /// The first evaluation must be finite; a later one that is not takes `picture` back and shortens the step.
    fn tell(&mut self, picture: &mut [f32], loss: f64, gradient: &[f32]) -> Outcome;

    /// Adam's moments move the picture beyond what was evaluated last, and the last place is the best guess. A line
    /// search visits places it will not keep, and the best place evaluated is the answer.
    fn keeps_best(&self) -> bool;
}

/// Whether an evaluation can be built on.
pub(crate) fn is_finite(cpu: &Cpu, loss: f64, gradient: &[f32]) -> bool {
    loss.is_finite() && cpu.dot(gradient, gradient).is_finite()
}

/// The optimiser that the settings name.
pub fn optimizer(settings: &Settings, cpu: Cpu) -> Box<dyn Optimizer> {
    match settings.optimizer {
        OptimizerKind::Adam => Box::new(Adam::new(settings.learning_rate, cpu)),
        OptimizerKind::Lbfgs => Box::new(Lbfgs::new(settings.learning_rate, cpu)),
    }
}

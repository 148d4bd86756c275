//! Optimisers that are asked for the next picture and told its loss.
//!
//! An optimiser never evaluates anything itself: it is handed the loss and the gradient at the picture as it stands,
//! and moves the picture to where it wants the next evaluation. One evaluation is one iteration, whoever runs, so a run
//! can stop, be shown, or be saved after any of them.

mod adam;
mod lbfgs;
mod line_search;
mod memory;
mod vector;

use std::sync::Arc;

use impasto_nn::backend::{Backend, Tensor};
use serde::Serialize;

pub use adam::Adam;
pub use impasto_nn::backend::{Numbers, Slice};
pub use lbfgs::{Lbfgs, remembered};
pub use memory::Memory;

use crate::picture::Picture;
use crate::settings::{OptimizerKind, Settings};

/// A picture that was enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Rows and columns before.
    pub from: (usize, usize),
    /// Rows and columns now.
    pub to: (usize, usize),
}

impl Growth {
    /// How much smaller the gradient at one pixel is now: the losses are means over the picture.
    fn shrinkage(self) -> f64 {
        (self.from.0 * self.from.1) as f64 / (self.to.0 * self.to.1) as f64
    }
}

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
    fn tell(&mut self, picture: &mut Tensor, loss: f64, gradient: &Tensor) -> Outcome;

    /// The picture was enlarged: what was learnt is enlarged too.
    fn enlarge(&mut self, growth: Growth);

    /// Everything that the next step depends on.
    fn memory(&self) -> Memory<Slice<'_>>;

    /// Takes back what [`Optimizer::memory`] gave; nothing where a part is missing or left over, so that it is not from
    /// an optimiser of this kind.
    fn recall(&mut self, memory: Memory<Numbers>) -> Option<()>;

    /// Whether the answer is the best place evaluated: a line search visits places it will not keep. Adam's moments move
    /// the picture beyond what was evaluated last, and the last place is the best guess.
    fn keeps_best(&self) -> bool;

    /// The loss at the best place evaluated; nothing where that is the picture as it stands.
    fn best_loss(&self) -> Option<f64> {
        None
    }

    /// The best place evaluated, made anew; nothing where that is the picture as it stands.
    fn best(&self) -> Option<Tensor> {
        None
    }
}

/// Whether an evaluation can be built on.
pub(crate) fn is_finite(backend: &dyn Backend, loss: f64, gradient: &Tensor) -> bool {
    loss.is_finite() && backend.dot(gradient, gradient).is_finite()
}

/// Planes at another size, times a factor.
fn enlarged(planes: Vec<f32>, Growth { from, to }: Growth, factor: f64) -> Vec<f32> {
    let mut planes = Picture::from_planar(from.0, from.1, planes).resized(to.0, to.1).into_data();
    planes.iter_mut().for_each(|value| *value *= factor as f32);
    planes
}

/// The optimiser that the settings name.
pub fn optimizer(settings: &Settings, backend: Arc<dyn Backend>) -> Box<dyn Optimizer> {
    match settings.optimizer {
        OptimizerKind::Adam => Box::new(Adam::new(settings.learning_rate, backend)),
        OptimizerKind::Lbfgs => Box::new(Lbfgs::new(settings.learning_rate, backend)),
    }
}

//! A network ready to paint.

use super::normalisation::Normalisation;
use super::pass::{Packed, Pass};
use super::plan::{Plan, Workspace, halo, strips};
use super::shape::StyleNetShape;
use super::statistics::Statistics;
use super::weights::Weights;
use super::{StyleNetError, check, embed};
use crate::{Isa, Shape, Threads};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A network ready to paint: weights packed for an instruction set. Running it changes nothing in it, so that several
/// threads may share it.
pub struct StyleNet {
    pub(super) isa: Isa,
    pub(super) threads: Threads,
    pub(super) shape: StyleNetShape,
    pub(super) weights: Weights,
    parameters: Vec<f32>,
    /// What the last picture left to be used again.
    workspace: Mutex<Workspace>,
}

impl StyleNet {
    /// Packs the parameters, which lie as [`StyleNetShape::parameters`] says.
    ///
    /// # Errors
    /// If there is no such network (see [`StyleNetShape`]), or it has another number of parameters.
    pub fn new(isa: Isa, threads: Threads, shape: StyleNetShape, parameters: &[f32]) -> Result<Self, StyleNetError> {
        check(shape, parameters)?;
        let (own, shape) = (shape, embed::shape(shape));
        let parameters = embed::parameters(own, parameters).into_owned();
        let weights = Weights::new(isa, &threads, shape, &parameters);
        let workspace = Mutex::default();
        Ok(Self { isa, threads, shape, weights, parameters, workspace })
    }

    /// Bytes of memory that painting a picture of this size takes beside the picture and the result, within `budget`
    /// bytes: whole if that fits, in strips otherwise.
    ///
    /// # Errors
    /// If the picture is too small, larger than the address space, or not even strips fit.
    pub fn plan(&self, height: usize, width: usize, budget: usize) -> Result<usize, StyleNetError> {
        Plan::new(self.shape, (height, width), self.threads.count(), budget).map(|(_, bytes)| bytes)
    }

    /// The threads it works with.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// Paints a planar picture, `3 × height × width`, RGB 0–255, into `out`, which has the same shape and may leave
    /// 0–255. Any size from [`LEAST_SIDE`](super::LEAST_SIDE) up; a side that is no multiple of 4 is continued by
    /// reflection and cut off again.
    ///
    /// A picture that does not fit into `budget` bytes goes in strips: first the layers at full resolution alone, at
    /// about a sixth more time; then all of it, once for each of the normalisations, whose statistics are those of
    /// the whole picture in any case. The result is the same to rounding.
    ///
    /// # Errors
    /// If the picture is too small, larger than the address space, or does not fit into `budget` bytes (see [`plan`](StyleNet::plan));
    /// if it was interrupted by its [`threads`](StyleNet::threads), in which case the values in `out` are unspecified.
    ///
    /// # Panics
    /// If a slice has the wrong length, or there is no such style.
    pub fn run(
        &self,
        picture: &[f32],
        height: usize,
        width: usize,
        normalisation: Normalisation<'_>,
        budget: usize,
        out: &mut [f32],
    ) -> Result<(), StyleNetError> {
        assert_eq!(picture.len(), Shape { channels: 3, height, width }.len(), "a picture has three planes");
        assert_eq!(out.len(), picture.len(), "the result is as large as the picture");
        normalisation.check(self.shape);
        let (plan, _) = Plan::new(self.shape, (height, width), self.threads.count(), budget)?;
        let mut workspace = std::mem::take(&mut *self.workspace.lock().unwrap_or_else(PoisonError::into_inner));
        let full = height.next_multiple_of(4);
        let statistics = Statistics::new(self.shape, &normalisation.values(self.shape, &self.parameters));
        let mut pass = Pass::new(self.packed(), picture, (height, width), &mut workspace, statistics);
        match plan {
            Plan::Whole => pass.run(0..full, full, out, 0..full),
            Plan::Bands(band) => pass.run(0..full, band, out, 0..full),
            Plan::Strips(rows) => self.run_strips(&mut pass, rows, out, full),
        }
        drop(pass);
        if self.threads.interrupted() {
            return Err(StyleNetError::Interrupted);
        }
        if plan == Plan::Whole {
            *self.workspace.lock().unwrap_or_else(PoisonError::into_inner) = workspace;
        }
        Ok(())
    }

    /// Frees what the last picture left to be used again.
    pub fn release(&self) {
        drop(std::mem::take(&mut *self.workspace.lock().unwrap_or_else(PoisonError::into_inner)));
    }

    fn packed(&self) -> Packed<'_> {
        Packed { isa: self.isa, threads: &self.threads, shape: self.shape, weights: &self.weights }
    }

    /// One run over all strips for each normalisation, and one for the picture.
    fn run_strips(&self, pass: &mut Pass<'_>, rows: usize, out: &mut [f32], full: usize) {
        let halo = halo(self.shape);
        let window = |strip: &Range<usize>| strip.start.saturating_sub(halo)..(strip.end + halo).min(full);
        let normalised = self.shape.layers().len() - 1;
        for layer in 0..normalised {
            for strip in strips(full, rows) {
                pass.statistics.begin(layer, strip.clone());
                pass.run(window(&strip), usize::MAX, out, strip);
                if self.threads.interrupted() {
                    return;
                }
            }
            pass.statistics.finish(layer);
        }
        for strip in strips(full, rows).take_while(|_| !self.threads.interrupted()) {
            pass.run(window(&strip), usize::MAX, out, strip);
        }
    }
}

impl std::fmt::Debug for StyleNet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StyleNet({}, {:?})", self.isa.name(), self.shape)
    }
}

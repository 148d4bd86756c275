//! The end of a run: the best picture that it found, and the checkpoint of one that was stopped.

use std::sync::Arc;

use impasto_nn::backend::{Backend, Tensor};

use super::last_checkpoint::LastCheckpoint;
use super::run::{Ran, Run};
use super::{PaintEvent, Painting, Scale, Scene};
use crate::job::End;
use crate::objective::{Losses, Protected};
use crate::picture::Picture;

impl Run<'_> {
    /// Ends the run with the best picture there is. The checkpoint of a run that was stopped is written while the picture
    /// is finished.
    pub(super) fn end(mut self, end: End) -> Ran {
        let (mut picture, losses) = self.best(&end);
        let elapsed = self.clock.elapsed();
        let (scale, history, begun) = (self.state.scale, self.state.history.clone(), self.state.begun.clone());
        let Run { scene, scales, plans, mut objective, optimizer, backend, state, keeper, context, .. } = self;
        let last = scale + 1 == scales.len();
        if last {
            objective.show(&mut picture);
        }
        let (now, full) = (scales[scale], scales[scales.len() - 1]);
        let checkpoint = keeper.filter(|_| end == End::Stopped).map(|keeper| LastCheckpoint {
            keeper,
            state,
            optimizer,
            scales,
            plans,
            backend: backend.clone(),
            elapsed,
        });
        let checkpoint = checkpoint.map(LastCheckpoint::begin);
        objective.release();
        let picture = Picture::from_planar(now.height, now.width, backend.take(picture));
        let picture = if last { picture } else { enlarged(&picture, full, &scene, backend) };
        context.tell(PaintEvent::Finished { iteration: history.len(), elapsed, end: end.clone(), losses });
        Ran::Painted(Painting { picture, losses, history, begun, end }, checkpoint)
    }

    /// The best picture there is with its losses: that of the line search; or the average, where its loss is lower than
    /// that of the last. A run that was stopped evaluates nothing more.
    fn best(&mut self, end: &End) -> (Tensor, Losses) {
        let picture = self.state.shown(self.optimizer.as_ref(), &*self.backend);
        let last_step = self.state.history.last().map(|(_, losses)| *losses).unwrap_or_default();
        if let Some(losses) = self.state.best {
            return (picture, losses);
        }
        if *end == End::Stopped {
            return (picture, last_step);
        }
        let losses = self.objective.value_of(&picture);
        let last = self.state.average.is_some().then(|| self.objective.value_of(&self.state.picture));
        match last.filter(|last| last.loss < losses.loss) {
            _ if self.interruption.take() => (picture, last_step),
            Some(last) => (self.state.picture.clone(), last),
            None => (picture, losses),
        }
    }
}

/// The picture of a run that was stopped at a smaller size, at the size of the whole run. What is protected is the
/// content at that size, not enlarged from the smaller one.
fn enlarged(picture: &Picture, full: Scale, scene: &Scene, backend: Arc<dyn Backend>) -> Picture {
    let Scale { height, width, .. } = full;
    let picture = picture.resized(height, width);
    let content = scene.content.resized(height, width);
    let Some(stays) = scene.masks.regions(&content).protect else { return picture };
    let mut shown = backend.upload(picture.into_data());
    Protected::new(backend.clone(), &content, stays).lay_over(&mut shown);
    Picture::from_planar(height, width, backend.take(shown))
}

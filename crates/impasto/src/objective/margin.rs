//! A margin around the picture and the styles, so that no edge shows.
//!
//! The network's convolutions see zeros beyond an edge, and what their features make of that pulls the colours of the
//! outermost pixels anywhere. So every picture is continued by [`MARGIN`] pixels, as in a mirror, before it enters the
//! network. The margin weighs 0 in every loss. A pixel that is mirrored has the sum of the gradients of all its places.

use std::sync::Arc;

use impasto_nn::backend::{Backend, Input, Tensor, Window};

use super::Regions;
use crate::picture::Picture;

/// Pixels on each side: as many as two positions behind the second pooling of VGG, where most of the style weight ends.
pub(crate) const MARGIN: usize = 8;

/// Where the values of pictures of one size with their margin come from.
struct Mirror {
    /// The row that each row of a picture with its margin shows.
    rows: Vec<usize>,
    /// The column that each column shows.
    columns: Vec<usize>,
    /// Rows and columns without the margin.
    size: (usize, usize),
}

/// The margin around pictures of one size, on a backend.
pub(super) struct Margin {
    backend: Arc<dyn Backend>,
    mirror: Mirror,
    seen: Tensor,
    seen_gradient: Tensor,
}

impl Margin {
    /// Around pictures of this many rows and columns.
    pub(super) fn new(backend: Arc<dyn Backend>, height: usize, width: usize) -> Self {
        let (seen, seen_gradient) = (backend.zeros(0), backend.zeros(0));
        Self { backend, mirror: Mirror::new(height, width), seen, seen_gradient }
    }

    /// A picture with its margin, which is transparent.
    pub(super) fn picture(picture: &Picture) -> Picture {
        let mirror = Mirror::new(picture.height(), picture.width());
        let data = mirror.planes(picture.data());
        Picture::from_planar(mirror.rows.len(), mirror.columns.len(), data).with_alpha(mirror.visible(picture.alpha()))
    }

    /// Regions of pictures with their margin.
    pub(super) fn regions(&self, regions: &Regions) -> Regions {
        let mask = |mask: &Option<Vec<f32>>| mask.as_ref().map(|mask| self.mirror.planes(mask));
        Regions {
            styles: regions.styles.iter().map(mask).collect(),
            alpha: Some(self.mirror.visible(regions.alpha.as_deref())),
            protect: mask(&regions.protect),
        }
    }

    /// A planar picture with its margin.
    pub(super) fn around(&mut self, picture: &Tensor) -> &Tensor {
        self.backend.cut(Input::Device(picture), self.mirror.window(), &mut self.seen);
        &self.seen
    }

    /// What `evaluate` finds in a picture with its margin; `gradient` becomes that with respect to the picture without:
    /// for each pixel the sum of the gradients of the places that show it.
    pub(super) fn through<R>(
        &mut self,
        picture: &Tensor,
        gradient: &mut Tensor,
        evaluate: impl FnOnce(&Tensor, &mut Tensor) -> R,
    ) -> R {
        self.around(picture);
        if self.seen_gradient.len() != self.seen.len() {
            self.seen_gradient = self.backend.zeros(self.seen.len());
        }
        let found = evaluate(&self.seen, &mut self.seen_gradient);
        self.backend.clear(gradient);
        self.backend.add_window(&self.seen_gradient, self.mirror.window(), gradient);
        found
    }
}

impl Mirror {
    fn new(height: usize, width: usize) -> Self {
        let sources = |length: usize| (0..length + 2 * MARGIN).map(|at| mirrored(at, length)).collect();
        Self { rows: sources(height), columns: sources(width), size: (height, width) }
    }

    fn window(&self) -> Window<'_> {
        Window { picture: self.size.into(), rows: &self.rows, columns: &self.columns }
    }

    fn planes(&self, planes: &[f32]) -> Vec<f32> {
        let (height, width) = self.size;
        let mut all = Vec::new();
        for plane in planes.chunks_exact(height * width) {
            for row in &self.rows {
                let row = &plane[row * width..][..width];
                all.extend(self.columns.iter().map(|column| row[*column]));
            }
        }
        all
    }

    /// How much each pixel of a picture with its margin counts.
    fn visible(&self, alpha: Option<&[f32]>) -> Vec<f32> {
        let (height, width) = self.size;
        let mut visible = alpha.map_or_else(|| vec![1.0; self.rows.len() * self.columns.len()], |a| self.planes(a));
        for (index, weight) in visible.iter_mut().enumerate() {
            let (y, x) = (index / self.columns.len(), index % self.columns.len());
            if !(MARGIN..MARGIN + height).contains(&y) || !(MARGIN..MARGIN + width).contains(&x) {
                *weight = 0.0;
            }
        }
        visible
    }
}

/// The place in a side of this length that is shown at a place of the side with its margin: a mirror stands on the first
/// and on the last pixel.
fn mirrored(at: usize, length: usize) -> usize {
    let last = length - 1;
    if last == 0 {
        return 0;
    }
    // A multiple of the period is added, so that nothing is negative.
    let place = (at + 2 * last * MARGIN - MARGIN) % (2 * last);
    if place > last { 2 * last - place } else { place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;

    #[test]
    fn sides_of_every_length_are_mirrored() {
        let shown = |length: usize| (0..length + 2 * MARGIN).map(|at| mirrored(at, length)).collect::<Vec<_>>();
        assert_eq!(shown(1), [0; 17]);
        assert_eq!(shown(3), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        let long = shown(20);
        assert_eq!((long[0], long[MARGIN], long[MARGIN + 19], long[35]), (8, 0, 19, 11));
    }

    #[test]
    fn the_gradient_is_the_transpose_of_the_margin() {
        let (height, width) = (9, 12);
        let backend = cpu_backend();
        let mut margin = Margin::new(backend.clone(), height, width);
        let wave = |n: usize, f: f32| (0..n).map(|i| (i as f32 * f).sin()).collect::<Vec<_>>();
        let picture = wave(3 * height * width, 0.7);
        let slopes = wave(3 * (height + 2 * MARGIN) * (width + 2 * MARGIN), 1.3);
        let (picture, slopes) = (backend.upload(picture), backend.upload(slopes));
        let mut gradient = backend.upload(vec![f32::NAN; picture.len()]);
        let told = margin.through(&picture, &mut gradient, |seen, gradient| {
            backend.copy(&slopes, gradient);
            backend.dot(seen, &slopes)
        });
        let found = backend.dot(&picture, &gradient);
        assert!((told - found).abs() < 1e-3, "{told} against {found}");
    }

    #[test]
    fn only_the_picture_counts() {
        let picture = Picture::from_planar(8, 9, vec![5.0; 3 * 72]).with_alpha(vec![0.5; 72]);
        let around = Margin::picture(&picture);
        assert_eq!((around.height(), around.width()), (24, 25));
        assert_eq!(around.alpha().unwrap().iter().sum::<f32>(), 36.0);
        assert!(around.data().iter().all(|value| *value == 5.0));
    }
}

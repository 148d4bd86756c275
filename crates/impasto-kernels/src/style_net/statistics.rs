//! The statistics of instance normalisation, of a whole picture or added up over strips of rows.

use super::norm::Norm;
use super::shape::{StyleNetLayer, StyleNetShape};
use std::ops::Range;

/// The normalisations of one picture, known or to be found.
pub(super) struct Statistics {
    pub(super) layers: Vec<StyleNetLayer>,
    /// Scale and shift of each layer.
    pub(super) affine: Vec<(Vec<f32>, Vec<f32>)>,
    pub(super) norms: Vec<Norm>,
    /// How many of them are known before the pass.
    pub(super) known: usize,
    /// Where sums of rows are collected: which rows of the picture.
    pub(super) rows: Option<Range<usize>>,
    /// What was found in rows so far, and over how many positions.
    pub(super) found: Vec<(f64, f64)>,
    pub(super) positions: usize,
}

impl Statistics {
    /// The scales and shifts of a pass, as they lie when they are given from outside.
    pub(super) fn new(shape: StyleNetShape, normalisation: &[f32]) -> Self {
        let places = shape.norm_places();
        let values = |range: Range<usize>| normalisation[range].to_vec();
        let norms = vec![Norm::default(); places.len()];
        let affine = places.into_iter().map(|place| (values(place.scale), values(place.shift))).collect();
        Self { layers: shape.layers(), affine, norms, known: 0, rows: None, found: Vec::new(), positions: 0 }
    }

    /// The next pass is for the sums of one layer over some rows of the picture.
    pub(super) fn begin(&mut self, layer: usize, rows: Range<usize>) {
        self.known = layer;
        self.rows = Some(rows);
    }

    /// The sums of all rows of a layer are there.
    pub(super) fn finish(&mut self, layer: usize) {
        self.conclude(layer);
        self.known = layer + 1;
        self.rows = None;
    }

    /// What was found is all there is of a layer.
    pub(super) fn conclude(&mut self, layer: usize) {
        let (found, positions) = (std::mem::take(&mut self.found), std::mem::take(&mut self.positions));
        self.set(layer, &found, positions);
    }

    pub(super) fn set(&mut self, layer: usize, totals: &[(f64, f64)], positions: usize) {
        let (scale, shift) = &self.affine[layer];
        self.norms[layer].set(totals, positions, scale, shift);
    }

    pub(super) fn add(&mut self, totals: Vec<(f64, f64)>, positions: usize) {
        self.positions += positions;
        if self.found.is_empty() {
            self.found = totals;
        } else {
            for (sum, more) in self.found.iter_mut().zip(totals) {
                *sum = (sum.0 + more.0, sum.1 + more.1);
            }
        }
    }
}

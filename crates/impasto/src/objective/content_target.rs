//! What a picture should show, and where.

use impasto_nn::backend::Feature;

use super::regions::Place;
use super::style::StyleLayer;
use super::tiles::Tile;

/// What a picture should show and where: the features of a content at every content layer, for one size.
#[derive(Clone, Debug, Default)]
pub struct ContentTarget {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) tiles: Vec<Tile>,
    /// For each tile, one for each content layer of the weights.
    pub(super) features: Vec<Vec<Feature>>,
    /// For each content layer, what `Σ(F−P)² / (2·C·M)` is multiplied by for its units.
    pub(super) units: Vec<f64>,
    /// How much each pixel counts for the content; 1 where there is nothing.
    pub(super) visible: Option<Vec<f32>>,
    /// Where styles are looked for.
    pub(super) places: Vec<Place>,
    /// The place of each style; the first for all beyond the list.
    pub(super) place_of_style: Vec<usize>,
    /// A factor of the loss of each style; 1 for all beyond the list.
    pub(super) strengths: Vec<f64>,
    /// For each style layer, the mean square of the content's feature at each place, where units need it.
    pub(super) mean_squares: Option<Vec<Vec<f64>>>,
}

impl ContentTarget {
    pub(super) fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The weights that the pixels have at a place.
    pub(super) fn place(&self, place: usize) -> Option<(&[f32], usize)> {
        Some((self.places[place].weights.as_deref()?, self.width))
    }

    pub(super) fn visible(&self) -> Option<(&[f32], usize)> {
        Some((self.visible.as_deref()?, self.width))
    }

    /// The place of a style.
    pub(super) fn place_of(&self, style: usize) -> usize {
        self.place_of_style.get(style).copied().unwrap_or(0)
    }

    /// The factor of the loss of a style at a layer: its strength, and its contrast where units need it.
    pub(super) fn strength(&self, style: usize, layer: usize, target: &StyleLayer) -> f64 {
        let contrast = |layers: &Vec<Vec<f64>>| target.contrast(layers[layer][self.place_of(style)]);
        self.strengths.get(style).copied().unwrap_or(1.0) * self.mean_squares.as_ref().map_or(1.0, contrast)
    }
}

//! The targets of a perceptual loss: what contents and styles are, as the network sees them.

use impasto_nn::backend::{Feature, Input};
use impasto_nn::trunk::Moments;

use super::content_target::ContentTarget;
use super::perceptual::Perceptual;
use super::regions::Regions;
use super::style::{StyleFeature, StyleLayer, StyleTarget};
use super::style_loss::PlanarFeature;
use super::sums::MomentSum;
use super::tiles::Tile;
use super::weights::{RELATIVE_UNIT, mean_square};
use crate::picture::Picture;
use crate::settings::LossScale;

/// Moments of a content, which units are found by.
struct Energies {
    /// For each content layer.
    content: Vec<MomentSum>,
    /// For each style layer, at each place.
    style: Vec<Vec<MomentSum>>,
}

impl Perceptual {
    /// The target of a content, all of which counts.
    pub fn content(&mut self, content: &Picture) -> ContentTarget {
        self.content_within(content, &Regions::default(), &[])
    }

    /// The target of a content that counts as the regions say, for styles with these shares of the blend.
    ///
    /// # Panics
    /// If a region is not of the content's size.
    pub fn content_within(&mut self, content: &Picture, regions: &Regions, shares: &[f64]) -> ContentTarget {
        let size = (content.height(), content.width());
        regions.check(size.0 * size.1);
        let tiles = self.layout.tiles(size, self.weights.reach());
        let visible = regions.visible().map(<[f32]>::to_vec);
        let (places, place_of_style) = regions.places(regions.styles.len().max(1));
        let mut target = ContentTarget {
            height: size.0,
            width: size.1,
            visible,
            places,
            place_of_style,
            strengths: regions.strengths(shares),
            ..ContentTarget::default()
        };
        let mut energies = Energies {
            content: vec![MomentSum::default(); self.weights.content.len()],
            style: vec![vec![MomentSum::default(); target.places.len()]; self.weights.style.len()],
        };
        target.features =
            tiles.iter().map(|tile| self.content_features(content, tile, &target, &mut energies)).collect();
        target.tiles = tiles;
        self.set_units(&mut target, energies);
        target
    }

    /// The features of a window at every content layer; moments are added to `energies` where units need them.
    fn content_features(
        &mut self,
        content: &Picture,
        tile: &Tile,
        target: &ContentTarget,
        energies: &mut Energies,
    ) -> Vec<Feature> {
        let relative = self.weights.scale == LossScale::Relative;
        if self.weights.content.is_empty() && !relative {
            return Vec::new();
        }
        let places = if relative { target.places.len() } else { 0 };
        let places: Vec<_> = (0..places).map(|place| target.place(place)).collect();
        let found = self.forward(Input::Host(content.data()), target.size(), tile, false, &places);
        if relative {
            energies.style.iter_mut().flatten().zip(found).for_each(|(energy, moments)| energy.add(moments));
            for ((tap, _), energy) in self.weights.content.iter().zip(&mut energies.content) {
                let weights = self.weights.position_weights(&*self.trunk, *tap, tile, target.visible());
                energy.add(self.trunk.moments(*tap, weights.as_deref()));
            }
        }
        self.weights.content.iter().map(|&(tap, _)| self.trunk.capture(tap)).collect()
    }

    /// For each content layer, the factor that makes `Σ(F−P)² / (2·C·M)` what the loss scale says; for each style layer,
    /// what the style's unit is completed by.
    fn set_units(&self, target: &mut ContentTarget, energies: Energies) {
        let relative = |energy: MomentSum| match mean_square(&energy.finish()) {
            whole if whole > 0.0 => 2.0 * RELATIVE_UNIT / whole,
            _ => 0.0,
        };
        if self.weights.scale == LossScale::Absolute {
            target.units = vec![1.0; energies.content.len()];
            return;
        }
        target.units = energies.content.into_iter().map(relative).collect();
        let of_places = |places: Vec<MomentSum>| places.into_iter().map(|sum| mean_square(&sum.finish())).collect();
        target.mean_squares = Some(energies.style.into_iter().map(of_places).collect());
    }

    /// The targets of styles, each with its share of the blend.
    pub fn style(&mut self, styles: &[(Picture, f64)]) -> StyleTarget {
        let mut target = StyleTarget { layers: vec![Vec::new(); self.weights.style.len()], share: 1.0 };
        for (picture, share) in styles {
            self.add_style(&mut target, picture, *share);
        }
        target
    }

    /// Measures one more style; what is transparent in it does not count.
    fn add_style(&mut self, target: &mut StyleTarget, picture: &Picture, share: f64) {
        if !target.layers.is_empty() {
            let moments = self.style_moments(picture);
            self.add_measured(target, picture, share, &moments);
        }
    }

    /// The target of a style alone, and its moments at every style layer.
    pub(crate) fn style_with_moments(&mut self, picture: &Picture) -> (StyleTarget, Vec<Moments>) {
        let mut target = StyleTarget { layers: vec![Vec::new(); self.weights.style.len()], share: 1.0 };
        let moments = self.style_moments(picture);
        self.add_measured(&mut target, picture, 1.0, &moments);
        (target, moments)
    }

    /// The moments of a style at every style layer; what is transparent in it does not count.
    pub(crate) fn style_moments(&mut self, picture: &Picture) -> Vec<Moments> {
        let size = (picture.height(), picture.width());
        let visible = picture.alpha().map(|visible| (visible, size.1));
        let mut sums = vec![MomentSum::default(); self.weights.style.len()];
        for tile in self.layout.tiles(size, self.weights.reach()) {
            let found = self.forward(Input::Host(picture.data()), size, &tile, false, &[visible]);
            sums.iter_mut().zip(found).for_each(|(sum, moments)| sum.add(moments));
        }
        sums.into_iter().map(MomentSum::finish).collect()
    }

    /// Adds a style that the trunk saw last.
    fn add_measured(&mut self, target: &mut StyleTarget, picture: &Picture, share: f64, moments: &[Moments]) {
        let size = (picture.height(), picture.width());
        let visible = picture.alpha().map(|visible| (visible, size.1));
        let (kind, scale) = (self.weights.style_loss, self.weights.scale);
        let tile = Tile::whole(size);
        for (index, (layer, moments)) in target.layers.iter_mut().zip(moments).enumerate() {
            let tap = self.weights.style[index].0;
            let own = self.needs_features().then(|| self.trunk.features(tap));
            let weights = own.as_ref().and_then(|_| self.weights.position_weights(&*self.trunk, tap, &tile, visible));
            let planar = own.as_ref().map(|values| PlanarFeature {
                values,
                channels: moments.channels,
                weights: weights.as_deref(),
            });
            let feature = StyleFeature { moments, planar };
            layer.push((share, StyleLayer::new(kind, scale, self.backend.host(), &feature)));
        }
    }
}

//! The perceptual loss itself: whatever picture is asked about, against whatever content and style.
//!
//! Painting asks about one picture of one content and one style all along; training asks about another content with
//! every photograph, and about a few styles in turn. Both are told the same number.
//!
//! A picture that is too large to be processed whole is processed twice in [`tiles`]: once for the sums
//! that the losses are functions of, once to carry their gradients back. The second round goes the other way about, so
//! that it begins with what the first one processed last; of a picture that is one tile it is all of it.

use std::sync::Arc;

use impasto_nn::backend::{
    Backend, ContentGradient, DeviceTrunk, Feature, FeatureGradient, Input, TapGradient, Tensor,
};
use impasto_nn::trunk::{MomentGradient, Moments};

use super::content_target::ContentTarget;
use super::in_parallel::in_parallel;
use super::layer_styles::{LayerStyles, StyleGradient};
use super::losses::Losses;
use super::style::StyleTarget;
use super::style_loss::PlanarFeature;
use super::style_losses::Maker;
use super::sums::{DistanceSum, MomentSum};
use super::tiles::{Reach, Tile};
use super::total_variation::total_variation;
use super::weights::Weights;
use crate::device::Machine;
use crate::layout::Layout;

/// What the losses are functions of.
struct Sums {
    /// For each content layer.
    contents: Vec<DistanceSum>,
    /// For each style layer, the moments at each place.
    styles: Vec<Vec<Moments>>,
}

/// What flows back at the style layers.
struct StyleGradients {
    /// For each layer, at each place.
    of_moments: Vec<Vec<StyleGradient>>,
    /// For each layer, of losses of features; none for losses of moments.
    of_features: Vec<Feature>,
}

/// A window and the content's features in it, one for each content layer.
struct TargetWindow<'a> {
    tile: &'a Tile,
    targets: &'a [Feature],
}

/// The perceptual loss of Gatys et al. 2015 on a trunk, and its gradient.
pub struct Perceptual {
    pub(super) trunk: Box<dyn DeviceTrunk>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) weights: Weights,
    pub(super) layout: Layout,
    /// The window of a picture that the trunk processes, and the gradient with respect to it.
    window: Tensor,
    window_gradient: Tensor,
}

impl Perceptual {
    /// The loss with these weights on this trunk, which processes pictures whole.
    ///
    /// # Panics
    /// Later, if the trunk does not offer [`Weights::taps`].
    pub fn new(machine: Machine, weights: &Weights) -> Self {
        let Machine { trunk, backend, .. } = machine;
        let (window, window_gradient) = (backend.zeros(0), backend.zeros(0));
        Self { trunk, backend, weights: weights.clone(), layout: Layout::Whole, window, window_gradient }
    }

    /// How pictures are processed from here on; what was made of contents before stays as it is.
    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
        self.trunk.set_bands(layout.bands());
        self.release_windows();
    }

    /// Gives back the memory that the last picture took.
    pub(super) fn release(&mut self) {
        self.trunk.release();
        self.release_windows();
    }

    fn release_windows(&mut self) {
        (self.window, self.window_gradient) = (self.backend.zeros(0), self.backend.zeros(0));
    }

    /// What it computes on.
    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Whether pictures are processed with a margin.
    pub(super) fn has_margin(&self) -> bool {
        self.weights.margin
    }

    /// How far the deepest tap reaches.
    pub fn reach(&self) -> Reach {
        self.weights.reach()
    }

    /// Bytes that a pass of a picture of this size, forwards and backwards, takes on top of the picture and its gradient.
    pub fn planned_bytes(&self, layout: Layout, size: (usize, usize)) -> u64 {
        let tiles = layout.tiles(size, self.weights.reach());
        let mut sizes: Vec<_> = tiles.iter().map(Tile::size).collect();
        sizes.dedup();
        let engine = |(height, width)| self.trunk.planned_bytes(height, width, layout.bands());
        let largest = sizes.into_iter().map(engine).max().unwrap_or(0);
        let features = if self.needs_features() { self.feature_floats(size) } else { 0 };
        let windows = tiles.iter().filter(|tile| !tile.is_whole()).map(|tile| 6 * tile.pixels()).max().unwrap_or(0);
        (largest + size_of::<f32>() * (windows + features)) as u64
    }

    /// Floats that a loss of features takes for a picture of this size: the gradients of all layers, and of the largest
    /// one its feature, projections, slopes and gradient, and the order of its positions on each thread.
    fn feature_floats(&self, (height, width): (usize, usize)) -> usize {
        let layers = self.weights.style.iter().map(|(tap, _)| self.trunk.tap_shape(*tap, height, width).len());
        let (all, largest) = layers.fold((0, 0), |(all, largest), len| (all + len, largest.max(len)));
        all + 4 * largest + 5 * height * width * self.backend.host().threads().count()
    }

    /// Bytes that the features of a content of this size take.
    pub fn planned_targets(&self, layout: Layout, content: (usize, usize)) -> u64 {
        let tiles = layout.tiles(content, self.weights.reach());
        let target = |tile: &Tile, tap| self.trunk.tap_shape(tap, tile.size().0, tile.size().1).len();
        let taps = self.weights.content.iter().map(|(tap, _)| tiles.iter().map(|t| target(t, *tap)).sum::<usize>());
        (size_of::<f32>() * taps.sum::<usize>()) as u64
    }

    /// Whether the style loss needs features and not only their moments; then pictures are never in tiles.
    pub fn needs_features(&self) -> bool {
        matches!(Maker::of(self.weights.style_loss), Maker::OfFeatures(_))
    }

    /// The losses of a planar `3 × height × width` picture, RGB 0–255, without a gradient; zeros if it was interrupted.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value(&mut self, picture: &Tensor, content: &ContentTarget, style: &StyleTarget) -> Losses {
        let sums = self.measure(picture, content, false);
        let Some((mut losses, _)) = self.losses(&sums, content, style) else { return Losses::default() };
        losses.style += self.feature_losses(content, style, false).0;
        let unasked = if self.weights.total_variation > 0.0 { picture.len() } else { 0 };
        let mut unasked = self.backend.zeros(unasked);
        self.with_variation(losses, picture, content, &mut unasked)
    }

    /// The losses of a picture; their gradient with respect to it is written to `gradient`. If it was interrupted the
    /// losses are zeros, and the gradient is whatever it was.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient(
        &mut self,
        picture: &Tensor,
        content: &ContentTarget,
        style: &StyleTarget,
        gradient: &mut Tensor,
    ) -> Losses {
        let sums = self.measure(picture, content, true);
        let Some((mut losses, of_moments)) = self.losses(&sums, content, style) else { return Losses::default() };
        let (of_styles, of_features) = self.feature_losses(content, style, true);
        losses.style += of_styles;
        if self.weights.content.is_empty() && self.weights.style.is_empty() {
            self.backend.clear(gradient);
        } else {
            let styles = StyleGradients { of_moments, of_features };
            self.backward(picture, content, &sums, &styles, gradient);
        }
        self.with_variation(losses, picture, content, gradient)
    }

    /// The whole loss: total variation comes on top, and its gradient too.
    fn with_variation(
        &self,
        mut losses: Losses,
        picture: &Tensor,
        content: &ContentTarget,
        gradient: &mut Tensor,
    ) -> Losses {
        let factor = self.weights.total_variation * self.weights.variation_unit();
        if factor > 0.0 {
            let (size, visible) = (content.size(), content.visible.as_deref());
            losses.total_variation = total_variation(&*self.backend, picture, size, visible, factor, gradient);
        }
        losses.loss = losses.content + losses.style + losses.total_variation;
        losses
    }

    /// Runs a window of a picture through the trunk. Its moments: for each style layer, those at each place.
    pub(super) fn forward(
        &mut self,
        picture: Input<'_>,
        size: (usize, usize),
        tile: &Tile,
        keep: bool,
        places: &[Option<(&[f32], usize)>],
    ) -> Vec<Moments> {
        let at = |tap: usize| places.iter().map(move |place| (tap, *place));
        let wanted = self.weights.style.iter().flat_map(|(tap, _)| at(*tap));
        let weights = wanted.map(|(tap, place)| (tap, self.weights.position_weights(&*self.trunk, tap, tile, place)));
        let weights: Vec<_> = weights.collect();
        let wanted: Vec<_> = weights.iter().map(|(tap, weights)| (*tap, weights.as_deref())).collect();
        let (height, width) = tile.size();
        let seen = if tile.is_whole() {
            picture
        } else {
            tile.cut(&*self.backend, picture, size, &mut self.window);
            Input::Device(&self.window)
        };
        self.trunk.forward(seen, height, width, keep, &wanted)
    }

    /// Runs every window of a picture; with `keep` a gradient may flow back from the last one.
    fn measure(&mut self, picture: &Tensor, content: &ContentTarget, keep: bool) -> Sums {
        assert_eq!(picture.len(), 3 * content.height * content.width, "the picture has the content's size");
        let contents = self.weights.content.clone();
        let mut distances = vec![DistanceSum::default(); contents.len()];
        let mut moments = vec![vec![MomentSum::default(); content.places.len()]; self.weights.style.len()];
        for (index, (tile, targets)) in content.tiles.iter().zip(&content.features).enumerate() {
            let places: Vec<_> = (0..content.places.len()).map(|place| content.place(place)).collect();
            let last = index + 1 == content.tiles.len();
            let picture = Input::Device(picture);
            let found = self.forward(picture, content.size(), tile, keep && last, &places);
            for ((sum, (tap, _)), target) in distances.iter_mut().zip(&contents).zip(targets) {
                let weights = self.weights.position_weights(&*self.trunk, *tap, tile, content.visible());
                sum.distance += self.trunk.squared_distance(*tap, target, weights.as_deref());
                let sum_of = |weights: &Vec<f32>| weights.iter().map(|w| f64::from(*w)).sum();
                sum.weight += weights.as_ref().map_or(target.shape.positions() as f64, sum_of);
            }
            moments.iter_mut().flatten().zip(found).for_each(|(sum, moments)| sum.add(moments));
        }
        let finished = |sums: Vec<MomentSum>| sums.into_iter().map(MomentSum::finish).collect();
        Sums { contents: distances, styles: moments.into_iter().map(finished).collect() }
    }

    /// Content and style, and for each style layer the gradients at each place; nothing if the evaluation was interrupted.
    fn losses(
        &self,
        sums: &Sums,
        content: &ContentTarget,
        style: &StyleTarget,
    ) -> Option<(Losses, Vec<Vec<StyleGradient>>)> {
        let mut losses = Losses::default();
        let channels = content.features.first().into_iter().flatten().map(|target| target.shape.channels);
        let layers = sums.contents.iter().zip(&self.weights.content).zip(&content.units).zip(channels);
        for (((sum, (_, factor)), unit), channels) in layers {
            if sum.weight > 0.0 {
                losses.content += factor * unit * sum.distance / (2.0 * channels as f64 * sum.weight);
            }
        }
        let factors = self.weights.style.iter().map(|(_, factor)| factor * style.share);
        let layers = sums.styles.iter().zip(factors).zip(&style.layers).enumerate();
        let jobs: Vec<_> =
            layers.map(|(layer, ((places, factor), targets))| LayerStyles { layer, places, factor, targets }).collect();
        let threads = self.backend.host().threads();
        let loss = |job: LayerStyles<'_>| (!threads.interrupted()).then(|| job.loss(content));
        let of_layers: Vec<_> = in_parallel(jobs, threads.count(), loss).into_iter().collect::<Option<_>>()?;
        losses.style = of_layers.iter().map(|(loss, _)| loss).sum();
        (!threads.interrupted()).then(|| (losses, of_layers.into_iter().map(|(_, gradients)| gradients).collect()))
    }

    /// The losses of features, of the whole picture that the trunk saw last, and for each style layer the gradient of its
    /// feature if it is wanted. Nothing for losses of moments.
    fn feature_losses(
        &mut self,
        content: &ContentTarget,
        style: &StyleTarget,
        with_gradient: bool,
    ) -> (f64, Vec<Feature>) {
        if !self.needs_features() {
            return (0.0, Vec::new());
        }
        let (mut loss, mut gradients) = (0.0, Vec::new());
        let tile = Tile::whole(content.size());
        for (layer, (targets, (tap, factor))) in style.layers.iter().zip(self.weights.style.clone()).enumerate() {
            let shape = self.trunk.tap_shape(tap, content.height, content.width);
            let values = self.trunk.features(tap);
            let mut gradient = vec![0.0; if with_gradient { values.len() } else { 0 }];
            for (number, (share, target)) in targets.iter().enumerate() {
                let place = content.place(content.place_of(number));
                let weights = self.weights.position_weights(&*self.trunk, tap, &tile, place);
                let feature = PlanarFeature { values: &values, channels: shape.channels, weights: weights.as_deref() };
                let factor = factor * style.share * share * content.strength(number, layer, target);
                loss += target.of_feature(
                    self.backend.host(),
                    &feature,
                    factor,
                    with_gradient.then_some(&mut gradient[..]),
                );
            }
            if with_gradient {
                gradients.push(self.trunk.upload(shape, &gradient));
            }
        }
        (loss, gradients)
    }

    /// Carries the gradients back from every window, from the last one to the first, and adds them up.
    fn backward(
        &mut self,
        picture: &Tensor,
        content: &ContentTarget,
        sums: &Sums,
        styles: &StyleGradients,
        gradient: &mut Tensor,
    ) {
        if let [tile] = &content.tiles[..] {
            let window = TargetWindow { tile, targets: &content.features[0] };
            return self.backward_window(content, &window, sums, styles, gradient);
        }
        self.backend.clear(gradient);
        let mut window_gradient = std::mem::replace(&mut self.window_gradient, self.backend.zeros(0));
        let last = content.tiles.len() - 1;
        for (index, (tile, targets)) in content.tiles.iter().zip(&content.features).enumerate().rev() {
            if index < last {
                self.forward(Input::Device(picture), content.size(), tile, true, &[]);
            }
            if window_gradient.len() != 3 * tile.pixels() {
                window_gradient = self.backend.zeros(3 * tile.pixels());
            }
            self.backward_window(content, &TargetWindow { tile, targets }, sums, styles, &mut window_gradient);
            tile.add(&*self.backend, &window_gradient, gradient, content.size());
        }
        self.window_gradient = window_gradient;
    }

    /// Carries the gradients back from the window that the trunk saw last.
    fn backward_window(
        &mut self,
        content: &ContentTarget,
        window: &TargetWindow<'_>,
        sums: &Sums,
        styles: &StyleGradients,
        gradient: &mut Tensor,
    ) {
        let &TargetWindow { tile, targets } = window;
        let trunk = &*self.trunk;
        let of_content = |tap| self.weights.position_weights(trunk, tap, tile, content.visible());
        let of_contents: Vec<_> = self.weights.content.iter().map(|(tap, _)| of_content(*tap)).collect();
        let of_place = |tap, place| self.weights.position_weights(trunk, tap, tile, content.place(place));
        let of_places = |tap: usize| (0..content.places.len()).map(|p| of_place(tap, p)).collect::<Vec<_>>();
        let of_styles: Vec<_> = self.weights.style.iter().map(|(tap, _)| of_places(*tap)).collect();

        let layers = self.weights.content.iter().zip(&content.units).map(|((tap, factor), unit)| (*tap, factor * unit));
        let contents = layers.zip(targets).zip(&sums.contents).zip(&of_contents);
        let contents = contents.filter(|((_, sum), _)| sum.weight > 0.0).map(|(((layer, target), sum), weights)| {
            let scale = (layer.1 / (target.shape.channels as f64 * sum.weight)) as f32;
            let content = ContentGradient { target, scale, weights: weights.as_deref() };
            TapGradient { tap: layer.0, moments: None, content: Some(content), features: None }
        });
        let features = self.weights.style.iter().zip(&styles.of_features).map(|((tap, _), gradient)| {
            let features = Some(FeatureGradient { gradient, scale: 1.0 });
            TapGradient { tap: *tap, moments: None, content: None, features }
        });
        let moments = if styles.of_features.is_empty() { &styles.of_moments[..] } else { &[] };
        let styles = self.weights.style.iter().zip(moments).zip(&of_styles).flat_map(|((layer, places), weights)| {
            places.iter().zip(weights).map(|(StyleGradient { second, mean, weight }, weights)| {
                let moments = MomentGradient { second, mean, weights: weights.as_deref(), weight: *weight };
                TapGradient { tap: layer.0, moments: Some(moments), content: None, features: None }
            })
        });
        let taps: Vec<TapGradient<'_>> = contents.chain(styles).chain(features).collect();
        self.trunk.backward(&taps, gradient);
    }
}

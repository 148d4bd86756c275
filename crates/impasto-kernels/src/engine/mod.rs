//! One job: a picture through the trunk and gradients back to it.
//!
//! The network runs in one [`Stretch`](stretch::Stretch), whole, or in two: the shallow part, up to a pooling, in bands
//! of rows ([`Banded`](banded::Banded)), and the rest whole.

mod backward;
mod banded;
mod forward;
mod job;
mod masks;
mod plan;
mod planes;
mod stretch;
mod window;

use crate::profile::{Part, Profile, Timing};
use crate::size::feature_fits;
use crate::trunk::{PackedTrunk, sorted_taps};
use crate::{Border, Features, Moments, Pooling, Shape, TapGradient, Threads, TrunkError};
use backward::Flow;
use banded::Banded;
use job::Job;
use plan::{Blueprint, Scope};
use std::sync::Arc;
use stretch::{Stretch, Wanted};
use window::{Window, Windows};

/// How many poolings the part of the network has that runs in bands: behind the second one VGG's features are small
/// enough to keep (each convolution's 64 bytes for a pixel of the picture, and less further on, in place of 256), and
/// what lies before it is a third of the work at most.
const BANDED_POOLINGS: usize = 2;

/// One job's buffers and the network it shares with others.
///
/// Buffers are planned when a picture of a new size comes and reused as long as the size stays. What is tapped is the
/// output of a convolution behind its ReLU; taps count convolutions from 0.
pub struct Engine {
    job: Job,
    taps: Vec<usize>,
    bands: Option<usize>,
    planned: Option<Planned>,
    kept: bool,
    profile: Profile,
}

/// The buffers for one size.
struct Planned {
    height: usize,
    width: usize,
    /// The part of the network that runs in bands, if any does.
    banded: Option<Banded>,
    rest: Stretch,
}

/// Which part of a network runs in which bands, if any does, and which runs whole.
struct Division {
    banded: Option<(Scope, Windows)>,
    rest: Scope,
    /// What that reads.
    input: Shape,
}

impl Engine {
    /// A job on pictures whose pixels become `x = (p − mean) · scale` before the first convolution; zero padding comes
    /// after that. Only what lies at `taps` can be read; layers behind the deepest one do not run.
    pub fn new(
        trunk: Arc<PackedTrunk>,
        threads: Threads,
        pooling: Pooling,
        mean: [f32; 3],
        scale: [f32; 3],
        taps: &[usize],
    ) -> Result<Self, TrunkError> {
        let taps = sorted_taps(taps, trunk.convolutions())?;
        let job = Job { trunk, threads, pooling, pooling_scale: 1.0, border: Border::Zero, mean, scale };
        Ok(Self { job, taps, bands: None, planned: None, kept: false, profile: Profile::default() })
    }

    /// Runs the shallow part of the network, up to the second pooling, in bands of about this many rows of the picture;
    /// `None`, the default, runs all of it whole. Features are the same bits either way, moments, distances and
    /// gradients the same to rounding. Bands take less than half the memory, the less the fewer rows they have, and
    /// make the shallow part twice.
    ///
    /// In bands, moments without weights at shallow taps cost nothing more, and those under weights neither if they are
    /// asked for with the forward pass ([`forward_with_moments`](Engine::forward_with_moments)); whatever else is asked of
    /// shallow taps runs the shallow part once more.
    ///
    /// A picture that is hardly higher than a band runs whole, and so does a network without a pooling before its
    /// deepest tap, but the feature of the very first convolution is not kept: it is made once more, which takes hardly
    /// any time and saves more memory than anything else. Between the passes it is as in bands, but to read that
    /// feature takes the other features' places, and they are made once more when they are needed.
    pub fn set_bands(&mut self, rows: Option<usize>) {
        if self.bands != rows {
            self.bands = rows;
            self.forget();
        }
    }

    /// What lies around the picture; zeros unless this is called.
    pub fn set_border(&mut self, border: Border) {
        self.job.border = border;
        self.forget();
    }

    /// A factor on what every pooling puts out; 1 unless this is called.
    pub fn set_pooling_scale(&mut self, scale: f32) {
        self.job.pooling_scale = scale;
        self.forget();
    }

    /// The taps, ascending.
    pub fn taps(&self) -> &[usize] {
        &self.taps
    }

    /// The threads it works with.
    pub fn threads(&self) -> &Threads {
        &self.job.threads
    }

    /// The shape of a convolution's feature for a picture of this size.
    ///
    /// # Panics
    /// Where the network has no such convolution.
    pub fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        plan::shapes(&self.job.trunk, height, width)[tap]
    }

    /// Records from here on how long each part of a pass takes; by default nothing is recorded.
    pub fn record_timings(&mut self) {
        self.profile.enabled = true;
    }

    /// How long the parts of the last forward pass and of the last backward pass took, in the order they ran; nothing unless
    /// [`record_timings`](Self::record_timings) was called.
    pub fn timings(&self) -> &[Timing] {
        &self.profile.timings
    }

    /// Bytes of the buffers of the present size, without the packed weights.
    pub fn bytes(&self) -> usize {
        let bytes = |planned: &Planned| planned.banded.as_ref().map_or(0, Banded::bytes) + planned.rest.plan.bytes();
        self.planned.as_ref().map_or(0, bytes)
    }

    /// What [`bytes`](Engine::bytes) will be for pictures of this size in such bands.
    ///
    /// # Panics
    /// Where the picture is empty, or so large that a feature of it could not lie in memory at any rate.
    pub fn planned_bytes(&self, height: usize, width: usize, bands: Option<usize>) -> usize {
        self.check_size(height, width);
        let Division { banded, rest, input } = self.divide(height, width, bands);
        let shape = Shape { channels: 3, height, width };
        let banded = banded.map_or(0, |(scope, windows)| Banded::planned_bytes(&self.job, &scope, &windows, shape));
        Blueprint::new(&self.job, &rest, input).bytes().saturating_add(banded)
    }

    /// Runs a planar picture (`3 × height × width`: red, green, blue, 0–255) to the deepest tap. With `keep` it also
    /// keeps what [`backward`](Engine::backward) needs.
    ///
    /// # Panics
    /// Where the picture is empty, its length is not `3 · height · width`, or a feature of it is larger than the address
    /// space.
    pub fn forward(&mut self, picture: &[f32], height: usize, width: usize, keep: bool) {
        self.forward_with_moments(picture, height, width, keep, &[]);
    }

    /// The same, and what [`moments`](Engine::moments) would say of these taps and weights. What is asked for here is
    /// taken while the features are there, in bands too, and costs no second pass.
    ///
    /// # Panics
    /// As both.
    pub fn forward_with_moments(
        &mut self,
        picture: &[f32],
        height: usize,
        width: usize,
        keep: bool,
        wanted: &[(usize, Option<&[f32]>)],
    ) -> Vec<Moments> {
        self.check_size(height, width);
        assert_eq!(picture.len(), Shape { channels: 3, height, width }.len(), "a picture has three channels");
        if self.planned.as_ref().is_none_or(|planned| (planned.height, planned.width) != (height, width)) {
            self.forget();
            self.planned = Some(self.plan(height, width));
        }
        for &(tap, weights) in wanted {
            check_weights(weights, self.looked_at(tap));
        }
        self.kept = keep;
        let Some(Planned { banded, rest, .. }) = &mut self.planned else { unreachable!("just planned") };
        let (job, profile) = (&self.job, &mut self.profile);
        profile.timings.clear();
        let (deep, shallow): (Vec<_>, Vec<_>) = wanted.iter().partition(|(tap, _)| rest.has(*tap));
        let mut of_shallow = Vec::new();
        match banded {
            Some(banded) => of_shallow = banded.forward(job, picture, rest.source_mut(), keep, &shallow, profile),
            None => rest.load(job, picture, rest.plan.input.height, &(0..height)),
        }
        let of_deep = rest.forward_with_moments(job, keep, profile, &deep);
        let (mut of_shallow, mut of_deep) = (of_shallow.into_iter(), of_deep.into_iter());
        let next = |(tap, _): &Wanted<'_>| if rest.has(*tap) { of_deep.next() } else { of_shallow.next() };
        wanted.iter().filter_map(next).collect()
    }

    /// The feature of the last forward pass, planar `channels × height × width`.
    ///
    /// # Panics
    /// Where `tap` is not one of the taps or no picture came yet; so do all functions below.
    pub fn features(&mut self, tap: usize) -> Vec<f32> {
        let Features { shape, data } = self.capture(tap);
        crate::layout::Layout::new(shape).planar(&data)
    }

    /// A copy of the feature of the last forward pass in the engine's own layout.
    pub fn capture(&mut self, tap: usize) -> Features {
        let shape = self.looked_at(tap);
        let Some(Planned { banded, rest, .. }) = &mut self.planned else { unreachable!("the tap has a feature") };
        match banded {
            Some(banded) if banded.has(tap) => banded.capture(&self.job, tap, shape),
            _ => {
                rest.ensure_feature(&self.job, tap);
                Features { shape, data: rest.data(tap).to_vec() }
            }
        }
    }

    /// The moments of the last forward pass; `weights` has one value for each position.
    pub fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments {
        check_weights(weights, self.looked_at(tap));
        let Some(Planned { banded, rest, .. }) = &mut self.planned else { unreachable!("the tap has a feature") };
        match banded {
            Some(banded) if banded.has(tap) => banded.moments(&self.job, (tap, weights)),
            _ => rest.moments(&self.job, (tap, weights)),
        }
    }

    /// `Σ w[p] · (F − target)²` over channels and positions, added up in double precision.
    ///
    /// # Panics
    /// Also where `target` is of another shape.
    pub fn squared_distance(&mut self, tap: usize, target: &Features, weights: Option<&[f32]>) -> f64 {
        let shape = self.looked_at(tap);
        check_weights(weights, shape);
        check_target(target, shape);
        let Some(Planned { banded, rest, height, .. }) = &mut self.planned else {
            unreachable!("the tap has a feature")
        };
        match banded {
            Some(banded) if banded.has(tap) => banded.squared_distance(&self.job, tap, target, weights),
            _ => {
                rest.ensure_feature(&self.job, tap);
                rest.squared_distance(&self.job, &Window::whole(*height), tap, target, weights)
            }
        }
    }

    /// The gradient with respect to the picture of the last forward pass, planar, written to `out`. It may be called
    /// several times after one forward pass.
    ///
    /// # Panics
    /// Also where the last forward pass did not keep what this needs, or a length does not fit.
    pub fn backward(&mut self, gradients: &[TapGradient<'_>], out: &mut [f32]) {
        assert!(self.kept, "a backward pass needs a forward pass with `keep`");
        self.check_gradients(gradients, out);
        let Some(Planned { banded, rest, height, .. }) = &mut self.planned else { unreachable!("just checked") };
        let (job, profile) = (&self.job, &mut self.profile);
        profile.timings.retain(|timing| timing.part == Part::Forward);
        let window = Window::whole(*height);
        let flow = Flow { gradients, window: &window, pooled: None };
        let arrived = rest.backward(job, flow, profile, out);
        match banded {
            Some(banded) => {
                let pooled = arrived.then(|| rest.source_gradient());
                banded.backward(job, gradients, pooled, profile, out);
            }
            None if !arrived => out.fill(0.0),
            None => {}
        }
    }

    fn check_gradients(&self, gradients: &[TapGradient<'_>], out: &[f32]) {
        let Some(planned) = &self.planned else { panic!("no picture has passed through the trunk yet") };
        assert_eq!(out.len(), 3 * planned.height * planned.width, "the gradient has the size of the picture");
        for gradient in gradients {
            let shape = self.looked_at(gradient.tap);
            if let Some(moments) = &gradient.moments {
                let channels = shape.channels;
                assert_eq!(moments.second.len(), channels * channels, "the second moment is channels × channels");
                assert_eq!(moments.mean.len(), channels, "the mean has one value for each channel");
                check_weights(moments.weights, shape);
            }
            if let Some(content) = &gradient.content {
                check_target(content.target, shape);
                check_weights(content.weights, shape);
            }
            if let Some(features) = &gradient.features {
                check_target(features.gradient, shape);
            }
        }
    }

    /// The shape of a tap's feature in the last forward pass.
    fn looked_at(&self, tap: usize) -> Shape {
        let Some(planned) = &self.planned else { panic!("no picture has passed through the trunk yet") };
        assert!(self.taps.contains(&tap), "convolution {tap} is not tapped");
        self.tap_shape(tap, planned.height, planned.width)
    }

    /// Refuses a size before anything is computed from it.
    fn check_size(&self, height: usize, width: usize) {
        assert!(height > 0 && width > 0, "a picture has at least one pixel");
        let channels = self.job.trunk.convolutions.iter().map(|convolution| convolution.out_channels).max();
        assert!(
            feature_fits(channels.unwrap_or(3), height, width),
            "the features of a picture of {width}×{height} are larger than the address space"
        );
    }

    /// Lets go of all buffers.
    pub fn forget(&mut self) {
        (self.planned, self.kept) = (None, false);
    }

    fn plan(&self, height: usize, width: usize) -> Planned {
        let Division { banded, rest, input } = self.divide(height, width, self.bands);
        let shape = Shape { channels: 3, height, width };
        let banded = banded.map(|(scope, windows)| Banded::new(&self.job, scope, windows, shape));
        Planned { height, width, banded, rest: Stretch::new(&self.job, rest, input) }
    }

    /// Which part of the network runs in bands of a picture of this size.
    fn divide(&self, height: usize, width: usize, bands: Option<usize>) -> Division {
        let depth = self.taps.last().map_or(0, |deepest| deepest + 1);
        let trunk = &self.job.trunk;
        let scope = |convolutions: std::ops::Range<usize>, pooled| {
            let taps = self.taps.iter().copied().filter(|tap| convolutions.contains(tap)).collect();
            Scope { convolutions, taps, pooled, lean: bands.is_some() }
        };
        let whole =
            Division { banded: None, rest: scope(0..depth, false), input: Shape { channels: 3, height, width } };
        let pooled = (0..depth.saturating_sub(1)).filter(|&index| trunk.convolutions[index].pool);
        let (Some(rows), Some(last)) = (bands, pooled.take(BANDED_POOLINGS).last()) else { return whole };
        let shallow = scope(0..last + 1, true);
        let Some(windows) = Windows::new(trunk, &shallow, height, rows) else { return whole };
        let input = crate::pool::pooled_shape(plan::shapes(trunk, height, width)[last]);
        Division { banded: Some((shallow, windows)), rest: scope(last + 1..depth, false), input }
    }

    /// Whether the last picture ran in more than one band.
    #[cfg(test)]
    pub(crate) fn ran_in_bands(&self) -> bool {
        self.planned.as_ref().is_some_and(|planned| planned.banded.is_some())
    }

    /// The ReLU masks of the last forward pass for each convolution and the places of the largest values for each
    /// pooling, planar.
    #[cfg(test)]
    pub(crate) fn masks(&self) -> (Vec<Vec<bool>>, Vec<Vec<usize>>) {
        use crate::simd::LANES;
        let Some(planned) = &self.planned else { panic!("no picture has passed through the trunk yet") };
        assert!(planned.banded.is_none(), "the masks of a band are not those of the picture");
        let plan = &planned.rest.plan;
        let planar = |layout: crate::layout::Layout, bit: &dyn Fn(usize, usize) -> usize| -> Vec<usize> {
            let positions = layout.shape.positions();
            let value = |i: usize| {
                let (channel, position) = (i / positions, i % positions);
                bit(channel / LANES * positions + position, channel % LANES)
            };
            (0..layout.shape.len()).map(value).collect()
        };
        let relu_mask = plan.layers.iter().zip(&plan.relu_masks).map(|(layer, relu_mask)| {
            let bits = planar(layer.layout, &|at, lane| usize::from(relu_mask[at] >> lane & 1));
            bits.into_iter().map(|bit| bit == 1).collect()
        });
        let argmax = plan.layers.iter().zip(&plan.argmax).filter_map(|(layer, argmax)| {
            let ((pooled, _), argmax) = (layer.pooled?, argmax.as_ref()?);
            let (shape, small) = (layer.layout.shape, pooled.shape);
            let bits =
                planar(pooled, &|at, lane| ((argmax[at] >> lane & 1) | (argmax[at] >> (lane + 16) & 1) << 1) as usize);
            let full = |(i, place): (usize, usize)| {
                let (channel, y, x) = (i / small.positions(), i / small.width % small.height, i % small.width);
                (channel * shape.height + 2 * y + place / 2) * shape.width + 2 * x + place % 2
            };
            Some(bits.into_iter().enumerate().map(full).collect())
        });
        (relu_mask.collect(), argmax.collect())
    }
}

fn check_weights(weights: Option<&[f32]>, shape: Shape) {
    if let Some(weights) = weights {
        assert_eq!(weights.len(), shape.positions(), "a mask has one weight for each position");
    }
}

fn check_target(target: &Features, shape: Shape) {
    assert_eq!(target.shape, shape, "the target has the shape of the feature");
    let len = crate::layout::Layout::new(shape).len();
    assert_eq!(target.data.len(), len, "the target was captured from an engine");
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({:?}, {:?}, taps {:?})", self.job.trunk, self.job.pooling, self.taps)
    }
}

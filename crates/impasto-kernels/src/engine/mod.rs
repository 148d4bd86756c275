//! One job: a picture through the trunk and gradients back to it.

mod backward;
mod forward;
mod plan;

use crate::layout::{Layout, Plane};
use crate::profile::{Profile, Timing};
use crate::{Features, Moments, Pooling, Shape, TapGradient, Threads, TrunkError};
use crate::{moments, trunk::PackedTrunk};
use plan::Plan;
use std::sync::Arc;

/// One job's buffers and the network it shares with others.
///
/// Buffers are planned when a picture of a new size comes and reused as long as the size stays. What is tapped is the
/// output of a convolution behind its ReLU; taps count convolutions from 0.
pub struct Engine {
    trunk: Arc<PackedTrunk>,
    threads: Threads,
    pooling: Pooling,
    mean: [f32; 3],
    scale: [f32; 3],
    taps: Vec<usize>,
    plan: Option<Plan>,
    kept: bool,
    profile: Profile,
}

impl Engine {
    /// A job on pictures whose pixels become `x = (p − mean) · scale` before the first convolution; zero padding comes
    /// after that. Only what lies at `taps` can be looked at; layers behind the deepest one do not run.
    pub fn new(
        trunk: Arc<PackedTrunk>,
        threads: Threads,
        pooling: Pooling,
        mean: [f32; 3],
        scale: [f32; 3],
        taps: &[usize],
    ) -> Result<Self, TrunkError> {
        let mut taps = taps.to_vec();
        taps.sort_unstable();
        taps.dedup();
        let convolutions = trunk.convolutions();
        match taps.last() {
            None => return Err(TrunkError::NoTaps),
            Some(&tap) if tap >= convolutions => return Err(TrunkError::NoSuchTap { tap, convolutions }),
            Some(_) => {}
        }
        Ok(Self { trunk, threads, pooling, mean, scale, taps, plan: None, kept: false, profile: Profile::default() })
    }

    /// The taps, ascending.
    pub fn taps(&self) -> &[usize] {
        &self.taps
    }

    /// The threads it works with.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// The shape of a convolution's feature for a picture of this size.
    ///
    /// # Panics
    /// Where the network has no such convolution.
    pub fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        plan::shapes(&self.trunk, height, width)[tap]
    }

    /// How long the parts of the last forward pass and of the last backward pass took, in the order they ran.
    pub fn timings(&self) -> &[Timing] {
        &self.profile.0
    }

    /// Bytes of the buffers of the present size, without the packed weights.
    pub fn bytes(&self) -> usize {
        self.plan.as_ref().map_or(0, Plan::bytes)
    }

    /// Runs a planar picture (`3 × height × width`: red, green, blue, 0–255) to the deepest tap. With `keep` it also
    /// keeps what [`backward`](Engine::backward) needs.
    ///
    /// # Panics
    /// Where the picture is empty or its length is not `3 · height · width`.
    pub fn forward(&mut self, picture: &[f32], height: usize, width: usize, keep: bool) {
        assert!(height > 0 && width > 0, "a picture has at least one pixel");
        assert_eq!(picture.len(), 3 * height * width, "a picture has three channels");
        let planned = self.plan.as_ref().is_some_and(|plan| (plan.height, plan.width) == (height, width));
        if !planned {
            self.plan = None;
            let workers = self.threads.count();
            self.plan = Some(Plan::new(&self.trunk, workers, self.pooling, &self.taps, height, width));
        }
        self.kept = keep;
        self.run_forward(picture);
    }

    /// The feature of the last forward pass, planar `channels × height × width`.
    ///
    /// # Panics
    /// Where `tap` is not one of the taps or no picture came yet; so do all functions below.
    pub fn features(&mut self, tap: usize) -> Vec<f32> {
        let (layout, data) = self.feature(tap);
        layout.planar(data)
    }

    /// A copy of the feature of the last forward pass in the engine's own layout.
    pub fn capture(&mut self, tap: usize) -> Features {
        let (layout, data) = self.feature(tap);
        Features { shape: layout.shape, data: data.to_vec() }
    }

    /// The moments of the last forward pass; `weights` has one value for each position.
    pub fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments {
        let (layout, _) = self.feature(tap);
        check_weights(weights, layout.shape);
        let Some(Plan { layers, planes, sums, .. }) = &mut self.plan else { unreachable!("the tap has a feature") };
        let Some(plane) = layers[tap].feature else { unreachable!("the feature of a tap is kept") };
        let feature = Plane::new(layout, &planes[plane]);
        moments::moments(self.trunk.isa(), &self.threads, feature, weights, sums)
    }

    /// `Σ w[p] · (F − target)²` over channels and positions, added up in double precision.
    ///
    /// # Panics
    /// Also where `target` is of another shape.
    pub fn squared_distance(&mut self, tap: usize, target: &Features, weights: Option<&[f32]>) -> f64 {
        let (layout, data) = self.feature(tap);
        check_weights(weights, layout.shape);
        assert_eq!(target.shape, layout.shape, "the target has the shape of the feature");
        let (feature, target) = (Plane::new(layout, data), Plane::new(layout, &target.data));
        moments::squared_distance(self.trunk.isa(), &self.threads, feature, target, weights)
    }

    /// The gradient with respect to the picture of the last forward pass, planar, written to `out`. It may be called
    /// several times after one forward pass.
    ///
    /// # Panics
    /// Also where the last forward pass did not keep what this needs, or a length does not fit.
    pub fn backward(&mut self, gradients: &[TapGradient<'_>], out: &mut [f32]) {
        assert!(self.kept, "a backward pass needs a forward pass with `keep`");
        self.run_backward(gradients, out);
    }

    /// The ReLU signs of the last forward pass for each convolution and the places of the largest values for each
    /// pooling, planar.
    #[cfg(test)]
    pub(crate) fn masks(&self) -> (Vec<Vec<bool>>, Vec<Vec<usize>>) {
        use crate::simd::LANES;
        let Some(plan) = &self.plan else { panic!("no picture has passed through the trunk yet") };
        let planar = |layout: Layout, bit: &dyn Fn(usize, usize) -> usize| -> Vec<usize> {
            let positions = layout.shape.positions();
            let value = |i: usize| {
                let (channel, position) = (i / positions, i % positions);
                bit(channel / LANES * positions + position, channel % LANES)
            };
            (0..layout.shape.len()).map(value).collect()
        };
        let signs = plan.layers.iter().zip(&plan.signs).map(|(layer, signs)| {
            let bits = planar(layer.layout, &|at, lane| usize::from(signs[at] >> lane & 1));
            bits.into_iter().map(|bit| bit == 1).collect()
        });
        let places = plan.layers.iter().zip(&plan.places).filter_map(|(layer, places)| {
            let ((pooled, _), places) = (layer.pooled?, places.as_ref()?);
            let (shape, small) = (layer.layout.shape, pooled.shape);
            let bits =
                planar(pooled, &|at, lane| ((places[at] >> lane & 1) | (places[at] >> (lane + 16) & 1) << 1) as usize);
            let full = |(i, place): (usize, usize)| {
                let (channel, y, x) = (i / small.positions(), i / small.width % small.height, i % small.width);
                (channel * shape.height + 2 * y + place / 2) * shape.width + 2 * x + place % 2
            };
            Some(bits.into_iter().enumerate().map(full).collect())
        });
        (signs.collect(), places.collect())
    }

    fn feature(&self, tap: usize) -> (Layout, &[f32]) {
        let Some(plan) = &self.plan else { panic!("no picture has passed through the trunk yet") };
        assert!(self.taps.contains(&tap), "convolution {tap} is not tapped");
        let layer = &plan.layers[tap];
        let Some(plane) = layer.feature else { unreachable!("the feature of a tap is kept") };
        (layer.layout, &plan.planes[plane])
    }
}

fn check_weights(weights: Option<&[f32]>, shape: Shape) {
    if let Some(weights) = weights {
        assert_eq!(weights.len(), shape.positions(), "a mask has one weight for each position");
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({:?}, {:?}, taps {:?})", self.trunk, self.pooling, self.taps)
    }
}

//! What computes a painting and how each of its sizes passes through it, chosen together: weights that are packed when
//! they are used leave more room for the picture.

use std::sync::Arc;

use impasto_nn::backend::{Backend, Cost, Pass};
use impasto_nn::kernels::return_large_blocks;
use impasto_nn::trunk::Packing;
use impasto_nn::vgg::Vgg;

use super::run::Computing;
use super::{PaintError, Scale, Scene};
use crate::device::{self, DeviceError, Machine};
use crate::job::Context;
use crate::memory::{self, Demand, Layout, Plan};
use crate::objective::tiles::Reach;
use crate::objective::{MARGIN, Perceptual, Weights};
use crate::picture::{MIN_SIDE, size_with_longer_side};
use crate::settings::{BorderKind, OptimizerKind, Settings};

/// All that a painting needs beside its pictures.
pub(super) struct Ready {
    pub(super) computing: Computing,
    /// How each size passes through the network.
    pub(super) plans: Vec<Plan>,
    /// Whether these are others than those that were kept, since there is less memory than when the painting was begun.
    pub(super) smaller: bool,
    /// The most memory that the program may take, in bytes, where that is known.
    pub(super) limit: Option<u64>,
}

impl Ready {
    /// Chooses for a new painting, or takes the plans of the checkpoint.
    pub(super) fn new(
        network: Arc<Vgg>,
        scene: &Scene,
        scales: &[Scale],
        settings: &Settings,
        weights: &Weights,
        kept: Option<&[Plan]>,
        context: &Context<'_>,
    ) -> Result<Self, PaintError> {
        return_large_blocks();
        let taps = weights.taps();
        let backend = device::backend(settings.device, settings.threads)?;
        let pack = |packing: Packing| {
            let (backend, network) = (backend.clone(), network.clone());
            let (settings, taps) = (settings.clone(), taps.clone());
            let machine = context.abandonable(move || Machine::on(backend, &network, &settings, &taps, packing))?;
            Ok::<_, PaintError>(machine.map_err(DeviceError::from)?)
        };
        let machine = pack(Packing::Sparing)?;
        let (packed, sparing) = (machine.packed_weights, machine.weights);
        let computing = Computing::new(machine, weights);
        let limit = memory::limit(settings);
        let planner = Planner { perceptual: computing.objective.perceptual(), scene, settings, limit };
        let plans = planner.plans(scales, packed, sparing)?;
        let too_large = |kept: &[Plan]| kept.iter().any(|plan| limit.is_some_and(|limit| plan.peak > limit));
        let smaller = kept.is_some_and(|kept| too_large(kept) && kept != plans);
        let plans = kept.filter(|_| !smaller).map_or(plans, <[Plan]>::to_vec);
        let computing = if plans.iter().all(|plan| plan.sparing) {
            computing
        } else {
            drop(computing);
            Computing::new(pack(Packing::Kept)?, weights)
        };
        Ok(Self { computing, plans, smaller, limit })
    }
}

/// Plans for a scene within a limit.
struct Planner<'a> {
    /// On a sparing trunk.
    perceptual: &'a Perceptual,
    scene: &'a Scene,
    settings: &'a Settings,
    limit: Option<u64>,
}

impl Planner<'_> {
    /// How each size is painted, with weights that take this many bytes packed or sparing: whichever is faster at the last
    /// size.
    fn plans(&self, scales: &[Scale], packed: u64, sparing: u64) -> Result<Vec<Plan>, PaintError> {
        let packed = self.plans_with(scales, packed);
        if packed.as_ref().is_ok_and(|plans| plans.iter().all(|plan| plan.layout == Layout::Whole)) {
            return packed;
        }
        let mut sparing = self.plans_with(scales, sparing)?;
        sparing.iter_mut().for_each(|plan| plan.sparing = true);
        let (reach, backend) = (self.perceptual.reach(), &**self.perceptual.backend());
        let last = |plans: &[Plan]| work(scales[scales.len() - 1], &plans[plans.len() - 1], reach, backend);
        let faster = packed.ok().filter(|packed| last(packed) <= last(&sparing));
        Ok(faster.unwrap_or(sparing))
    }

    /// The same with weights that take this many bytes.
    fn plans_with(&self, scales: &[Scale], weights: u64) -> Result<Vec<Plan>, PaintError> {
        let one = |(index, scale): (usize, &Scale)| {
            let size = (scale.height, scale.width);
            let demand = self.demand(size, index + 1 == scales.len());
            self.plan(self.settings, &demand, weights).ok_or_else(|| self.refusal(size, &demand, weights))
        };
        scales.iter().enumerate().map(one).collect()
    }

    fn plan(&self, settings: &Settings, demand: &Demand, weights: u64) -> Option<Plan> {
        memory::plan(self.perceptual, settings, weights, demand, self.limit.unwrap_or(u64::MAX))
    }

    fn demand(&self, size: (usize, usize), last: bool) -> Demand {
        let demand = self.scene.demand(size, self.settings.style_scale, last);
        if self.settings.border == BorderKind::Mirror { demand.with_margin(MARGIN) } else { demand }
    }

    /// That there is no room for a size, and what would help.
    fn refusal(&self, size: (usize, usize), demand: &Demand, weights: u64) -> PaintError {
        let smaller = std::iter::successors(Some(size.0.max(size.1) as f64 * 0.95), |side| Some(side * 0.95));
        let mut sides = smaller.map(|side| side as usize).take_while(|side| *side >= MIN_SIDE);
        let fits = |side: &usize| {
            let demand = self.demand(size_with_longer_side(size, *side), true);
            self.plan(self.settings, &demand, weights).is_some()
        };
        let with_adam = Settings { optimizer: OptimizerKind::Adam, ..self.settings.clone() };
        PaintError::Memory {
            width: size.1,
            height: size.0,
            needed: memory::least(self.perceptual, self.settings, weights, demand),
            limit: self.limit.unwrap_or(u64::MAX),
            fitting: sides.find(fits),
            adam: self.plan(&with_adam, demand, weights).is_some(),
            moments: self.perceptual.needs_features(),
        }
    }
}

/// What a size costs: pixels, each as much as one of a small picture that passes whole.
pub(super) fn work(scale: Scale, plan: &Plan, reach: Reach, backend: &dyn Backend) -> f64 {
    let tiles = plan.layout.tiles((scale.height, scale.width), reach);
    let pixels: usize = tiles.iter().map(|tile| tile.pixels()).sum();
    let pass = match plan.layout {
        Layout::Whole => Pass::Whole,
        Layout::Bands { rows } => Pass::Bands { rows, height: scale.height },
        Layout::Tiles { .. } => Pass::Tiles,
    };
    let Cost { of_a_pixel, packings } = backend.cost(pass);
    let packing = packing(plan.sparing, backend) * packings * tiles.len() as f64;
    (pixels as f64 * of_a_pixel + packing) * scale.iterations as f64
}

/// What packing weights costs each time, in pixels.
pub(super) fn packing(sparing: bool, backend: &dyn Backend) -> f64 {
    if sparing { backend.packing_cost() } else { 0.0 }
}

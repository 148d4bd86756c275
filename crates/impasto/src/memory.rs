//! How much memory a painting takes, and how pictures pass through the network within it.

use serde::{Deserialize, Serialize};

pub use crate::bytes::Bytes;
pub use crate::free_memory::available;
use crate::free_memory::share_of_available;
pub use crate::layout::Layout;
use crate::objective::Perceptual;
use crate::objective::tiles::window_of;
use crate::optimizer::remembered;
use crate::settings::{OptimizerKind, Settings};

/// The program itself and what allocators keep to themselves: what is left of the peak once all else is taken off was 18
/// to 44 MiB in thirteen short runs and 72 in a long one of 2048×1536 (`docs/performance.md`).
pub(crate) const PROGRAM: u64 = 80 << 20;

/// The raw weights of a network and the tables they are read from, there while they are packed.
const RAW_NETWORK: u64 = 124 << 20;

/// Bytes of a picture's three planes for each pixel.
const PLANES: u64 = 12;

/// Rows of the bands, the faster choice first, behind one band for the whole picture.
const BANDS: [usize; 7] = [512, 384, 256, 128, 96, 64, 48];

/// What one size of a painting asks of the memory.
#[derive(Clone, Debug, Default)]
pub struct Demand {
    /// Rows and columns of the picture.
    pub size: (usize, usize),
    /// Those of the styles.
    pub styles: Vec<(usize, usize)>,
    /// Bytes of the pictures as they were read, all there while the network is made ready.
    pub read: u64,
    /// Bytes of those that wait for later.
    pub waiting: u64,
    /// Planes of one number a pixel that masks, opacity and protection take.
    pub planes: usize,
}

impl Demand {
    /// With this many pixels more on each side of the picture and of the styles, and a plane that says that they do not
    /// count.
    pub(crate) fn with_margin(mut self, margin: usize) -> Self {
        for side in self.styles.iter_mut().chain([&mut self.size]) {
            *side = (side.0 + 2 * margin, side.1 + 2 * margin);
        }
        self.planes += 1;
        self
    }
}

/// What one size of a painting will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How pictures pass through the network.
    pub layout: Layout,
    /// Whether large weights are packed whenever they are used, rather than kept so.
    #[serde(default)]
    pub sparing: bool,
    /// The most memory that the program will take, in bytes.
    pub peak: u64,
}

/// The fastest layout whose foreseen peak is at most `limit` bytes, if there is one, for a network that takes `weights`
/// bytes as it runs.
pub fn plan(perceptual: &Perceptual, settings: &Settings, weights: u64, demand: &Demand, limit: u64) -> Option<Plan> {
    if standing(settings, weights, demand) > limit {
        return None;
    }
    let mut plans = layouts(perceptual, demand.size).map(|layout| {
        let peak = peak(perceptual, settings, weights, demand, layout);
        Plan { layout, sparing: false, peak }
    });
    plans.find(|plan| plan.peak <= limit)
}

/// The least limit for which there is a [`plan`], in bytes.
pub fn least(perceptual: &Perceptual, settings: &Settings, weights: u64, demand: &Demand) -> u64 {
    let peaks = layouts(perceptual, demand.size);
    peaks.map(|layout| peak(perceptual, settings, weights, demand, layout)).min().unwrap_or(u64::MAX)
}

/// All layouts of a picture, the fastest first. A loss of features needs all positions at once, so it has no tiles.
fn layouts(perceptual: &Perceptual, size: (usize, usize)) -> impl Iterator<Item = Layout> + use<> {
    let (reach, tiled) = (perceptual.reach(), !perceptual.needs_features());
    let least = reach.least_window().min(size.0) * reach.least_window().min(size.1);
    let smaller = move |pixels: &usize| Some(pixels / 8 * 7).filter(|pixels| *pixels >= least);
    let pixels = std::iter::successors(smaller(&(size.0 * size.1)), smaller);
    let windows = pixels.filter_map(move |pixels| window_of(size, pixels, reach));
    let tiles = windows.map(|(height, width)| Layout::Tiles { height, width });
    let lower = BANDS.into_iter().filter(move |rows| *rows < size.0);
    let bands = std::iter::once(size.0).chain(lower).map(|rows| Layout::Bands { rows });
    std::iter::once(Layout::Whole).chain(bands).chain(tiles.filter(move |_| tiled))
}

/// What is there while the picture is painted, whatever the layout.
fn standing(settings: &Settings, weights: u64, demand: &Demand) -> u64 {
    let pixels = demand.size.0 * demand.size.1;
    let State { picture, memory } = state(settings, pixels);
    let planes = picture + memory + size_of::<f32>() as u64 * demand.planes as u64;
    PROGRAM + weights + demand.waiting + pixels as u64 * planes
}

/// What is there while content and styles are processed, whatever the layout: both, the picture, and what the optimiser
/// knows from the last size.
fn looking(settings: &Settings, weights: u64, demand: &Demand) -> u64 {
    let pixels = demand.size.0 * demand.size.1;
    let styles: usize = demand.styles.iter().map(|(height, width)| height * width).sum();
    let planes = state(settings, pixels).memory + size_of::<f32>() as u64 * demand.planes as u64;
    PROGRAM + weights + demand.waiting + pixels as u64 * planes + PLANES * (2 * pixels + styles) as u64
}

fn peak(perceptual: &Perceptual, settings: &Settings, weights: u64, demand: &Demand, layout: Layout) -> u64 {
    let targets = perceptual.planned_targets(layout, demand.size);
    let running = standing(settings, weights, demand) + perceptual.planned_bytes(layout, demand.size);
    let of_styles = demand.styles.iter().map(|style| perceptual.planned_bytes(layout, *style)).max();
    let looking = looking(settings, weights, demand) + of_styles.unwrap_or(0);
    let making_ready = PROGRAM + weights + RAW_NETWORK + demand.read;
    (running.max(looking) + targets).max(making_ready)
}

/// Bytes a pixel that a run keeps beside its network.
struct State {
    /// The picture, its gradient, and where a search stands.
    picture: u64,
    /// What the optimiser takes from size to size.
    memory: u64,
}

fn state(settings: &Settings, pixels: usize) -> State {
    match settings.optimizer {
        // The average; the moments and the last good picture.
        OptimizerKind::Adam => State { picture: PLANES * (2 + u64::from(settings.average > 0.0)), memory: PLANES * 3 },
        // The search's origin, gradient and direction; steps and changes.
        OptimizerKind::Lbfgs => {
            let (steps, halves) = remembered(3 * pixels);
            let of_a_step = if halves { PLANES } else { 2 * PLANES };
            State { picture: PLANES * (2 + 3), memory: of_a_step * steps as u64 }
        }
    }
}

/// What a run may take: what is given, else a share of what is free; nothing where that cannot be known.
pub fn limit(settings: &Settings) -> Option<u64> {
    settings.memory.map(|memory| memory.0).or_else(share_of_available)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Machine;
    use crate::network::network;
    use crate::objective::Weights;

    #[test]
    fn the_fastest_layout_that_fits_is_taken_and_the_least_that_would_do_is_told() {
        let settings = Settings { optimizer: OptimizerKind::Adam, threads: Some(1), ..Settings::default() };
        let network = network("vgg19").unwrap();
        let weights = Weights::new(&settings, network.kind).unwrap();
        let machine = Machine::new(&network, &settings, &weights.taps()).unwrap();
        let perceptual = Perceptual::new(machine, &weights);
        let demand = Demand { size: (1536, 2048), styles: vec![(1024, 2048)], ..Demand::default() };
        let plan = |limit: u64| plan(&perceptual, &settings, 500 << 20, &demand, limit);
        assert_eq!(plan(16 << 30).unwrap().layout, Layout::Whole);
        let (mut bands, mut tiles) = (0, 0);
        let mut before = usize::MAX;
        for limit in (8..64).rev().map(|eighths| eighths << 27) {
            let Some(plan) = plan(limit) else { continue };
            assert!(plan.peak <= limit, "{plan:?}");
            match plan.layout {
                Layout::Whole => assert_eq!((bands, tiles), (0, 0)),
                Layout::Bands { .. } => bands += 1,
                Layout::Tiles { height, width } => {
                    tiles += 1;
                    assert!(height * width <= before);
                    before = height * width;
                }
            }
        }
        assert!(bands > 0 && tiles > 0);
        let least = least(&perceptual, &settings, 500 << 20, &demand);
        assert!(plan(least).is_some() && plan(least - 1).is_none(), "{least}");
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(available().is_none_or(|free| free > 1 << 20));
    }
}

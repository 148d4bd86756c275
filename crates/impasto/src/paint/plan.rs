//! What a painting will take, told before it begins.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use impasto_nn::vgg::Vgg;
use serde::Serialize;

use super::ready::{Ready, packing, work};
use super::run::Computing;
use super::scene::style_side;
use super::{PaintError, Scale, Scene, scales};
use crate::job::Context;
use crate::memory::{Bytes, Demand, Layout, Plan};
use crate::objective::{MARGIN, Objective, Regions, Weights};
use crate::picture::size_with_longer_side;
use crate::settings::{BorderKind, Settings};

/// The longer side of the picture that a step is timed with.
const TIMED_SIDE: usize = 256;

/// One size of a painting that is planned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScalePlan {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// How often the loss and its gradient are evaluated.
    pub iterations: usize,
    /// How the picture passes through the network.
    pub layout: Layout,
    /// In how many tiles.
    pub tiles: usize,
    /// The most memory that the program will take, in bytes.
    pub peak: u64,
    /// Seconds, about.
    pub seconds: f64,
}

/// A painting that is planned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PaintPlan {
    /// What computes.
    pub device: String,
    /// Every size, the smallest first.
    pub scales: Vec<ScalePlan>,
    /// The most memory that the program will take, in bytes.
    pub peak: u64,
    /// The most that it may take, in bytes, where that is known.
    pub limit: Option<u64>,
    /// Seconds, about.
    pub seconds: f64,
}

impl fmt::Display for PaintPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ScalePlan { width, height, iterations, layout, tiles, peak, seconds } in &self.scales {
            let tiles = if *tiles > 1 { format!("{tiles} {layout}") } else { layout.to_string() };
            let (peak, seconds) = (Bytes(*peak), Seconds(*seconds));
            writeln!(f, "{width}×{height}: {iterations} iterations, {tiles}, {peak}, {seconds}")?;
        }
        let allowed = self.limit.map(|limit| format!(" of {} allowed", Bytes(limit))).unwrap_or_default();
        write!(f, "in all: at most {}{allowed}, {} on {}", Bytes(self.peak), Seconds(self.seconds), self.device)
    }
}

/// Seconds for people.
struct Seconds(f64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            seconds if seconds < 100.0 => write!(f, "about {seconds:.1} s"),
            seconds if seconds < 6000.0 => write!(f, "about {:.0} min", seconds / 60.0),
            seconds => write!(f, "about {:.1} h", seconds / 3600.0),
        }
    }
}

/// Plans a painting, and times one small step of it.
///
/// # Errors
/// As [`paint`](super::paint()).
pub fn plan(scene: &Scene, settings: &Settings, network: Arc<Vgg>) -> Result<PaintPlan, PaintError> {
    settings.check()?;
    let weights = Weights::new(&settings.with_strength(), network.kind)?;
    let scales = scales(scene.working_size(settings.size), settings);
    scene.check(&scales)?;
    let Ready { computing: Computing { mut objective, backend }, plans, limit, .. } =
        Ready::new(network, scene, &scales, settings, &weights, None, &Context::default())?;
    let reach = objective.perceptual().reach();
    let pixel = seconds_of_a_pixel(&mut objective, scene, settings, plans[0].sparing);
    let planned = scales.iter().zip(&plans).map(|(scale, plan)| {
        let seen = with_margin(*scale, settings);
        let tiles = plan.layout.tiles((seen.height, seen.width), reach).len();
        let seconds = pixel * work(seen, plan, reach, &*backend);
        let (&Scale { width, height, iterations }, &Plan { layout, peak, .. }) = (scale, plan);
        ScalePlan { width, height, iterations, layout, tiles, peak, seconds }
    });
    let scales: Vec<ScalePlan> = planned.collect();
    let peak = scales.iter().map(|scale| scale.peak).max().unwrap_or(0);
    let seconds = scales.iter().map(|scale| scale.seconds).sum();
    Ok(PaintPlan { device: backend.name(), scales, peak, limit, seconds })
}

/// Seconds that one evaluation takes for each pixel, by one of a small picture, for which weights may have been packed.
fn seconds_of_a_pixel(objective: &mut Objective, scene: &Scene, settings: &Settings, sparing: bool) -> f64 {
    let (height, width) = scene.working_size(settings.size);
    let (height, width) = size_with_longer_side((height, width), height.max(width).min(TIMED_SIDE));
    let scale = Scale { height, width, iterations: 1 };
    let small = scene.at(scale, settings.style_scale);
    objective.prepare(Layout::Whole, &small.content, &small.styles, Regions::default());
    let backend = objective.perceptual().backend().clone();
    let picture = backend.upload(small.content.data().to_vec());
    let mut gradient = backend.zeros(picture.len());
    let mut once = || {
        let begun = Instant::now();
        objective.value_and_gradient_of(&picture, &mut gradient);
        begun.elapsed().as_secs_f64()
    };
    // The first one touches its memory for the first time.
    once();
    let seen = with_margin(scale, settings);
    once().min(once()) / ((seen.height * seen.width) as f64 + packing(sparing, &*backend))
}

/// A size as the network sees it: with its margin, where the border is mirrored.
fn with_margin(scale: Scale, settings: &Settings) -> Scale {
    let margin = if settings.border == BorderKind::Mirror { 2 * MARGIN } else { 0 };
    Scale { height: scale.height + margin, width: scale.width + margin, ..scale }
}

impl Scene {
    /// What the picture asks of the memory at a size; at the last one nothing waits for later.
    pub(super) fn demand(&self, size: (usize, usize), style_scale: f64, last: bool) -> Demand {
        let side = style_side(size.0.max(size.1), style_scale);
        let styles = self.styles.iter().map(|(style, _)| style.size_with_longer_side(side)).collect();
        let pictures = self.styles.iter().map(|(style, _)| style).chain([&self.content]).chain(&self.start);
        let read: u64 = pictures.map(|picture| size_of_val(picture.data()) as u64).sum();
        let waiting = if last { 0 } else { read };
        let planes = self.masks.planes() + if self.content.alpha().is_some() { 3 } else { 0 };
        let masks = self.masks.bytes();
        Demand { size, styles, read: read + masks, waiting: waiting + masks, planes }
    }
}

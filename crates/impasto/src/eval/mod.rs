//! Measuring: how far a painting is from its photograph and from its style, and whether it has flaws of its own.
//!
//! Distances are shares, so that layers, sizes and networks can be set side by side: 0 is the same, and 1 is as far as
//! a feature of zeros. Report style and content as two numbers: either alone is easily had.

mod event;
mod flaws;
mod grain;
mod job;
mod sliced;
mod ssim;

use std::collections::BTreeMap;

use impasto_nn::backend::{DeviceTrunk, Input};
use impasto_nn::trunk::Moments;
use impasto_nn::vgg::Vgg;
use serde::{Deserialize, Serialize};

use crate::device::{DeviceError, Machine};
use crate::objective::wasserstein_loss;
use crate::picture::Picture;
use crate::settings::{Settings, SettingsError};

pub use event::EvalEvent;
pub use flaws::{Checkerboard, border, checkerboard};
pub use grain::{Grain, Surface, surface};
pub use job::{EvalJob, EvalJobError};
pub use sliced::sliced_wasserstein;
pub use ssim::ssim;

/// The shortest side that can be measured, in pixels.
pub const LEAST_SIDE: usize = 32;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is described where it is made")]
pub enum EvalError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Too little to see.
    #[error("at this size the picture is {width}×{height} pixels: measuring needs at least {LEAST_SIDE} on each side")]
    TooSmall {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
}

/// What was measured of one painting. Layers by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Columns of the painting as it was measured.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `|F − P| / |P|` of the features of the painting and of the photograph at each content layer.
    pub content: BTreeMap<String, f64>,
    /// `|G − A| / |A|` of the Gram matrices, each divided by its positions, of painting and style at each style layer.
    pub gram: BTreeMap<String, f64>,
    /// The Wasserstein-2 distance of the features as normal distributions, over the root of the style's energy.
    pub wasserstein: BTreeMap<String, f64>,
    /// The sliced Wasserstein distance of the features, over the same; it sees what moments do not.
    pub sliced_wasserstein: BTreeMap<String, f64>,
    /// Structural similarity of the luminance of painting and photograph, 1 for the same; see [`ssim`].
    pub ssim: f64,
    /// How much more the border changes from pixel to pixel than the rest, against the photograph; see [`border`].
    pub border: f64,
    /// Peaks at periods of 2 and 4 pixels; see [`checkerboard`].
    pub checkerboard: Checkerboard,
    /// Grain where the photograph is flat, spots, and areas without the style's texture; see [`surface`].
    pub surface: Surface,
}

/// Measures paintings of one photograph in one style.
pub struct Evaluator {
    trunk: Box<dyn DeviceTrunk>,
    /// Tap and name.
    content_layers: Vec<(usize, String)>,
    style_layers: Vec<(usize, String)>,
    size: Option<usize>,
    content: Picture,
    style: Picture,
    /// Those of the size that was measured at last.
    targets: Option<Targets>,
}

/// What a painting of one size is held against.
struct Targets {
    size: (usize, usize),
    content: Picture,
    /// The style, of the painting's longer side.
    style: Picture,
    /// Of each content layer.
    features: Vec<Vec<f32>>,
    /// Of each style layer.
    styles: Vec<StyleLayer>,
}

/// A style at one layer.
struct StyleLayer {
    moments: Moments,
    /// Channels × positions.
    samples: Vec<f32>,
}

impl Evaluator {
    /// For this photograph and this style, with the network, the layers (those of weight 0 are left out), the pooling,
    /// the size and the threads of the settings. Without a size every painting is measured at its own.
    ///
    /// # Errors
    /// If the settings cannot be used with the network.
    pub fn new(network: &Vgg, settings: &Settings, content: Picture, style: Picture) -> Result<Self, EvalError> {
        settings.check()?;
        let names = network.kind.layer_names();
        let named = |taps: Vec<(usize, f64)>| taps.into_iter().map(|(tap, _)| (tap, names[tap].clone())).collect();
        let content_layers: Vec<(usize, String)> = named(settings.content_layers.taps(network.kind)?);
        let style_layers: Vec<(usize, String)> = named(settings.style_layers.taps(network.kind)?);
        let taps: Vec<usize> = content_layers.iter().chain(&style_layers).map(|(tap, _)| *tap).collect();
        let trunk = Machine::new(network, settings, &taps)?.trunk;
        Ok(Self { trunk, content_layers, style_layers, size: settings.size, content, style, targets: None })
    }

    /// Measures a painting: the photograph is brought to its size, the style to its longer side, as in painting.
    ///
    /// # Errors
    /// If it is smaller than [`LEAST_SIDE`].
    pub fn evaluate(&mut self, painting: &Picture) -> Result<Evaluation, EvalError> {
        let painting = match self.size {
            Some(size) => painting.resized_to_longer_side(size),
            None => painting.clone(),
        };
        let (height, width) = (painting.height(), painting.width());
        if height.min(width) < LEAST_SIDE {
            return Err(EvalError::TooSmall { width, height });
        }
        let targets = self.targets.take().filter(|targets| targets.size == (height, width));
        let targets = targets.unwrap_or_else(|| self.targets(height, width));
        let found = self.measure(&painting, &targets);
        self.targets = Some(targets);
        Ok(found)
    }

    /// Measures photograph and style for paintings of one size.
    fn targets(&mut self, height: usize, width: usize) -> Targets {
        let content = self.content.resized(height, width);
        let features = self.content_features(&content);
        let style = self.style.resized_to_longer_side(height.max(width));
        let styles = self.style_features(&style);
        // A long and narrow style leaves fewer rows than its texture can be measured in.
        let style = style.resized(style.height().max(grain::SHORTEST), style.width().max(grain::SHORTEST));
        Targets { size: (height, width), content, style, features, styles }
    }

    fn measure(&mut self, painting: &Picture, targets: &Targets) -> Evaluation {
        let Targets { size: (height, width), content, style, features, styles } = targets;
        let (height, width) = (*height, *width);
        self.trunk.forward(Input::Host(painting.data()), height, width, false, &[]);
        let mut found = Evaluation {
            width,
            height,
            content: BTreeMap::new(),
            gram: BTreeMap::new(),
            wasserstein: BTreeMap::new(),
            sliced_wasserstein: BTreeMap::new(),
            ssim: ssim(painting, content),
            border: border(painting) / border(content),
            checkerboard: checkerboard(painting),
            surface: surface(painting, content, style),
        };
        for ((tap, name), target) in self.content_layers.iter().zip(features) {
            found.content.insert(name.clone(), distance(&self.trunk.features(*tap), target));
        }
        for ((tap, name), style) in self.style_layers.iter().zip(styles) {
            let moments = self.trunk.moments(*tap, None);
            let channels = moments.channels;
            let energy = (0..channels).map(|i| f64::from(style.moments.second[i * channels + i])).sum::<f64>();
            let share = |squared: f64| (squared.max(0.0) / (energy / channels as f64).max(f64::MIN_POSITIVE)).sqrt();
            let samples = sliced::sample(&self.trunk.features(*tap), channels);
            found.gram.insert(name.clone(), distance(&moments.second, &style.moments.second));
            found.wasserstein.insert(name.clone(), share(wasserstein_loss(&moments, &style.moments)));
            let sliced = sliced_wasserstein(&samples, &style.samples, channels);
            found.sliced_wasserstein.insert(name.clone(), share(sliced));
        }
        found
    }

    fn content_features(&mut self, content: &Picture) -> Vec<Vec<f32>> {
        if self.content_layers.is_empty() {
            return Vec::new();
        }
        self.trunk.forward(Input::Host(content.data()), content.height(), content.width(), false, &[]);
        self.content_layers.iter().map(|(tap, _)| self.trunk.features(*tap)).collect()
    }

    fn style_features(&mut self, style: &Picture) -> Vec<StyleLayer> {
        if self.style_layers.is_empty() {
            return Vec::new();
        }
        self.trunk.forward(Input::Host(style.data()), style.height(), style.width(), false, &[]);
        let layers = self.style_layers.iter().map(|(tap, _)| {
            let moments = self.trunk.moments(*tap, None);
            let samples = sliced::sample(&self.trunk.features(*tap), moments.channels);
            StyleLayer { moments, samples }
        });
        layers.collect()
    }
}

/// `|a − b| / |b|`.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let difference = squares(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    (difference / squares(&mut b.iter().map(|b| f64::from(*b))).max(f64::MIN_POSITIVE)).sqrt()
}

/// Luminance, 0–255: ITU-R BT.601's weights of the sRGB values, as SSIM is computed in its authors' program.
fn luminance(picture: &Picture) -> Vec<f32> {
    let positions = picture.height() * picture.width();
    let plane = |c: usize| &picture.data()[c * positions..][..positions];
    let (red, green, blue) = (plane(0), plane(1), plane(2));
    (0..positions).map(|i| 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of soft blobs, so that it has structure at several scales.
    pub(super) fn blobs(height: usize, width: usize, seed: f32) -> Picture {
        let value = |i: usize| {
            let (c, y, x) = (i / (height * width), i / width % height, i % width);
            let wave = |f: f32| ((y as f32 * f + seed).sin() + (x as f32 * f * 1.3 + c as f32).cos()) * 30.0;
            128.0 + wave(0.11) + wave(0.37) + wave(0.9) * 0.3
        };
        Picture::from_planar(height, width, (0..3 * height * width).map(value).collect())
    }

    #[test]
    fn a_photograph_is_near_its_content_and_a_style_near_itself() {
        let (content, style) = (blobs(64, 80, 0.0), blobs(80, 80, 2.0));
        let settings = Settings { threads: Some(2), ..Settings::default() };
        let network = crate::network("vgg19").unwrap();
        let mut evaluator = Evaluator::new(&network, &settings, content.clone(), style.clone()).unwrap();
        let photo = evaluator.evaluate(&content).unwrap();
        assert!(photo.content.values().all(|distance| *distance == 0.0) && photo.content.contains_key("conv4_2"));
        assert!((photo.ssim - 1.0).abs() < 1e-6 && (photo.border - 1.0).abs() < 1e-6);
        assert!(photo.gram.values().all(|distance| *distance > 0.01), "{photo:?}");
        let painted = evaluator.evaluate(&style).unwrap();
        for (layer, distance) in &painted.gram {
            assert!(*distance < 1e-6, "{layer}: {distance}");
            assert!(painted.wasserstein[layer] < 1e-2 && painted.wasserstein[layer] < photo.wasserstein[layer]);
            assert!(painted.sliced_wasserstein[layer] < 1e-6, "{layer}");
        }
        assert!(painted.ssim < 0.9 && painted.content.values().all(|distance| *distance > 0.05));
    }

    #[test]
    fn a_narrow_style_is_measured_as_well() {
        let settings = Settings { threads: Some(2), ..Settings::default() };
        let network = crate::network("vgg19").unwrap();
        let (content, style) = (blobs(32, 40, 0.0), blobs(20, 200, 2.0));
        let mut evaluator = Evaluator::new(&network, &settings, content.clone(), style).unwrap();
        let found = evaluator.evaluate(&content).unwrap();
        assert!(found.surface.grain.style_luma.is_finite() && found.surface.style_spots >= 0.0, "{found:?}");
    }

    #[test]
    fn a_picture_that_is_too_small_is_refused() {
        let settings = Settings { size: Some(24), ..Settings::default() };
        let network = crate::network("vgg19").unwrap();
        let picture = blobs(64, 64, 0.0);
        let mut evaluator = Evaluator::new(&network, &settings, picture.clone(), picture.clone()).unwrap();
        let message = evaluator.evaluate(&picture).unwrap_err().to_string();
        assert_eq!(message, "at this size the picture is 24×24 pixels: measuring needs at least 32 on each side");
    }
}

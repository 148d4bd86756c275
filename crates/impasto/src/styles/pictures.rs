//! Pictures as styles: what a network of any style makes of them.

use std::path::{Path, PathBuf};

use impasto_nn::style_model::{StyleCard, StyleModel};
use impasto_nn::style_predictor::{StylePredictor, statistics};
use impasto_nn::trunk::Packing;

use crate::device::{self, DeviceError, Machine};
use crate::network::{NetworkError, network};
use crate::objective::{Perceptual, Weights};
use crate::picture::{Picture, ReadError, ReadLimits};
use crate::settings::{Device, LayerWeights, Preset, Settings, SettingsError};

/// How many times as long as wide a picture may be.
const MOST_LONG: usize = 32;

/// The shorter side below which the network of the losses sees nothing, in pixels.
const LEAST_SIDE: usize = 8;

/// The difference of levels below which all colours are one.
const LEAST_DIFFERENCE: f32 = 2.0;

/// Why a picture is no style.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StylePictureError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing is seen of it.
    #[error("`{}` is transparent everywhere: there is no style in it", .0.display())]
    Transparent(PathBuf),
    /// There is nothing but a colour in it.
    #[error("`{}` has one colour: a style needs colours that differ", .0.display())]
    OneColour(PathBuf),
    /// It is a line.
    #[error("`{}` is {width}×{height} pixels: a style may be {MOST_LONG} times as long as it is wide, not more", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The network that sees it is not there.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// That network lacks a layer.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is nothing to compute with.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// Measures pictures for a predictor.
pub(crate) struct StyleReader {
    perceptual: Perceptual,
    size: usize,
}

impl StyleReader {
    /// For the predictor of a model, on a device.
    pub(crate) fn new(model: &StyleModel, device: Device, threads: Option<usize>) -> Result<Self, StylePictureError> {
        let settings = Settings {
            content_weight: 0.0,
            style_weight: 1.0,
            style_layers: LayerWeights::new(["conv1_1", "conv2_1", "conv3_1", "conv4_1"].map(|layer| (layer, 1.0))),
            ..Settings::preset(Preset::Article)
        };
        let network = network(&settings.network)?;
        let weights = Weights::new(&settings, network.kind)?;
        let backend = device::backend(device, threads)?;
        // Every picture is seen once: packing large weights for it would take longer than it saves.
        let machine = Machine::on(backend, &network, &settings, &weights.taps(), Packing::Sparing);
        let perceptual = Perceptual::new(machine.map_err(DeviceError::from)?, &weights);
        Ok(Self { perceptual, size: model.card.style_size() })
    }

    /// A picture as the style that a predictor makes of it, with its card.
    pub(crate) fn style(
        &mut self,
        predictor: &StylePredictor,
        name: String,
        picture: &Picture,
    ) -> (StyleCard, Vec<f32>) {
        let card = StyleCard { name, ..StyleCard::default() };
        (card, self.normalisation(predictor, picture))
    }

    /// The scales and shifts that a predictor makes of a picture.
    pub(crate) fn normalisation(&mut self, predictor: &StylePredictor, picture: &Picture) -> Vec<f32> {
        predictor.predict(&self.statistics(picture))
    }

    /// A picture as a predictor reads it.
    pub(crate) fn statistics(&mut self, picture: &Picture) -> Vec<f32> {
        let (longer, shorter) = (picture.height().max(picture.width()), picture.height().min(picture.width()).max(1));
        let size = self.size.max(LEAST_SIDE * longer.div_ceil(shorter));
        statistics(&self.perceptual.style_moments(&picture.resized_to_longer_side(size)))
    }
}

/// Reads a picture that shall be a style, within limits.
pub(crate) fn read(path: &Path, limits: &ReadLimits) -> Result<Picture, StylePictureError> {
    checked(Picture::read_within(path, limits)?, path)
}

/// A picture that may be a style. What a network would make of a picture without any is refused: holes and shrill colours
/// that are nowhere in it.
pub(super) fn checked(picture: Picture, path: &Path) -> Result<Picture, StylePictureError> {
    let (height, width) = (picture.height(), picture.width());
    if picture.alpha().is_some_and(|alpha| alpha.iter().all(|a| *a == 0.0)) {
        return Err(StylePictureError::Transparent(path.into()));
    }
    if picture.data().chunks_exact(height * width).all(|plane| range(plane) < LEAST_DIFFERENCE) {
        return Err(StylePictureError::OneColour(path.into()));
    }
    if height.max(width) > MOST_LONG * height.min(width) {
        return Err(StylePictureError::Line { path: path.into(), width, height });
    }
    Ok(picture)
}

/// How far the values of a plane lie apart.
fn range(plane: &[f32]) -> f32 {
    let (least, most) = plane.iter().fold((f32::MAX, f32::MIN), |(least, most), v| (least.min(*v), most.max(*v)));
    most - least
}

/// A network with what its predictor makes of a picture in place of its own styles.
pub(crate) fn with_picture(
    model: &StyleModel,
    predictor: &StylePredictor,
    path: &Path,
) -> Result<StyleModel, StylePictureError> {
    let picture = read(path, &ReadLimits::default())?;
    let mut reader = StyleReader::new(model, Device::Auto, None)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(model.with_styles(vec![reader.style(predictor, name, &picture)]))
}

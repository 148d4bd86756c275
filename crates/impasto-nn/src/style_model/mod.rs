//! Style models: an image transformation network with what should be known about it, in a file.
//!
//! impasto's own format is safetensors: one tensor for each of [`StyleNetShape::parameters`] under its name, f32 or
//! f16; in a network of any style, those of [`PredictorShape::parameters`] as well; and three entries of metadata:
//!
//! ```text
//! format          impasto-style-net
//! format_version  1
//! card            a ModelCard as JSON, the thumbnails in base64
//! ```
//!
//! Which network it is, is read from the shapes of the tensors, and every one of them is checked. Nothing in a file is
//! trusted: no memory is taken beyond what the file holds.
//!
//! ```no_run
//! use impasto_nn::style_model::{StyleDtype, StyleModel};
//!
//! let model = StyleModel::load("monet.safetensors".as_ref())?;
//! println!("{} by {}", model.card.name, model.card.author.as_deref().unwrap_or("nobody"));
//! model.save("smaller.safetensors".as_ref(), StyleDtype::F16)?;
//! # Ok::<(), impasto_nn::style_model::StyleModelError>(())
//! ```

#[cfg(feature = "burn")]
pub mod burn;
mod card;
mod error;
mod export;
mod import;
mod read;
mod write;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use impasto_kernels::StyleNetShape;

#[cfg(feature = "burn")]
pub use self::burn::BurnStyleNet;
use self::read::Extent;
pub use self::{
    card::{ModelCard, StyleCard},
    error::StyleModelError,
};
use crate::formats::TensorFile;
#[cfg(doc)]
use crate::style_predictor::PredictorShape;
use crate::style_predictor::StylePredictor;

/// What the metadata of every style model says under [`FORMAT_KEY`].
const FORMAT: &str = "impasto-style-net";

/// The version of the format that this program writes, and the only one that it reads.
pub const FORMAT_VERSION: u64 = 1;

/// Keys of the metadata.
const FORMAT_KEY: &str = "format";
const VERSION_KEY: &str = "format_version";
const CARD_KEY: &str = "card";

/// The keys under which the metadata of a file says that it is a style model, and what is in it.
pub const OWN_KEYS: [&str; 3] = [FORMAT_KEY, VERSION_KEY, CARD_KEY];

/// An image transformation network with its description.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleModel {
    /// Which network.
    pub shape: StyleNetShape,
    /// Its parameters, as [`StyleNetShape::parameters`] lays them out.
    pub parameters: Vec<f32>,
    /// What predicts scales and shifts from a painting, in a network of any style.
    pub predictor: Option<StylePredictor>,
    /// What should be known about it.
    pub card: ModelCard,
}

/// How a style model's numbers are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StyleDtype {
    /// 32-bit floats: nothing is lost.
    #[default]
    F32,
    /// 16-bit floats (IEEE half): half the size, 11 bits of each number kept.
    F16,
}

impl StyleModel {
    /// Reads a file of impasto's own format.
    ///
    /// # Errors
    /// If it is something else, of another version, or damaged; each case says what to do.
    pub fn load(path: &Path) -> Result<Self, StyleModelError> {
        read::read(&mut TensorFile::open(path).map_err(StyleModelError::from_load)?, Extent::Whole)
    }

    /// Reads an open file of impasto's own format.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_file(file: &mut TensorFile) -> Result<Self, StyleModelError> {
        read::read(file, Extent::Whole)
    }

    /// Reads bytes of impasto's own format; `name` is what error messages call them.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(name: impl Into<PathBuf>, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, StyleModelError> {
        read::read(&mut TensorFile::from_bytes(name, bytes).map_err(StyleModelError::from_load)?, Extent::Whole)
    }

    /// The same without the predictor, for a network of any style of which only its own styles are wanted: less than half
    /// the work.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes_without_predictor(
        name: impl Into<PathBuf>,
        bytes: impl Into<Cow<'static, [u8]>>,
    ) -> Result<Self, StyleModelError> {
        let mut file = TensorFile::from_bytes(name, bytes).map_err(StyleModelError::from_load)?;
        read::read(&mut file, Extent::WithoutPredictor)
    }

    /// The same network with these styles in place of its own, each with its scales and shifts; without a predictor.
    ///
    /// # Panics
    /// If there is no style, or one has another number of scales and shifts than the network.
    #[must_use]
    pub fn with_styles(&self, styles: Vec<(StyleCard, Vec<f32>)>) -> Self {
        let shape = StyleNetShape { styles: styles.len(), ..self.shape };
        let mut parameters = vec![0.0; shape.parameter_count()];
        for (from, to) in self.shape.parameters().into_iter().zip(shape.parameters()) {
            if from.shape == to.shape {
                parameters[to.range].copy_from_slice(&self.parameters[from.range]);
            }
        }
        for (style, (_, normalisation)) in styles.iter().enumerate() {
            shape.set_normalisation(style, normalisation, &mut parameters);
        }
        let card = ModelCard { styles: styles.into_iter().map(|(card, _)| card).collect(), ..self.card.clone() };
        Self { shape, parameters, predictor: None, card }
    }

    /// The file as bytes; the same model gives the same bytes.
    ///
    /// # Errors
    /// If a parameter is not finite or too large for the type, or the card does not fit the network.
    pub fn to_bytes(&self, dtype: StyleDtype) -> Result<Vec<u8>, StyleModelError> {
        write::to_bytes(self, dtype)
    }

    /// Writes the file, whole and durably or not at all.
    ///
    /// # Errors
    /// As [`to_bytes`](Self::to_bytes), and if the folder cannot be written to or the disk is full.
    pub fn save(&self, path: &Path, dtype: StyleDtype) -> Result<(), StyleModelError> {
        write::save(path, &self.to_bytes(dtype)?)
    }
}

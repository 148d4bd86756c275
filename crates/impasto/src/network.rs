//! From the name or the file of a network to the network.

use std::path::Path;
use std::sync::Arc;

use impasto_nn::formats::LoadError;
use impasto_nn::vgg::Vgg;

use crate::models;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A network that is known by name but is not on this machine.
    #[error("`{0}` is not on this machine: run `impasto models pull {0}-torchvision`, or name a weight file")]
    NotHere(String),
    /// The file does not hold one.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// The built-in `vgg19`, a `vgg16` that was pulled, another pulled network by its name, or a weight file by its path.
///
/// # Errors
/// If it is not on this machine, or the file does not hold a VGG.
pub fn network(name: &str) -> Result<Arc<Vgg>, NetworkError> {
    let file = Path::new(name);
    let vgg = match name {
        "vgg19" => Vgg::builtin(),
        _ if file.exists() => Vgg::load(file)?,
        _ => match models::find(name) {
            Some(pulled) => Vgg::load(&pulled)?,
            None if name == "vgg16" => return Err(NetworkError::NotHere(name.into())),
            None => Vgg::load(file)?,
        },
    };
    Ok(Arc::new(vgg))
}

//! The perceptual objective of Gatys et al. 2015: how far a picture is from a content and from a style.
//!
//! `loss = content_weight · content + style_weight · style + tv_weight · total_variation`, each described in its file.

mod content_target;
mod directions;
mod fixed;
mod gram;
mod in_parallel;
mod layer_styles;
mod losses;
mod margin;
mod perceptual;
mod protect;
mod quantiles;
mod regions;
mod sliced;
mod style;
mod style_loss;
mod style_losses;
mod sums;
mod targets;
pub mod tiles;
mod total_variation;
mod wasserstein;
mod weights;

pub use content_target::ContentTarget;
pub(crate) use directions::direction;
pub use fixed::Objective;
pub use gram::gram_loss;
pub use losses::Losses;
pub(crate) use margin::MARGIN;
pub use perceptual::Perceptual;
pub(crate) use protect::Protected;
pub use regions::Regions;
pub use style::StyleTarget;
pub use total_variation::total_variation;
pub use wasserstein::{WassersteinTarget, wasserstein_loss};
pub use weights::{RELATIVE_UNIT, Weights};

#[cfg(test)]
mod tests;

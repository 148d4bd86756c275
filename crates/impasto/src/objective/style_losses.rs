//! The list of all style losses.

use std::sync::Arc;

use impasto_nn::trunk::Moments;

use super::gram::GramTarget;
use super::sliced::SlicedTarget;
use super::style_loss::{FeatureLoss, MomentLoss, PlanarFeature};
use super::wasserstein::WassersteinTarget;
use crate::device::Cpu;
use crate::settings::StyleLossKind;

/// How the target of a loss is made of a style's feature.
pub(super) enum Maker {
    OfMoments(fn(&Moments) -> Arc<dyn MomentLoss>),
    OfFeatures(fn(&Cpu, &PlanarFeature<'_>) -> Arc<dyn FeatureLoss>),
}

impl Maker {
    /// That of a kind of loss.
    pub(super) fn of(kind: StyleLossKind) -> Self {
        match kind {
            StyleLossKind::Gram => Self::OfMoments(|style| Arc::new(GramTarget::new(style))),
            StyleLossKind::Wasserstein => Self::OfMoments(|style| Arc::new(WassersteinTarget::new(style))),
            StyleLossKind::Sliced => Self::OfFeatures(|cpu, style| Arc::new(SlicedTarget::new(cpu, style))),
        }
    }
}

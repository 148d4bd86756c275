//! A painting from pictures in memory, once their colours are settled.

use std::sync::Arc;

use impasto_nn::vgg::Vgg;

use super::checkpoint::Kept;
use super::error::PaintError;
use super::event::PaintEvent;
use super::finish::Finish;
use super::pyramid::scales;
use super::ready::Ready;
use super::run::{Keeping, Ran, Run, Setup};
use super::scene::Scene;
use crate::job::Context;
use crate::objective::Weights;
use crate::settings::Settings;

/// Paints a scene whose styles have the colours that they shall have, from its start or from where it was kept, and
/// keeps it on the way.
pub(super) fn paint_prepared(
    scene: Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    keeping: Keeping<'_>,
    finish: Arc<Finish>,
    context: &Context<'_>,
) -> Result<Ran, PaintError> {
    settings.check()?;
    let weights = Weights::new(&settings.with_strength(), network.kind)?;
    let scales = match &keeping.kept {
        Some(kept) => kept.scales().to_vec(),
        None => scales(scene.working_size(settings.size), settings),
    };
    scene.check(&scales)?;
    let scene = scene.with_shares();
    let kept = keeping.kept.as_ref().map(Kept::plans);
    let ready = Ready::new(network.clone(), &scene, &scales, settings, &weights, kept, context)?;
    let Ready { computing, plans, smaller, .. } = ready;
    let (preprocessing, device) = (network.preprocessing, computing.backend.name());
    // The trunk has its own copy: 80 MB less where the caller keeps none.
    drop(network);
    if smaller {
        let message = "there is less memory than when this painting was begun, so it continues in smaller parts: the \
                       picture will differ in its last bits";
        context.tell(PaintEvent::Warning { message: message.into() });
    }
    let last = scales[scales.len() - 1];
    context.tell(PaintEvent::Started {
        width: last.width,
        height: last.height,
        iterations: scales.iter().map(|scale| scale.iterations).sum(),
        network: settings.network.clone(),
        device: device.clone(),
    });
    if let Some(kept) = keeping.kept.as_ref().filter(|kept| kept.device() != device) {
        let (was, is) = (kept.device(), &device);
        let message = format!("begun on {was} and resumed on {is}: the picture will differ in its last bits");
        context.tell(PaintEvent::Warning { message });
    }
    Run::new(Setup { scene, settings, scales, plans, computing, preprocessing, keeping, finish }, context)?.run()
}

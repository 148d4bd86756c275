//! A painting of pictures in memory.

use std::sync::Arc;

use impasto_nn::vgg::Vgg;

use super::error::PaintError;
use super::finish::{Finish, prepared};
use super::painting::Painting;
use super::prepared::paint_prepared;
use super::run::{Keeping, Ran};
use super::scene::Scene;
use crate::job::Context;
use crate::settings::Settings;

/// Paints a scene, in the colours that the settings want, and as opaque as the content is. A run that is stopped gives
/// the picture as it stands. [`Settings::save_every`] is for [`PaintJob`](super::PaintJob) alone: here [`Previews`](crate::job::Previews)
/// show the picture on its way.
///
/// # Errors
/// If the settings or the pictures cannot be used, or it is stopped before its first step; never once that is made.
pub fn paint(
    scene: &Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    context: &Context<'_>,
) -> Result<Painting, PaintError> {
    match paint_kept(scene.clone(), settings, network, Keeping::default(), context)? {
        Ran::Painted(painting, _) => Ok(painting),
        Ran::Released => unreachable!("a run without a checkpoint keeps its memory"),
    }
}

/// Paints a scene from its start or from where it was kept, and keeps it on the way; in the colours that the settings
/// want, and as opaque as the content is.
pub(super) fn paint_kept(
    scene: Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    keeping: Keeping<'_>,
    context: &Context<'_>,
) -> Result<Ran, PaintError> {
    let finish = Arc::new(Finish::new(&scene.content, settings.colors));
    let scene = prepared(scene, settings.colors);
    match paint_prepared(scene, settings, network, keeping, finish.clone(), context)? {
        Ran::Painted(painting, checkpoint) => {
            let picture = finish.picture(painting.picture);
            Ok(Ran::Painted(Painting { picture, ..painting }, checkpoint))
        }
        released @ Ran::Released => Ok(released),
    }
}

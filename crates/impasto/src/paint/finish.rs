//! What happens to the pictures before a run and to the painting after it: whose colours it has, and its opacity.

use std::borrow::Cow;
use std::sync::Arc;

use impasto_nn::vgg::Vgg;

use super::{PaintError, Painting, Scene, paint_prepared};
use crate::colors;
use crate::picture::Picture;
use crate::progress::{Event, Flow, Observer};
use crate::settings::{Colors, Settings};

/// Paints a scene, in the colours that the settings want, and as opaque as the content is.
///
/// # Errors
/// If the settings or the pictures cannot be used; never once the first step is made.
pub fn paint(
    scene: &Scene,
    settings: &Settings,
    network: Arc<Vgg>,
    observer: &mut dyn Observer,
) -> Result<Painting, PaintError> {
    let finish = Finish { content: &scene.content, colors: settings.colors };
    let mut painting =
        paint_prepared(&prepared(scene, settings.colors), settings, network, &mut Finishing { finish, observer })?;
    painting.picture = finish.picture(painting.picture);
    Ok(painting)
}

/// The scene with its styles in the content's colours, where that is wanted.
fn prepared(scene: &Scene, colors: Colors) -> Cow<'_, Scene> {
    let matching = match colors {
        Colors::Style | Colors::Content => return Cow::Borrowed(scene),
        Colors::Match => colors::matched,
        Colors::Histogram => colors::histogram_matched,
    };
    let styles = scene.styles.iter().map(|(style, share)| (matching(style, &scene.content), *share));
    Cow::Owned(Scene { styles: styles.collect(), ..scene.clone() })
}

/// How a painting becomes what is shown.
#[derive(Clone, Copy)]
struct Finish<'a> {
    content: &'a Picture,
    colors: Colors,
}

impl Finish<'_> {
    fn picture(&self, painted: Picture) -> Picture {
        let painted = if self.colors == Colors::Content { colors::kept(painted, self.content) } else { painted };
        painted.with_alpha_of(self.content)
    }
}

/// Shows finished pictures to an observer.
struct Finishing<'a> {
    finish: Finish<'a>,
    observer: &'a mut dyn Observer,
}

impl Observer for Finishing<'_> {
    fn event(&mut self, event: &Event) -> Flow {
        self.observer.event(event)
    }

    fn picture(&mut self, iteration: usize, picture: &Picture) {
        self.observer.picture(iteration, &self.finish.picture(picture.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_matched_and_the_painting_keeps_colours_and_opacity() {
        let flat = |side: usize, rgb: [f32; 3]| {
            Picture::from_planar(side, side, rgb.into_iter().flat_map(|v| vec![v; side * side]).collect())
        };
        let content = flat(16, [200.0, 100.0, 50.0]).with_alpha([vec![0.0; 128], vec![1.0; 128]].concat());
        let scene = Scene { content, styles: vec![(flat(8, [9.0; 3]), 1.0)], start: None };
        assert_eq!(prepared(&scene, Colors::Style).styles, scene.styles);
        for colors in [Colors::Match, Colors::Histogram] {
            let style = &prepared(&scene, colors).styles[0].0;
            assert!((style.data()[0] - 200.0).abs() < 0.1 && (style.data()[191] - 50.0).abs() < 0.1, "{colors}");
        }
        let shown = |colors| Finish { content: &scene.content, colors }.picture(flat(8, [90.0; 3]));
        assert_eq!(shown(Colors::Style).data()[0], 90.0);
        let kept = shown(Colors::Content);
        assert!(kept.data()[0] > kept.data()[64] && kept.data()[64] > kept.data()[128], "red before green before blue");
        assert_eq!(kept.alpha().map(<[f32]>::len), Some(64));
    }
}

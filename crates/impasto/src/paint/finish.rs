//! What happens to the pictures before a run and to the painting after it: whose colours it has, and its opacity.

use super::scene::Scene;
use crate::colors;
use crate::picture::Picture;
use crate::settings::Colors;

/// The scene with its styles in the content's colours, where that is wanted.
pub(super) fn prepared(mut scene: Scene, colors: Colors) -> Scene {
    let matching = match colors {
        Colors::Style | Colors::Content => return scene,
        Colors::Match => colors::matched,
        Colors::Histogram => colors::histogram_matched,
    };
    scene.styles.iter_mut().for_each(|(style, _)| *style = matching(style, &scene.content));
    scene
}

/// How a painting becomes what is shown.
pub(super) struct Finish {
    /// The content, where something of it is in the painting.
    content: Option<Picture>,
    colors: Colors,
}

impl Finish {
    pub(super) fn new(content: &Picture, colors: Colors) -> Self {
        let needed = colors == Colors::Content || content.alpha().is_some();
        Self { content: needed.then(|| content.clone()), colors }
    }

    /// What is shown of a painting, at any size.
    pub(super) fn picture(&self, painted: Picture) -> Picture {
        let Some(content) = &self.content else { return painted };
        let painted = if self.colors == Colors::Content { colors::kept(painted, content) } else { painted };
        painted.with_alpha_of(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Masks;

    #[test]
    fn styles_are_matched_and_the_painting_keeps_colours_and_opacity() {
        let flat = |side: usize, rgb: [f32; 3]| {
            Picture::from_planar(side, side, rgb.into_iter().flat_map(|v| vec![v; side * side]).collect())
        };
        let content = flat(16, [200.0, 100.0, 50.0]).with_alpha([vec![0.0; 128], vec![1.0; 128]].concat());
        let scene = Scene { content, styles: vec![(flat(8, [9.0; 3]), 1.0)], start: None, masks: Masks::default() };
        assert_eq!(prepared(scene.clone(), Colors::Style).styles, scene.styles);
        for colors in [Colors::Match, Colors::Histogram] {
            let style = &prepared(scene.clone(), colors).styles[0].0;
            assert!((style.data()[0] - 200.0).abs() < 0.1 && (style.data()[191] - 50.0).abs() < 0.1, "{colors}");
        }
        let shown = |colors| Finish::new(&scene.content, colors).picture(flat(8, [90.0; 3]));
        assert_eq!(shown(Colors::Style).data()[0], 90.0);
        let kept = shown(Colors::Content);
        assert!(kept.data()[0] > kept.data()[64] && kept.data()[64] > kept.data()[128], "red before green before blue");
        assert_eq!(kept.alpha().map(<[f32]>::len), Some(64));
    }
}

//! Where a painting starts.

use impasto_nn::vgg::Preprocessing;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Scene;
use crate::picture::Picture;
use crate::settings::{Init, Settings};

/// The noise is uniform between −20 and 20, of 255, as in the article.
const NOISE: f32 = 20.0;

/// The start that the settings want, of the content's size.
///
/// The article mixes after the mean colour of the network is taken away: `share · noise + (1 − share) · (content −
/// mean)`, so a start of noise alone is noise around that mean.
pub fn start(scene: &Scene, settings: &Settings, preprocessing: &Preprocessing) -> Picture {
    let content = &scene.content;
    let (height, width) = (content.height(), content.width());
    match &settings.init {
        Init::Content => content.clone(),
        Init::Noise => mixed(content, 1.0, settings.seed, preprocessing),
        Init::Mix(share) => mixed(content, *share as f32, settings.seed, preprocessing),
        Init::Style => scene.styles[0].0.resized(height, width),
        Init::File(_) => scene.start.as_ref().unwrap_or(content).resized(height, width),
    }
}

fn mixed(content: &Picture, share: f32, seed: u64, preprocessing: &Preprocessing) -> Picture {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut start = content.clone();
    let positions = content.height() * content.width();
    for (plane, mean) in start.data_mut().chunks_exact_mut(positions).zip(preprocessing.mean) {
        for value in plane {
            let noise = random.random_range(-NOISE..NOISE);
            *value = mean + share * noise + (1.0 - share) * (*value - mean);
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paint::Masks;

    fn scene() -> Scene {
        let content = Picture::from_rgb8(16, 24, &[200; 16 * 24 * 3]);
        Scene {
            content,
            styles: vec![(Picture::from_rgb8(8, 8, &[30; 192]), 1.0)],
            start: None,
            masks: Masks::default(),
        }
    }

    fn begin(init: Init, seed: u64) -> Picture {
        start(&scene(), &Settings { init, seed, ..Settings::default() }, &Preprocessing::CAFFE)
    }

    #[test]
    fn a_mix_is_the_articles() {
        let mean = Preprocessing::CAFFE.mean;
        let mix = begin(Init::Mix(0.25), 1);
        for (c, plane) in mix.data().chunks_exact(16 * 24).enumerate() {
            let centre = mean[c] + 0.75 * (200.0 - mean[c]);
            assert!(plane.iter().all(|v| (v - centre).abs() <= 5.0));
            let spread = plane.iter().map(|v| (v - centre).powi(2)).sum::<f32>() / plane.len() as f32;
            assert!((spread - 25.0 / 3.0).abs() < 1.5, "a uniform ±5 has variance 25/3, not {spread}");
        }
        assert_eq!(begin(Init::Mix(0.0), 1), scene().content);
        assert_eq!(begin(Init::Mix(1.0), 1), begin(Init::Noise, 1));
    }

    #[test]
    fn a_seed_is_a_start() {
        assert_eq!(begin(Init::Noise, 7), begin(Init::Noise, 7));
        assert_ne!(begin(Init::Noise, 7), begin(Init::Noise, 8));
    }

    #[test]
    fn every_start_has_the_contents_size() {
        for init in [Init::Content, Init::Noise, Init::Style] {
            let picture = begin(init, 0);
            assert_eq!((picture.height(), picture.width()), (16, 24));
        }
        assert!(begin(Init::Style, 0).data().iter().all(|v| (v - 30.0).abs() < 1e-3));
    }
}

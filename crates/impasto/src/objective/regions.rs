//! Where a picture counts, and for what: weights for its pixels, and what they come to at a layer.
//!
//! A mask is a weight in a sum (Gatys et al. 2017, "Controlling Perceptual Factors in Neural Style Transfer",
//! arXiv:1611.07865, section 5, by weighted sums over positions as here). The weight of a layer's position is the mean
//! of the weights of the pixels that the poolings made it of.

use super::tiles::Tile;

/// Weights for the pixels of a picture, `height × width` values from 0 to 1 each; everywhere 1 where there are none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regions {
    /// Where each style counts; a style beyond the end of the list counts everywhere.
    pub styles: Vec<Option<Vec<f32>>>,
    /// How opaque the picture is: what is transparent takes no part in any loss.
    pub alpha: Option<Vec<f32>>,
    /// What stays as it is in the content: no part of it is painted, or compared for its style.
    pub protect: Option<Vec<f32>>,
}

impl Regions {
    /// # Panics
    /// If there is not one value for each pixel.
    pub(super) fn check(&self, pixels: usize) {
        let planes = self.styles.iter().flatten().chain(&self.alpha).chain(&self.protect);
        planes.for_each(|plane| assert_eq!(plane.len(), pixels, "a region has one value for each pixel"));
    }

    /// How much each pixel counts for the content and for the total variation.
    pub(super) fn visible(&self) -> Option<&[f32]> {
        self.alpha.as_deref()
    }

    /// Where styles are looked for, each place once, and for each of this many styles the number of its place.
    pub(super) fn places(&self, styles: usize) -> (Vec<Place>, Vec<usize>) {
        let mut places: Vec<Place> = Vec::new();
        let mut of_style = Vec::with_capacity(styles);
        let mut everywhere = None;
        for style in 0..styles {
            let mask = self.styles.get(style).and_then(Option::as_deref);
            let place = match (mask, everywhere) {
                (None, Some(place)) => place,
                _ => {
                    places.push(Place { weights: self.paintable(mask) });
                    places.len() - 1
                }
            };
            if mask.is_none() {
                everywhere = Some(place);
            }
            of_style.push(place);
        }
        (places, of_style)
    }

    /// The factor of the loss of each style, for these shares of a blend.
    ///
    /// A style's loss is that of its region's mean, so alone it would pull at each pixel the harder the smaller the
    /// region is. With these factors, whatever the regions are, all styles together pull at a pixel that their masks
    /// cover as hard as without masks, each by its share among those that are there; where masks fade out, so do they.
    /// With masks `m`, shares `s` and what can be painted `b`:
    /// `Σₚ b·mᵢ·min(1, Σⱼ mⱼ) / Σⱼ sⱼ·mⱼ` over `Σₚ b`.
    pub(super) fn strengths(&self, shares: &[f64]) -> Vec<f64> {
        let Some(pixels) = self.styles.iter().flatten().map(Vec::len).next() else { return vec![1.0; shares.len()] };
        let mask = |style: usize, p: usize| {
            let mask = self.styles.get(style).and_then(Option::as_deref);
            mask.map_or(1.0, |mask| f64::from(mask[p]))
        };
        let paintable = self.paintable(None);
        let (mut strengths, mut all) = (vec![0.0; shares.len()], 0.0);
        for p in 0..pixels {
            let weight = paintable.as_ref().map_or(1.0, |weights| f64::from(weights[p]));
            let cover: f64 = (0..shares.len()).map(|style| mask(style, p)).sum();
            let mixed: f64 = shares.iter().enumerate().map(|(style, share)| share * mask(style, p)).sum();
            all += weight;
            if mixed > 0.0 {
                let factor = weight * cover.min(1.0) / mixed;
                strengths.iter_mut().enumerate().for_each(|(style, sum)| *sum += mask(style, p) * factor);
            }
        }
        strengths.iter().map(|sum| if all > 0.0 { sum / all } else { 0.0 }).collect()
    }

    /// The product of a mask, the opacity, and what is not protected.
    fn paintable(&self, mask: Option<&[f32]>) -> Option<Vec<f32>> {
        let mut weights: Option<Vec<f32>> = mask.map(<[f32]>::to_vec);
        let mut times = |plane: Option<&Vec<f32>>, weight: fn(f32) -> f32| {
            let Some(plane) = plane else { return };
            let product = weights.get_or_insert_with(|| vec![1.0; plane.len()]);
            product.iter_mut().zip(plane).for_each(|(product, value)| *product *= weight(*value));
        };
        times(self.alpha.as_ref(), |alpha| alpha);
        times(self.protect.as_ref(), |protect| 1.0 - protect);
        weights
    }
}

/// A place where one or more styles are looked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    /// A weight for each pixel; 1 where there are none.
    pub(super) weights: Option<Vec<f32>>,
}

/// The weights of a layer's positions in a window, `height × width` positions of `step` pixels a side each: 0 beyond
/// the interior, the mean of `pixels`, those of a picture of this many columns, in it. Nothing where all weigh 1.
pub(super) fn position_weights(
    tile: &Tile,
    pixels: Option<(&[f32], usize)>,
    (height, width): (usize, usize),
    step: usize,
) -> Option<Vec<f32>> {
    if tile.is_whole() && pixels.is_none() {
        return None;
    }
    let mut weights = vec![0.0; height * width];
    for (y, row) in weights.chunks_exact_mut(width).enumerate() {
        let top = tile.rows.window.start + y * step;
        if !tile.rows.interior.contains(&top) {
            continue;
        }
        // A side that is shorter than a step has one position, of all there is.
        let bottom = (top + step).min(tile.rows.window.end);
        for (x, weight) in row.iter_mut().enumerate() {
            let left = tile.columns.window.start + x * step;
            if tile.columns.interior.contains(&left) {
                let right = (left + step).min(tile.columns.window.end);
                *weight = pixels.map_or(1.0, |(plane, across)| mean(plane, across, top..bottom, left..right));
            }
        }
    }
    Some(weights)
}

fn mean(plane: &[f32], across: usize, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> f32 {
    let count = rows.len() * columns.len();
    let sum: f32 = rows.map(|y| plane[y * across..][columns.clone()].iter().sum::<f32>()).sum();
    sum / count as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objective::tiles::Span;

    fn span(window: std::ops::Range<usize>, interior: std::ops::Range<usize>) -> Span {
        Span { window, interior }
    }

    #[test]
    fn positions_weigh_the_mean_of_their_pixels_inside_and_nothing_outside() {
        let plane: Vec<f32> = (0..8 * 10).map(|i| i as f32).collect();
        let tile = Tile { rows: span(2..8, 4..8), columns: span(0..10, 0..6) };
        let weights = position_weights(&tile, Some((&plane, 10)), (3, 5), 2).unwrap();
        let mean = |y: usize, x: usize| (y * 10 + x) as f32 + 5.5;
        let expected =
            [[0.0; 5], [mean(4, 0), mean(4, 2), mean(4, 4), 0.0, 0.0], [mean(6, 0), mean(6, 2), mean(6, 4), 0.0, 0.0]];
        assert_eq!(weights, expected.concat());
        let inside = position_weights(&tile, None, (3, 5), 2).unwrap();
        assert_eq!(inside.iter().sum::<f32>(), 6.0);
        let whole = Tile { rows: span(0..8, 0..8), columns: span(0..10, 0..10) };
        assert_eq!(position_weights(&whole, None, (4, 5), 2), None);
        // One position of a side of one pixel, deep in the network.
        let narrow = Tile { rows: span(0..1, 0..1), columns: span(0..8, 0..8) };
        assert_eq!(position_weights(&narrow, Some((&plane, 10)), (1, 2), 4).unwrap(), [1.5, 5.5]);
    }

    /// `strength · share · mask / Σ mask` is how hard a style pulls at a pixel; without masks, its share of a pixel.
    #[test]
    fn styles_pull_as_hard_in_small_regions_as_in_large_ones() {
        let pull = |regions: &Regions, shares: &[f64]| -> Vec<f64> {
            let strengths = regions.strengths(shares);
            let mut pulls = vec![0.0; 10];
            for (style, (strength, share)) in strengths.iter().zip(shares).enumerate() {
                let mask = regions.styles.get(style).cloned().flatten().unwrap_or_else(|| vec![1.0; 10]);
                let weights = Regions { alpha: regions.alpha.clone(), ..Regions::default() }.paintable(Some(&mask));
                let weights: Vec<f64> = weights.unwrap().into_iter().map(f64::from).collect();
                let sum: f64 = weights.iter().sum();
                pulls.iter_mut().zip(&weights).for_each(|(pull, w)| *pull += 10.0 * strength * share * w / sum);
            }
            pulls
        };
        let near = |found: Vec<f64>, expected: [f64; 10]| {
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} for {expected:?}");
        };
        let one = |mask: [f32; 10]| Regions { styles: vec![Some(mask.to_vec())], ..Regions::default() };
        near(pull(&Regions::default(), &[0.25, 0.75]), [1.0; 10]);
        near(pull(&one([1., 0., 0., 0., 0., 0., 0., 0., 0., 0.]), &[1.0]), [1., 0., 0., 0., 0., 0., 0., 0., 0., 0.]);
        near(pull(&one([1., 1., 0.5, 0., 0., 0., 0., 0., 0., 0.]), &[1.0]), [1., 1., 0.5, 0., 0., 0., 0., 0., 0., 0.]);
        // Two styles that fade into each other, whatever their shares; and one everywhere under one in a corner.
        let across = [1., 1., 1., 1., 0.75, 0.25, 0., 0., 0., 0.];
        let other = across.map(|value: f32| 1.0 - value);
        let two = Regions { styles: vec![Some(across.to_vec()), Some(other.to_vec())], ..Regions::default() };
        near(pull(&two, &[0.5, 0.5]), [1.0; 10]);
        let corner =
            Regions { styles: vec![None, Some([[1.0; 2], [0.0; 2], [0.0; 2], [0.0; 2], [0.0; 2]].concat())], ..two };
        assert!((pull(&corner, &[0.5, 0.5]).iter().sum::<f64>() - 10.0).abs() < 1e-6);
        // What is transparent does not count.
        let half = Regions { alpha: Some([[1.0; 5], [0.0; 5]].concat()), ..one([1.0; 10]) };
        assert_eq!(half.strengths(&[1.0]), [1.0]);
    }

    #[test]
    fn styles_without_a_mask_share_a_place() {
        let plane = |value| vec![value; 4];
        let regions = Regions { styles: vec![None, Some(plane(0.5)), None], ..Regions::default() };
        let (places, of_style) = regions.places(4);
        assert_eq!(of_style, [0, 1, 0, 0]);
        assert_eq!(places, [Place { weights: None }, Place { weights: Some(plane(0.5)) }]);
        let (places, _) = Regions { alpha: Some(plane(0.5)), protect: Some(plane(0.75)), ..regions }.places(2);
        assert_eq!(places, [Place { weights: Some(plane(0.125)) }, Place { weights: Some(plane(0.0625)) }]);
        assert_eq!(Regions::default().places(2), (vec![Place { weights: None }], vec![0, 0]));
    }
}

//! Styles in their places: where each counts, and how much of each there is in a pixel.
//!
//! Every style paints the whole picture, and what they paint is mixed pixel by pixel: in a part of the picture alone, a
//! network would normalise by other statistics, and one network cannot paint another's styles.

use std::iter::zip;

use crate::paint::{Mask, Masks};
use crate::picture::{Picture, ReadLimits};
use crate::settings::Device;
use crate::styles::{Blend, StyleChoice, StylesError};

/// A style, and where it counts.
#[derive(Clone, Debug)]
pub struct MaskedStyle {
    /// The style, or a blend.
    pub blend: Blend,
    /// Its share where it meets others, before the shares are made to sum to 1; above 0.
    pub weight: f64,
    /// Where it counts; everywhere where there is none.
    pub mask: Option<Mask>,
}

impl MaskedStyle {
    /// Styles with their masks, in the same order; those of no weight are left out. Without any mask they are one blend.
    ///
    /// # Errors
    /// If a style is not to be found, all weigh nothing, or styles without masks are not of one network.
    pub fn find(
        choices: &[StyleChoice],
        masks: Masks,
        device: Device,
        threads: Option<usize>,
        limits: &ReadLimits,
    ) -> Result<Vec<Self>, StylesError> {
        if masks.styles.iter().all(Option::is_none) {
            return Ok(vec![Self::everywhere(Blend::find_on(choices, device, threads, limits)?)]);
        }
        let masks = masks.styles.into_iter().chain(std::iter::repeat(None));
        let (choices, masks): (Vec<_>, Vec<_>) =
            zip(choices.iter().cloned(), masks).filter(|(choice, _)| choice.weight > 0.0).unzip();
        if choices.is_empty() {
            return Err(StylesError::NoWeight);
        }
        let blends = Blend::find_each(&choices, device, threads, limits)?;
        let masked = zip(blends, zip(choices, masks));
        Ok(masked.map(|(blend, (choice, mask))| Self { blend, weight: choice.weight, mask }).collect())
    }

    /// A style without a mask.
    pub fn everywhere(blend: Blend) -> Self {
        Self { blend, weight: 1.0, mask: None }
    }
}

/// The styles by name, each once, joined by hyphens.
pub(super) fn label(styles: &[MaskedStyle]) -> String {
    let mut labels = Vec::new();
    for label in styles.iter().map(|style| style.blend.label()) {
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels.join("-")
}

/// A place where one of the passes counts.
pub(super) struct Region {
    /// The number of the pass.
    pub(super) pass: usize,
    pub(super) weight: f64,
    pub(super) mask: Option<Mask>,
}

/// Where each of several passes counts; nothing for a single one that counts everywhere.
pub(super) struct Regions(Vec<Region>);

impl Regions {
    pub(super) fn new(regions: Vec<Region>) -> Option<Self> {
        let masked = regions.iter().any(|region| region.mask.is_some());
        (masked || regions.iter().any(|region| region.pass > 0)).then_some(Self(regions))
    }

    /// Bytes that the masks take as they are, and one of them while it is resized.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = |region: &Region| region.mask.as_ref().map_or(0, Mask::bytes);
        self.0.iter().map(bytes).sum::<u64>() + self.0.iter().map(bytes).max().unwrap_or(0)
    }

    /// How much of each of this many passes is in every pixel of a picture of this size; what is missing to 1 is the
    /// photograph. As in [`crate::objective::Regions`], styles share what their masks cover, each by its weight times
    /// its mask, and where masks fade out, so do they. With masks `m` and weights `s`:
    /// `sᵢ·mᵢ·min(1, Σⱼ mⱼ) / Σⱼ sⱼ·mⱼ`.
    pub(super) fn shares(&self, passes: usize, (height, width): (usize, usize)) -> Vec<Vec<f32>> {
        let plane = || vec![0.0f32; height * width];
        let (mut shares, mut cover, mut mixed) = (vec![plane(); passes], plane(), plane());
        let total: f64 = self.0.iter().map(|region| region.weight).sum();
        for Region { pass, weight, mask } in &self.0 {
            let weight = (weight / total) as f32;
            let sums = zip(&mut shares[*pass], zip(&mut cover, &mut mixed));
            match mask.as_ref().map(|mask| mask.resized((height, width))) {
                Some(mask) => zip(sums, mask).for_each(|(sums, value)| add(sums, value, weight)),
                None => sums.for_each(|sums| add(sums, 1.0, weight)),
            }
        }
        for share in &mut shares {
            for (share, (cover, mixed)) in zip(share, zip(&cover, &mixed)) {
                *share *= if *mixed > 0.0 { cover.min(1.0) / mixed } else { 0.0 };
            }
        }
        shares
    }
}

/// Adds a mask's value to the sums of a pixel.
fn add((share, (cover, mixed)): (&mut f32, (&mut f32, &mut f32)), value: f32, weight: f32) {
    *share += weight * value;
    *mixed += weight * value;
    *cover += value;
}

/// What is mixed of some passes, none at first, and a further one, of which there is so much in each pixel.
pub(super) fn mix(mixed: Option<Picture>, mut painted: Picture, share: &[f32], photo: &Picture) -> Picture {
    let pixels = share.len();
    let photo = photo.data().chunks_exact(pixels);
    let Some(mut mixed) = mixed else {
        for (painted, photo) in zip(painted.data_mut().chunks_exact_mut(pixels), photo) {
            zip(painted, zip(photo, share)).for_each(|(painted, (photo, s))| *painted = photo + s * (*painted - photo));
        }
        return painted;
    };
    let planes = zip(photo, painted.data().chunks_exact(pixels));
    for (mixed, (photo, painted)) in zip(mixed.data_mut().chunks_exact_mut(pixels), planes) {
        let pairs = zip(zip(photo, painted), share);
        zip(mixed, pairs).for_each(|(mixed, ((photo, painted), s))| *mixed += s * (painted - photo));
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(values: [u8; 4]) -> Option<Mask> {
        let rgb: Vec<u8> = (0..64).flat_map(|i| [values[i % 8 / 2]; 3]).collect();
        Some(Mask::of(&Picture::from_rgb8(8, 8, &rgb)))
    }

    /// The shares in the four columns of a picture.
    fn shares<const N: usize>(regions: [(usize, f64, Option<Mask>); N], passes: usize) -> Vec<[f32; 4]> {
        let regions = regions.map(|(pass, weight, mask)| Region { pass, weight, mask });
        let shares = Regions::new(regions.into()).unwrap().shares(passes, (8, 8));
        shares.into_iter().map(|plane| [0, 2, 4, 6].map(|i| (plane[i] * 1000.0).round() / 1000.0)).collect()
    }

    #[test]
    fn styles_share_what_their_masks_cover() {
        let alone = shares([(0, 0.3, mask([255, 204, 51, 0]))], 1);
        assert_eq!(alone, [[1.0, 0.8, 0.2, 0.0]]);
        let fading = shares([(0, 1.0, mask([255, 204, 51, 0])), (1, 1.0, mask([0, 51, 204, 255]))], 2);
        assert_eq!(fading, [[1.0, 0.8, 0.2, 0.0], [0.0, 0.2, 0.8, 1.0]]);
        let over = shares([(0, 3.0, None), (1, 1.0, mask([255, 0, 255, 0]))], 2);
        assert_eq!(over, [[0.75, 1.0, 0.75, 1.0], [0.25, 0.0, 0.25, 0.0]]);
        let thin = shares([(0, 2.0, mask([51, 0, 0, 0])), (1, 1.0, mask([51, 51, 0, 0]))], 2);
        assert_eq!(thin, [[0.267, 0.0, 0.0, 0.0], [0.133, 0.2, 0.0, 0.0]]);
        let twice = shares([(0, 1.0, mask([255, 0, 0, 0])), (0, 1.0, mask([0, 0, 0, 255]))], 1);
        assert_eq!(twice, [[1.0, 0.0, 0.0, 1.0]]);
    }

    #[test]
    fn what_is_mixed_is_the_sum_of_the_shares_and_the_photograph() {
        let flat = |value: f32| Picture::from_planar(1, 2, vec![value; 6]);
        let photo = flat(100.0);
        let one = mix(None, flat(200.0), &[0.5, 0.0], &photo);
        let both = mix(Some(one), flat(0.0), &[0.25, 0.0], &photo);
        assert_eq!(both.data(), [125.0, 100.0, 125.0, 100.0, 125.0, 100.0]);
    }
}

//! ICC profiles (ICC.1:2022): from the colours of a file to sRGB, and the profile that says sRGB.

use std::sync::{Arc, LazyLock};

use moxcms::{
    ColorProfile, DataColorSpace, InterpolationMethod, Layout, RenderingIntent, TransformF32Executor, TransformOptions,
};

/// What the channels of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colors {
    /// Grey.
    Grey,
    /// Red, green and blue.
    Rgb,
    /// Cyan, magenta, yellow and black: the amounts of ink.
    Inks,
}

/// A profile whose colours differ from sRGB's by no more than this, of 255, is sRGB: its values are left as they are.
/// The sRGB profiles in use differ by less, Adobe RGB and Display P3 by ten and more.
const SAME: f32 = 0.6;

/// Where the header of a profile has its date: year, month, day, hours, minutes and seconds, 16 bits each.
const DATE: std::ops::Range<usize> = 24..36;

/// How the values of a file become sRGB.
pub(super) struct Conversion {
    colors: Colors,
    transform: Option<Arc<TransformF32Executor>>,
}

impl Conversion {
    /// From the colours of this profile, or the usual ones where there is none, or none that can be used.
    pub(super) fn new(profile: Option<&[u8]>, colors: Colors) -> Self {
        let transform = profile.and_then(|profile| transform(profile, colors));
        let with = Self { colors, transform };
        if colors != Colors::Inks && with.changes_nothing() { Self { colors, transform: None } } else { with }
    }

    /// The pixels of a row, all channels of 0–255, as red, green and blue of 0–255.
    pub(super) fn to_srgb(&self, row: &[f32], rgb: &mut Vec<f32>) {
        rgb.clear();
        if let Some(transform) = &self.transform {
            let unit: Vec<f32> = row.iter().map(|value| value / 255.0).collect();
            rgb.resize(row.len() / self.colors.channels() * 3, 0.0);
            if transform.transform(&unit, rgb).is_ok() {
                rgb.iter_mut().for_each(|value| *value = if *value > 0.0 { value.min(1.0) * 255.0 } else { 0.0 });
                return;
            }
            rgb.clear();
        }
        match self.colors {
            Colors::Rgb => rgb.extend_from_slice(row),
            Colors::Grey => rgb.extend(row.iter().flat_map(|value| [*value; 3])),
            Colors::Inks => rgb.extend(
                row.as_chunks::<4>()
                    .0
                    .iter()
                    .flat_map(|[c, m, y, k]| [c, m, y].map(|ink| (255.0 - ink) * (255.0 - k) / 255.0)),
            ),
        }
    }

    /// Whether the profile's colours are sRGB's, tried on a grid.
    fn changes_nothing(&self) -> bool {
        let steps = (0..9).map(|i| i as f32 * 31.875);
        let grid: Vec<f32> = match self.colors {
            Colors::Grey => steps.collect(),
            _ => steps
                .clone()
                .flat_map(|r| {
                    steps.clone().flat_map({
                        let steps = steps.clone();
                        move |g| steps.clone().flat_map(move |b| [r, g, b])
                    })
                })
                .collect(),
        };
        let mut with = Vec::new();
        self.to_srgb(&grid, &mut with);
        let mut without = Vec::new();
        Self { colors: self.colors, transform: None }.to_srgb(&grid, &mut without);
        with.iter().zip(without).all(|(a, b)| (a - b).abs() <= SAME)
    }
}

impl Colors {
    fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
            Self::Inks => 4,
        }
    }
}

/// What turns values of 0–1 in a profile's colours into sRGB; nothing where the profile is not of this kind of colour.
fn transform(profile: &[u8], colors: Colors) -> Option<Arc<TransformF32Executor>> {
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    let (space, layout) = match colors {
        Colors::Grey => (DataColorSpace::Gray, Layout::Gray),
        Colors::Rgb => (DataColorSpace::Rgb, Layout::Rgb),
        Colors::Inks => (DataColorSpace::Cmyk, Layout::Rgba),
    };
    if profile.color_space != space {
        return None;
    }
    let options = TransformOptions {
        rendering_intent: profile.rendering_intent,
        // What the curves say counts, as in every other program.
        allow_use_cicp_transfer: false,
        prefer_fixed_point: false,
        interpolation_method: InterpolationMethod::Tetrahedral,
        ..TransformOptions::default()
    };
    profile.create_transform_f32(layout, &srgb(), Layout::Rgb, options).ok()
}

fn srgb() -> ColorProfile {
    let mut profile = ColorProfile::new_srgb();
    profile.rendering_intent = RenderingIntent::Perceptual;
    // The curves and colorants say all; the code points would add that black is at 16.
    profile.cicp = None;
    profile
}

/// The profile that says sRGB, for the files that are written: made here, a few hundred bytes.
pub(super) fn srgb_bytes() -> Option<&'static [u8]> {
    static BYTES: LazyLock<Option<Vec<u8>>> = LazyLock::new(|| {
        let mut bytes = srgb().encode().ok()?;
        // The date of making, in place of now: the same picture is the same file.
        bytes.get_mut(DATE)?.copy_from_slice(&[0x07, 0xea, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        Some(bytes)
    });
    BYTES.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(profile: &ColorProfile, colors: Colors, row: &[f32]) -> Vec<f32> {
        let mut rgb = Vec::new();
        Conversion::new(Some(&profile.encode().unwrap()), colors).to_srgb(row, &mut rgb);
        rgb
    }

    #[test]
    fn the_profile_that_is_written_is_srgb_and_small() {
        let bytes = srgb_bytes().unwrap();
        assert!(bytes.len() < 1024, "{} bytes", bytes.len());
        let conversion = Conversion::new(Some(bytes), Colors::Rgb);
        assert!(conversion.transform.is_none());
        assert!(
            Conversion::new(Some(&ColorProfile::new_display_p3().encode().unwrap()), Colors::Rgb).transform.is_some()
        );
    }

    /// Display P3's full red lies outside sRGB and is clipped; its greys are sRGB's.
    #[test]
    fn a_wide_profile_is_converted_and_clipped() {
        let p3 = ColorProfile::new_display_p3();
        let rgb = converted(&p3, Colors::Rgb, &[255.0, 0.0, 0.0, 128.0, 128.0, 128.0]);
        assert_eq!(rgb[..3], [255.0, 0.0, 0.0]);
        assert!(rgb[3..].iter().all(|v| (v - 128.0).abs() < 0.1), "{rgb:?}");
    }

    /// A grey of gamma 1 is linear light: half of it is 188 in sRGB (IEC 61966-2-1).
    #[test]
    fn a_grey_profile_is_converted() {
        let rgb = converted(&ColorProfile::new_gray_with_gamma(1.0), Colors::Grey, &[127.5, 0.0, 255.0]);
        let half = (1.055 * 0.5f32.powf(1.0 / 2.4) - 0.055) * 255.0;
        assert!(rgb[..3].iter().all(|v| (v - half).abs() < 0.2), "{rgb:?} is not {half}");
        assert!(rgb[3..6].iter().all(|v| *v < 0.2) && rgb[6..].iter().all(|v| *v > 254.8), "{rgb:?}");
    }

    #[test]
    fn profiles_of_other_colours_and_broken_ones_are_passed_over() {
        let row = [10.0, 20.0, 30.0];
        assert_eq!(converted(&ColorProfile::new_gray_with_gamma(1.0), Colors::Rgb, &row), row);
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        for cut in 0..p3.len() {
            let mut rgb = Vec::new();
            Conversion::new(Some(&p3[..cut]), Colors::Rgb).to_srgb(&row, &mut rgb);
            assert_eq!(rgb.len(), 3);
        }
    }

    #[test]
    fn inks_without_a_profile_take_light_away() {
        let mut rgb = Vec::new();
        Conversion::new(None, Colors::Inks).to_srgb(&[0.0, 51.0, 255.0, 0.0, 0.0, 0.0, 0.0, 204.0], &mut rgb);
        assert_eq!(rgb, [255.0, 204.0, 0.0, 51.0, 51.0, 51.0]);
    }
}

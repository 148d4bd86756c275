//! The colours of one picture under the brightness of another: luminance-only transfer (Gatys, Bethge, Hertzmann &
//! Shechtman 2016, "Preserving Color in Neural Artistic Style Transfer", arXiv:1606.05897, section 3.2), in YIQ.

/// The luma Y of red, green, blue in YIQ (NTSC 1953; Rec. 601 has the same).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// Gives `painted` the chrominance of `photo`, and leaves it its luma. Both are planar red, green, blue, 0–255, of the
/// same length.
///
/// I and Q are differences to Y, so the photograph's pixel with another Y is that pixel plus the same amount in all
/// three channels; grey stays grey. Where that leaves 0–255, the colour is paled just as far as needed, so that neither
/// brightness nor hue changes (in the paper such values are clipped, which changes both).
pub(crate) fn keep(photo: &[f32], painted: &mut [f32]) {
    let positions = photo.len() / 3;
    let (photo_red, rest) = photo.split_at(positions);
    let (photo_green, photo_blue) = rest.split_at(positions);
    let (red, rest) = painted.split_at_mut(positions);
    let (green, blue) = rest.split_at_mut(positions);
    for i in 0..positions {
        let colour = [photo_red[i], photo_green[i], photo_blue[i]];
        let kept = pixel(colour, luma([red[i], green[i], blue[i]]));
        [red[i], green[i], blue[i]] = kept;
    }
}

fn luma(rgb: [f32; 3]) -> f32 {
    rgb[0] * LUMA[0] + rgb[1] * LUMA[1] + rgb[2] * LUMA[2]
}

/// A pixel of luma `y` with the hue of `colour`, and its chroma as far as 0–255 allows.
fn pixel(colour: [f32; 3], y: f32) -> [f32; 3] {
    let y = y.clamp(0.0, 255.0);
    let chroma = colour.map(|value| value - luma(colour));
    let room = chroma.map(|c| if c > 0.0 { (255.0 - y) / c } else { y / -c.min(-f32::MIN_POSITIVE) });
    let share = room.into_iter().fold(1.0, f32::min);
    chroma.map(|c| (y + share * c).clamp(0.0, 255.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTO: [[f32; 3]; 6] = [
        [250.0, 10.0, 10.0],
        [10.0, 20.0, 240.0],
        [90.0, 120.0, 30.0],
        [0.0, 0.0, 0.0],
        [255.0, 255.0, 255.0],
        [77.0, 77.0, 77.0],
    ];

    /// The same as YIQ's matrix has it: Y of the painting, I and Q of the photograph.
    #[test]
    fn chrominance_is_the_photographs_and_luma_the_paintings() {
        let i = |p: [f32; 3]| 0.595_9 * p[0] - 0.274_6 * p[1] - 0.321_3 * p[2];
        let q = |p: [f32; 3]| 0.211_5 * p[0] - 0.522_7 * p[1] + 0.311_2 * p[2];
        for colour in PHOTO {
            for y in [0.0, 3.0, 60.0, 128.0, 251.0, 255.0] {
                let kept = pixel(colour, y);
                assert!((luma(kept) - y).abs() < 0.01, "{colour:?} at {y}: {kept:?}");
                assert!(kept.iter().all(|v| (0.0..=255.0).contains(v)), "{kept:?}");
                // Paled or not, I and Q keep their ratio and their signs.
                assert!((i(kept) * q(colour) - q(kept) * i(colour)).abs() < 1.0, "{colour:?} at {y}: {kept:?}");
                assert!(i(kept) * i(colour) > -0.5, "{colour:?} at {y}: {kept:?}");
            }
            let own = pixel(colour, luma(colour));
            assert!(own.iter().zip(colour).all(|(a, b)| (a - b).abs() < 0.01), "{own:?} is not {colour:?}");
        }
    }

    #[test]
    fn grey_stays_grey() {
        for grey in [0.0, 77.0, 255.0] {
            let kept = pixel([grey; 3], 140.0);
            assert!(kept.iter().all(|v| (v - 140.0).abs() < 0.01), "{kept:?}");
        }
    }

    #[test]
    fn planes_are_kept_apart() {
        let planar = |pixels: &[[f32; 3]]| (0..3).flat_map(|c| pixels.iter().map(move |p| p[c])).collect::<Vec<f32>>();
        let mut painted = planar(&[[128.0; 3]; 6]);
        keep(&planar(&PHOTO), &mut painted);
        assert_eq!(painted, planar(&PHOTO.map(|colour| pixel(colour, luma([128.0; 3])))));
    }
}

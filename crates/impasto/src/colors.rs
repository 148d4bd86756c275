//! Whose colours a painting has: the style's, or the photograph's in one of three ways.
//!
//! Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Artistic Style Transfer" (arXiv:1606.05897):
//! section 3.2 paints brightness alone, section 4 gives the style the photograph's colours before anything is painted.
//! Pixels take part as far as they are opaque.

use impasto_matrix::Matrix;

use crate::luma;
use crate::picture::Picture;

/// What a direction of the colour cube must vary by, as a standard deviation of 0–255, to be stretched as it is. Less
/// is noise: it is stretched as if it were this, or a grey painting's dust would become confetti.
const LEAST_DEVIATION: f64 = 4.0;

/// Bins of a histogram over 0–255.
const BINS: usize = 4096;

/// `style` with the colours of `content`: the linear map that gives it the same mean and covariance, by symmetric
/// square roots (Hertzmann et al. 2001, "Image Analogies"; Gatys et al. 2016, equations 4 to 6 and 8).
///
/// A painting that does not vary in a direction, a grey or a flat one, cannot be given variation there; it is moved to
/// the mean. Values are clipped to 0–255.
pub fn matched(style: &Picture, content: &Picture) -> Picture {
    let (from, to) = (Statistics::of(style), Statistics::of(content));
    let mut matched = style.clone();
    let spread = to.covariance.function(0.0, f64::sqrt);
    let gather = from.covariance.function(LEAST_DEVIATION * LEAST_DEVIATION, |value| 1.0 / value.sqrt());
    // Only colours that are no numbers have no such roots; there is nothing to be matched then.
    let (Some((spread, _)), Some((gather, _))) = (spread, gather) else { return matched };
    let map = spread.times(&gather);
    let map = [0, 1, 2].map(|i| [0, 1, 2].map(|j| map.get(i, j)));
    let positions = style.height() * style.width();
    let (red, rest) = matched.data_mut().split_at_mut(positions);
    let (green, blue) = rest.split_at_mut(positions);
    for i in 0..positions {
        let pixel = [red[i], green[i], blue[i]];
        let centred = [0, 1, 2].map(|c| f64::from(pixel[c]) - from.mean[c]);
        let moved = map.map(|row| row.iter().zip(centred).map(|(a, b)| a * b).sum::<f64>());
        [red[i], green[i], blue[i]] = [0, 1, 2].map(|c| (moved[c] + to.mean[c]).clamp(0.0, 255.0) as f32);
    }
    matched
}

/// `style` with the histogram of `content` in each of red, green and blue: a value becomes that of the same rank.
pub fn histogram_matched(style: &Picture, content: &Picture) -> Picture {
    let mut matched = style.clone();
    let (positions, others) = (style.height() * style.width(), content.height() * content.width());
    let planes = matched.data_mut().chunks_exact_mut(positions.max(1)).zip(content.data().chunks_exact(others.max(1)));
    for (plane, other) in planes {
        let (from, to) = (Ranks::of(plane, style.alpha()), Ranks::of(other, content.alpha()));
        if to.points.is_empty() {
            continue;
        }
        plane.iter_mut().for_each(|value| *value = to.value_at(from.rank_of(*value)));
    }
    matched
}

/// A painting with the colours of a photograph of any size, and its own brightness.
pub fn kept(mut painted: Picture, photo: &Picture) -> Picture {
    let (height, width) = (painted.height(), painted.width());
    luma::keep(photo.resized(height, width).data(), painted.data_mut());
    painted
}

/// Mean and covariance of a picture's colours.
struct Statistics {
    mean: [f64; 3],
    covariance: Matrix,
}

impl Statistics {
    /// By opacity; those of a picture of which nothing is seen are those of white.
    fn of(picture: &Picture) -> Self {
        let positions = picture.height() * picture.width();
        let plane = |c: usize| &picture.data()[c * positions..(c + 1) * positions];
        let planes = [plane(0), plane(1), plane(2)];
        let weight = |i: usize| picture.alpha().map_or(1.0, |alpha| f64::from(alpha[i]));
        let total: f64 = (0..positions).map(weight).sum();
        if total <= 0.0 {
            return Self { mean: [255.0; 3], covariance: Matrix::from_fn(3, |_, _| 0.0) };
        }
        let mean = planes.map(|plane| (0..positions).map(|i| weight(i) * f64::from(plane[i])).sum::<f64>() / total);
        let mut covariance = [[0.0; 3]; 3];
        let pixels = planes[0].iter().zip(planes[1]).zip(planes[2]).enumerate();
        for (i, ((red, green), blue)) in pixels {
            let centred = [f64::from(*red) - mean[0], f64::from(*green) - mean[1], f64::from(*blue) - mean[2]];
            for (row, a) in covariance.iter_mut().zip(centred) {
                row.iter_mut().zip(centred).for_each(|(sum, b)| *sum += weight(i) / total * a * b);
            }
        }
        Self { mean, covariance: Matrix::from_fn(3, |i, j| covariance[i][j]) }
    }
}

/// How the values of a plane are ranked from 0 to 1.
struct Ranks {
    /// The rank of the middle of every bin.
    ranks: Vec<f64>,
    /// Rank and mean value of each bin that holds any, in order.
    points: Vec<(f64, f64)>,
}

impl Ranks {
    fn of(plane: &[f32], alpha: Option<&[f32]>) -> Self {
        let (mut weights, mut sums) = (vec![0.0; BINS], vec![0.0; BINS]);
        for (i, value) in plane.iter().enumerate() {
            let weight = alpha.map_or(1.0, |alpha| f64::from(alpha[i]));
            weights[bin(*value)] += weight;
            sums[bin(*value)] += weight * f64::from(value.clamp(0.0, 255.0));
        }
        let total = weights.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let mut below = 0.0;
        let mut middle = |weight: &f64| {
            below += weight;
            (below - weight / 2.0) / total
        };
        let ranks: Vec<f64> = weights.iter().map(&mut middle).collect();
        let held = (0..BINS).filter(|i| weights[*i] > 0.0);
        let points = held.map(|i| (ranks[i], sums[i] / weights[i])).collect();
        Self { ranks, points }
    }

    fn rank_of(&self, value: f32) -> f64 {
        self.ranks[bin(value)]
    }

    /// The value of a rank, linear between those that there are.
    fn value_at(&self, rank: f64) -> f32 {
        let above = self.points.partition_point(|(other, _)| *other < rank);
        let (first, last) = (self.points[above.saturating_sub(1)], self.points[above.min(self.points.len() - 1)]);
        let share = if last.0 > first.0 { ((rank - first.0) / (last.0 - first.0)).clamp(0.0, 1.0) } else { 0.0 };
        (first.1 + share * (last.1 - first.1)) as f32
    }
}

fn bin(value: f32) -> usize {
    // The cast turns NaN into 0.
    (value.clamp(0.0, 255.0) * ((BINS - 1) as f32 / 255.0) + 0.5) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A photograph that comes with the project, small.
    fn example(name: &str) -> Picture {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name);
        Picture::read(&path).unwrap().resized(60, 80)
    }

    fn grey(picture: &Picture) -> Picture {
        let plane = &picture.data()[..picture.data().len() / 3];
        Picture::from_planar(picture.height(), picture.width(), plane.repeat(3))
    }

    fn flat(rgb: [f32; 3]) -> Picture {
        Picture::from_planar(10, 12, rgb.into_iter().flat_map(|value| vec![value; 120]).collect())
    }

    fn finite(picture: &Picture) -> bool {
        picture.data().iter().all(|value| (0.0..=255.0).contains(value))
    }

    /// The picture with its values drawn together to the middle, so that nothing needs to be clipped.
    fn pale(picture: &Picture) -> Picture {
        let data = picture.data().iter().map(|value| 128.0 + 0.3 * (value - 128.0)).collect();
        Picture::from_planar(picture.height(), picture.width(), data)
    }

    #[test]
    fn mean_and_covariance_become_the_photographs() {
        let (style, content) = (example("starry-night.jpg"), pale(&example("coffee.png")));
        let (found, wanted) = (Statistics::of(&matched(&style, &content)), Statistics::of(&content));
        for c in 0..3 {
            assert!((found.mean[c] - wanted.mean[c]).abs() < 0.01, "{:?} {:?}", found.mean, wanted.mean);
            for d in 0..3 {
                let (found, wanted) = (found.covariance.get(c, d), wanted.covariance.get(c, d));
                assert!((found - wanted).abs() < 0.01 * wanted.abs() + 0.5, "{found} {wanted}");
            }
        }
        let own = matched(&style, &style);
        let worst =
            own.data().iter().zip(style.data()).map(|(a, b)| (a - b.clamp(0.0, 255.0)).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-2, "a picture's own colours leave it as it is, up to {worst}");
    }

    #[test]
    fn grey_and_flat_pictures_are_safe() {
        let cat = example("chelsea.png");
        let pictures = [cat.clone(), grey(&cat), flat([10.0, 200.0, 90.0]), flat([0.0; 3]), flat([255.0; 3])];
        for style in &pictures {
            for content in &pictures {
                for result in [matched(style, content), histogram_matched(style, content)] {
                    assert!(finite(&result));
                    assert_eq!((result.height(), result.width()), (style.height(), style.width()));
                }
            }
        }
        let to_grey = matched(&cat, &grey(&cat));
        let positions = 60 * 80;
        let spread = (0..positions).map(|i| (to_grey.data()[i] - to_grey.data()[positions + i]).abs());
        assert!(spread.fold(0.0, f32::max) < 0.1, "a grey photograph makes the painting grey");
        assert!(matched(&cat, &pictures[2]).data()[positions..2 * positions].iter().all(|v| (v - 200.0).abs() < 0.1));
    }

    #[test]
    fn noise_is_not_stretched_into_colours() {
        // Grey but for the last bit of a JPEG.
        let cat = example("chelsea.png");
        let mut dusty = grey(&cat);
        dusty.data_mut().iter_mut().enumerate().for_each(|(i, value)| *value += (i * 7919 % 3) as f32 * 0.5 - 0.5);
        let bright = example("astronaut.png");
        let result = Statistics::of(&matched(&dusty, &bright)).covariance;
        let clean = Statistics::of(&matched(&grey(&cat), &bright)).covariance;
        for c in 0..3 {
            let (result, clean) = (result.get(c, c), clean.get(c, c));
            assert!((result - clean).abs() < 0.1 * clean + 150.0, "{result} {clean}");
        }
    }

    #[test]
    fn histograms_become_the_photographs() {
        let (style, content) = (example("starry-night.jpg"), example("coffee.png"));
        let result = histogram_matched(&style, &content);
        for c in 0..3 {
            let sorted = |picture: &Picture| {
                let mut plane = picture.data()[c * 4800..(c + 1) * 4800].to_vec();
                plane.sort_by(f32::total_cmp);
                plane
            };
            let pairs = sorted(&result).into_iter().zip(sorted(&content));
            let mean = pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / 4800.0;
            assert!(mean < 1.0, "{mean}");
        }
        let cat = Picture::from_rgb8(60, 80, &example("chelsea.png").to_rgb8());
        assert_eq!(histogram_matched(&cat, &cat), cat);
    }

    #[test]
    fn what_is_transparent_takes_no_part() {
        let content = example("coffee.png");
        let mut half = content.clone();
        let opaque = |i: usize| i % 80 < 40;
        for c in 0..3 {
            (0..4800).filter(|i| !opaque(*i)).for_each(|i| half.data_mut()[c * 4800 + i] = 255.0 * (c % 2) as f32);
        }
        let alpha: Vec<f32> = (0..4800).map(|i| if opaque(i) { 1.0 } else { 0.0 }).collect();
        let cut = content.data().chunks_exact(80).flat_map(|row| &row[..40]).copied().collect();
        let (cut, half) = (Picture::from_planar(60, 40, cut), half.with_alpha(alpha));
        let style = example("starry-night.jpg");
        for matching in [matched, histogram_matched] {
            let (one, other) = (matching(&style, &cut), matching(&style, &half));
            let worst = one.data().iter().zip(other.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 0.01, "{worst}");
        }
    }
}

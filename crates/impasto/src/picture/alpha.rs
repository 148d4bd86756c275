//! How opaque each pixel is.

use super::Picture;

impl Picture {
    /// The picture with these opacities, `height · width` values from 0, nothing to be seen, to 1. Where all of them
    /// are 1, none are kept.
    ///
    /// # Panics
    /// If the length does not fit.
    pub fn with_alpha(mut self, mut alpha: Vec<f32>) -> Self {
        assert_eq!(alpha.len(), self.height * self.width, "every pixel has one opacity");
        // What is not a number is nothing to be seen.
        alpha.iter_mut().for_each(|a| *a = if *a > 0.0 { a.min(1.0) } else { 0.0 });
        self.alpha = alpha.iter().any(|a| *a < 1.0).then_some(alpha);
        self
    }

    /// The opacity of each pixel, `height · width` values from 0 to 1; none where all are opaque.
    pub fn alpha(&self) -> Option<&[f32]> {
        self.alpha.as_deref()
    }

    /// The picture with the opacities of another, brought to its size.
    pub fn with_alpha_of(self, other: &Self) -> Self {
        let Some(alpha) = &other.alpha else { return Self { alpha: None, ..self } };
        let (from, to) = ((other.height, other.width), (self.height, self.width));
        let alpha = if from == to { alpha.clone() } else { super::resize::resize_plane(alpha, from, to) };
        self.with_alpha(alpha)
    }

    /// What is seen of the picture on a white ground: no longer transparent anywhere.
    pub fn on_white(mut self) -> Self {
        if let Some(alpha) = self.alpha.take() {
            for plane in self.data.chunks_exact_mut(alpha.len()) {
                plane.iter_mut().zip(&alpha).for_each(|(value, a)| *value = 255.0 + a * (*value - 255.0));
            }
        }
        self
    }

    /// Gives every fully transparent pixel the colour of what is around it: the mean of the opaque pixels nearby, by
    /// opacity, at the finest scale that has any. Whoever reads the colours alone then sees no edge where the
    /// picture ends. A picture without any opaque pixel becomes white.
    pub(super) fn fill_transparent(&mut self) {
        let nothing_hidden = self.alpha.as_ref().is_none_or(|alpha| alpha.iter().all(|a| *a > 0.0));
        let Some(alpha) = self.alpha.take_if(|_| !nothing_hidden) else { return };
        let size = (self.height, self.width);
        for plane in self.data.chunks_exact_mut(size.0 * size.1) {
            let premultiplied: Vec<f32> = plane.iter().zip(&alpha).map(|(value, a)| value * a).collect();
            let around = surroundings(&premultiplied, &alpha, size);
            for ((value, a), around) in plane.iter_mut().zip(&alpha).zip(around) {
                if *a == 0.0 {
                    *value = around;
                }
            }
        }
        self.alpha = Some(alpha);
    }
}

/// The weighted mean around every pixel, from `sums` of weight times value and `weights`, both `height × width`: the
/// pixel itself as far as its weight goes, then the coarser scales.
fn surroundings(sums: &[f32], weights: &[f32], (height, width): (usize, usize)) -> Vec<f32> {
    if height * width <= 1 {
        let mean = |(sum, weight): (&f32, &f32)| if *weight > 0.0 { sum / weight } else { 255.0 };
        return sums.iter().zip(weights).map(mean).collect();
    }
    let coarse = (height.div_ceil(2), width.div_ceil(2));
    let coarser = surroundings(&halved(sums, (height, width)), &halved(weights, (height, width)), coarse);
    let mut means = Vec::with_capacity(sums.len());
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            let weight = weights[i].min(1.0);
            let own = if weight > 0.0 { sums[i] / weights[i] } else { 0.0 };
            means.push(weight * own + (1.0 - weight) * smooth(&coarser, coarse, y, x));
        }
    }
    means
}

/// The sums of two by two values.
fn halved(plane: &[f32], (height, width): (usize, usize)) -> Vec<f32> {
    let mut sums = vec![0.0; height.div_ceil(2) * width.div_ceil(2)];
    for (y, row) in plane.chunks_exact(width).enumerate() {
        for (x, value) in row.iter().enumerate() {
            sums[y / 2 * width.div_ceil(2) + x / 2] += value;
        }
    }
    sums
}

/// The value of a plane of half the size at a fine pixel, linear between the four nearest centres.
fn smooth(plane: &[f32], size: (usize, usize), y: usize, x: usize) -> f32 {
    // The nearest coarse pixel weighs 3, its neighbour on the side of the fine pixel 1, in both directions.
    let pair = |i: usize, side: usize| {
        let near = i / 2;
        (near, if i.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(side - 1) })
    };
    let (height, width) = size;
    let ((y0, y1), (x0, x1)) = (pair(y, height), pair(x, width));
    let row = |y: usize| 3.0 * plane[y * width + x0] + plane[y * width + x1];
    (3.0 * row(y0) + row(y1)) / 16.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opaque_everywhere_is_no_opacity() {
        let picture = Picture::from_rgb8(8, 8, &[7; 192]);
        assert_eq!(picture.clone().with_alpha(vec![1.0; 64]), picture);
        let strange = picture.with_alpha([vec![f32::NAN, -3.0, 7.0], vec![1.0; 61]].concat());
        assert_eq!(strange.alpha().unwrap()[..4], [0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn transparent_pixels_take_the_colour_of_what_is_around_them() {
        // Left of the middle red, right of it nothing, where the file says green.
        let side = 16;
        let alpha: Vec<f32> = (0..side * side).map(|i| if i % side < 8 { 1.0 } else { 0.0 }).collect();
        let red = alpha.iter().map(|a| 200.0 * a);
        let green = alpha.iter().map(|a| 255.0 * (1.0 - a));
        let data = red.chain(green).chain(vec![50.0; side * side]).collect();
        let mut picture = Picture::from_planar(side, side, data).with_alpha(alpha);
        picture.fill_transparent();
        let expected = [200.0, 0.0, 50.0];
        for (plane, value) in picture.data().chunks_exact(side * side).zip(expected) {
            assert!(plane.iter().all(|v| (v - value).abs() < 1e-3), "{plane:?}");
        }
        assert!(picture.alpha().is_some());
    }

    #[test]
    fn what_is_seen_is_never_changed_and_nothing_at_all_is_white() {
        let mut random = 1u32;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(random >> 8) as f32 / (1 << 24) as f32
        };
        let (height, width) = (13, 22);
        let data = (0..3 * height * width).map(|_| 255.0 * next()).collect();
        let alpha: Vec<f32> = (0..height * width).map(|_| (next() * 2.0 - 0.7).clamp(0.0, 1.0)).collect();
        let before = Picture::from_planar(height, width, data).with_alpha(alpha.clone());
        let mut after = before.clone();
        after.fill_transparent();
        for (i, a) in alpha.iter().enumerate() {
            let (old, new) = (before.data()[i], after.data()[i]);
            assert!(if *a > 0.0 { old == new } else { (0.0..=255.0).contains(&new) }, "{old} {new} at {a}");
        }
        let mut nothing = before.with_alpha(vec![0.0; height * width]);
        nothing.fill_transparent();
        assert!(nothing.data().iter().all(|v| (v - 255.0).abs() < 1e-3));
    }

    #[test]
    fn on_white_is_what_is_seen() {
        let picture = Picture::from_planar(1, 2, vec![0.0, 100.0, 55.0, 200.0, 255.0, 0.0]).with_alpha(vec![0.0, 0.5]);
        let seen = picture.on_white();
        assert_eq!(seen.data(), [255.0, 177.5, 255.0, 227.5, 255.0, 127.5]);
        assert_eq!(seen.alpha(), None);
    }
}

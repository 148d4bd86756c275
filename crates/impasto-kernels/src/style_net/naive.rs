//! The definition of the network: plain loops in double precision. `naive_backward` is the backward pass.

use super::normalisation::{NormPlace, Normalisation};
use super::shape::{LayerRole, StyleNetLayer, StyleNetShape};

/// ε of instance normalisation.
pub(super) const EPSILON: f64 = 1e-5;

/// A planar feature.
#[derive(Clone)]
pub(crate) struct Feature {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) data: Vec<f64>,
}

/// Where position `i` of a line of `n` lies once it is continued by reflection.
pub(super) fn reflect(i: isize, n: usize) -> usize {
    let n = n as isize;
    let i = if i < 0 { -i } else { i };
    (if i >= n { 2 * (n - 1) - i } else { i }) as usize
}

/// Paints a picture.
pub(crate) fn run(
    shape: StyleNetShape,
    parameters: &[f32],
    picture: &[f32],
    size: [usize; 2],
    normalisation: Normalisation<'_>,
) -> Vec<f32> {
    let parameters: Vec<f64> = parameters.iter().map(|&v| f64::from(v)).collect();
    let normalisation = normalisation.values(shape, &parameters);
    run_wide(shape, &parameters, &normalisation, picture, size).into_iter().map(|v| v as f32).collect()
}

/// Paints a picture, all in double precision; the normalisation's values are given.
pub(super) fn run_wide(
    shape: StyleNetShape,
    parameters: &[f64],
    normalisation: &[f64],
    picture: &[f32],
    [height, width]: [usize; 2],
) -> Vec<f64> {
    let x = Feature::of_picture(picture, height, width);
    run_layers(shape, parameters, normalisation, x, None).cut(height, width)
}

/// Paints a picture, and keeps what the backward pass needs; the normalisation's values are given.
pub(crate) fn forward(
    shape: StyleNetShape,
    parameters: &[f64],
    normalisation: &[f64],
    picture: &[f32],
    [height, width]: [usize; 2],
    trace: &mut Vec<LayerTrace>,
) -> Vec<f64> {
    let picture = Feature::of_picture(picture, height, width);
    run_layers(shape, parameters, normalisation, picture, Some(trace)).cut(height, width)
}

/// What a layer found, for the backward pass.
pub(crate) struct LayerTrace {
    pub(super) layer: StyleNetLayer,
    pub(super) input: Feature,
    /// What the convolution put out.
    pub(super) convolved: Feature,
    /// What the layer put out.
    pub(crate) output: Feature,
}

/// Runs a whole picture, 0–1, through all layers.
fn run_layers(
    shape: StyleNetShape,
    parameters: &[f64],
    normalisation: &[f64],
    picture: Feature,
    mut trace: Option<&mut Vec<LayerTrace>>,
) -> Feature {
    let (mut x, mut block) = (picture, None);
    let mut norms = shape.norm_places().into_iter();
    for layer in shape.layers() {
        if layer.role == LayerRole::ResidualFirst {
            block = Some(x.clone());
        }
        let convolved = convolve(&layer, &parameters[layer.weight()], &x);
        let mut y = convolved.clone();
        if layer.role.is_normalised() {
            let place = norms.next().expect("every layer but the last has a normalisation");
            normalise(&place, normalisation, &mut y);
        } else {
            let positions = y.height * y.width;
            let bias = &parameters[layer.bias()];
            y.data.iter_mut().enumerate().for_each(|(i, v)| *v += bias[i / positions]);
        }
        if layer.role == LayerRole::ResidualSecond {
            let before = block.take().expect("conv1 comes before conv2");
            y.data.iter_mut().zip(before.data).for_each(|(v, before)| *v += before);
        } else if layer.role.has_relu() {
            y.data.iter_mut().for_each(|v| *v = v.max(0.0));
        }
        if let Some(trace) = &mut trace {
            trace.push(LayerTrace { layer, input: x, convolved, output: y.clone() });
        }
        x = y;
    }
    x
}

impl Feature {
    /// A picture, 0–255, as the network sees it: 0–1, continued by reflection to sides that are multiples of 4.
    pub(super) fn of_picture(picture: &[f32], height: usize, width: usize) -> Self {
        let (full_height, full_width) = (height.next_multiple_of(4), width.next_multiple_of(4));
        let mut data = Vec::new();
        for channel in 0..3 {
            for y in 0..full_height {
                let row = &picture[(channel * height + reflect(y as isize, height)) * width..][..width];
                data.extend((0..full_width).map(|x| f64::from(row[reflect(x as isize, width)]) / 255.0));
            }
        }
        Self { height: full_height, width: full_width, data }
    }

    /// The picture of this size in the upper left, 0–255.
    fn cut(&self, height: usize, width: usize) -> Vec<f64> {
        let rows = (0..3 * height).map(|row| (row / height) * self.height + row % height);
        rows.flat_map(|row| self.data[row * self.width..][..width].iter().map(|v| v * 255.0)).collect()
    }

    /// The transpose of [`cut`](Self::cut), for a feature of this size.
    pub(crate) fn uncut(&self, picture: &[f64], height: usize, width: usize) -> Vec<f64> {
        let mut data = vec![0.0; self.data.len()];
        for (row, values) in picture.chunks_exact(width).enumerate() {
            let start = ((row / height) * self.height + row % height) * self.width;
            data[start..start + width].iter_mut().zip(values).for_each(|(target, value)| *target = value * 255.0);
        }
        data
    }
}

fn convolve(layer: &StyleNetLayer, weight: &[f64], x: &Feature) -> Feature {
    let enlarged = if layer.role.upsamples() { 2 } else { 1 };
    let (height, width) = (x.height * enlarged, x.width * enlarged);
    let (out_height, out_width) = (height.div_ceil(layer.role.stride()), width.div_ceil(layer.role.stride()));
    let (k, pad) = (layer.kernel, (layer.kernel / 2) as isize);
    let mut data = vec![0.0; layer.out_channels * out_height * out_width];
    for (o, plane) in data.chunks_exact_mut(out_height * out_width).enumerate() {
        for i in 0..layer.in_channels {
            for ky in 0..k {
                for kx in 0..k {
                    let w = weight[((o * layer.in_channels + i) * k + ky) * k + kx];
                    for (oy, row) in plane.chunks_exact_mut(out_width).enumerate() {
                        let y = reflect((oy * layer.role.stride() + ky) as isize - pad, height) / enlarged;
                        let source = &x.data[(i * x.height + y) * x.width..][..x.width];
                        for (ox, value) in row.iter_mut().enumerate() {
                            let column = reflect((ox * layer.role.stride() + kx) as isize - pad, width) / enlarged;
                            *value += w * source[column];
                        }
                    }
                }
            }
        }
    }
    Feature { height: out_height, width: out_width, data }
}

fn normalise(place: &NormPlace, normalisation: &[f64], x: &mut Feature) {
    let positions = x.height * x.width;
    let (scales, shifts) = (&normalisation[place.scale.clone()], &normalisation[place.shift.clone()]);
    for ((plane, scale), shift) in x.data.chunks_exact_mut(positions).zip(scales).zip(shifts) {
        let mean = plane.iter().sum::<f64>() / positions as f64;
        let variance = plane.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / positions as f64;
        let factor = scale / (variance + EPSILON).sqrt();
        plane.iter_mut().for_each(|v| *v = (*v - mean) * factor + shift);
    }
}

//! The frozen network: plain loops over planar features in double precision.

use crate::{Border, Convolution, Pooling, Shape, TrunkLayer};

/// A network run by plain loops.
pub(crate) struct Reference<'a> {
    pub(crate) layers: &'a [TrunkLayer],
    pub(crate) pooling: Pooling,
    pub(crate) pooling_scale: f32,
    pub(crate) border: Border,
    pub(crate) mean: [f32; 3],
    pub(crate) scale: [f32; 3],
    /// ReLU masks to use in place of its own, for each convolution.
    pub(crate) relu_mask: Option<Vec<Vec<bool>>>,
    /// Places of the largest values to use in place of its own, for each pooling.
    pub(crate) places: Option<Vec<Vec<usize>>>,
}

/// What a forward pass leaves behind for each layer.
#[derive(Debug)]
pub(crate) struct Trace {
    /// The shape that comes out of each layer.
    pub(crate) shapes: Vec<Shape>,
    /// What goes into each layer; the last one is what comes out.
    pub(crate) values: Vec<Vec<f64>>,
    /// The ReLU masks of a convolution; for a pooling the place of the largest value.
    relu_mask: Vec<Vec<bool>>,
    places: Vec<Vec<usize>>,
}

impl Trace {
    /// The layer of a convolution.
    fn layer(&self, layers: &[TrunkLayer], tap: usize) -> usize {
        let convolutions = layers.iter().enumerate().filter(|(_, layer)| matches!(layer, TrunkLayer::Convolution(_)));
        convolutions.map(|(index, _)| index).nth(tap).expect("the tap exists")
    }

    /// The feature of a convolution behind its ReLU.
    pub(crate) fn feature(&self, layers: &[TrunkLayer], tap: usize) -> (Shape, &[f64]) {
        let layer = self.layer(layers, tap);
        (self.shapes[layer], &self.values[layer + 1])
    }
}

impl Reference<'_> {
    /// Runs a planar picture through all layers.
    pub(crate) fn forward(&self, picture: &[f64], height: usize, width: usize) -> Trace {
        let positions = height * width;
        let prepare = |(i, p): (usize, &f64)| {
            let channel = i / positions;
            (p - f64::from(self.mean[channel])) * f64::from(self.scale[channel])
        };
        let mut trace = Trace {
            shapes: Vec::new(),
            values: vec![picture.iter().enumerate().map(prepare).collect()],
            relu_mask: Vec::new(),
            places: Vec::new(),
        };
        let mut shape = Shape { channels: 3, height, width };
        let (mut convolutions, mut pools) = (0, 0);
        for layer in self.layers {
            let input = trace.values.last().expect("there is an input");
            let (mut relu_mask, mut places) = (Vec::new(), Vec::new());
            let output = match layer {
                TrunkLayer::Convolution(convolution) => {
                    let mut output = match self.border {
                        Border::Replicate if convolutions == 0 => convolve_replicated(convolution, input, shape),
                        _ => convolve(convolution, input, shape),
                    };
                    shape.channels = convolution.out_channels;
                    relu_mask = match &self.relu_mask {
                        Some(relu_mask) => relu_mask[convolutions].clone(),
                        None => output.iter().map(|&value| value > 0.0).collect(),
                    };
                    output
                        .iter_mut()
                        .zip(&relu_mask)
                        .for_each(|(value, &open)| *value = if open { *value } else { 0.0 });
                    convolutions += 1;
                    output
                }
                TrunkLayer::Pool => {
                    let given = self.places.as_ref().map(|places| &places[pools]);
                    let mut output = pool(self.pooling, input, shape, given, &mut places);
                    output.iter_mut().for_each(|value| *value *= f64::from(self.pooling_scale));
                    shape = pooled(shape);
                    pools += 1;
                    output
                }
            };
            trace.shapes.push(shape);
            trace.values.push(output);
            trace.relu_mask.push(relu_mask);
            trace.places.push(places);
        }
        trace
    }

    /// Carries gradients of features (tap, planar values) back to the picture.
    pub(crate) fn backward(&self, trace: &Trace, gradients: &[(usize, Vec<f64>)]) -> Vec<f64> {
        let mut flow = vec![0.0; trace.values.last().expect("there is an output").len()];
        for (index, layer) in self.layers.iter().enumerate().rev() {
            for (tap, gradient) in gradients {
                if trace.layer(self.layers, *tap) == index {
                    flow.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
                }
            }
            let before = index.checked_sub(1).map(|before| trace.shapes[before]);
            flow = match layer {
                TrunkLayer::Convolution(convolution) => {
                    flow.iter_mut()
                        .zip(&trace.relu_mask[index])
                        .for_each(|(v, &open)| *v = if open { *v } else { 0.0 });
                    match self.border {
                        Border::Replicate if index == 0 => {
                            convolve_replicated_back(convolution, &flow, trace.shapes[index])
                        }
                        _ => convolve_back(convolution, &flow, trace.shapes[index]),
                    }
                }
                TrunkLayer::Pool => {
                    let before = before.expect("a pooling follows a convolution");
                    flow.iter_mut().for_each(|value| *value *= f64::from(self.pooling_scale));
                    pool_back(self.pooling, &flow, &trace.values[index], before, &trace.places[index])
                }
            };
        }
        let positions = flow.len() / 3;
        flow.iter().enumerate().map(|(i, value)| value * f64::from(self.scale[i / positions])).collect()
    }
}

/// Where input and output of one kernel tap overlap along a side: output range and offset of the input.
fn overlap(side: usize, tap: usize) -> std::ops::Range<usize> {
    1usize.saturating_sub(tap)..side.min((side + 1).saturating_sub(tap))
}

/// `out[o] = bias[o] + Σ_i in[i] ⋆ weight[o][i]`, zeros around.
pub(crate) fn convolve(convolution: &Convolution, input: &[f64], shape: Shape) -> Vec<f64> {
    let (height, width, positions) = (shape.height, shape.width, shape.positions());
    let mut output = vec![0.0; convolution.out_channels * positions];
    for (o, output) in output.chunks_exact_mut(positions).enumerate() {
        output.fill(f64::from(convolution.bias[o]));
        for (i, input) in input.chunks_exact(positions).enumerate() {
            for tap in 0..9 {
                let weight = f64::from(convolution.weight[(o * convolution.in_channels + i) * 9 + tap]);
                let xs = overlap(width, tap % 3);
                for y in overlap(height, tap / 3) {
                    let from = (y + tap / 3 - 1) * width;
                    let input = &input[from + xs.start + tap % 3 - 1..][..xs.len()];
                    let output = &mut output[y * width + xs.start..][..xs.len()];
                    output.iter_mut().zip(input).for_each(|(sum, value)| *sum += weight * value);
                }
            }
        }
    }
    output
}

/// The transpose of [`convolve`] without its bias.
pub(crate) fn convolve_back(convolution: &Convolution, gradient: &[f64], shape: Shape) -> Vec<f64> {
    let (height, width, positions) = (shape.height, shape.width, shape.positions());
    let mut output = vec![0.0; convolution.in_channels * positions];
    for (o, gradient) in gradient.chunks_exact(positions).enumerate() {
        for (i, output) in output.chunks_exact_mut(positions).enumerate() {
            for tap in 0..9 {
                let weight = f64::from(convolution.weight[(o * convolution.in_channels + i) * 9 + tap]);
                let xs = overlap(width, tap % 3);
                for y in overlap(height, tap / 3) {
                    let to = (y + tap / 3 - 1) * width;
                    let output = &mut output[to + xs.start + tap % 3 - 1..][..xs.len()];
                    let gradient = &gradient[y * width + xs.start..][..xs.len()];
                    output.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += weight * value);
                }
            }
        }
    }
    output
}

/// A side with one more position before and behind, and for each of these the one that it repeats.
fn replicated(shape: Shape) -> (Shape, impl Fn(usize) -> usize) {
    let wide = Shape { height: shape.height + 2, width: shape.width + 2, ..shape };
    let inside = move |i: usize| {
        let (channel, y, x) = (i / wide.positions(), i / wide.width % wide.height, i % wide.width);
        let clamp = |at: usize, side: usize| at.clamp(1, side) - 1;
        (channel * shape.height + clamp(y, shape.height)) * shape.width + clamp(x, shape.width)
    };
    (wide, inside)
}

/// [`convolve`] with the nearest value around in place of zeros.
fn convolve_replicated(convolution: &Convolution, input: &[f64], shape: Shape) -> Vec<f64> {
    let (wide, inside) = replicated(shape);
    let input: Vec<f64> = (0..wide.len()).map(|i| input[inside(i)]).collect();
    let output = convolve(convolution, &input, wide);
    let kept = |i: &usize| {
        let (y, x) = (i / wide.width % wide.height, i % wide.width);
        (1..=shape.height).contains(&y) && (1..=shape.width).contains(&x)
    };
    (0..output.len()).filter(kept).map(|i| output[i]).collect()
}

/// The transpose of [`convolve_replicated`] without its bias.
fn convolve_replicated_back(convolution: &Convolution, gradient: &[f64], shape: Shape) -> Vec<f64> {
    let (wide, inside) = replicated(shape);
    let mut around = vec![0.0; wide.len()];
    for (i, &value) in gradient.iter().enumerate() {
        let (channel, y, x) = (i / shape.positions(), i / shape.width % shape.height, i % shape.width);
        around[(channel * wide.height + y + 1) * wide.width + x + 1] = value;
    }
    let mut output = vec![0.0; convolution.in_channels * shape.positions()];
    let found = convolve_back(convolution, &around, wide);
    found.iter().enumerate().for_each(|(i, value)| output[inside(i)] += value);
    output
}

pub(super) fn pooled(shape: Shape) -> Shape {
    Shape { channels: shape.channels, height: (shape.height / 2).max(1), width: (shape.width / 2).max(1) }
}

/// Calls `visit(pooled index, indices of the window in row-major order)`.
fn windows(shape: Shape, mut visit: impl FnMut(usize, &[usize])) {
    let out = pooled(shape);
    for channel in 0..shape.channels {
        for y in 0..out.height {
            for x in 0..out.width {
                let mut window = Vec::new();
                for row in 2 * y..(2 * y + 2).min(shape.height) {
                    for column in 2 * x..(2 * x + 2).min(shape.width) {
                        window.push((channel * shape.height + row) * shape.width + column);
                    }
                }
                visit((channel * out.height + y) * out.width + x, &window);
            }
        }
    }
}

fn pool(
    pooling: Pooling,
    input: &[f64],
    shape: Shape,
    given: Option<&Vec<usize>>,
    places: &mut Vec<usize>,
) -> Vec<f64> {
    let mut output = vec![0.0; pooled(shape).len()];
    windows(shape, |index, window| {
        let values = window.iter().map(|&i| input[i]);
        output[index] = match pooling {
            Pooling::Average => values.sum::<f64>() / window.len() as f64,
            Pooling::L2 => values.map(|value| value * value).sum::<f64>().sqrt(),
            Pooling::Max => {
                let first_of_largest = |best: usize, &i: &usize| if input[i] > input[best] { i } else { best };
                let place = given.map_or_else(|| window.iter().fold(window[0], first_of_largest), |given| given[index]);
                places.push(place);
                input[place]
            }
        };
    });
    output
}

fn pool_back(pooling: Pooling, gradient: &[f64], input: &[f64], shape: Shape, places: &[usize]) -> Vec<f64> {
    let mut output = vec![0.0; shape.len()];
    windows(shape, |index, window| {
        let norm = window.iter().map(|&i| input[i] * input[i]).sum::<f64>().sqrt();
        for &i in window {
            output[i] = match pooling {
                Pooling::Average => gradient[index] / window.len() as f64,
                Pooling::Max if places[index] == i => gradient[index],
                Pooling::L2 if norm > 0.0 => gradient[index] * input[i] / norm,
                _ => 0.0,
            };
        }
    });
    output
}

/// `(Σ w, Σ w·F / Σ w, Σ w·F·Fᵀ / Σ w)`.
#[cfg(test)]
pub(crate) fn moments(shape: Shape, feature: &[f64], weights: Option<&[f32]>) -> (f64, Vec<f64>, Vec<f64>) {
    let positions = shape.positions();
    let weight = |p: usize| weights.map_or(1.0, |weights| f64::from(weights[p]));
    let total: f64 = (0..positions).map(weight).sum();
    let row = |channel: usize| &feature[channel * positions..(channel + 1) * positions];
    let mean = (0..shape.channels).map(|c| (0..positions).map(|p| weight(p) * row(c)[p]).sum::<f64>() / total);
    let mut second = Vec::new();
    for a in 0..shape.channels {
        for b in 0..shape.channels {
            second.push((0..positions).map(|p| weight(p) * row(a)[p] * row(b)[p]).sum::<f64>() / total);
        }
    }
    (total, mean.collect(), second)
}

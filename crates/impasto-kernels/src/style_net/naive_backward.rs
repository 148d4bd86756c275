//! The gradient of the network: plain loops in double precision, the transposes of those in `naive`.

use super::naive::{EPSILON, Feature, LayerTrace, reflect};
use super::shape::{LayerRole, StyleNetLayer, StyleNetShape};

/// From the gradient of what came out, as large as the last layer's output, to that of all weights and of the bias, which
/// is added to `sums`, and that of the normalisation's values.
pub(crate) fn backward(
    shape: StyleNetShape,
    parameters: &[f64],
    normalisation: &[f64],
    trace: &[LayerTrace],
    gradient: Vec<f64>,
    sums: &mut [f64],
) -> Vec<f64> {
    let (mut flow, mut block) = (gradient, None);
    let (places, mut of_norms) = (shape.norm_places(), vec![0.0; normalisation.len()]);
    for (index, LayerTrace { layer, input, convolved, output }) in trace.iter().enumerate().rev() {
        if layer.role == LayerRole::ResidualSecond {
            block = Some(flow.clone());
        } else if layer.role.has_relu() {
            flow.iter_mut().zip(&output.data).for_each(|(flow, value)| *flow = if *value > 0.0 { *flow } else { 0.0 });
        }
        let positions = convolved.height * convolved.width;
        if layer.role.is_normalised() {
            for (channel, plane) in flow.chunks_exact_mut(positions).enumerate() {
                let (scale, shift) = (places[index].scale.start + channel, places[index].shift.start + channel);
                let values = &convolved.data[channel * positions..][..positions];
                (of_norms[scale], of_norms[shift]) = normalise_back(normalisation[scale], values, plane);
            }
        } else {
            let sums = &mut sums[layer.bias()];
            flow.chunks_exact(positions).zip(sums).for_each(|(plane, sum)| *sum += plane.iter().sum::<f64>());
        }
        flow = convolve_back(layer, &parameters[layer.weight()], input, &flow, &mut sums[layer.weight()]);
        if layer.role == LayerRole::ResidualFirst {
            let beside = block.take().expect("conv2 comes behind conv1");
            flow.iter_mut().zip(beside).for_each(|(flow, beside)| *flow += beside);
        }
    }
    of_norms
}

/// The gradients of scale and shift of one channel; `flow` becomes the gradient of `values`.
fn normalise_back(scale: f64, values: &[f64], flow: &mut [f64]) -> (f64, f64) {
    let positions = values.len() as f64;
    let mean = values.iter().sum::<f64>() / positions;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / positions;
    let deviation = (variance + EPSILON).sqrt();
    let normal = |value: &f64| (value - mean) / deviation;
    let of_shift: f64 = flow.iter().sum();
    let of_scale: f64 = flow.iter().zip(values).map(|(flow, value)| flow * normal(value)).sum();
    for (flow, value) in flow.iter_mut().zip(values) {
        *flow = scale / deviation * (*flow - of_shift / positions - normal(value) * of_scale / positions);
    }
    (of_scale, of_shift)
}

/// The gradient of a convolution's input; that of its weight is added to `sums`.
fn convolve_back(layer: &StyleNetLayer, weight: &[f64], input: &Feature, flow: &[f64], sums: &mut [f64]) -> Vec<f64> {
    let enlarged = if layer.role.upsamples() { 2 } else { 1 };
    let (height, width, stride) = (input.height * enlarged, input.width * enlarged, layer.role.stride());
    let (out_height, out_width) = (height.div_ceil(stride), width.div_ceil(stride));
    let (k, pad) = (layer.kernel, (layer.kernel / 2) as isize);
    let source = |out: usize, tap: usize, side: usize| reflect((out * stride + tap) as isize - pad, side) / enlarged;
    let mut gradient = vec![0.0; input.data.len()];
    for (place, (weight, sum)) in weight.iter().zip(sums).enumerate() {
        let (out, channel) = (place / (k * k * layer.in_channels), place / (k * k) % layer.in_channels);
        let (ky, kx) = (place / k % k, place % k);
        for oy in 0..out_height {
            let row = (channel * input.height + source(oy, ky, height)) * input.width;
            let flow = &flow[(out * out_height + oy) * out_width..][..out_width];
            for (ox, slope) in flow.iter().enumerate() {
                let at = row + source(ox, kx, width);
                *sum += slope * input.data[at];
                gradient[at] += slope * weight;
            }
        }
    }
    gradient
}

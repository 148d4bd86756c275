//! Random parameters of an image transformation network.

use impasto_kernels::StyleNetShape;

/// Numbers from 0 to 1.
pub(crate) fn numbers(count: usize) -> Vec<f32> {
    let mut seed = 1_u32;
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 24) as f32
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Weights around 0, scales of 1.
pub(crate) fn parameters(shape: StyleNetShape) -> Vec<f32> {
    let mut parameters: Vec<f32> = numbers(shape.parameter_count()).iter().map(|value| (value - 0.5) * 0.1).collect();
    for parameter in shape.parameters().iter().filter(|parameter| parameter.name.ends_with("scale")) {
        parameters[parameter.range.clone()].fill(1.0);
    }
    parameters
}

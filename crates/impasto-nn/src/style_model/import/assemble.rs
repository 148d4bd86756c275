//! From the layers of another program's network to our parameters.

use impasto_kernels::{LayerRole, StyleNetLayer, StyleNetShape};

use crate::{
    formats::shape_text,
    style_model::read::{MOST_BLOCKS, WIDEST},
};

/// The kernels take widths that are multiples of this.
const BLOCK: usize = 16;

/// Filling up a narrow network may make it this many times as large, or this large: a lying file must not become much
/// memory.
const MOST_FILLING: usize = 16;
const SMALL: usize = 1 << 21;

/// A convolution of a network that takes and gives pictures of 0–255, and the normalisation behind it.
///
/// The bias of a convolution with normalisation behind it is not here: taking away the mean takes it away.
pub(super) struct Layer {
    /// What messages call its weight.
    pub(super) name: String,
    /// `out × in × height × width`.
    pub(super) shape: Vec<usize>,
    /// The weight, row-major.
    pub(super) weight: Vec<f32>,
    /// The normalisation's scale, where there is one.
    pub(super) scale: Option<Vec<f32>>,
    /// The normalisation's shift, or where there is none the bias.
    pub(super) shift: Vec<f32>,
}

/// The network with these layers, which halve the sides so often, or what is wrong with them.
///
/// Ours is `255 · out(… norm(down1(x / 255)))`, theirs `out'(… norm(down1'(x)))`: so the weight of `down1` is theirs
/// times 255, and weight and bias of `out` are theirs divided by 255. A width that is no multiple of 16 is filled up
/// with channels of zeros, which stay zeros: their scale and shift are 0, and nothing reads them.
pub(super) fn assemble(layers: Vec<Layer>, downsamplings: usize) -> Result<(StyleNetShape, Vec<f32>), String> {
    let shape = shape(&layers, downsamplings)?;
    let mut parameters = vec![0.0; shape.parameter_count()];
    let mut places = shape.parameters().into_iter().map(|parameter| parameter.range);
    let mut place = || places.next().unwrap_or_default();
    for (layer, ours) in layers.iter().zip(shape.layers()) {
        let factor = match ours.role {
            LayerRole::Input => 255.0,
            LayerRole::Output => 1.0 / 255.0,
            _ => 1.0,
        };
        put_weight(layer, &ours, factor, &mut parameters[place()]);
        match &layer.scale {
            Some(scale) => {
                parameters[place()][..scale.len()].copy_from_slice(scale);
                parameters[place()][..layer.shift.len()].copy_from_slice(&layer.shift);
            }
            None => parameters[place()].iter_mut().zip(&layer.shift).for_each(|(to, bias)| *to = bias * factor),
        }
    }
    Ok((shape, parameters))
}

/// The least network that they fit into, once they fit each other.
fn shape(layers: &[Layer], downsamplings: usize) -> Result<StyleNetShape, String> {
    // The first and the last; down and up.
    let fixed = 2 + 2 * downsamplings;
    let residual_blocks = match layers.len().checked_sub(fixed) {
        Some(inner) if inner.is_multiple_of(2) && inner / 2 <= MOST_BLOCKS => inner / 2,
        _ => return Err(format!("it has {} convolutions, not {fixed} and 2 for each residual block", layers.len())),
    };
    let edge_kernel = layers.first().and_then(|layer| layer.shape.last()).filter(|k| **k == 3).map_or(9, |k| *k);
    let least = StyleNetShape { width: BLOCK, downsamplings, residual_blocks, edge_kernel, styles: 1 };
    let plan = least.layers();
    let mut channels = 3;
    let mut width = BLOCK;
    for (number, (layer, plan)) in layers.iter().zip(&plan).enumerate() {
        let outputs = check(layer, plan, channels)?;
        // Channels of this layer in a network of width 1.
        let share = (plan.out_channels / BLOCK).max(1);
        let inside = (1 + downsamplings..1 + downsamplings + 2 * residual_blocks).contains(&number);
        if inside && outputs != channels || number + 1 == layers.len() && outputs != 3 {
            return Err(format!(
                "`{}` gives {outputs} channels, not {}",
                layer.name,
                if inside { channels } else { 3 }
            ));
        }
        if number + 1 < layers.len() {
            width = width.max(outputs.div_ceil(share).next_multiple_of(BLOCK));
        }
        channels = outputs;
    }
    if width > WIDEST {
        return Err(format!("it is {width} channels wide, more than {WIDEST}"));
    }
    let shape = StyleNetShape { width, ..least };
    let given: usize = layers.iter().map(|layer| layer.weight.len()).sum();
    if shape.parameter_count() > SMALL.max(given.saturating_mul(MOST_FILLING)) {
        return Err("its layers are of too different widths".into());
    }
    Ok(shape)
}

/// The layer's channels out, once its parts fit each other and what comes before.
fn check(layer: &Layer, plan: &StyleNetLayer, inputs: usize) -> Result<usize, String> {
    let (name, k) = (&layer.name, plan.kernel);
    let outputs = match layer.shape[..] {
        [outputs, i, h, w] if outputs > 0 && (i, h, w) == (inputs, k, k) => outputs,
        _ => return Err(format!("`{name}` is {}, not …×{inputs}×{k}×{k}", shape_text(&layer.shape))),
    };
    if layer.scale.is_some() != plan.role.is_normalised() {
        let what = if plan.role.is_normalised() { "no instance normalisation" } else { "a normalisation" };
        return Err(format!("`{name}` has {what} behind it"));
    }
    let fits = layer.weight.len() == layer.shape.iter().product::<usize>()
        && layer.shift.len() == outputs
        && layer.scale.as_ref().is_none_or(|scale| scale.len() == outputs);
    if !fits {
        return Err(format!("what follows `{name}` is not made for its {outputs} channels"));
    }
    let mut values = layer.weight.iter().chain(&layer.shift).chain(layer.scale.iter().flatten());
    // 255 times as large at most.
    if values.all(|value| (value * 255.0).is_finite()) {
        Ok(outputs)
    } else {
        Err(format!("`{name}` or what follows it has values that are not finite"))
    }
}

fn put_weight(layer: &Layer, ours: &StyleNetLayer, factor: f32, to: &mut [f32]) {
    let filter = ours.kernel * ours.kernel;
    let inputs = layer.shape[1] * filter;
    for (to, from) in to.chunks_exact_mut(ours.in_channels * filter).zip(layer.weight.chunks_exact(inputs)) {
        to[..inputs].iter_mut().zip(from).for_each(|(to, from)| *to = from * factor);
    }
}

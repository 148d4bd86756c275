//! What pytorch/examples' `TransformerNet` loads.

use super::factor;
use crate::formats::NamedTensor;
use crate::style_model::{
    StyleDtype, StyleModel, StyleModelError,
    import::layer_names,
    write::{safetensors, stored},
};
use impasto_kernels::StyleNetShape;

/// The file as bytes.
pub(super) fn to_bytes(model: &StyleModel) -> Result<Vec<u8>, StyleModelError> {
    let StyleNetShape { width, downsamplings, residual_blocks, edge_kernel, .. } = model.shape;
    if model.shape != StyleNetShape::johnson(1) {
        let detail = format!(
            "pytorch/examples' network is 32 channels wide with 5 residual blocks, not {width} with {residual_blocks}{}",
            if (downsamplings, edge_kernel) == (2, 9) { "" } else { ", and halves the picture twice behind 9×9" }
        );
        return Err(StyleModelError::Unwritable { detail });
    }
    // What the libraries around PyTorch look for.
    safetensors(&tensors(model)?, &[("format", "pt".to_owned())].into())
}

/// All tensors in the order of PyTorch's network.
fn tensors(model: &StyleModel) -> Result<Vec<NamedTensor<'static>>, StyleModelError> {
    let mut parameters = model.shape.parameters().into_iter();
    let mut next = |factor: f32| {
        let parameter = parameters.next();
        parameter.map_or_else(Vec::new, |p| model.parameters[p.range].iter().map(|value| value * factor).collect())
    };
    let mut tensors = Vec::new();
    for (layer, (convolution, norm)) in model.shape.layers().iter().zip(layer_names(model.shape.residual_blocks)) {
        let (outputs, k) = (layer.out_channels, layer.kernel);
        let factor = factor(layer.role);
        let mut push = |name: String, shape: &[usize], values: Vec<f32>| {
            let values = stored(&name, values, StyleDtype::F32)?;
            tensors.push(NamedTensor { name: name.into(), shape: shape.into(), values });
            Ok(())
        };
        push(format!("{convolution}.conv2d.weight"), &[outputs, layer.in_channels, k, k], next(factor))?;
        match norm {
            Some(norm) => {
                push(format!("{convolution}.conv2d.bias"), &[outputs], vec![0.0; outputs])?;
                push(format!("{norm}.weight"), &[outputs], next(1.0))?;
                push(format!("{norm}.bias"), &[outputs], next(1.0))?;
            }
            None => push(format!("{convolution}.conv2d.bias"), &[outputs], next(factor))?,
        }
    }
    Ok(tensors)
}

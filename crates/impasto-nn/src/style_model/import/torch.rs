//! Checkpoints of pytorch/examples' `fast_neural_style`, by the names of their tensors.
//!
//! `conv1.conv2d.weight`, `in1.weight`, `res1.conv1.conv2d.weight`, `deconv1.conv2d.weight`, …: see `transformer_net.py`
//! of <https://github.com/pytorch/examples/tree/main/fast_neural_style>. Its older versions also stored
//! `in1.running_mean` and `in1.running_var`, which nothing uses, and the first ones called the normalisation's weight and
//! bias `scale` and `shift`.

use super::assemble::Layer;
use crate::{
    formats::TensorFile,
    style_model::{
        StyleModelError,
        read::{MOST_BLOCKS, finite},
    },
};

/// What is stored and never used.
const BUFFERS: [&str; 3] = [".running_mean", ".running_var", ".num_batches_tracked"];

/// The tensor that only such a checkpoint has, and that tells what stands before all names, as `module.`.
const MARK: &str = "deconv1.conv2d.weight";

/// Reads all layers in order.
pub(super) fn layers(file: &mut TensorFile) -> Result<Vec<Layer>, StyleModelError> {
    let path = file.path().to_path_buf();
    let mark = file.tensors().iter().find_map(|tensor| tensor.name.strip_suffix(MARK));
    let Some(prefix) = mark.map(str::to_owned) else {
        return Err(StyleModelError::NotImportable { path, what: format!("a {} of another network", file.format()) });
    };
    let foreign = |detail: String| StyleModelError::Foreign { path: path.clone(), detail };
    let mut used = Vec::new();
    let mut layers = Vec::new();
    for (convolution, norm) in layer_names(blocks(file, &prefix)) {
        let mut read = |names: &[String]| {
            let number = names.iter().find_map(|name| file.find(&format!("{prefix}{name}")));
            let number = number.ok_or_else(|| foreign(format!("`{}` is missing", names[0])))?;
            used.push(number);
            Ok((file.tensors()[number].shape.clone(), finite(file, number)?))
        };
        let name = format!("{convolution}.conv2d.weight");
        let (shape, weight) = read(std::slice::from_ref(&name))?;
        let (_, bias) = read(&[format!("{convolution}.conv2d.bias")])?;
        let (scale, shift) = match norm {
            Some(norm) => {
                let (_, scale) = read(&[format!("{norm}.weight"), format!("{norm}.scale")])?;
                (Some(scale), read(&[format!("{norm}.bias"), format!("{norm}.shift")])?.1)
            }
            None => (None, bias),
        };
        layers.push(Layer { name, shape, weight, scale, shift });
    }
    let names = file.tensors().iter().map(|tensor| &tensor.name).enumerate();
    let strange =
        names.filter(|(number, name)| name.starts_with(&prefix) && !used.contains(number)).map(|(_, name)| name);
    match strange.into_iter().find(|name| !BUFFERS.iter().any(|buffer| name.ends_with(buffer))) {
        Some(name) => Err(foreign(format!("`{name}` is no part of that network"))),
        None => Ok(layers),
    }
}

/// Residual blocks that are there.
fn blocks(file: &TensorFile, prefix: &str) -> usize {
    let is_there = |block: &usize| file.find(&format!("{prefix}res{block}.conv1.conv2d.weight")).is_some();
    (1..=MOST_BLOCKS).take_while(is_there).count()
}

/// Each convolution's name with that of its normalisation, in order.
pub(in crate::style_model) fn layer_names(blocks: usize) -> Vec<(String, Option<String>)> {
    let block = |block: usize| (1..=2).map(move |n| (format!("res{block}.conv{n}"), Some(format!("res{block}.in{n}"))));
    let fixed = |name: &str, norm: &str| (name.to_owned(), Some(norm.to_owned()));
    let mut names = vec![fixed("conv1", "in1"), fixed("conv2", "in2"), fixed("conv3", "in3")];
    names.extend((1..=blocks).flat_map(block));
    names.extend([fixed("deconv1", "in4"), fixed("deconv2", "in5"), ("deconv3".to_owned(), None)]);
    names
}

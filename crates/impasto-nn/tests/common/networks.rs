//! Networks as safetensors, made without Python.

use std::collections::HashMap;

use impasto_nn::{
    formats::Dtype,
    vgg::{Vgg, VggKind},
};
use safetensors::tensor::{TensorView, serialize};

/// A safetensors file of zeros in f32.
pub(crate) fn zeros(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let data: Vec<_> = tensors.iter().map(|(_, shape)| vec![0; shape.iter().product::<usize>() * 4]).collect();
    let views = tensors.iter().zip(&data);
    let views = views.map(|((name, shape), data)| {
        (name.to_string(), TensorView::new(safetensors::Dtype::F32, shape.to_vec(), data).unwrap())
    });
    serialize(views, None).unwrap()
}

/// A whole VGG whose tensors can be changed before it is written.
pub(crate) struct Whole {
    pub(crate) tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    pub(crate) metadata: HashMap<String, String>,
}

impl Whole {
    /// Small numbers that differ from each other, under torchvision's names.
    pub(crate) fn torchvision(kind: VggKind) -> Self {
        let mut tensors = Vec::new();
        for (number, (inputs, outputs)) in kind.torchvision_numbers().into_iter().zip(kind.layer_channels()) {
            let ramp = |count: usize| (0..count).map(|i| (i % 1999) as f32 / 1999.0 - 0.5).collect::<Vec<_>>();
            let filters = vec![outputs, inputs, 3, 3];
            tensors.push((format!("features.{number}.weight"), filters, ramp(outputs * inputs * 9)));
            tensors.push((format!("features.{number}.bias"), vec![outputs], ramp(outputs)));
        }
        Self { tensors, metadata: HashMap::new() }
    }

    /// The convolutions of a network under torchvision's names.
    pub(crate) fn of(vgg: &Vgg) -> Self {
        let mut whole = Self::torchvision(vgg.kind);
        for (pair, convolution) in whole.tensors.chunks_mut(2).zip(&vgg.convolutions) {
            pair[0].2.clone_from(&convolution.weight);
            pair[1].2.clone_from(&convolution.bias);
        }
        whole
    }

    /// Exchanges red and blue in the first layer.
    pub(crate) fn swap_first(&mut self) {
        self.tensors[0].2.chunks_mut(27).for_each(|filter| {
            let (red, rest) = filter.split_at_mut(9);
            red.swap_with_slice(&mut rest[9..]);
        });
    }

    /// A tensor by its name.
    pub(crate) fn tensor(&mut self, name: &str) -> &mut (String, Vec<usize>, Vec<f32>) {
        self.tensors.iter_mut().find(|t| t.0 == name).unwrap()
    }

    /// A safetensors file with all values rounded to this type.
    pub(crate) fn write(&self, dtype: Dtype) -> Vec<u8> {
        let bytes = |values: &[f32]| -> Vec<u8> {
            match dtype {
                Dtype::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                Dtype::F16 => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
                Dtype::Bf16 => values.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect(),
                _ => values.iter().flat_map(|&v| (v as i32).to_le_bytes()).collect(),
            }
        };
        let kind = match dtype {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::Bf16 => safetensors::Dtype::BF16,
            _ => safetensors::Dtype::I32,
        };
        let data: Vec<_> = self.tensors.iter().map(|t| bytes(&t.2)).collect();
        let views = self.tensors.iter().zip(&data);
        let views = views.map(|(t, data)| (&t.0, TensorView::new(kind, t.1.clone(), data).unwrap()));
        serialize(views, Some(self.metadata.clone())).unwrap()
    }
}

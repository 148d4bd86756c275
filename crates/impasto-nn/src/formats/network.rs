//! From named tensors to a VGG: which one it is, where its layers are, and whether they are whole.

use std::collections::HashMap;
use std::path::Path;

use impasto_kernels::Convolution;

use super::{
    Dtype, Format, LoadError, TensorFile, TensorInfo,
    input::{self, Input, Naming, Order},
    shape_text,
};
use crate::builtin::file::first_filters;
use crate::vgg::{Vgg, VggKind};

/// A VGG found among the tensors of a file, its shapes checked, nothing read yet.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: VggKind,
    pub(super) naming: Naming,
    layers: Vec<Layer>,
}

/// Where the parts of a convolution are in the file's list.
#[derive(Debug)]
struct Layer {
    weight: Weight,
    bias: usize,
}

#[derive(Debug)]
enum Weight {
    Plain(usize),
    Codebook { index: usize, codebook: usize },
}

impl Vgg {
    /// Reads a VGG16 or VGG19 from a MatConvNet `.mat`, a PyTorch `.pth` or a safetensors file. What it is, is told by
    /// its contents, never by its name.
    ///
    /// # Errors
    /// If the file cannot be read or holds something else.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        TensorFile::open(path)?.vgg()
    }
}

impl TensorFile {
    /// Builds the VGG that the file holds; see [`Vgg::load`].
    ///
    /// # Errors
    /// If it holds something else, or is damaged.
    pub fn vgg(&mut self) -> Result<Vgg, LoadError> {
        load(self)
    }
}

/// Reads the VGG of a file.
fn load(file: &mut TensorFile) -> Result<Vgg, LoadError> {
    let found = find(file)?;
    let mut convolutions = Vec::with_capacity(found.layers.len());
    for (layer, (in_channels, out_channels)) in found.layers.iter().zip(found.kind.layer_channels()) {
        let weight = read_weight(file, &layer.weight)?;
        let bias = read_finite(file, layer.bias)?;
        convolutions.push(Convolution { in_channels, out_channels, weight, bias });
    }
    let first = &mut convolutions[0].weight;
    let Input { order, preprocessing } = input::decide(found.naming, file.metadata(), first, &first_filters());
    if order == Order::Bgr {
        *first = input::swapped(first);
    }
    Ok(Vgg { kind: found.kind, preprocessing, convolutions })
}

/// What the first layer of a VGG that was found expects; reads that layer alone.
pub(super) fn input(file: &mut TensorFile, found: &Found) -> Result<Input, LoadError> {
    let first = read_weight(file, &found.layers[0].weight)?;
    Ok(input::decide(found.naming, file.metadata(), &first, &first_filters()))
}

/// Looks for the layers of a VGG by name and checks their shapes and types.
pub(super) fn find(file: &TensorFile) -> Result<Found, LoadError> {
    let tensors = file.tensors();
    let numbers: HashMap<&str, usize> = tensors.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
    let other = |found: String| LoadError::OtherNetwork { path: file.path().to_path_buf(), found };
    let Some((prefix, naming)) = prefix_and_naming(file) else { return Err(other(foreign(tensors))) };
    if tensors.iter().any(|t| t.name.starts_with(&prefix) && t.name.ends_with(".running_mean")) {
        return Err(other("a VGG with batch normalisation".into()));
    }
    let stems = stems(tensors, &prefix, naming);
    let Some(kind) = kind_of(&stems, naming) else { return Err(other(foreign(tensors))) };
    let mut layers = Vec::new();
    for (stem, channels) in naming.stems(kind).into_iter().zip(kind.layer_channels()) {
        layers.push(layer(file, &numbers, kind, &format!("{prefix}{stem}"), channels.0, channels.1)?);
    }
    Ok(Found { kind, naming, layers })
}

/// What stands before the names of the first layer (`module.`, `state_dict.`, nothing), and how they continue.
fn prefix_and_naming(file: &TensorFile) -> Option<(String, Naming)> {
    let blocks = if file.format() == Format::Matlab { Naming::MatConvNet } else { Naming::Blocks };
    let ends = [("features.0.weight", Naming::Features), ("conv1_1.weight", blocks), ("conv1_1.weight.index", blocks)];
    let matches = |name: &str| {
        let (prefix, naming) = ends.iter().find_map(|(end, naming)| Some((name.strip_suffix(end)?, *naming)))?;
        (prefix.is_empty() || prefix.ends_with('.')).then(|| (prefix.to_string(), naming))
    };
    file.tensors().iter().find_map(|t| matches(&t.name))
}

impl Naming {
    /// The names of all convolutions of a network, without `.weight` and `.bias`.
    fn stems(self, kind: VggKind) -> Vec<String> {
        match self {
            Self::Blocks | Self::MatConvNet => kind.layer_names(),
            Self::Features => kind.torchvision_numbers().into_iter().map(|n| format!("features.{n}")).collect(),
        }
    }
}

/// The names of all convolutions of the same naming that the file has.
fn stems<'a>(tensors: &'a [TensorInfo], prefix: &str, naming: Naming) -> Vec<&'a str> {
    let start = if naming == Naming::Features { "features." } else { "conv" };
    let stem = |t: &'a TensorInfo| {
        let name = t.name.strip_prefix(prefix)?;
        let stem = name.strip_suffix(".weight").or_else(|| name.strip_suffix(".weight.index"))?;
        stem.starts_with(start).then_some(stem)
    };
    tensors.iter().filter_map(stem).collect()
}

/// The smaller network that has a place for all convolutions there are, if most of its places are taken.
fn kind_of(stems: &[&str], naming: Naming) -> Option<VggKind> {
    let fits = |kind: &VggKind| {
        let expected = naming.stems(*kind);
        let known = stems.iter().all(|s| expected.iter().any(|e| e == s));
        known && stems.len() * 2 > expected.len()
    };
    [VggKind::Vgg16, VggKind::Vgg19].into_iter().find(fits)
}

fn layer(
    file: &TensorFile,
    numbers: &HashMap<&str, usize>,
    kind: VggKind,
    stem: &str,
    inputs: usize,
    outputs: usize,
) -> Result<Layer, LoadError> {
    let missing = |tensor: String| LoadError::MissingTensor { path: file.path().into(), network: kind.name(), tensor };
    let get = |end: &str| {
        let name = format!("{stem}.{end}");
        numbers.get(name.as_str()).copied().ok_or_else(|| missing(name))
    };
    let shaped = |number: usize, expected: &[usize]| {
        let info = &file.tensors()[number];
        let (path, tensor) = (file.path().to_path_buf(), info.name.clone());
        if info.shape == expected {
            return Ok(number);
        }
        let (found, expected) = (info.shape_text(), shape_text(expected));
        Err(LoadError::WrongShape { path, network: kind.name(), tensor, found, expected })
    };
    let filters = [outputs, inputs, 3, 3];
    let weight = match get("weight.index") {
        Ok(index) => {
            let codebook = floating(file, get("weight.codebook")?)?;
            Weight::Codebook { index: typed(file, shaped(index, &filters)?, |t| t == Dtype::U8)?, codebook }
        }
        Err(_) => Weight::Plain(floating(file, shaped(get("weight")?, &filters)?)?),
    };
    let bias = floating(file, shaped(get("bias")?, &[outputs])?)?;
    Ok(Layer { weight, bias })
}

fn floating(file: &TensorFile, number: usize) -> Result<usize, LoadError> {
    typed(file, number, Dtype::is_float)
}

fn typed(file: &TensorFile, number: usize, right: impl Fn(Dtype) -> bool) -> Result<usize, LoadError> {
    let info = &file.tensors()[number];
    if right(info.dtype) {
        return Ok(number);
    }
    let (path, tensor) = (file.path().to_path_buf(), info.name.clone());
    Err(LoadError::WrongType { path, tensor, dtype: info.dtype.name().into() })
}

fn read_weight(file: &mut TensorFile, weight: &Weight) -> Result<Vec<f32>, LoadError> {
    let (index, codebook) = match *weight {
        Weight::Plain(number) => return read_finite(file, number),
        Weight::Codebook { index, codebook } => (index, codebook),
    };
    let codebook = read_finite(file, codebook)?;
    let mut values = file.read(index)?;
    let largest = values.iter().fold(0.0_f32, |a, &b| a.max(b)) as usize;
    if largest >= codebook.len() {
        let detail = format!("`{}` points beyond its codebook", file.tensors()[index].name);
        return Err(LoadError::Malformed { path: file.path().to_path_buf(), format: file.format(), detail });
    }
    for value in &mut values {
        *value = codebook[*value as usize];
    }
    Ok(values)
}

fn read_finite(file: &mut TensorFile, number: usize) -> Result<Vec<f32>, LoadError> {
    let values = file.read(number)?;
    if values.iter().all(|v| v.is_finite()) {
        return Ok(values);
    }
    Err(LoadError::NonFinite { path: file.path().to_path_buf(), tensor: file.tensors()[number].name.clone() })
}

/// What a file without a VGG holds, in a few words.
fn foreign(tensors: &[TensorInfo]) -> String {
    let has = |end: &str| tensors.iter().any(|t| t.name.ends_with(end));
    let Some(first) = tensors.first() else { return "it has no tensors".into() };
    if is_style(tensors) {
        return "a network that stylises pictures".into();
    }
    let known = [
        ("layer1.0.conv1.weight", "a ResNet by the names of its layers"),
        ("features.0.0.weight", "a MobileNet or EfficientNet by the names of its layers"),
        ("features.conv0.weight", "a DenseNet by the names of its layers"),
        ("features.3.squeeze.weight", "a SqueezeNet by the names of its layers"),
        ("features.25.weight", "a VGG11 or VGG13 with batch normalisation"),
        ("features.22.weight", "a VGG13 by the numbers of its layers"),
        ("features.18.weight", "a VGG11 by the numbers of its layers"),
        ("features.0.weight", "a network of other layers than VGG16 and VGG19 have"),
        ("conv1_1.weight", "a network of other layers than VGG16 and VGG19 have"),
    ];
    let known = known.iter().find(|(end, _)| has(end));
    known.map_or_else(|| format!("its first tensor is `{}`", first.name), |(_, what)| (*what).into())
}

/// Whether the tensors are those of an image transformation network (Johnson et al. 2016): 9×9 filters that take a
/// picture and others that give one.
pub(super) fn is_style(tensors: &[TensorInfo]) -> bool {
    let any = |test: fn(&[usize]) -> bool| tensors.iter().any(|t| test(&t.shape));
    any(|s| matches!(s, [_, 3, 9, 9])) && any(|s| matches!(s, [3, _, 9, 9]))
}

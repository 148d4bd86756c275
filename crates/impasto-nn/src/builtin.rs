//! The network that comes with the program.
//!
//! `weights/vgg19-codebook8.safetensors`: the convolutions of VGG19 as its authors trained them (Simonyan & Zisserman
//! 2014, CC BY 4.0), each layer's weights as 8-bit indices into 256 floats. Its first layer takes blue, green, red.

use crate::{
    formats::{Description, TensorFile},
    vgg::Vgg,
};

static FILE: &[u8] = include_bytes!("../weights/vgg19-codebook8.safetensors");

/// What error messages call it.
const NAME: &str = "the built-in VGG19";

/// Expands the built-in network.
pub(crate) fn vgg19() -> Vgg {
    let vgg = file().vgg().expect("the built-in network is whole: a test reads it");
    impasto_kernels::let_go(FILE);
    vgg
}

/// Says what the built-in network is, in the words of its file; the path is a name for people.
pub fn describe_builtin() -> Description {
    file().describe().expect("the built-in network is whole: a test reads it")
}

fn file() -> TensorFile {
    TensorFile::from_bytes(NAME, FILE).expect("the built-in network is whole: a test reads it")
}

/// Filters of its first layer for red, green, blue, `64 × 3 × 3 × 3`: what other files are compared with.
pub(crate) fn first_filters() -> Vec<f32> {
    let mut file = file();
    let mut read = |name: &str| {
        let number = file.find(name).expect("the built-in network has a first layer");
        file.read(number).expect("the built-in network is whole: a test reads it")
    };
    let (index, codebook) = (read("conv1_1.weight.index"), read("conv1_1.weight.codebook"));
    let filters: Vec<f32> = index.iter().map(|&i| codebook[i as usize]).collect();
    crate::formats::swap_red_and_blue(&filters)
}

//! The file of the built-in network.

use crate::formats::{TensorFile, swap_red_and_blue};

/// What is in it is told in [`builtin`](super).
pub(super) static FILE: &[u8] = include_bytes!("../../weights/vgg19-codebook8.safetensors");

/// What error messages call it.
const NAME: &str = "the built-in VGG19";

/// Opens it.
pub(super) fn file() -> TensorFile {
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
    swap_red_and_blue(&filters)
}

//! The same names, different training: what the first layer expects is told by the weights.

mod common;

use common::networks::Whole;
use impasto_nn::{
    LoadError,
    formats::{Dtype, TensorFile},
    vgg::{Preprocessing, Vgg, VggKind},
};

fn load(bytes: Vec<u8>) -> Result<Vgg, LoadError> {
    TensorFile::from_bytes("some/file", bytes)?.vgg()
}

#[test]
fn both_networks_are_read_with_the_preprocessing_of_torchvision() {
    for kind in [VggKind::Vgg16, VggKind::Vgg19] {
        let mut whole = Whole::torchvision(kind);
        let vgg = load(whole.write(Dtype::F32)).unwrap();
        assert_eq!((vgg.kind, vgg.preprocessing), (kind, Preprocessing::TORCHVISION));
        assert_eq!(vgg.convolutions.len(), kind.layer_names().len());
        for (layer, convolution) in vgg.convolutions.iter().enumerate() {
            assert!(convolution.weight == whole.tensors[2 * layer].2, "weights of layer {layer}");
            assert!(convolution.bias == whole.tensors[2 * layer + 1].2, "biases of layer {layer}");
        }
        for dtype in [Dtype::F16, Dtype::Bf16] {
            let vgg = load(whole.write(dtype)).unwrap();
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= a.abs() / 128.0;
            assert!(vgg.convolutions[3].weight.iter().zip(&whole.tensors[6].2).all(near));
        }
        // What the file states goes before everything else: here the channels have to be swapped.
        whole.metadata.insert("input".into(), "BGR, 0..255, mean subtracted [103.939,116.779,123.68]".into());
        let vgg = load(whole.write(Dtype::F32)).unwrap();
        assert_eq!(vgg.preprocessing, Preprocessing::CAFFE);
        assert_eq!(vgg.convolutions[0].weight[..9], whole.tensors[0].2[18..27]);
        assert_eq!(vgg.convolutions[0].weight[9..18], whole.tensors[0].2[9..18]);
    }
}

#[test]
fn a_prefix_is_no_obstacle() {
    let mut whole = Whole::torchvision(VggKind::Vgg16);
    whole.tensors.iter_mut().for_each(|t| t.0 = format!("state_dict.module.{}", t.0));
    assert_eq!(load(whole.write(Dtype::F32)).unwrap().kind, VggKind::Vgg16);
}

/// The authors' weights are known by their filters in either order of channels, rounded, and scaled filter by filter.
#[test]
fn weights_of_the_authors_are_known_under_the_names_of_torchvision() {
    let builtin = Vgg::builtin();
    let mut whole = Whole::of(&builtin);
    let red_first = load(whole.write(Dtype::F32)).unwrap();
    assert_eq!(red_first.preprocessing, Preprocessing::CAFFE);
    assert!(red_first.convolutions == builtin.convolutions);

    whole.swap_first();
    let blue_first = load(whole.write(Dtype::F32)).unwrap();
    assert_eq!(blue_first.preprocessing, Preprocessing::CAFFE);
    assert!(blue_first.convolutions == builtin.convolutions);
    assert_eq!(load(whole.write(Dtype::Bf16)).unwrap().preprocessing, Preprocessing::CAFFE);

    for (number, filter) in whole.tensors[0].2.chunks_mut(27).enumerate() {
        filter.iter_mut().for_each(|v| *v *= 0.1 + number as f32);
    }
    let scaled = load(whole.write(Dtype::F32)).unwrap();
    assert_eq!(scaled.preprocessing, Preprocessing::CAFFE);
    assert_eq!(scaled.convolutions[0].weight[18], whole.tensors[0].2[0]);
}

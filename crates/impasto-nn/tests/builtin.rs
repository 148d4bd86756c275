//! The network that comes with the program.

use impasto_nn::{
    describe_builtin,
    formats::ModelKind,
    vgg::{Preprocessing, Vgg, VggKind},
};

/// Layer, sum of weights, sum of squares.
const SUMS: [(usize, f64, f64); 3] = [
    (0, -3.541_185_728_972_777_7, 63.295_547_537_967_565),
    (5, -55.489_311_763_980_37, 72.539_899_299_696_02),
    (15, -2_534.850_719_277_747, 158.788_124_446_987_84),
];

#[test]
fn builtin_is_the_whole_vgg19() {
    let vgg = Vgg::builtin();
    assert_eq!(vgg.kind, VggKind::Vgg19);
    assert_eq!(vgg.preprocessing, Preprocessing::CAFFE);
    let channels: Vec<_> = vgg.convolutions.iter().map(|c| (c.in_channels, c.out_channels)).collect();
    assert_eq!(channels, VggKind::Vgg19.layer_channels());
    for c in &vgg.convolutions {
        assert_eq!((c.weight.len(), c.bias.len()), (c.in_channels * c.out_channels * 9, c.out_channels));
        assert!(c.weight.iter().chain(&c.bias).all(|v| v.is_finite()));
    }
    // As published: https://www.robots.ox.ac.uk/~vgg/research/very_deep/
    assert_eq!(vgg.convolutions[0].bias[..4], [0.730_177_6, 0.064_936_29, 0.034_288_47, 0.826_038_6]);
}

/// Sums over each layer's weights and squares, computed by NumPy from the same file.
#[test]
fn builtin_equals_what_numpy_reads() {
    let vgg = Vgg::builtin();
    for (layer, sum, squares) in SUMS {
        let weight = &vgg.convolutions[layer].weight;
        let got = weight.iter().map(|&v| f64::from(v)).fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        assert!((got.0 - sum).abs() < 1e-6 * squares, "layer {layer}: sum {} for {sum}", got.0);
        assert!((got.1 - squares).abs() < 1e-9 * squares, "layer {layer}: squares {} for {squares}", got.1);
    }
}

/// The file has blue, green, red; the network has red, green, blue.
#[test]
fn builtin_takes_red_first() {
    let first = &Vgg::builtin().convolutions[0].weight;
    assert_eq!(first[..3], [0.393_571_32, 0.377_178_73, -0.045_668_34]);
    assert_eq!(first[18..21], [0.340_632_8, 0.340_632_8, -0.045_668_34]);
}

#[test]
fn builtin_is_described_with_its_licence() {
    let description = describe_builtin();
    assert_eq!((description.kind, description.network), (ModelKind::Network, Some(VggKind::Vgg19)));
    assert_eq!(description.preprocessing, Some(Preprocessing::CAFFE));
    assert_eq!(description.metadata["license"], "CC BY 4.0");
    assert_eq!(description.problem, None);
}

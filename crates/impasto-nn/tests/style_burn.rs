//! The image transformation network on Burn paints what the kernels paint.
#![cfg(feature = "burn")]

mod common;

use std::path::Path;

use common::styles::{furthest, model, paint};
use impasto_nn::{
    formats::TensorFile,
    kernels::{StyleNetError, StyleNetShape},
    style_model::BurnStyleNet,
};

#[test]
fn burn_paints_what_the_kernels_paint() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/vgg19-93x70.safetensors");
    let mut file = TensorFile::open(&path).unwrap();
    let photograph = file.find("content").map(|content| file.read(content)).unwrap().unwrap();
    let cases = [
        (StyleNetShape { width: 16, residual_blocks: 1, styles: 3, ..StyleNetShape::JOHNSON }, vec![0.25, 0.5, 0.25]),
        (StyleNetShape::johnson(1), vec![1.0]),
    ];
    for (shape, shares) in cases {
        let model = model(shape);
        let net = BurnStyleNet::cpu(shape, &model.parameters).unwrap();
        // The second is the same numbers read as another picture: nothing divides its sides.
        // Against PyTorch in float64 both differ by 1e-5; at the least size, where the residual blocks normalise over 16
        // positions, PyTorch in float32 differs by 4e-5, the kernels by 5e-5 and Burn by 1.1e-4.
        for (height, width, tolerance) in [(93, 70, 1e-4), (62, 105, 1e-4), (16, 16, 5e-4)] {
            let picture = &photograph[..3 * height * width];
            let mut burn = vec![0.0; picture.len()];
            net.run(picture, height, width, &shares, &mut burn).unwrap();
            let kernels = paint(&model, picture, height, width, &shares);
            let largest = kernels.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
            let error = furthest(&burn, &kernels) / largest;
            assert!(error < tolerance, "{error} of {largest} at {width}×{height}, {shape:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let shape = StyleNetShape { width: 16, residual_blocks: 1, styles: 1, ..StyleNetShape::JOHNSON };
    let parameters = model(shape).parameters;
    let made = |shape, parameters: &[f32]| BurnStyleNet::cpu(shape, parameters).map(|_| ()).unwrap_err();
    assert!(matches!(made(shape, &parameters[1..]), StyleNetError::Parameters { .. }));
    assert_eq!(made(StyleNetShape { styles: 0, ..shape }, &[]), StyleNetError::NoStyles);
    let net = BurnStyleNet::cpu(shape, &parameters).unwrap();
    let mut out = vec![0.0; 3 * 15 * 40];
    let error = net.run(&out.clone(), 15, 40, &[1.0], &mut out).unwrap_err();
    assert_eq!(error, StyleNetError::TooSmall { width: 40, height: 15, least: 16 });
}

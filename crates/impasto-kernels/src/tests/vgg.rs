//! The real VGG19 on a real picture, through conv5_4.

use super::{Case, distance};
use crate::{Border, Convolution, Isa, Pooling, Threads, TrunkLayer};
use safetensors::SafeTensors;

/// Convolutions in each of the five groups; a pooling follows each but the last.
const GROUPS: [usize; 5] = [2, 2, 4, 4, 4];

/// VGG19 up to conv5_4, reading red, green, blue.
fn vgg19() -> Vec<TrunkLayer> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../impasto-nn/weights/vgg19-codebook8.safetensors");
    let bytes = std::fs::read(path).expect("the weights are part of the repository");
    let file = SafeTensors::deserialize(&bytes).expect("the weights are sound");
    let floats = |name: &str| -> Vec<f32> {
        let data = file.tensor(name).expect("the tensor exists").data();
        data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let mut layers = Vec::new();
    for (group, &count) in GROUPS.iter().enumerate() {
        for number in 1..=count {
            let name = format!("conv{}_{number}", group + 1);
            let codebook = floats(&format!("{name}.weight.codebook"));
            let index = file.tensor(&format!("{name}.weight.index")).expect("the tensor exists");
            let (out_channels, in_channels) = (index.shape()[0], index.shape()[1]);
            let mut weight: Vec<f32> = index.data().iter().map(|&i| codebook[usize::from(i)]).collect();
            if in_channels == 3 {
                // The file reads blue, green, red.
                weight.chunks_exact_mut(27).for_each(|kernels| {
                    let (blue, rest) = kernels.split_at_mut(9);
                    blue.swap_with_slice(&mut rest[9..]);
                });
            }
            let bias = floats(&format!("{name}.bias"));
            layers.push(TrunkLayer::Convolution(Convolution { in_channels, out_channels, weight, bias }));
        }
        if group < 4 {
            layers.push(TrunkLayer::Pool);
        }
    }
    layers
}

fn case(pooling: Pooling, taps: &[usize]) -> Case {
    Case {
        layers: vgg19(),
        pooling,
        pooling_scale: 1.0,
        border: Border::Zero,
        mean: [123.68, 116.779, 103.939],
        scale: [1.0; 3],
        height: 37,
        width: 61,
        taps: taps.to_vec(),
    }
}

#[test]
fn features_of_vgg19_through_conv5_4() {
    let case = case(Pooling::Max, &(0..16).collect::<Vec<_>>());
    let trace = case.trace(&case.reference());
    for isa in Isa::available() {
        let mut engine = case.engine(isa, &Threads::new(2));
        engine.forward(&case.picture(), case.height, case.width, false);
        for tap in 0..16 {
            let error = distance(&engine.features(tap), trace.feature(&case.layers, tap).1);
            assert!(error < 1e-5, "{isa:?}, convolution {tap}: {error:e}");
        }
    }
}

#[test]
fn gradient_of_vgg19_under_the_same_masks() {
    // The layers that the article uses: conv1_1 … conv5_1 for style, conv4_2 and conv5_2 for content.
    let case = case(Pooling::Average, &[0, 2, 4, 8, 9, 12, 13]);
    for isa in Isa::available() {
        let error = case.gradient_error(isa, &Threads::new(2));
        assert!(error < 1e-5, "{isa:?}: {error:e}");
    }
}

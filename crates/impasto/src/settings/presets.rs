//! The presets: the one place where every default stands.

use super::{
    BorderKind, Colors, Device, Init, LayerWeights, MaxPixels, OptimizerKind, PoolingKind, Preset, Settings,
    StyleLossKind,
};

/// The first convolution of each block: the style layers of Gatys et al. 2015, and of the article.
const STYLE_LAYERS: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

impl Settings {
    /// All settings of a preset.
    pub fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Article => article(),
            Preset::Default => default(),
            Preset::Fast => fast(),
            Preset::Best => best(),
        }
    }
}

/// The article: ALPHA 1, BETA 500, two content and five style layers, average pooling, a start half content and half
/// noise, 1000 rounds of Adam. A learning rate is not among the settings it names: 5, of 255, is ours.
fn article() -> Settings {
    Settings {
        size: None,
        iterations: 1000,
        min_size: 128,
        scales: Some(1),
        average: 0.0,
        style_scale: 1.0,
        strength: None,
        optimizer: OptimizerKind::Adam,
        learning_rate: 5.0,
        content_weight: 1.0,
        style_weight: 500.0,
        tv_weight: 0.0,
        colors: Colors::Style,
        init: Init::Mix(0.5),
        style_loss: StyleLossKind::Gram,
        pooling: PoolingKind::Average,
        pooling_scale: 1.0,
        border: BorderKind::Zero,
        network: "vgg19".into(),
        device: Device::Auto,
        threads: None,
        memory: None,
        max_pixels: MaxPixels::default(),
        seed: 0,
        save_every: None,
        content_layers: LayerWeights::new([("conv4_2", 0.5), ("conv5_2", 0.5)]),
        style_layers: LayerWeights::new(STYLE_LAYERS.map(|layer| (layer, 0.2))),
    }
}

/// What looks best in the least time: judged by eye on the project's pictures, painted like The Starry Night at 320 to
/// 512 pixels. From the content L-BFGS needs no noise; at a style weight of 500 nothing of a face is left after 100
/// iterations, at 0.05 the photograph's colours stay; past 100 iterations, coarse to fine, the loss is where 200 at one
/// size leave it, and the eye sees no change.
fn default() -> Settings {
    Settings {
        iterations: 100,
        scales: None,
        average: 0.99,
        optimizer: OptimizerKind::Lbfgs,
        style_weight: 0.2,
        init: Init::Content,
        ..article()
    }
}

/// The same, sooner: the strokes are there after 30 iterations, the colours not quite.
fn fast() -> Settings {
    Settings { iterations: 30, ..default() }
}

/// After crowsonkb/style-transfer-pytorch: the Wasserstein-2 style loss, with most weight on the first layers, which
/// have the smallest features; content at conv4_2 alone; the largest value of each window, as the network was trained;
/// no edge for the first layer to see; Adam with an averaged picture. The style weight is ours, by eye: at 1 the strokes
/// stay small and the photograph's own, at 4 they are the painter's.
fn best() -> Settings {
    let weights = [256.0, 64.0, 16.0, 4.0, 1.0];
    Settings {
        iterations: 300,
        optimizer: OptimizerKind::Adam,
        learning_rate: 5.0,
        style_loss: StyleLossKind::Wasserstein,
        style_weight: 4.0,
        tv_weight: 0.1,
        pooling: PoolingKind::Max,
        border: BorderKind::Replicate,
        content_layers: LayerWeights::new([("conv4_2", 1.0)]),
        style_layers: LayerWeights::new(STYLE_LAYERS.into_iter().zip(weights)),
        ..default()
    }
}

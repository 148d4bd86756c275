//! The presets: the one place where every default stands.

use super::{
    BorderKind, Colors, Device, Init, LayerWeights, LossScale, MaxPixels, OptimizerKind, PoolingKind, Preset, Settings,
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
        loss_scale: LossScale::Absolute,
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

/// What a person with taste would choose for most photographs: judged by eye and by `impasto eval` on the project's
/// pictures at 181 to 512 pixels.
///
/// The Wasserstein-2 loss after crowsonkb/style-transfer-pytorch. Most of the style weight lies on the first layers: colours
/// and strokes cost the photograph little there, while deep layers pull its shapes apart. With equal weights a face is
/// lost at the same distance to the style; with less on the deep layers (0.2 and 0.05) the painting's motifs are small.
/// Average pooling leaves less grain than the largest values, and is nearer to the photograph at the same style.
///
/// Style weight and variation were chosen on the pairs that `docs/performance.md` names. A variation of 20 costs 0.004 of
/// the distance to photograph and style while it takes a third of the pixel grain away.
fn default() -> Settings {
    let weights = [8.0, 4.0, 1.6, 0.8, 0.4];
    Settings {
        iterations: 40,
        scales: None,
        average: 0.99,
        optimizer: OptimizerKind::Lbfgs,
        style_weight: 6.25,
        tv_weight: 20.0,
        init: Init::Content,
        style_loss: StyleLossKind::Wasserstein,
        loss_scale: LossScale::Relative,
        border: BorderKind::Mirror,
        content_layers: LayerWeights::new([("conv4_2", 1.0)]),
        style_layers: LayerWeights::new(STYLE_LAYERS.into_iter().zip(weights)),
        ..article()
    }
}

/// The same with about a third of the steps.
fn fast() -> Settings {
    Settings { iterations: 12, ..default() }
}

/// The same with three times as many steps.
fn best() -> Settings {
    Settings { iterations: 120, ..default() }
}

//! The presets: the one place where every default stands.

use super::{Device, Init, LayerWeights, OptimizerKind, PoolingKind, Preset, Settings};

/// The first convolution of each block: the style layers of Gatys et al. 2015, and of the article.
const STYLE_LAYERS: [&str; 5] = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"];

impl Settings {
    /// All settings of a preset.
    pub fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Article => article(),
            Preset::Default => default(),
            Preset::Fast => fast(),
        }
    }
}

/// The article: ALPHA 1, BETA 500, two content and five style layers, average pooling, a start half content and half
/// noise, 1000 rounds of Adam. Its learning rate is not among the settings it names: 5, of 255, gets furthest.
fn article() -> Settings {
    Settings {
        size: None,
        iterations: 1000,
        optimizer: OptimizerKind::Adam,
        learning_rate: 5.0,
        content_weight: 1.0,
        style_weight: 500.0,
        tv_weight: 0.0,
        init: Init::Mix(0.5),
        pooling: PoolingKind::Average,
        network: "vgg19".into(),
        device: Device::Auto,
        threads: None,
        seed: 0,
        save_every: None,
        content_layers: LayerWeights::new([("conv4_2", 0.5), ("conv5_2", 0.5)]),
        style_layers: LayerWeights::new(STYLE_LAYERS.map(|layer| (layer, 0.2))),
    }
}

fn default() -> Settings {
    Settings { iterations: 200, optimizer: OptimizerKind::Lbfgs, init: Init::Content, ..article() }
}

fn fast() -> Settings {
    Settings { iterations: 50, ..default() }
}

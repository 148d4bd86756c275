//! VGG16 and VGG19 (Simonyan & Zisserman 2014): the convolutions, as plain arrays.

use std::fmt;

use impasto_kernels::{Convolution, TrunkError, TrunkLayer, sorted_taps};
use serde::Serialize;

/// Which of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VggKind {
    /// Configuration D, 13 convolutions.
    Vgg16,
    /// Configuration E, 16 convolutions.
    Vgg19,
}

impl VggKind {
    /// `VGG16` or `VGG19`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vgg16 => "VGG16",
            Self::Vgg19 => "VGG19",
        }
    }

    /// Number of convolutions in each of the five blocks.
    pub fn blocks(self) -> [usize; 5] {
        match self {
            Self::Vgg16 => [2, 2, 3, 3, 3],
            Self::Vgg19 => [2, 2, 4, 4, 4],
        }
    }

    /// `conv1_1`, `conv1_2`, … in order.
    pub fn layer_names(self) -> Vec<String> {
        let block = |(b, &n): (usize, &usize)| (1..=n).map(move |i| format!("conv{}_{i}", b + 1)).collect::<Vec<_>>();
        self.blocks().iter().enumerate().flat_map(block).collect()
    }

    /// `(in, out)` channels of each convolution in order.
    pub fn layer_channels(self) -> Vec<(usize, usize)> {
        let mut channels = Vec::new();
        let mut input = 3;
        for (n, width) in self.blocks().into_iter().zip([64, 128, 256, 512, 512]) {
            for _ in 0..n {
                channels.push((input, width));
                input = width;
            }
        }
        channels
    }

    /// The N of torchvision's `features.N` for each convolution in order: every convolution has its ReLU behind it,
    /// every block a pooling.
    pub fn torchvision_numbers(self) -> Vec<usize> {
        let mut numbers = Vec::new();
        let mut next = 0;
        for n in self.blocks() {
            numbers.extend((0..n).map(|i| next + 2 * i));
            next += 2 * n + 1;
        }
        numbers
    }
}

impl fmt::Display for VggKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a network was trained on, so what a picture must become before it enters: `(rgb − mean) · scale`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Preprocessing {
    /// Subtracted from red, green, blue, each 0–255.
    pub mean: [f32; 3],
    /// Multiplies red, green, blue after that.
    pub scale: [f32; 3],
}

impl Preprocessing {
    /// The authors' own training: 0–255 minus the mean. (They order channels blue, green, red; see [`Vgg`].)
    pub const CAFFE: Self = Self { mean: [123.68, 116.779, 103.939], scale: [1.0; 3] };

    /// torchvision's training: 0–1, normalised by the ImageNet mean and standard deviation.
    pub const TORCHVISION: Self = Self {
        mean: [0.485 * 255.0, 0.456 * 255.0, 0.406 * 255.0],
        scale: [1.0 / (0.229 * 255.0), 1.0 / (0.224 * 255.0), 1.0 / (0.225 * 255.0)],
    };
}

/// A VGG network, ready to be made into a trunk.
///
/// The input channels of `conv1_1` are always red, green, blue: loaders swap the filters of networks that were
/// trained on blue, green, red, so that nothing behind them needs to know.
#[derive(Clone, Debug)]
pub struct Vgg {
    /// Which one.
    pub kind: VggKind,
    /// What its first layer expects.
    pub preprocessing: Preprocessing,
    /// All convolutions in order.
    pub convolutions: Vec<Convolution>,
}

impl Vgg {
    /// The deepest of some taps, which count convolutions from 0.
    ///
    /// # Errors
    /// If there are none, or one is beyond the network.
    pub(crate) fn deepest(&self, taps: &[usize]) -> Result<usize, TrunkError> {
        sorted_taps(taps, self.convolutions.len()).map(|taps| taps[taps.len() - 1])
    }

    /// The convolutions up to and with number `deepest` (from 0), and the poolings between them.
    pub fn trunk_layers(&self, deepest: usize) -> Vec<TrunkLayer> {
        let mut layers = Vec::new();
        let mut convolutions = self.convolutions.iter().take(deepest + 1);
        for (block, n) in self.kind.blocks().into_iter().enumerate() {
            let taken: Vec<_> = convolutions.by_ref().take(n).collect();
            if taken.is_empty() {
                break;
            }
            if block > 0 {
                layers.push(TrunkLayer::Pool);
            }
            layers.extend(taken.into_iter().cloned().map(TrunkLayer::Convolution));
        }
        layers
    }
}

//! What goes into a trunk and what comes out of it.

use crate::layout::Layout;
use crate::simd::LANES;

/// How a 2×2 window with stride 2 becomes one value.
///
/// A side of odd length loses its last row or column, as in PyTorch; a side of length 1 stays 1, its window cut to
/// what is there, so that every picture of at least 1×1 passes through every network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pooling {
    /// The mean of the window (the article's choice).
    Average,
    /// The largest value of the window (VGG's own choice).
    Max,
    /// The square root of the sum of squares of the window.
    L2,
}

/// What lies around the picture, where the first convolution reaches beyond it. All others see zeros around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Border {
    /// Zeros, after the mean is taken off: VGG's own choice.
    #[default]
    Zero,
    /// The nearest pixel of the picture once more: the picture's edge is then no edge to the network.
    Replicate,
}

/// A 3×3 convolution with stride 1, one pixel of zero padding, a bias, and a ReLU behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// `out × in × 3 × 3`, row major.
    pub weight: Vec<f32>,
    /// `out`.
    pub bias: Vec<f32>,
}

/// One layer of a trunk.
#[derive(Clone, Debug, PartialEq)]
pub enum TrunkLayer {
    /// Convolution, bias, ReLU. Taps count these layers from 0.
    Convolution(Convolution),
    /// A 2×2 pooling with stride 2.
    Pool,
}

/// The shape of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Number of channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// `height · width`; `usize::MAX` where that is more.
    pub fn positions(&self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// `channels · height · width`; `usize::MAX` where that is more.
    pub fn len(&self) -> usize {
        self.channels.saturating_mul(self.positions())
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Weighted moments of a feature over its positions: what every style loss is a function of.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Number of channels C.
    pub channels: usize,
    /// The sum of the position weights; the number of positions where none were given.
    pub weight: f64,
    /// `Σ w·F / weight`, C values.
    pub mean: Vec<f32>,
    /// `Σ w·F·Fᵀ / weight`, C×C values, symmetric.
    pub second: Vec<f32>,
}

/// A copy of one layer's feature in the layout of the trunk that made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Its shape.
    pub shape: Shape,
    /// The values; their order is known to the trunk that made them alone.
    pub data: Vec<f32>,
}

impl Features {
    /// Planar values, `channels × height × width`, in the layout of an [`Engine`](crate::Engine).
    ///
    /// # Panics
    /// If the channels are no multiple of 16, or the number of values does not fit.
    pub fn from_planar(shape: Shape, planar: &[f32]) -> Self {
        assert!(shape.channels.is_multiple_of(LANES), "channels lie in blocks of {LANES}");
        assert_eq!(planar.len(), shape.len(), "one value for each channel and position");
        let layout = Layout::new(shape);
        let mut data = vec![0.0; layout.len()];
        for (row, values) in planar.chunks_exact(shape.width.max(1)).enumerate() {
            let (channel, y) = (row / shape.height, row % shape.height);
            let start = layout.at(channel / LANES, y, 0) + channel % LANES;
            values.iter().enumerate().for_each(|(x, value)| data[start + x * LANES] = *value);
        }
        Self { shape, data }
    }
}

/// The gradient of a loss with respect to the moments of a feature.
///
/// It stands for `∂L/∂F[:,p] = w[p] / weight · ((second + secondᵀ)·F[:,p] + mean)`.
#[derive(Clone, Copy, Debug)]
pub struct MomentGradient<'a> {
    /// `∂L/∂second`, C×C; need not be symmetric.
    pub second: &'a [f32],
    /// `∂L/∂mean`, C values.
    pub mean: &'a [f32],
    /// The weight of each position; 1 where none are given.
    pub weights: Option<&'a [f32]>,
    /// The sum of the weights over the whole picture (not only over this tile).
    pub weight: f64,
}

/// The gradient of a content loss: `∂L/∂F[:,p] = scale · w[p] · (F − target)[:,p]`. `T` is what keeps a feature.
#[derive(Debug)]
pub struct ContentGradient<'a, T = Features> {
    /// The feature of the content picture, captured from the same trunk at the same size.
    pub target: &'a T,
    /// The factor.
    pub scale: f32,
    /// The weight of each position; 1 where none are given.
    pub weights: Option<&'a [f32]>,
}

/// The gradient of a feature itself: `∂L/∂F[:,p] = scale · gradient[:,p]`.
#[derive(Debug)]
pub struct FeatureGradient<'a, T = Features> {
    /// As large as the feature of the whole picture, such as from [`Features::from_planar`].
    pub gradient: &'a T,
    /// The factor.
    pub scale: f32,
}

/// What flows back into the trunk at one tap: the sum of all parts.
#[derive(Debug)]
pub struct TapGradient<'a, T = Features> {
    /// The tapped convolution, counted from 0.
    pub tap: usize,
    /// From the moments.
    pub moments: Option<MomentGradient<'a>>,
    /// From the content distance.
    pub content: Option<ContentGradient<'a, T>>,
    /// From a loss that is a function of the feature itself.
    pub features: Option<FeatureGradient<'a, T>>,
}

// Derived, these would ask for a `T` that can be copied; only the reference to it is.
macro_rules! copied {
    ($($gradient:ident)*) => {$(
        impl<T> Clone for $gradient<'_, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $gradient<'_, T> {}
    )*};
}

copied!(ContentGradient FeatureGradient TapGradient);

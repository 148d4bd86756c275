//! What the image transformation network is made of: its parameters, in one flat list with names.

use std::ops::Range;

/// Which image transformation network: one like that of Johnson et al. 2016 (supplementary material;
/// [`JOHNSON`](Self::JOHNSON)) with conditional instance normalisation (Dumoulin et al. 2017), so that one network holds
/// several styles. This is the one with two downsamplings and edges of 9×9:
///
/// ```text
/// picture / 255 ─▶ down1 9×9 ─▶ down2 3×3, stride 2 ─▶ down3 3×3, stride 2 ─▶ residual blocks: x + conv2(conv1(x))
///                  3 → w         w → 2w                 2w → 4w                4w → 4w each
///               ─▶ ×2, up1 3×3 ─▶ ×2, up2 3×3 ─▶ out 9×9, bias ─▶ · 255
///                  4w → 2w        2w → w         w → 3
/// ```
///
/// Every convolution but `out` is followed by instance normalisation (variance of the population, ε = 1e-5, a scale
/// and a shift for each channel and style) and, but for each block's `conv2`, by a ReLU. Padding reflects the picture
/// without repeating its edge; `×2` repeats every pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StyleNetShape {
    /// Channels `w` of the layers at full resolution, a multiple of 16; Johnson's network has 32.
    pub width: usize,
    /// How often the sides are halved, with twice the channels each time, and enlarged again: 0 to 2; Johnson's network
    /// has 2.
    pub downsamplings: usize,
    /// Residual blocks; Johnson's network has 5.
    pub residual_blocks: usize,
    /// Side of the kernels of the first and of the last layer, 3 or 9; Johnson's network has 9.
    pub edge_kernel: usize,
    /// Styles it holds, at least 1.
    pub styles: usize,
}

/// One named part of a network's parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, such as `down1.weight`, `residual3.conv2.scale` or `out.bias`.
    pub name: String,
    /// `out × in × k × k` for a weight, `styles × channels` for a scale or shift, `3` for the bias.
    pub shape: Vec<usize>,
    /// Where its row-major values lie among all parameters.
    pub range: Range<usize>,
}

/// What a convolution does in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerRole {
    /// The first one, which sees the picture; a ReLU follows.
    Input,
    /// Halves the sides; a ReLU follows.
    Down,
    /// The first one of a residual block; a ReLU follows.
    ResidualFirst,
    /// The second one of a residual block, to which the block's input is added.
    ResidualSecond,
    /// Its input is enlarged twice; a ReLU follows.
    Up,
    /// The last one, which makes the picture: a bias in place of a normalisation.
    Output,
}

impl LayerRole {
    /// Whether instance normalisation follows; if not, the layer has a bias.
    pub fn is_normalised(self) -> bool {
        self != Self::Output
    }

    /// Whether a ReLU follows.
    pub fn has_relu(self) -> bool {
        !matches!(self, Self::ResidualSecond | Self::Output)
    }

    /// Whether its input is enlarged twice first.
    pub fn upsamples(self) -> bool {
        self == Self::Up
    }

    /// Its stride.
    pub fn stride(self) -> usize {
        if self == Self::Down { 2 } else { 1 }
    }
}

/// A convolution of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StyleNetLayer {
    /// Its name, such as `down1` or `residual3.conv2`.
    pub name: String,
    /// What it does.
    pub role: LayerRole,
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Side of its kernel.
    pub kernel: usize,
    /// Where its weight begins among all parameters; scale and shift, or the bias, lie right behind.
    pub(crate) start: usize,
}

impl StyleNetLayer {
    /// Values of the weight.
    pub(crate) fn weight_len(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }

    /// Where the weight lies.
    pub(crate) fn weight(&self) -> Range<usize> {
        self.start..self.start + self.weight_len()
    }

    /// Where the scale of a style lies.
    pub(crate) fn scale(&self, style: usize) -> Range<usize> {
        let start = self.start + self.weight_len() + style * self.out_channels;
        start..start + self.out_channels
    }

    /// Where the shift of a style lies, of this many styles.
    pub(crate) fn shift(&self, style: usize, styles: usize) -> Range<usize> {
        self.scale(styles + style)
    }

    /// Where the bias lies.
    pub(crate) fn bias(&self) -> Range<usize> {
        self.scale(0)
    }
}

impl StyleNetShape {
    /// Johnson's network with one style.
    pub const JOHNSON: Self = Self { width: 32, downsamplings: 2, residual_blocks: 5, edge_kernel: 9, styles: 1 };

    /// Johnson's network with this many styles.
    pub fn johnson(styles: usize) -> Self {
        Self { styles, ..Self::JOHNSON }
    }

    /// All convolutions in order.
    pub fn layers(&self) -> Vec<StyleNetLayer> {
        let w = self.width;
        let mut layers = Vec::new();
        let mut start = 0;
        let mut add = |name: String, role: LayerRole, in_channels, out_channels, kernel| {
            let layer = StyleNetLayer { name, role, in_channels, out_channels, kernel, start };
            start += layer.weight_len() + out_channels * if role.is_normalised() { 2 * self.styles } else { 1 };
            layers.push(layer);
        };
        let (edge, halvings) = (self.edge_kernel, self.downsamplings);
        // Channels after this number of halvings.
        let channels = |halvings: usize| w << halvings;
        add("down1".into(), LayerRole::Input, 3, w, edge);
        for halving in 1..=halvings {
            add(format!("down{}", halving + 1), LayerRole::Down, channels(halving - 1), channels(halving), 3);
        }
        let stream = channels(halvings);
        for block in 1..=self.residual_blocks {
            add(format!("residual{block}.conv1"), LayerRole::ResidualFirst, stream, stream, 3);
            add(format!("residual{block}.conv2"), LayerRole::ResidualSecond, stream, stream, 3);
        }
        for halving in (1..=halvings).rev() {
            let name = format!("up{}", halvings + 1 - halving);
            add(name, LayerRole::Up, channels(halving), channels(halving - 1), 3);
        }
        add("out".into(), LayerRole::Output, w, 3, edge);
        layers
    }

    /// The index of the layer whose output, normalised and activated, is the stream that the residual blocks add to.
    pub(crate) fn stream_layer(&self) -> usize {
        self.downsamplings
    }

    /// Channels of that stream.
    pub(crate) fn stream_channels(&self) -> usize {
        self.width << self.downsamplings
    }

    /// By how much the sides of the stream are smaller than the picture's.
    pub(crate) fn stream_divisor(&self) -> usize {
        1 << self.downsamplings
    }

    /// All parameters in order: each layer's `weight`, then `scale` and `shift`, or `bias`.
    pub fn parameters(&self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for layer in self.layers() {
            let mut push = |what: &str, shape: Vec<usize>, range: Range<usize>| {
                parameters.push(Parameter { name: format!("{}.{what}", layer.name), shape, range });
            };
            let k = layer.kernel;
            push("weight", vec![layer.out_channels, layer.in_channels, k, k], layer.weight());
            if layer.role.is_normalised() {
                let (shape, last) = (vec![self.styles, layer.out_channels], self.styles - 1);
                push("scale", shape.clone(), layer.scale(0).start..layer.scale(last).end);
                push("shift", shape, layer.shift(0, self.styles).start..layer.shift(last, self.styles).end);
            } else {
                push("bias", vec![layer.out_channels], layer.bias());
            }
        }
        parameters
    }

    /// Values of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.layers().last().map_or(0, |out| out.bias().end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_follow_each_other_and_fill_their_shapes() {
        for shape in [
            StyleNetShape::johnson(1),
            StyleNetShape { width: 16, residual_blocks: 2, styles: 3, ..StyleNetShape::JOHNSON },
        ] {
            let mut next = 0;
            for parameter in shape.parameters() {
                assert_eq!(parameter.range.start, next, "{}", parameter.name);
                assert_eq!(parameter.range.len(), parameter.shape.iter().product::<usize>(), "{}", parameter.name);
                next = parameter.range.end;
            }
            assert_eq!(next, shape.parameter_count());
        }
        // Johnson's network as PyTorch counts it, without the biases that instance normalisation takes away.
        assert_eq!(StyleNetShape::johnson(1).parameter_count(), 1_677_635);
    }
}

//! The trunk of a VGG network by plain loops, for other crates.

use super::plain::{Reference, Trace, pooled};
use crate::size::feature_fits;
use crate::trunk::{check, sorted_taps};
use crate::{Border, Pooling, Shape, TrunkError, TrunkLayer};

/// A VGG network up to its deepest tap, by plain loops. It keeps its last forward pass.
///
/// Taps count convolutions from 0; what is tapped is the output of a convolution behind its ReLU.
pub struct ReferenceTrunk {
    /// Up to the deepest tap.
    layers: Vec<TrunkLayer>,
    pooling: Pooling,
    pooling_scale: f32,
    border: Border,
    mean: [f32; 3],
    scale: [f32; 3],
    taps: Vec<usize>,
    /// The last forward pass.
    trace: Option<Trace>,
}

impl ReferenceTrunk {
    /// A network whose pictures become `x = (p − mean) · scale` before the first convolution; zero padding comes after
    /// that. Layers behind the deepest tap are left out.
    ///
    /// # Errors
    /// Where [`PackedTrunk`](crate::PackedTrunk) does not take the layers, or [`Engine`](crate::Engine) not the taps.
    pub fn new(
        mut layers: Vec<TrunkLayer>,
        pooling: Pooling,
        mean: [f32; 3],
        scale: [f32; 3],
        taps: &[usize],
    ) -> Result<Self, TrunkError> {
        check(&layers)?;
        let places = layers.iter().enumerate().filter(|(_, layer)| matches!(layer, TrunkLayer::Convolution(_)));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        let taps = sorted_taps(taps, places.len())?;
        if let Some(&deepest) = taps.last() {
            layers.truncate(places[deepest] + 1);
        }
        Ok(Self { layers, pooling, pooling_scale: 1.0, border: Border::Zero, mean, scale, taps, trace: None })
    }

    /// A factor on what every pooling puts out; 1 unless this is called. Forgets the last pass.
    pub fn set_pooling_scale(&mut self, scale: f32) {
        self.pooling_scale = scale;
        self.forget();
    }

    /// What lies around the picture; zeros unless this is called. Forgets the last pass.
    pub fn set_border(&mut self, border: Border) {
        self.border = border;
        self.forget();
    }

    /// The taps, ascending.
    pub fn taps(&self) -> &[usize] {
        &self.taps
    }

    /// The shape of a convolution's feature for a picture of this size.
    ///
    /// # Panics
    /// Where there is no such convolution up to the deepest tap.
    pub fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        let mut shape = Shape { channels: 3, height, width };
        let mut convolutions = 0;
        for layer in &self.layers {
            match layer {
                TrunkLayer::Pool => shape = pooled(shape),
                TrunkLayer::Convolution(convolution) => {
                    shape.channels = convolution.out_channels;
                    if convolutions == tap {
                        return shape;
                    }
                    convolutions += 1;
                }
            }
        }
        panic!("convolution {tap} lies behind the deepest tap");
    }

    /// Runs a planar picture (`3 × height × width`: red, green, blue, 0–255) to the deepest tap and keeps all features.
    ///
    /// # Panics
    /// Where the picture is empty, its length is not `3 · height · width`, or a feature of it is larger than the address
    /// space.
    pub fn forward(&mut self, picture: &[f32], height: usize, width: usize) {
        assert!(height > 0 && width > 0, "the picture is empty");
        let channels = self.layers.iter().map(|layer| match layer {
            TrunkLayer::Convolution(convolution) => convolution.out_channels,
            TrunkLayer::Pool => 0,
        });
        // Twice the channels, for values are twice as wide as those of an engine.
        let widest = channels.max().unwrap_or(0).saturating_mul(2);
        assert!(feature_fits(widest, height, width), "a feature of {width}×{height} is larger than the address space");
        assert_eq!(picture.len(), Shape { channels: 3, height, width }.len(), "a picture has three channels");
        let picture: Vec<f64> = picture.iter().map(|&value| f64::from(value)).collect();
        self.trace = Some(self.reference().forward(&picture, height, width));
    }

    /// The feature of the last forward pass, planar.
    ///
    /// # Panics
    /// Where `tap` is not one of the taps, or no picture came yet.
    pub fn feature(&self, tap: usize) -> (Shape, &[f64]) {
        assert!(self.taps.contains(&tap), "convolution {tap} is not one of the taps {:?}", self.taps);
        self.trace().feature(&self.layers, tap)
    }

    /// From the gradients of a loss with respect to tapped features (tap, planar values) to that of the picture of the
    /// last forward pass, which is written to `gradient`. Gradients at the same tap add up.
    ///
    /// # Panics
    /// Where a tap is not one of the taps, no picture came yet, or a slice has the wrong length.
    pub fn backward(&self, gradients: &[(usize, Vec<f64>)], gradient: &mut [f32]) {
        for (tap, values) in gradients {
            assert_eq!(values.len(), self.feature(*tap).0.len(), "one value for each value of the feature");
        }
        let trace = self.trace();
        assert_eq!(gradient.len(), trace.values[0].len(), "the gradient is as large as the picture");
        let found = self.reference().backward(trace, gradients);
        gradient.iter_mut().zip(found).for_each(|(target, value)| *target = value as f32);
    }

    /// Lets go of the last forward pass.
    pub fn forget(&mut self) {
        self.trace = None;
    }

    fn trace(&self) -> &Trace {
        self.trace.as_ref().expect("no picture has passed through the trunk yet")
    }

    fn reference(&self) -> Reference<'_> {
        let &Self { ref layers, pooling, pooling_scale, border, mean, scale, .. } = self;
        Reference { layers, pooling, pooling_scale, border, mean, scale, relu_mask: None, places: None }
    }
}

impl std::fmt::Debug for ReferenceTrunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReferenceTrunk({} layers, {:?}, taps {:?})", self.layers.len(), self.pooling, self.taps)
    }
}

//! The image transformation network.

use crate::style_net::{Normalisation, StyleNetError, StyleNetShape, reference as naive};

/// The image transformation network, to paint with.
#[derive(Debug)]
pub struct ReferenceStyleNet {
    shape: StyleNetShape,
    parameters: Vec<f32>,
}

impl ReferenceStyleNet {
    /// A network with these parameters, which lie as [`StyleNetShape::parameters`] says.
    ///
    /// # Errors
    /// If there is no such network (see [`StyleNetShape`]), or it has another number of parameters.
    pub fn new(shape: StyleNetShape, parameters: &[f32]) -> Result<Self, StyleNetError> {
        naive::check(shape, parameters)?;
        Ok(Self { shape, parameters: parameters.to_vec() })
    }

    /// Bytes that painting a picture of this size takes, about: the input of a layer, what its convolution puts out, what
    /// the layer puts out, and the input of a residual block, each as large as a feature at full resolution.
    ///
    /// # Errors
    /// If a side is shorter than [`LEAST_SIDE`](crate::LEAST_SIDE), or a feature is larger than the address space.
    pub fn bytes(&self, height: usize, width: usize) -> Result<usize, StyleNetError> {
        naive::check_size(self.shape, height, width)?;
        Ok(height.saturating_mul(width).saturating_mul(4 * self.shape.width * size_of::<f64>()))
    }

    /// Paints a planar picture, `3 × height × width`, RGB 0–255, into `out`.
    ///
    /// # Errors
    /// If a side is shorter than [`LEAST_SIDE`](crate::LEAST_SIDE).
    ///
    /// # Panics
    /// If a slice has the wrong length, or there is no such style.
    pub fn run(
        &self,
        picture: &[f32],
        height: usize,
        width: usize,
        normalisation: Normalisation<'_>,
        out: &mut [f32],
    ) -> Result<(), StyleNetError> {
        naive::check_size(self.shape, height, width)?;
        normalisation.check(self.shape);
        out.copy_from_slice(&naive::run(self.shape, &self.parameters, picture, [height, width], normalisation));
        Ok(())
    }
}

/// The image transformation network in training: forward and backward of one picture at a time.
pub struct ReferenceStyleNetTrainer {
    shape: StyleNetShape,
    size: [usize; 2],
    parameters: Vec<f64>,
    shares: naive::StyleShares,
    normalisation: Vec<f64>,
    normalisation_gradient: Vec<f32>,
    trace: Vec<naive::LayerTrace>,
    sums: Vec<f64>,
}

impl ReferenceStyleNetTrainer {
    /// A trainer for pictures of this size, whose sides are multiples of 4.
    ///
    /// # Errors
    /// If there is no such network (see [`StyleNetShape`]), or the size does not fit.
    pub fn new(shape: StyleNetShape, height: usize, width: usize) -> Result<Self, StyleNetError> {
        naive::check_shape(shape)?;
        naive::check_size(shape, height, width)?;
        if !height.is_multiple_of(4) || !width.is_multiple_of(4) {
            return Err(StyleNetError::NotFours { width, height });
        }
        let sums = vec![0.0; shape.parameter_count()];
        Ok(Self {
            shape,
            size: [height, width],
            parameters: Vec::new(),
            shares: naive::StyleShares::default(),
            normalisation: Vec::new(),
            normalisation_gradient: Vec::new(),
            trace: Vec::new(),
            sums,
        })
    }

    /// The parameters of the next pass.
    ///
    /// # Errors
    /// If there are not as many as the shape needs.
    pub fn set_parameters(&mut self, parameters: &[f32]) -> Result<(), StyleNetError> {
        naive::check(self.shape, parameters)?;
        self.parameters = parameters.iter().map(|value| f64::from(*value)).collect();
        Ok(())
    }

    /// Paints a planar picture, RGB 0–255, into `out`, and keeps what [`backward`](Self::backward) needs.
    ///
    /// # Panics
    /// If there are no parameters yet, no such style, or a slice has the wrong length.
    pub fn forward(&mut self, picture: &[f32], normalisation: Normalisation<'_>, out: &mut [f32]) {
        let [height, width] = self.size;
        normalisation.check(self.shape);
        assert!(!self.parameters.is_empty(), "parameters are set before the first pass");
        assert_eq!(picture.len(), 3 * height * width, "a picture has three planes");
        let (shape, parameters) = (self.shape, &self.parameters);
        (self.normalisation, self.trace) = (normalisation.values(shape, parameters), Vec::new());
        self.shares = normalisation.shares();
        let painted = naive::forward(shape, parameters, &self.normalisation, picture, self.size, &mut self.trace);
        out.iter_mut().zip(painted).for_each(|(out, value)| *out = value as f32);
    }

    /// From the gradient of a loss with respect to the last `out` to that of the parameters, which is added to what the
    /// passes before it left, and that of the normalisation's values, which is kept until the next pass.
    ///
    /// # Panics
    /// If there was no forward pass.
    pub fn backward(&mut self, gradient: &[f32]) {
        let gradient: Vec<f64> = gradient.iter().map(|value| f64::from(*value)).collect();
        let [height, width] = self.size;
        let last = self.trace.last().expect("a picture was painted");
        let flow = last.output.uncut(&gradient, height, width);
        let (shape, sums) = (self.shape, &mut self.sums);
        let found = naive::backward(shape, &self.parameters, &self.normalisation, &self.trace, flow, sums);
        self.shares.add_gradient(shape, &found, sums);
        self.normalisation_gradient = found.into_iter().map(|value| value as f32).collect();
    }

    /// The gradient of the last pass with respect to the [`Normalisation`]'s values, as they lie when they are given; empty
    /// before the first [`backward`](Self::backward).
    pub fn normalisation_gradient(&self) -> &[f32] {
        &self.normalisation_gradient
    }

    /// Writes `factor` times the sum of all gradients since the last call, and begins a new sum.
    pub fn take_gradient(&mut self, factor: f32, gradient: &mut [f32]) {
        for (gradient, sum) in gradient.iter_mut().zip(&mut self.sums) {
            *gradient = (f64::from(factor) * *sum) as f32;
            *sum = 0.0;
        }
    }
}

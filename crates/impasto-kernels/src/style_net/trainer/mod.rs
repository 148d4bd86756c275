//! A network in training: forward and backward of one picture at a time.

mod backward;
mod forward;
mod state;

use super::normalisation::{Normalisation, StyleShares};
use super::picture::PLANES;
use super::shape::{LayerRole, StyleNetShape};
use super::weight_gradient;
use super::weights::{BackwardWeights, Weights};
use super::{StyleNetError, check, check_shape, check_size, embed};
use crate::{Isa, Threads};
use state::{Backward, Forward};

pub use state::StyleNetTrainer;

impl StyleNetTrainer {
    /// A trainer for pictures of this size, whose sides are multiples of 4 and at least [`LEAST_SIDE`](crate::style_net::LEAST_SIDE).
    ///
    /// # Errors
    /// If there is no such network (see [`StyleNetShape`]), or the size does not fit.
    pub fn new(
        isa: Isa,
        threads: Threads,
        shape: StyleNetShape,
        height: usize,
        width: usize,
    ) -> Result<Self, StyleNetError> {
        check_shape(shape)?;
        check_size(shape, height, width)?;
        let (own, shape) = (shape, embed::shape(shape));
        if !height.is_multiple_of(4) || !width.is_multiple_of(4) {
            return Err(StyleNetError::NotFours { width, height });
        }
        let layers = shape.layers();
        let workers = threads.count();
        let forward = Forward::new(shape, &layers, height, width, workers);
        let backward = Backward::new(shape, &layers, height, width, workers);
        Ok(Self {
            isa,
            threads,
            own,
            shape,
            layers,
            height,
            width,
            shares: StyleShares::default(),
            norm_places: shape.norm_places(),
            normalisation: Vec::new(),
            parameters: Vec::new(),
            packed: None,
            forward,
            backward,
        })
    }

    /// Packs new parameters; to be called before the first pass and after each step.
    ///
    /// # Errors
    /// If there are not as many as the shape needs.
    pub fn set_parameters(&mut self, parameters: &[f32]) -> Result<(), StyleNetError> {
        check(self.own, parameters)?;
        self.parameters = embed::parameters(self.own, parameters).into_owned();
        let parameters = &self.parameters[..];
        match &mut self.packed {
            Some((weights, backward)) => {
                weights.set(self.isa, &self.threads, &self.layers, parameters);
                backward.set(self.isa, &self.threads, &self.layers, parameters);
            }
            None => {
                let weights = Weights::new(self.isa, &self.threads, self.shape, parameters);
                let backward = BackwardWeights::new(self.isa, &self.threads, self.shape, parameters);
                self.packed = Some((weights, backward));
            }
        }
        Ok(())
    }

    /// Paints a planar picture, RGB 0–255, into `out`, and keeps what [`backward`](Self::backward) needs.
    ///
    /// # Panics
    /// If there are no parameters yet, no such style, or a slice has the wrong length.
    pub fn forward(&mut self, picture: &[f32], normalisation: Normalisation<'_>, out: &mut [f32]) {
        normalisation.check(self.shape);
        assert!(self.packed.is_some(), "parameters are set before the first pass");
        assert_eq!(picture.len(), PLANES * self.height * self.width, "a picture has three planes");
        assert_eq!(out.len(), picture.len(), "the result is as large as the picture");
        self.shares = normalisation.shares();
        self.normalisation = normalisation.values(self.shape, &self.parameters);
        self.forward.canvas.fill(picture, self.height, self.width, 1.0 / 255.0);
        self.run_down();
        for block in 0..self.shape.residual_blocks {
            self.run_block(block);
        }
        self.run_up(out);
    }

    /// From the gradient of a loss with respect to the last `out` to that of the parameters, which is added to what
    /// the passes before it left, and that of the normalisation's values, which is kept until the next pass.
    ///
    /// # Panics
    /// If `gradient` has not the length of a picture, or there was no forward pass.
    pub fn backward(&mut self, gradient: &[f32]) {
        assert_eq!(gradient.len(), PLANES * self.height * self.width, "a picture has three planes");
        self.backward_up(gradient);
        for block in (0..self.shape.residual_blocks).rev() {
            self.backward_block(block);
        }
        self.backward_down();
        let Backward { normalisation, rest, .. } = &mut self.backward;
        self.shares.add_gradient(self.shape, normalisation, rest);
    }

    /// The gradient of the last pass with respect to the [`Normalisation`]'s values, as they lie when they are given; zeros
    /// before the first [`backward`](Self::backward).
    pub fn normalisation_gradient(&self) -> &[f32] {
        &self.backward.normalisation
    }

    /// Writes the gradient of all parameters that the passes since the last call added up, times `factor`, and begins
    /// anew.
    ///
    /// # Panics
    /// If `gradient` has not as many values as there are parameters.
    pub fn take_gradient(&mut self, factor: f32, gradient: &mut [f32]) {
        assert_eq!(gradient.len(), self.own.parameter_count(), "one value for each parameter");
        if self.own == self.shape {
            return self.take_all(factor, gradient);
        }
        let mut all = vec![0.0; self.shape.parameter_count()];
        self.take_all(factor, &mut all);
        embed::extract(self.own, &all, gradient);
    }

    /// The same for the shape that the kernels run.
    fn take_all(&mut self, factor: f32, gradient: &mut [f32]) {
        for (value, &rest) in gradient.iter_mut().zip(&self.backward.rest) {
            *value = rest * factor;
        }
        for (layer, sums) in self.layers.iter().zip(&mut self.backward.weights) {
            let target = &mut gradient[layer.weight()];
            let (i, o, kernel) = (layer.in_channels, layer.out_channels, layer.kernel * layer.kernel);
            let found = sums.gather(&self.threads);
            if layer.role == LayerRole::Output {
                for (at, value) in target.iter_mut().enumerate() {
                    let (plane, channel, tap) = (at / kernel / i, at / kernel % i, at % kernel);
                    let place = (channel / 16 * kernel + tap) * PLANES + plane;
                    *value = found[place * 16 + channel % 16] * factor;
                }
            } else if matches!(layer.role, LayerRole::Input | LayerRole::Down) {
                // `[tap][in][out]` for the strided ones, `[in][tap][out]` for the first one.
                for (at, value) in target.iter_mut().enumerate() {
                    let (channel, input, tap) = (at / kernel / i, at / kernel % i, at % kernel);
                    let row = if layer.role == LayerRole::Input { input * kernel + tap } else { tap * i + input };
                    *value = found[row * o + channel] * factor;
                }
            } else {
                weight_gradient::winograd_weight(self.isa, &self.threads, found, i, o, factor, target);
            }
            sums.clear(&self.threads);
        }
        self.backward.rest.fill(0.0);
    }
}

//! The trunk on the CPU kernels: what runs unless a GPU is asked for.

use std::sync::Arc;

use impasto_kernels::{Engine, Isa, PackedTrunk, Threads};

use super::{Border, Features, Moments, Pooling, Shape, TapGradient, Trunk, TrunkError};
use crate::backend::Cpu;
use crate::vgg::Vgg;

/// A [`Trunk`] on the kernels of `impasto-kernels`.
///
/// Results are the same bits for the same picture, instruction set and number of threads. Several trunks may share one set
/// of packed weights, see [`with_weights`](Self::with_weights).
#[derive(Debug)]
pub struct CpuTrunk {
    engine: Engine,
    weights: Arc<PackedTrunk>,
}

/// How a [`CpuTrunk`] keeps its weights. Results are the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// All packed, in both directions.
    #[default]
    Kept,
    /// Large ones packed whenever they are used: less memory, for large pictures; see [`PackedTrunk::sparing`].
    Sparing,
}

impl CpuTrunk {
    /// The network up to its deepest tap, on `threads` threads of its own (0 counts as 1) and the fastest instruction
    /// set there is unless one is named. The taps come in any order.
    ///
    /// # Errors
    /// If there are no taps, one is beyond the network, or the network is not one that the kernels can run.
    pub fn new(
        vgg: &Vgg,
        pooling: Pooling,
        taps: &[usize],
        threads: usize,
        isa: Option<Isa>,
        packing: Packing,
    ) -> Result<Self, TrunkError> {
        Self::on(vgg, pooling, taps, &Cpu::with(isa.unwrap_or_else(Isa::best), Threads::new(threads)), packing)
    }

    /// The same on this processor.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn on(vgg: &Vgg, pooling: Pooling, taps: &[usize], cpu: &Cpu, packing: Packing) -> Result<Self, TrunkError> {
        let deepest = vgg.deepest(taps)?;
        let pack = match packing {
            Packing::Kept => PackedTrunk::new,
            Packing::Sparing => PackedTrunk::sparing,
        };
        let weights = Arc::new(pack(cpu.isa(), cpu.threads(), &vgg.trunk_layers(deepest))?);
        Self::with_weights(weights, vgg, pooling, taps, cpu.threads().clone())
    }

    /// A trunk on the [`weights`](Self::weights) of another one of the same network.
    ///
    /// # Errors
    /// If there are no taps, or one is beyond the weights.
    pub fn with_weights(
        weights: Arc<PackedTrunk>,
        vgg: &Vgg,
        pooling: Pooling,
        taps: &[usize],
        threads: Threads,
    ) -> Result<Self, TrunkError> {
        let preprocessing = vgg.preprocessing;
        let engine = Engine::new(weights.clone(), threads, pooling, preprocessing.mean, preprocessing.scale, taps)?;
        Ok(Self { engine, weights })
    }

    /// The instruction set it runs on.
    pub fn isa(&self) -> Isa {
        self.weights.isa()
    }

    /// Its weights, which other trunks of the same network may share.
    pub fn weights(&self) -> &Arc<PackedTrunk> {
        &self.weights
    }

    /// The threads it works with, for whoever works between its passes.
    pub fn threads(&self) -> &Threads {
        self.engine.threads()
    }

    /// Bytes of its buffers at the present picture size, without the packed weights that trunks share.
    pub fn bytes(&self) -> usize {
        self.engine.bytes()
    }

    /// Runs the shallow part of the network in bands of about this many rows of the picture, whole if `None`: see
    /// [`Engine::set_bands`]. What was kept of the last picture is gone.
    pub fn set_bands(&mut self, rows: Option<usize>) {
        self.engine.set_bands(rows);
    }

    /// What [`bytes`](Self::bytes) will be for pictures of this size in such bands.
    ///
    /// # Panics
    /// If the picture is empty.
    pub fn planned_bytes(&self, height: usize, width: usize, bands: Option<usize>) -> usize {
        self.engine.planned_bytes(height, width, bands)
    }

    /// What the first convolution sees around the picture; zeros unless this is called. What was kept of the last
    /// picture is gone.
    pub fn set_border(&mut self, border: Border) {
        self.engine.set_border(border);
    }

    /// A factor on what every pooling puts out; 1 unless this is called. What was kept of the last picture is gone.
    pub fn set_pooling_scale(&mut self, scale: f32) {
        self.engine.set_pooling_scale(scale);
    }
}

impl Trunk for CpuTrunk {
    fn taps(&self) -> &[usize] {
        self.engine.taps()
    }

    fn tap_shape(&self, tap: usize, height: usize, width: usize) -> Shape {
        self.engine.tap_shape(tap, height, width)
    }

    fn forward(&mut self, picture: &[f32], height: usize, width: usize, keep: bool) {
        self.engine.forward(picture, height, width, keep);
    }

    fn features(&mut self, tap: usize) -> Vec<f32> {
        self.engine.features(tap)
    }

    fn capture(&mut self, tap: usize) -> Features {
        self.engine.capture(tap)
    }

    fn upload(&self, shape: Shape, planar: &[f32]) -> Features {
        Features::from_planar(shape, planar)
    }

    fn moments(&mut self, tap: usize, weights: Option<&[f32]>) -> Moments {
        self.engine.moments(tap, weights)
    }

    fn squared_distance(&mut self, tap: usize, target: &Features, weights: Option<&[f32]>) -> f64 {
        self.engine.squared_distance(tap, target, weights)
    }

    fn backward(&mut self, gradients: &[TapGradient<'_>], gradient: &mut [f32]) {
        self.engine.backward(gradients, gradient);
    }

    fn forward_with_moments(
        &mut self,
        picture: &[f32],
        height: usize,
        width: usize,
        keep: bool,
        wanted: &[(usize, Option<&[f32]>)],
    ) -> Vec<Moments> {
        self.engine.forward_with_moments(picture, height, width, keep, wanted)
    }

    fn set_bands(&mut self, rows: Option<usize>) {
        self.engine.set_bands(rows);
    }

    fn planned_bytes(&self, height: usize, width: usize, bands: Option<usize>) -> usize {
        self.engine.planned_bytes(height, width, bands)
    }

    fn forget(&mut self) {
        self.engine.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trunks_share_weights_that_the_caller_holds() {
        let vgg = Vgg::builtin();
        let first = CpuTrunk::new(&vgg, Pooling::Max, &[2], 1, None, Packing::Kept).unwrap();
        let (weights, held) = (first.weights().clone(), Arc::downgrade(first.weights()));
        let threads = Threads::new(1);
        let second = CpuTrunk::with_weights(weights, &vgg, Pooling::Average, &[1], threads).unwrap();
        assert!(Arc::ptr_eq(first.weights(), second.weights()));
        drop((first, second));
        assert!(held.upgrade().is_none());
    }

    #[test]
    fn taps_are_checked() {
        let vgg = Vgg::builtin();
        let make = |taps: &[usize]| CpuTrunk::new(&vgg, Pooling::Max, taps, 1, None, Packing::Kept).map(|_| ());
        assert_eq!(make(&[]), Err(TrunkError::NoTaps));
        assert_eq!(make(&[0, 16]), Err(TrunkError::NoSuchTap { tap: 16, convolutions: 16 }));
        assert_eq!(make(&[0]), Ok(()));
    }
}

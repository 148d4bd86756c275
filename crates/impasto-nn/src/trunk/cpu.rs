//! The trunk on the CPU kernels: what runs unless a GPU is asked for.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use impasto_kernels::{Convolution, Engine, Isa, PackedTrunk, Threads};

use super::{Border, Features, Moments, Pooling, Shape, TapGradient, Trunk, TrunkError};
use crate::vgg::Vgg;

/// A [`Trunk`] on the kernels of `impasto-kernels`.
///
/// The packed weights of a network exist once per process and instruction set, however many trunks there are, and go
/// when the last of these does. Results are the same bits for the same picture, instruction set and number of threads.
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
        let convolutions = vgg.convolutions.len();
        let deepest = *taps.iter().max().ok_or(TrunkError::NoTaps)?;
        if deepest >= convolutions {
            return Err(TrunkError::NoSuchTap { tap: deepest, convolutions });
        }
        let (isa, threads) = (isa.unwrap_or_else(Isa::best), Threads::new(threads));
        let weights = shared(vgg, deepest, isa, &threads, packing)?;
        let preprocessing = vgg.preprocessing;
        let engine = Engine::new(weights.clone(), threads, pooling, preprocessing.mean, preprocessing.scale, taps)?;
        Ok(Self { engine, weights })
    }

    /// The instruction set it runs on.
    pub fn isa(&self) -> Isa {
        self.weights.isa()
    }

    /// Its weights, which other trunks of the same network share.
    pub fn weights(&self) -> &PackedTrunk {
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

    /// Runs the shallow part of the network in bands of about so many rows of the picture, whole if `None`: see
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

/// Packed weights that some trunk holds, and the fingerprints of the convolutions in them.
struct Shared {
    isa: Isa,
    packing: Packing,
    convolutions: Vec<u64>,
    packed: Weak<PackedTrunk>,
}

static SHARED: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

/// The network up to convolution `deepest`, or further if another trunk holds it so; packed now if none does.
fn shared(
    vgg: &Vgg,
    deepest: usize,
    isa: Isa,
    threads: &Threads,
    packing: Packing,
) -> Result<Arc<PackedTrunk>, TrunkError> {
    let convolutions = vgg.convolutions[..=deepest].iter().map(fingerprint).collect::<Vec<_>>();
    // Held while packing, so that two jobs that start together pack once.
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.retain(|s| s.packed.strong_count() > 0);
    let fits = |s: &&Shared| (s.isa, s.packing) == (isa, packing) && s.convolutions.starts_with(&convolutions);
    if let Some(packed) = shared.iter().filter(fits).find_map(|s| s.packed.upgrade()) {
        return Ok(packed);
    }
    let make = match packing {
        Packing::Kept => PackedTrunk::new,
        Packing::Sparing => PackedTrunk::sparing,
    };
    let packed = Arc::new(make(isa, threads, &vgg.trunk_layers(deepest))?);
    shared.push(Shared { isa, packing, convolutions, packed: Arc::downgrade(&packed) });
    Ok(packed)
}

/// 64 bits that differ between any two convolutions that meet in practice (FNV-1a's scheme over 64-bit words, with a
/// rotation so that high bits count as well).
fn fingerprint(convolution: &Convolution) -> u64 {
    let shape = [convolution.in_channels as u64, convolution.out_channels as u64];
    let pairs = convolution.weight.chunks(2).chain(convolution.bias.chunks(2));
    let words = pairs.map(|pair| pair.iter().fold(0, |word, v| word << 32 | u64::from(v.to_bits())));
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    shape.into_iter().chain(words).fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_weights_are_shared_while_a_trunk_lives() {
        let mut vgg = Vgg::builtin();
        vgg.convolutions[0].bias[0] = 0.125; // a network that no other test holds
        let threads = Threads::new(1);
        let deep = shared(&vgg, 2, Isa::best(), &threads, Packing::Kept).unwrap();
        assert!(Arc::ptr_eq(&deep, &shared(&vgg, 2, Isa::best(), &threads, Packing::Kept).unwrap()));
        assert!(
            Arc::ptr_eq(&deep, &shared(&vgg, 1, Isa::best(), &threads, Packing::Kept).unwrap()),
            "a deeper one does as well"
        );
        let deeper = shared(&vgg, 3, Isa::best(), &threads, Packing::Kept).unwrap();
        assert!(!Arc::ptr_eq(&deep, &deeper));
        let mut other = vgg.clone();
        other.convolutions[1].weight[77] += 1e-6;
        assert!(
            !Arc::ptr_eq(&deep, &shared(&other, 2, Isa::best(), &threads, Packing::Kept).unwrap()),
            "another network"
        );
        assert!(
            !Arc::ptr_eq(&deep, &shared(&vgg, 2, Isa::best(), &threads, Packing::Sparing).unwrap()),
            "packed otherwise"
        );
        let gone = Arc::downgrade(&deep);
        drop(deep);
        assert!(gone.upgrade().is_none());
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

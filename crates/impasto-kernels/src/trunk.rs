//! A frozen network, checked and packed once.

use crate::direct::Direct;
use crate::memory::Buffer;
use crate::simd::LANES;
use crate::winograd::{Direction, Packed, pack};
use crate::{Convolution, Isa, Threads, TrunkError, TrunkLayer};

/// A [sparing](PackedTrunk::sparing) trunk packs weights of at most this many floats when it is made: VGG's layers before
/// the second pooling, which run often where pictures go in bands, and which take 8 MB together.
const SMALL: usize = 1 << 20;

/// The frozen network packed for an instruction set: made once, shared by every job. Give it no layers behind the
/// deepest one that is read.
///
/// Packed weights are 36 floats for each 3×3 kernel and direction: eight times the memory of the weights as they are
/// (VGG19 up to conv5_1: 414 MB).
pub struct PackedTrunk {
    isa: Isa,
    pub(crate) convolutions: Vec<PackedConvolution>,
}

/// One convolution, in both directions.
pub(crate) struct PackedConvolution {
    pub(crate) out_channels: usize,
    /// Whether a pooling follows.
    pub(crate) pool: bool,
    pub(crate) bias: Buffer<f32>,
    pub(crate) weights: Weights,
}

/// Packed weights.
pub(crate) enum Weights {
    /// The first layer's.
    Direct(Direct),
    /// All others', packed in both directions.
    Winograd {
        /// For the forward pass.
        forward: Packed,
        /// For the backward pass.
        backward: Packed,
    },
    /// Others' as they are, packed whenever they are used.
    Plain(Convolution),
}

impl PackedTrunk {
    /// Checks a network and packs both directions of all of it with all threads. The first convolution reads a picture:
    /// red, green, blue.
    pub fn new(isa: Isa, threads: &Threads, layers: &[TrunkLayer]) -> Result<Self, TrunkError> {
        Self::packed_up_to(usize::MAX, isa, threads, layers)
    }

    /// The same in less memory (VGG19 up to conv5_1: 60 MB, and 38 MB in every engine): large weights stay as they are,
    /// and each pass packs them once more. That takes as long for every picture, so it is for large ones. Results are
    /// the same bits.
    pub fn sparing(isa: Isa, threads: &Threads, layers: &[TrunkLayer]) -> Result<Self, TrunkError> {
        Self::packed_up_to(SMALL, isa, threads, layers)
    }

    fn packed_up_to(most: usize, isa: Isa, threads: &Threads, layers: &[TrunkLayer]) -> Result<Self, TrunkError> {
        check(layers)?;
        let mut convolutions: Vec<PackedConvolution> = Vec::new();
        for layer in layers {
            match layer {
                TrunkLayer::Pool => convolutions.iter_mut().last().into_iter().for_each(|last| last.pool = true),
                TrunkLayer::Convolution(convolution) => {
                    let first = convolutions.is_empty();
                    convolutions.push(PackedConvolution::new(isa, threads, convolution, first, most));
                }
            }
        }
        Ok(Self { isa, convolutions })
    }

    /// The instruction set it is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How many convolutions it has.
    pub fn convolutions(&self) -> usize {
        self.convolutions.len()
    }

    /// Bytes of the room that every engine has for weights that are packed when they are used.
    pub fn room(&self) -> usize {
        size_of::<f32>() * self.convolutions.iter().map(PackedConvolution::room).max().unwrap_or(0)
    }

    /// Bytes of all weights.
    pub fn bytes(&self) -> usize {
        let bytes = |convolution: &PackedConvolution| match &convolution.weights {
            Weights::Direct(direct) => direct.bytes(),
            Weights::Winograd { forward, backward } => forward.bytes() + backward.bytes(),
            Weights::Plain(plain) => size_of_val(&*plain.weight),
        };
        self.convolutions.iter().map(bytes).sum()
    }
}

impl std::fmt::Debug for PackedTrunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackedTrunk({}, {} convolutions)", self.isa.name(), self.convolutions())
    }
}

impl PackedConvolution {
    /// The first one of all, or another that is packed if it has at most this many floats then.
    fn new(isa: Isa, threads: &Threads, convolution: &Convolution, first: bool, most: usize) -> Self {
        let mut bias = Buffer::new(convolution.out_channels);
        bias.copy_from_slice(&convolution.bias);
        let weights = if first {
            Weights::Direct(Direct::new(isa, convolution))
        } else if pack::floats(convolution) > most {
            Weights::Plain(convolution.clone())
        } else {
            let pack = |direction| Packed::new(isa, threads, convolution, direction);
            Weights::Winograd { forward: pack(Direction::Forward), backward: pack(Direction::Backward) }
        };
        Self { out_channels: convolution.out_channels, pool: false, bias, weights }
    }

    /// Floats of its weights in one direction where they are packed whenever they are used; none where they are kept so.
    pub(crate) fn room(&self) -> usize {
        match &self.weights {
            Weights::Plain(plain) => pack::floats(plain),
            Weights::Direct(_) | Weights::Winograd { .. } => 0,
        }
    }
}

/// The taps in ascending order, each once.
///
/// # Errors
/// If there are none, or one is beyond the network's number of convolutions.
pub fn sorted_taps(taps: &[usize], convolutions: usize) -> Result<Vec<usize>, TrunkError> {
    let mut taps = taps.to_vec();
    taps.sort_unstable();
    taps.dedup();
    match taps.last() {
        None => Err(TrunkError::NoTaps),
        Some(&tap) if tap >= convolutions => Err(TrunkError::NoSuchTap { tap, convolutions }),
        Some(_) => Ok(taps),
    }
}

/// Checks that the layers make a trunk.
pub(crate) fn check(layers: &[TrunkLayer]) -> Result<(), TrunkError> {
    let mut before: Option<usize> = None;
    let mut index = 0;
    let mut after_convolution = false;
    for (layer, what) in layers.iter().enumerate() {
        match what {
            TrunkLayer::Pool if !after_convolution => return Err(TrunkError::MisplacedPool { layer }),
            TrunkLayer::Pool => after_convolution = false,
            TrunkLayer::Convolution(convolution) => {
                check_convolution(index, convolution, before)?;
                before = Some(convolution.out_channels);
                index += 1;
                after_convolution = true;
            }
        }
    }
    if index == 0 { Err(TrunkError::Empty) } else { Ok(()) }
}

fn check_convolution(index: usize, convolution: &Convolution, before: Option<usize>) -> Result<(), TrunkError> {
    let (found, channels) = (convolution.in_channels, convolution.out_channels);
    match before {
        None if found != 3 => return Err(TrunkError::NotAPicture { channels: found }),
        Some(expected) if found != expected => {
            return Err(TrunkError::Mismatch { convolution: index, expected, found });
        }
        _ => {}
    }
    if channels == 0 || !channels.is_multiple_of(LANES) {
        return Err(TrunkError::Channels { convolution: index, channels });
    }
    let weights = channels.saturating_mul(found).saturating_mul(9);
    let lengths = [("weight", weights, convolution.weight.len()), ("bias", channels, convolution.bias.len())];
    for (what, expected, found) in lengths {
        if expected != found {
            return Err(TrunkError::Length { convolution: index, what, expected, found });
        }
    }
    Ok(())
}

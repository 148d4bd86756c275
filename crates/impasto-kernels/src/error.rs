//! What can be wrong with a trunk.

/// Why a trunk cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrunkError {
    /// There is no convolution at all.
    #[error("the network has no layers, give it at least one convolution")]
    Empty,
    /// A pooling without a convolution in front of it.
    #[error("layer {layer} is a pooling, but only a convolution may stand before a pooling")]
    MisplacedPool {
        /// The layer, counted from 0.
        layer: usize,
    },
    /// The first convolution does not read a picture.
    #[error("convolution 0 reads {channels} channels, but a picture has 3")]
    NotAPicture {
        /// Its input channels.
        channels: usize,
    },
    /// Channels that do not fill whole blocks of sixteen.
    #[error("convolution {convolution} has {channels} output channels, but only multiples of 16 are supported")]
    Channels {
        /// The convolution, counted from 0.
        convolution: usize,
        /// Its output channels.
        channels: usize,
    },
    /// Two convolutions that do not fit.
    #[error("convolution {convolution} reads {found} channels, but the one before it makes {expected}")]
    Mismatch {
        /// The convolution, counted from 0.
        convolution: usize,
        /// The output channels of the one before.
        expected: usize,
        /// Its input channels.
        found: usize,
    },
    /// A weight or bias of the wrong length.
    #[error("convolution {convolution} has {found} {what} values, but its shape needs {expected}")]
    Length {
        /// The convolution, counted from 0.
        convolution: usize,
        /// `weight` or `bias`.
        what: &'static str,
        /// How many its shape needs.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A tap behind the last convolution.
    #[error("tap {tap} does not exist, the network has {convolutions} convolutions")]
    NoSuchTap {
        /// The tap.
        tap: usize,
        /// How many convolutions there are.
        convolutions: usize,
    },
    /// No tap at all.
    #[error("no taps are given, name at least one convolution to look at")]
    NoTaps,
}

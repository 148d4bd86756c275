//! What can be wrong with an image transformation network or a picture for it.

/// Why a network cannot be made, or does not take a picture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StyleNetError {
    /// A width that does not fill whole blocks of sixteen channels.
    #[error("the network's width is {0} channels, but only multiples of 16 are supported")]
    Width(usize),
    /// An order of layers that does not exist.
    #[error(
        "the network has {downsamplings} downsamplings and a first kernel of {edge_kernel}×{edge_kernel}, but only 0 to 2 \
         and 3×3 or 9×9 are supported"
    )]
    Topology {
        /// How often it halves the sides.
        downsamplings: usize,
        /// Side of the kernels of its first and last layer.
        edge_kernel: usize,
    },
    /// A network without styles.
    #[error("the network has no styles, give it at least one")]
    NoStyles,
    /// Not as many parameters as the shape has.
    #[error("the network has {found} parameters, but its shape needs {expected}")]
    Parameters {
        /// How many the shape needs.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A picture too small to pass through.
    #[error("the picture is {width}×{height}, but the network needs at least {least} pixels on each side")]
    TooSmall {
        /// Columns of the picture.
        width: usize,
        /// Rows of the picture.
        height: usize,
        /// What it needs.
        least: usize,
    },
    /// A picture whose features are larger than the address space.
    #[error("the picture is {width}×{height}, which is more than this machine can address: make it smaller")]
    TooLarge {
        /// Columns of the picture.
        width: usize,
        /// Rows of the picture.
        height: usize,
    },
    /// A shape whose parameters are larger than the address space.
    #[error("the network has more parameters than this machine can address: make it smaller")]
    TooManyParameters,
    /// A size that the trainer does not take.
    #[error("pictures to train on are {width}×{height}, but both sides must be multiples of 4")]
    NotFours {
        /// Columns of the pictures.
        width: usize,
        /// Rows of the pictures.
        height: usize,
    },
    /// Its threads were told to abandon the pass; see [`Threads::interrupt_when`](crate::Threads::interrupt_when).
    #[error("the pass through the network was interrupted")]
    Interrupted,
    /// Not even a strip fits into the memory allowed.
    #[error("this picture needs at least {needed} bytes of memory even in strips, but only {budget} are allowed")]
    Budget {
        /// The least that would do.
        needed: usize,
        /// What is allowed.
        budget: usize,
    },
}

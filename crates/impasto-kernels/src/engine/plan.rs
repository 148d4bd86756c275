//! Where everything of one picture size lies, decided once.

use crate::direct::{Backward, Padded};
use crate::layout::Layout;
use crate::memory::Buffer;
use crate::pool::pooled_shape;
use crate::trunk::{PackedTrunk, Weights};
use crate::{Pooling, Shape, moments, taps, winograd};

/// The two buffers that features and gradients pass through.
pub(super) const ARENAS: usize = 2;

/// One convolution of a plan.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    /// The feature behind the ReLU.
    pub(super) layout: Layout,
    /// The plane it is written to, if it is written at all.
    pub(super) feature: Option<usize>,
    /// The pooled feature and its plane, if a pooling follows and more layers behind it.
    pub(super) pooled: Option<(Layout, usize)>,
}

impl Layer {
    /// What the next layer reads, and its plane.
    pub(super) fn output(&self) -> (Layout, usize) {
        match (self.pooled, self.feature) {
            (Some(pooled), _) => pooled,
            (None, Some(feature)) => (self.layout, feature),
            (None, None) => unreachable!("a layer without a pooling writes its feature"),
        }
    }
}

/// All buffers for one picture size.
pub(super) struct Plan {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) layers: Vec<Layer>,
    /// Two arenas, then what is kept.
    pub(super) planes: Vec<Buffer<f32>>,
    /// The padded picture.
    pub(super) picture: Buffer<f32>,
    /// ReLU signs of each convolution.
    pub(super) signs: Vec<Buffer<u16>>,
    /// Places of the largest values of each pooling.
    pub(super) places: Vec<Option<Buffer<u32>>>,
    /// Scratch of all workers.
    pub(super) scratch: Buffer<f32>,
    /// Where all workers add up moments.
    pub(super) sums: Buffer<f64>,
}

/// The shapes of the convolutions' features for a picture of this size.
pub(super) fn shapes(trunk: &PackedTrunk, height: usize, width: usize) -> Vec<Shape> {
    let mut at = Shape { channels: 3, height, width };
    let mut shapes = Vec::new();
    for convolution in &trunk.convolutions {
        let shape = Shape { channels: convolution.out_channels, ..at };
        shapes.push(shape);
        at = if convolution.pool { pooled_shape(shape) } else { shape };
    }
    shapes
}

impl Plan {
    /// Plans a size for the convolutions up to the deepest tap.
    pub(super) fn new(
        trunk: &PackedTrunk,
        workers: usize,
        pooling: Pooling,
        taps: &[usize],
        height: usize,
        width: usize,
    ) -> Self {
        let depth = taps.iter().max().map_or(0, |deepest| deepest + 1);
        let mut sizes = vec![0; ARENAS];
        let mut layers: Vec<Layer> = Vec::new();
        for (index, shape) in shapes(trunk, height, width).into_iter().take(depth).enumerate() {
            let layout = Layout::new(shape);
            let pool = trunk.convolutions[index].pool && index + 1 < depth;
            let input = layers.last().map_or(usize::MAX, |last| last.output().1);
            let mut free = usize::from(input == 0);
            let keep = taps.contains(&index) || (pool && pooling == Pooling::L2);
            let feature = if keep {
                sizes.push(layout.len());
                Some(sizes.len() - 1)
            } else if !pool || index == 0 {
                free = 1 - free;
                Some(1 - free)
            } else {
                None
            };
            let pooled = pool.then(|| (Layout::new(pooled_shape(shape)), free));
            for size in &mut sizes[..ARENAS] {
                *size = (*size).max(layout.len());
            }
            layers.push(Layer { layout, feature, pooled });
        }
        let channels = taps.iter().map(|&tap| layers[tap].layout.shape.channels).max().unwrap_or(0);
        let sums = Buffer::new(workers * moments::scratch_len(channels));
        Self { sums, ..Self::allocate(trunk, workers, pooling, (height, width), layers, &sizes) }
    }

    fn allocate(
        trunk: &PackedTrunk,
        workers: usize,
        pooling: Pooling,
        (height, width): (usize, usize),
        layers: Vec<Layer>,
        sizes: &[usize],
    ) -> Self {
        let places = |layer: &Layer| {
            let (layout, _) = layer.pooled.filter(|_| pooling == Pooling::Max)?;
            Some(Buffer::new(layout.signs()))
        };
        Self {
            height,
            width,
            planes: sizes.iter().map(|&len| Buffer::new(len)).collect(),
            picture: Buffer::new(Padded::len(height, width)),
            signs: layers.iter().map(|layer| Buffer::new(layer.layout.signs())).collect(),
            places: layers.iter().map(places).collect(),
            scratch: Buffer::new(workers * scratch_len(trunk, layers.len(), width)),
            sums: Buffer::new(0),
            layers,
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let planes: usize = self.planes.iter().map(|plane| size_of_val(&**plane)).sum();
        let signs: usize = self.signs.iter().map(|signs| size_of_val(&**signs)).sum();
        let places: usize = self.places.iter().flatten().map(|places| size_of_val(&**places)).sum();
        planes + signs + places + size_of_val(&*self.picture) + size_of_val(&*self.scratch) + size_of_val(&*self.sums)
    }
}

/// The most scratch that any operation of a worker needs.
fn scratch_len(trunk: &PackedTrunk, depth: usize, width: usize) -> usize {
    let layers = trunk.convolutions[..depth].iter().map(|convolution| match &convolution.weights {
        Weights::Direct(_) => Backward::scratch_len(width),
        Weights::Winograd { forward, backward } => winograd::scratch_len(forward).max(winograd::scratch_len(backward)),
    });
    layers.max().unwrap_or(0).max(taps::scratch_len())
}

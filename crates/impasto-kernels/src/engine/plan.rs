//! Where everything of one picture size lies, decided once.

use crate::direct::Padded;
use crate::layout::Layout;
use crate::memory::Buffer;
use crate::pool::pooled_shape;
use crate::trunk::{PackedTrunk, Weights};
use crate::{Pooling, Shape, moments, taps, to_picture, winograd};

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
    /// The arena that its gradient goes through, if it is ever written out.
    pub(super) gradient: Option<usize>,
    /// The arena that the gradient of the pooled feature goes through.
    pub(super) pooled_gradient: Option<usize>,
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
    /// What all workers need to carry gradients to the picture.
    pub(super) to_picture: Buffer<f32>,
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
        let shapes = shapes(trunk, height, width).into_iter().take(depth);
        let layer = |(index, shape): (usize, Shape)| {
            let pool = trunk.convolutions[index].pool && index + 1 < depth;
            let pooled = pool.then(|| (Layout::new(pooled_shape(shape)), usize::MAX));
            Layer { layout: Layout::new(shape), feature: None, pooled, gradient: None, pooled_gradient: None }
        };
        let mut layers: Vec<Layer> = shapes.enumerate().map(layer).collect();
        let mut sizes = place_gradients(&mut layers, taps);
        place_features(&mut layers, taps, pooling, &mut sizes);
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
            scratch: Buffer::new(workers * scratch_len(trunk, layers.len())),
            to_picture: Buffer::new(workers * to_picture::scratch_len(layers[0].layout.shape.channels, width)),
            sums: Buffer::new(0),
            layers,
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let planes: usize = self.planes.iter().map(|plane| size_of_val(&**plane)).sum();
        let signs: usize = self.signs.iter().map(|signs| size_of_val(&**signs)).sum();
        let places: usize = self.places.iter().flatten().map(|places| size_of_val(&**places)).sum();
        let scratch = size_of_val(&*self.scratch) + size_of_val(&*self.sums) + size_of_val(&*self.to_picture);
        planes + signs + places + size_of_val(&*self.picture) + scratch
    }
}

/// Gives every gradient an arena, from the deepest layer to the picture, never the one of the gradient before it. The
/// sizes of the arenas.
fn place_gradients(layers: &mut [Layer], taps: &[usize]) -> Vec<usize> {
    let mut sizes = vec![0; ARENAS];
    let mut arena = 0;
    let mut place = |layout: Layout| {
        sizes[arena] = sizes[arena].max(layout.len());
        arena = 1 - arena;
        Some(1 - arena)
    };
    for (index, layer) in layers.iter_mut().enumerate().rev() {
        if let Some((pooled, _)) = layer.pooled {
            layer.pooled_gradient = place(pooled);
        }
        let written = match layer.pooled {
            // A pooled gradient is read as it is, but where something is to be added to it.
            Some(_) => index == 0 || taps.contains(&index),
            // The first feature's goes straight on to the picture.
            None => index > 0,
        };
        if written {
            layer.gradient = place(layer.layout);
        }
    }
    sizes
}

/// Gives every feature that is written a plane: its own if it is looked at, otherwise an arena that its input does not
/// lie in, rather a large one.
fn place_features(layers: &mut [Layer], taps: &[usize], pooling: Pooling, sizes: &mut Vec<usize>) {
    let mut input = usize::MAX;
    for (index, layer) in layers.iter_mut().enumerate() {
        let place = |layout: Layout, busy: usize, sizes: &mut Vec<usize>| {
            let free = (0..ARENAS).filter(|&arena| arena != busy);
            let Some(arena) = free.max_by_key(|&arena| sizes[arena]) else { unreachable!("there are two arenas") };
            sizes[arena] = sizes[arena].max(layout.len());
            arena
        };
        if taps.contains(&index) || (layer.pooled.is_some() && pooling == Pooling::L2) {
            sizes.push(layer.layout.len());
            layer.feature = Some(sizes.len() - 1);
        } else if layer.pooled.is_none() || index == 0 {
            layer.feature = Some(place(layer.layout, input, sizes));
        }
        if let Some((layout, plane)) = &mut layer.pooled {
            // The first layer is pooled from its feature, all others from their input.
            let busy = if index == 0 { layer.feature.unwrap_or(input) } else { input };
            *plane = place(*layout, busy, sizes);
        }
        input = layer.output().1;
    }
}

/// The most scratch that any operation of a worker needs.
fn scratch_len(trunk: &PackedTrunk, depth: usize) -> usize {
    let layers = trunk.convolutions[..depth].iter().map(|convolution| match &convolution.weights {
        Weights::Direct(_) => 0,
        Weights::Winograd { forward, backward } => winograd::scratch_len(forward).max(winograd::scratch_len(backward)),
    });
    layers.max().unwrap_or(0).max(taps::scratch_len())
}

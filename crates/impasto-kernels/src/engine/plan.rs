//! Where everything of one stretch of a network lies for one size of its input, decided once.
//!
//! A stretch is some consecutive convolutions. It reads the picture, or, behind a pooling, a plane that another stretch
//! has left; it ends at its deepest tap, or behind a pooling. A network that runs whole is one stretch; one that runs in
//! bands of rows is two, of which the first is planned for a band (`banded`).
//!
//! Going back takes the places of features that are no longer needed; whoever wants those again runs the stretch again
//! from what it reads, which stays.

use super::job::Job;
use super::planes::{Placement, Planes, Step, Tenant, Times};
use crate::direct::Padded;
use crate::layout::Layout;
use crate::memory::Buffer;
use crate::pool::pooled_shape;
use crate::trunk::{PackedConvolution, PackedTrunk, Weights};
use crate::winograd::{Direction, Packed};
use crate::{Isa, Pooling, Shape, moments, taps, to_picture, winograd};
use std::ops::Range;

/// Some consecutive convolutions of a network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scope {
    /// The convolutions.
    pub(super) convolutions: Range<usize>,
    /// The taps among them, ascending.
    pub(super) taps: Vec<usize>,
    /// Whether the pooling behind the last one belongs to them.
    pub(super) pooled: bool,
    /// Whether the very first feature is made once more where it is read, rather than kept: it is the largest, and
    /// the cheapest to make.
    pub(super) lean: bool,
}

/// One convolution of a plan.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    /// The feature behind the ReLU.
    pub(super) layout: Layout,
    /// How many poolings of the stretch come before it.
    pub(super) level: u32,
    /// The plane it is written to, if it is written at all.
    pub(super) feature: Option<usize>,
    /// Whether that is not kept though it is read, so that it is made once more whenever it is.
    pub(super) remade: bool,
    /// The pooled feature and its plane, if a pooling follows that belongs to the stretch.
    pub(super) pooled: Option<(Layout, usize)>,
    /// The plane of its gradient, if that is ever written out.
    pub(super) gradient: Option<usize>,
    /// The plane of the gradient of the pooled feature.
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

/// What a stretch reads if it does not read the picture.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) layout: Layout,
    /// The plane it lies in.
    pub(super) plane: usize,
    /// The plane that its gradient lies in when the stretch has been gone back through.
    pub(super) gradient: usize,
}

/// The lengths of all buffers of a stretch, before there are any.
pub(super) struct Blueprint {
    /// The stretch's first convolution.
    first: usize,
    input: Shape,
    source: Option<Source>,
    layers: Vec<Layer>,
    placement: Placement,
    picture: usize,
    scratch: usize,
    to_picture: usize,
    sums: usize,
    /// The most floats of weights that are packed whenever they are used.
    room: usize,
    /// Whether places of the largest values are kept.
    largest: bool,
}

/// All buffers of a stretch for one size.
pub(super) struct Plan {
    /// The number of the first layer's convolution.
    pub(super) first: usize,
    /// The shape of what it reads.
    pub(super) input: Shape,
    /// Where that lies, if it is not the picture.
    pub(super) source: Option<Source>,
    pub(super) layers: Vec<Layer>,
    /// Features and gradients.
    pub(super) planes: Planes,
    /// The padded picture.
    pub(super) picture: Buffer<f32>,
    /// ReLU masks of each convolution.
    pub(super) relu_masks: Vec<Buffer<u16>>,
    /// Placement of the largest values of each pooling.
    pub(super) argmax: Vec<Option<Buffer<u32>>>,
    /// Scratch of all workers.
    pub(super) scratch: Buffer<f32>,
    /// What all workers need to carry gradients to the picture.
    pub(super) to_picture: Buffer<f32>,
    /// Where all workers add up moments.
    pub(super) sums: Buffer<f64>,
    /// Where weights are packed that are not kept so.
    pub(super) room: Room,
}

/// Room for the weights of one layer in one direction.
pub(super) struct Room(Packed);

impl Room {
    /// The weights of a convolution in a direction, packed here unless they are kept so.
    pub(super) fn weights<'a>(&'a mut self, job: &'a Job, convolution: usize, direction: Direction) -> &'a Packed {
        match &job.trunk.convolutions[convolution].weights {
            Weights::Direct(_) => unreachable!("only the first layer is direct, and it is not asked for here"),
            Weights::Winograd { forward, backward } => match direction {
                Direction::Forward => forward,
                Direction::Backward => backward,
            },
            Weights::Plain(plain) => {
                self.0.hold(job.isa(), &job.threads, plain, direction);
                &self.0
            }
        }
    }
}

/// The shapes of the convolutions' features for a picture of this size.
pub(super) fn shapes(trunk: &PackedTrunk, height: usize, width: usize) -> Vec<Shape> {
    shapes_behind(trunk, 0, Shape { channels: 3, height, width })
}

/// The shapes of the features of the convolutions from `first` on, which reads `input`.
fn shapes_behind(trunk: &PackedTrunk, first: usize, input: Shape) -> Vec<Shape> {
    let mut at = input;
    let mut shapes = Vec::new();
    for convolution in &trunk.convolutions[first..] {
        let shape = Shape { channels: convolution.out_channels, ..at };
        shapes.push(shape);
        at = if convolution.pool { pooled_shape(shape) } else { shape };
    }
    shapes
}

impl Blueprint {
    /// Plans a stretch for an input of this shape.
    pub(super) fn new(job: &Job, scope: &Scope, input: Shape) -> Self {
        let (trunk, workers) = (&job.trunk, job.threads.count());
        let Range { start: first, end } = scope.convolutions;
        let mut layers = layers(trunk, scope, input);
        let taps: Vec<usize> = scope.taps.iter().map(|tap| tap - first).collect();
        let plane = (first > 0).then(|| Layout::new(input));
        let (tenants, source) = tenants(&mut layers, &taps, job.pooling, scope.lean, plane);
        let channels = taps.iter().map(|&tap| layers[tap].layout.shape.channels).max().unwrap_or(0);
        let picture = plane.is_none();
        Self {
            first,
            input,
            source,
            placement: Placement::new(&tenants),
            picture: if picture { Padded::len(input.height, input.width) } else { 0 },
            scratch: workers.saturating_mul(scratch_len(job, first..end)),
            room: trunk.convolutions[first..end].iter().map(PackedConvolution::room).max().unwrap_or(0),
            to_picture: if picture {
                workers.saturating_mul(to_picture::scratch_len(layers[0].layout.shape.channels, input.width))
            } else {
                0
            },
            sums: workers.saturating_mul(moments::scratch_len(channels)),
            largest: job.pooling == Pooling::Max,
            layers,
        }
    }

    /// The masks of places behind a layer.
    fn argmax(&self, layer: &Layer) -> Option<usize> {
        layer.pooled.filter(|_| self.largest).map(|(layout, _)| layout.mask_len())
    }

    /// Bytes of all buffers.
    pub(super) fn bytes(&self) -> usize {
        let sum = |lengths: &mut dyn Iterator<Item = usize>| lengths.fold(0, usize::saturating_add);
        let floats = [self.placement.len(), self.picture, self.scratch, self.to_picture, self.room];
        let relu_masks = sum(&mut self.layers.iter().map(|layer| layer.layout.mask_len()));
        let argmax = sum(&mut self.layers.iter().filter_map(|layer| self.argmax(layer)));
        let parts = [
            sum(&mut floats.into_iter()).saturating_mul(size_of::<f32>()),
            self.sums.saturating_mul(size_of::<f64>()),
            relu_masks.saturating_mul(size_of::<u16>()),
            argmax.saturating_mul(size_of::<u32>()),
        ];
        sum(&mut parts.into_iter())
    }
}

/// The layers of a stretch before anything has a place.
fn layers(trunk: &PackedTrunk, scope: &Scope, input: Shape) -> Vec<Layer> {
    let Range { start: first, end } = scope.convolutions;
    let mut level = 0;
    let mut layers = Vec::new();
    for (number, shape) in (first..end).zip(shapes_behind(trunk, first, input)) {
        let pool = trunk.convolutions[number].pool && (number + 1 < end || scope.pooled);
        let pooled = pool.then(|| (Layout::new(pooled_shape(shape)), usize::MAX));
        let layout = Layout::new(shape);
        let layer =
            Layer { layout, level, feature: None, remade: false, pooled, gradient: None, pooled_gradient: None };
        layers.push(layer);
        level += u32::from(pool);
    }
    layers
}

impl Plan {
    /// The buffers of a blueprint.
    pub(super) fn new(isa: Isa, blueprint: Blueprint) -> Self {
        let argmax = |layer| blueprint.argmax(layer).map(Buffer::new);
        Self {
            first: blueprint.first,
            input: blueprint.input,
            source: blueprint.source,
            picture: Buffer::new(blueprint.picture),
            relu_masks: blueprint.layers.iter().map(|layer| Buffer::new(layer.layout.mask_len())).collect(),
            argmax: blueprint.layers.iter().map(argmax).collect(),
            scratch: Buffer::new(blueprint.scratch),
            to_picture: Buffer::new(blueprint.to_picture),
            sums: Buffer::new(blueprint.sums),
            room: Room(Packed::room(isa, blueprint.room)),
            planes: Planes::new(blueprint.placement),
            layers: blueprint.layers,
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        let relu_masks: usize = self.relu_masks.iter().map(|mask| size_of_val(&**mask)).sum();
        let argmax: usize = self.argmax.iter().flatten().map(|argmax| size_of_val(&**argmax)).sum();
        let scratch = size_of_val(&*self.scratch) + size_of_val(&*self.sums) + size_of_val(&*self.to_picture);
        self.planes.bytes() + relu_masks + argmax + size_of_val(&*self.picture) + scratch + self.room.0.bytes()
    }
}

/// Gives every feature and gradient that is written a plane, and tells when each of them is needed; the source where the
/// picture is not the input.
///
/// A feature is needed until the next layer has read it, or, at a tap, until something has flown in there. Behind a
/// pooling the first feature has twice the channels of its input, which stays in any case: where it is read, it is
/// made once more, on the way back and between the passes. So is the first of all in a `lean` stretch, but between the
/// passes it takes the places of others.
fn tenants(
    layers: &mut [Layer],
    taps: &[usize],
    pooling: Pooling,
    lean: bool,
    source: Option<Layout>,
) -> (Vec<Tenant>, Option<Source>) {
    let times = Times { layers: layers.len() };
    let (last, end) = (layers.len() - 1, times.end());
    let mut tenants = Vec::new();
    let mut plane = |layout: Layout, stays: Vec<std::ops::RangeInclusive<usize>>| {
        tenants.push(Tenant { len: layout.len(), stays });
        tenants.len() - 1
    };
    for (index, layer) in layers.iter_mut().enumerate() {
        let (tapped, pooled) = (taps.contains(&index), layer.pooled.is_some());
        // The first layer of all; its feature's gradient goes straight on to the picture.
        let direct = index == 0 && source.is_none();
        let back = |step| times.back(index, step);
        let (made, next) = (times.forward(index), times.forward(index + 1));
        // When the gradient of what the layer puts out is begun.
        let begun = if index == last { back(Step::Inject) } else { times.back(index + 1, Step::Convolve) };

        layer.remade = index == 0 && tapped && !pooled && (!direct || (lean && last > 0));
        let divided_by = pooled && pooling == Pooling::L2;
        let needed = if layer.remade && direct {
            vec![made..=next, times.back(1, Step::Again)..=back(Step::Convolve)]
        } else if layer.remade {
            vec![made..=next, times.between()..=times.between(), back(Step::Again)..=back(Step::Tap)]
        } else if divided_by || (direct && tapped) {
            vec![made..=back(Step::Convolve)]
        } else if tapped {
            vec![made..=back(Step::Tap)]
        } else {
            vec![made..=next]
        };
        if direct || tapped || !pooled || divided_by {
            layer.feature = Some(plane(layer.layout, needed));
        }
        if let Some((layout, target)) = &mut layer.pooled {
            *target = plane(*layout, vec![made..=next]);
            // It is read as it is, but where something is to be added to it.
            let written = direct || tapped;
            let read = if written { Step::Unpool } else { Step::Convolve };
            layer.pooled_gradient = Some(plane(*layout, vec![begun..=back(read)]));
            if written {
                layer.gradient = Some(plane(layer.layout, vec![back(Step::Unpool)..=back(Step::Convolve)]));
            }
        } else if !direct {
            layer.gradient = Some(plane(layer.layout, vec![begun..=back(Step::Convolve)]));
        }
    }
    let source = source.map(|layout| Source {
        layout,
        plane: plane(layout, vec![Times::BEFORE..=end]),
        gradient: plane(layout, vec![times.back(0, Step::Convolve)..=end]),
    });
    (tenants, source)
}

/// The most scratch that any operation of a worker needs.
fn scratch_len(job: &Job, convolutions: Range<usize>) -> usize {
    let of_depth = |depth| winograd::scratch_of_depth(depth, job.isa().panel_blocks());
    let layers = job.trunk.convolutions[convolutions].iter().map(|convolution| match &convolution.weights {
        Weights::Direct(_) => 0,
        Weights::Winograd { forward, backward } => winograd::scratch_len(forward).max(winograd::scratch_len(backward)),
        Weights::Plain(plain) => of_depth(plain.in_channels).max(of_depth(plain.out_channels)),
    });
    layers.max().unwrap_or(0).max(taps::scratch_len())
}

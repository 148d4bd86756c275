//! A network in training: forward and backward of one picture at a time.

use super::norm::{Norm, NormBackward};
use super::picture::{Canvas, PAD, PLANES};
use super::planes::{Field, RING, Sums};
use super::rows::{self, Before, Edge, Fold, Join, NormGradient, Padded, Shared};
use super::shape::{StyleNetLayer, StyleNetShape};
use super::tiles::{Activate, Enlarged, Feature, Gradient, HalvedGradient, Raw};
use super::weight_gradient::{self, WeightSums};
use super::weights::{BackwardWeights, DOWN, Weights, taps_of_parity};
use super::window::{Places, TAPS, Window};
use super::{LEAST_SIDE, StyleNetError, check, check_shape};
use crate::memory::{Buffer, View, ViewMut};
use crate::winograd::{self, Winograd};
use crate::{Isa, Shape, Threads};

/// A network in training: forward and backward of one picture at a time, gradients added up over a batch.
pub struct StyleNetTrainer {
    isa: Isa,
    threads: Threads,
    shape: StyleNetShape,
    layers: Vec<StyleNetLayer>,
    height: usize,
    width: usize,
    style: usize,
    parameters: Vec<f32>,
    packed: Option<(Weights, BackwardWeights)>,
    forward: Forward,
    backward: Backward,
}

/// What the forward pass leaves.
struct Forward {
    canvas: Canvas,
    /// What comes out of each normalised layer's convolution.
    raw: Vec<Field>,
    norms: Vec<Norm>,
    /// The inputs of the second and third layer, and of the last one.
    padded: Vec<Field>,
    /// What goes into each residual block, and what comes out of the last one.
    stream: Vec<Field>,
    sums: Vec<Sums>,
    scratch: Buffer<f32>,
}

/// What the backward pass needs.
struct Backward {
    canvas: Canvas,
    /// The gradients of the first and second layer's output, and of the stream.
    down: [Field; 3],
    /// Two gradients inside a residual block.
    block: [Field; 2],
    /// The gradients of the enlarging layers' outputs.
    up: [Field; 2],
    weights: Vec<WeightSums>,
    /// Gradients of scales, shifts and the bias, where they lie among the parameters.
    rest: Vec<f32>,
    scratch: Buffer<f32>,
}

/// The indices of the layers that are not residual.
#[derive(Clone, Copy)]
struct Indices {
    up1: usize,
    up2: usize,
    out: usize,
}

impl StyleNetTrainer {
    /// A trainer for pictures of this size, whose sides are multiples of 4 and at least [`LEAST_SIDE`].
    ///
    /// # Errors
    /// If the shape is not one that the kernels run, or the size does not fit.
    pub fn new(
        isa: Isa,
        threads: Threads,
        shape: StyleNetShape,
        height: usize,
        width: usize,
    ) -> Result<Self, StyleNetError> {
        check_shape(shape)?;
        if height.min(width) < LEAST_SIDE {
            return Err(StyleNetError::TooSmall { width, height, least: LEAST_SIDE });
        }
        if !height.is_multiple_of(4) || !width.is_multiple_of(4) {
            return Err(StyleNetError::NotFours { width, height });
        }
        let layers = shape.layers();
        let workers = threads.count();
        let forward = Forward::new(shape, &layers, (height, width), workers);
        let backward = Backward::new(shape, &layers, (height, width), workers);
        let (style, parameters) = (0, Vec::new());
        Ok(Self { isa, threads, shape, layers, height, width, style, parameters, packed: None, forward, backward })
    }

    /// Packs new parameters; to be called before the first pass and after each step.
    ///
    /// # Errors
    /// If there are not as many as the shape needs.
    pub fn set_parameters(&mut self, parameters: &[f32]) -> Result<(), StyleNetError> {
        check(self.shape, parameters)?;
        self.parameters = parameters.to_vec();
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

    /// Paints a planar picture, RGB 0–255, in one style into `out`, and keeps what [`backward`](Self::backward) needs.
    ///
    /// # Panics
    /// If there are no parameters yet, no such style, or a slice has the wrong length.
    pub fn forward(&mut self, picture: &[f32], style: usize, out: &mut [f32]) {
        assert!(style < self.shape.styles, "the network has {} styles", self.shape.styles);
        assert_eq!(picture.len(), PLANES * self.height * self.width, "a picture has three planes");
        assert_eq!(out.len(), picture.len(), "the result is as large as the picture");
        self.style = style;
        self.forward.canvas.fill(picture, (self.height, self.width), 1.0 / 255.0);
        self.run_down();
        for block in 0..self.shape.residual_blocks {
            self.run_block(block);
        }
        self.run_up(out);
    }

    /// From the gradient of a loss with respect to the last `out` to that of the parameters, which is added to what
    /// the passes before it left.
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
    }

    /// Writes the gradient of all parameters that the passes since the last call added up, times `factor`, and begins
    /// anew.
    ///
    /// # Panics
    /// If `gradient` has not as many values as there are parameters.
    pub fn take_gradient(&mut self, factor: f32, gradient: &mut [f32]) {
        assert_eq!(gradient.len(), self.shape.parameter_count(), "one value for each parameter");
        for (value, &rest) in gradient.iter_mut().zip(&self.backward.rest) {
            *value = rest * factor;
        }
        let last = self.layers.len() - 1;
        for (index, (layer, sums)) in self.layers.iter().zip(&mut self.backward.weights).enumerate() {
            let target = &mut gradient[layer.weight()];
            let (i, o, kernel) = (layer.in_channels, layer.out_channels, layer.kernel * layer.kernel);
            let found = sums.gather(&self.threads);
            if index == last {
                for (at, value) in target.iter_mut().enumerate() {
                    let (plane, channel, tap) = (at / kernel / i, at / kernel % i, at % kernel);
                    let place = (channel / 16 * kernel + tap) * PLANES + plane;
                    *value = found[place * 16 + channel % 16] * factor;
                }
            } else if index < DOWN {
                // `[tap][in][out]` for the strided ones, `[in][tap][out]` for the first one.
                for (at, value) in target.iter_mut().enumerate() {
                    let (channel, input, tap) = (at / kernel / i, at / kernel % i, at % kernel);
                    let row = if index == 0 { input * kernel + tap } else { tap * i + input };
                    *value = found[row * o + channel] * factor;
                }
            } else {
                weight_gradient::winograd_weight(self.isa, &self.threads, found, (i, o), factor, target);
            }
            sums.clear(&self.threads);
        }
        self.backward.rest.fill(0.0);
    }

    fn indices(&self) -> Indices {
        let out = self.layers.len() - 1;
        Indices { up1: out - 2, up2: out - 1, out }
    }

    /// The index of a residual block's first layer.
    fn block_layer(block: usize) -> usize {
        DOWN + 2 * block
    }

    fn weights(&self) -> &Weights {
        &self.packed.as_ref().expect("parameters are set before the first pass").0
    }

    /// Makes the normalisation of a layer from its sums.
    fn normalise(&mut self, index: usize) {
        let layer = &self.layers[index];
        let scale = &self.parameters[layer.scale(self.style)];
        let shift = &self.parameters[layer.shift(self.style, self.shape.styles)];
        let positions = self.forward.raw[index].shape.positions();
        self.forward.norms[index].set(&self.forward.sums[index].totals(), positions, scale, shift);
    }

    /// The first three layers, and what goes into the first residual block.
    fn run_down(&mut self) {
        let (isa, threads) = (self.isa, self.threads.clone());
        {
            let (weights, _) = self.packed.as_ref().expect("parameters are set before the first pass");
            let Forward { canvas, raw, sums, .. } = &mut self.forward;
            weights.down1.run(isa, &threads, canvas, (&mut raw[0], (0, 0)), Some(&mut sums[0]));
        }
        self.normalise(0);
        for index in 1..DOWN {
            let (weights, _) = self.packed.as_ref().expect("parameters are set before the first pass");
            let Forward { raw, norms, padded, sums, .. } = &mut self.forward;
            pad(isa, &threads, &raw[index - 1], &norms[index - 1], &mut padded[index - 1]);
            let input = &padded[index - 1];
            let shape = raw[index].shape;
            Window {
                weights: &weights.strided[index - 1],
                input: View::new(&input.data),
                taps: std::array::from_fn(|tap| Places::new(input.layout, (tap / 3, tap % 3), 2)),
                target: Places::new(raw[index].layout, (0, 0), 1),
                output: ViewMut::new(&mut raw[index].data),
                height: shape.height,
                width: shape.width,
            }
            .run(isa, &threads);
            let squares = rows::Squares { source: Shared::of(&raw[index]), first: 0, width: shape.width };
            rows::run(isa, &threads, squares, (raw[index].layout.blocks(), shape.height), Some(&mut sums[index]));
            self.normalise(index);
        }
        let Forward { raw, norms, stream, .. } = &mut self.forward;
        join(isa, &threads, None, (&raw[DOWN - 1], &norms[DOWN - 1]), &mut stream[0]);
        let edge = if self.shape.residual_blocks == 0 { Edge::Repeat } else { Edge::Reflect };
        rows::fill_border(isa, &threads, &mut stream[0], edge);
    }

    /// How the stream goes on behind its edges in front of residual block `block`, or of the enlarging layers.
    fn stream_edge(&self, block: usize) -> Edge {
        if block == self.shape.residual_blocks { Edge::Repeat } else { Edge::Reflect }
    }

    /// One residual block.
    fn run_block(&mut self, block: usize) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let first = Self::block_layer(block);
        self.convolve(first, Input::Stream(block));
        rows::fill_border(isa, &threads, &mut self.forward.raw[first], Edge::Reflect);
        self.convolve(first + 1, Input::Layer(first));
        let edge = self.stream_edge(block + 1);
        let Forward { raw, norms, stream, .. } = &mut self.forward;
        let (before, after) = stream.split_at_mut(block + 1);
        join(isa, &threads, Some(&before[block]), (&raw[first + 1], &norms[first + 1]), &mut after[0]);
        rows::fill_border(isa, &threads, &mut after[0], edge);
    }

    /// A Winograd layer: convolution, sums and normalisation.
    fn convolve(&mut self, index: usize, input: Input) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let (weights, _) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Forward { raw, norms, stream, sums, scratch, .. } = &mut self.forward;
        let (before, target) = raw.split_at_mut(index);
        let target = &mut target[0];
        let inputs = Inputs { raw: before, norms, stream };
        let source = match input {
            Input::Stream(block) => inputs.plain(block),
            Input::Layer(index) => inputs.activated(index),
        };
        let Shape { height, width, .. } = target.shape;
        let sink = Raw { plane: target.plane_mut(), size: (height, width), corner: (0, 0), sums: sums[index].begin() };
        let weights = &weights.winograd[index - DOWN];
        if self.layers[index].upsample {
            let job = Winograd { weights, height, width, source: Enlarged(source), sink };
            winograd::run(isa, &threads, &job, scratch);
        } else {
            winograd::run(isa, &threads, &Winograd { weights, height, width, source, sink }, scratch);
        }
        self.normalise(index);
    }

    /// The enlarging layers and the last one.
    fn run_up(&mut self, out: &mut [f32]) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let Indices { up1, up2, .. } = self.indices();
        let last = self.shape.residual_blocks;
        self.convolve(up1, Input::Stream(last));
        rows::fill_border(isa, &threads, &mut self.forward.raw[up1], Edge::Repeat);
        self.convolve(up2, Input::Layer(up1));
        let Forward { raw, norms, padded, .. } = &mut self.forward;
        pad(isa, &threads, &raw[up2], &norms[up2], &mut padded[2]);
        let out = (out, (self.height, self.width));
        let source = (&self.forward.padded[2], 0..self.height);
        self.weights().out.run(isa, &threads, source, (0, 255.0), out);
    }

    /// From the picture's gradient to that of the stream.
    fn backward_up(&mut self, gradient: &[f32]) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let Indices { up1, up2, out } = self.indices();
        let (_, weights) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Backward { canvas, up, down, weights: sums, rest, scratch, .. } = &mut self.backward;
        let forward = &mut self.forward;
        canvas.fill_inside(gradient, 255.0);
        let positions = self.height * self.width;
        for (plane, bias) in rest[self.layers[out].bias()].iter_mut().enumerate() {
            let total: f64 = gradient[plane * positions..][..positions].iter().map(|&v| f64::from(v)).sum();
            *bias += (255.0 * total) as f32;
        }
        weight_gradient::to_planes(isa, &threads, &forward.padded[2], canvas, &mut sums[out]);
        weights.out.run(isa, &threads, canvas, (&mut up[1], (0, 0)), None);
        let mut step =
            Step { isa, threads: &threads, layers: &self.layers, style: self.style, styles: self.shape.styles, rest };

        step.through(up2, forward, &mut up[1], (Edge::Reflect, PAD));
        let source = Enlarged(forward.inputs().activated(up1));
        let depth = self.layers[up2].in_channels;
        weight_gradient::winograd(isa, &threads, (source, depth), &up[1], &mut sums[up2], scratch);
        let [first, second] = up;
        step.halve(&weights.winograd[up2 - DOWN], second, first, &mut forward.scratch);

        step.through(up1, forward, first, (Edge::Repeat, 1));
        let source = Enlarged(forward.inputs().plain(self.shape.residual_blocks));
        let depth = self.layers[up1].in_channels;
        weight_gradient::winograd(isa, &threads, (source, depth), first, &mut sums[up1], scratch);
        step.halve(&weights.winograd[up1 - DOWN], first, &mut down[2], &mut forward.scratch);
        step.fold(up1 - 1, forward, &mut down[2], (Edge::Repeat, 1), None);
    }

    /// From the gradient of what comes out of a residual block, folded, to that of what goes in.
    fn backward_block(&mut self, block: usize) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let first = Self::block_layer(block);
        let (_, weights) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Backward { down, block: [near, far], weights: sums, rest, scratch, .. } = &mut self.backward;
        let forward = &mut self.forward;
        let stream = &mut down[2];
        let mut step =
            Step { isa, threads: &threads, layers: &self.layers, style: self.style, styles: self.shape.styles, rest };
        let depth = self.layers[first].in_channels;

        step.normalise(first + 1, forward, Some(stream), far);
        let source = forward.inputs().activated(first);
        weight_gradient::winograd(isa, &threads, (source, depth), far, &mut sums[first + 1], scratch);
        step.back(&weights.winograd[first + 1 - DOWN], far, near, &mut forward.scratch);

        step.through(first, forward, near, (Edge::Reflect, 1));
        let source = forward.inputs().plain(block);
        weight_gradient::winograd(isa, &threads, (source, depth), near, &mut sums[first], scratch);
        step.back(&weights.winograd[first - DOWN], near, far, &mut forward.scratch);
        step.fold(first - 1, forward, far, (Edge::Reflect, 1), Some(stream));
    }

    /// From the gradient of the stream, folded and closed by the third layer's ReLU, to the first layer.
    fn backward_down(&mut self) {
        let (isa, threads) = (self.isa, self.threads.clone());
        let (_, weights) = self.packed.as_ref().expect("parameters are set before the first pass");
        let Backward { down, weights: sums, rest, .. } = &mut self.backward;
        let forward = &mut self.forward;
        let mut step =
            Step { isa, threads: &threads, layers: &self.layers, style: self.style, styles: self.shape.styles, rest };
        rows::clear_ring(isa, &threads, &mut down[2]);
        step.normalise(DOWN - 1, forward, None, &mut down[2]);
        for index in (1..DOWN).rev() {
            let (before, after) = down.split_at_mut(index);
            let (target, gradient) = (&mut before[index - 1], &after[0]);
            weight_gradient::strided(isa, &threads, &forward.padded[index - 1], gradient, &mut sums[index]);
            for (phase, packed) in weights.strided[index - 1].iter().enumerate() {
                strided_back(isa, &threads, (phase / 2, phase % 2), packed, gradient, target);
            }
            step.through(index - 1, forward, target, (Edge::Reflect, 1));
        }
        weight_gradient::from_planes(isa, &threads, &forward.canvas, &down[0], &mut sums[0]);
    }
}

/// Which input a convolution takes.
#[derive(Clone, Copy)]
enum Input {
    /// What goes into a residual block, or comes out of the last one.
    Stream(usize),
    /// What another layer made, normalised and activated.
    Layer(usize),
}

/// What a convolution may take its input from.
struct Inputs<'a> {
    raw: &'a [Field],
    norms: &'a [Norm],
    stream: &'a [Field],
}

impl<'a> Inputs<'a> {
    /// A layer's output, normalised and activated when it is loaded.
    fn activated(&self, index: usize) -> Feature<'a> {
        let norm = &self.norms[index];
        let activate = Some(Activate::new(&norm.factor, &norm.offset));
        Feature { plane: self.raw[index].plane(), activate }
    }

    /// What goes into a residual block.
    fn plain(&self, block: usize) -> Feature<'a> {
        Feature { plane: self.stream[block].plane(), activate: None }
    }
}

impl Forward {
    fn new(shape: StyleNetShape, layers: &[StyleNetLayer], (height, width): (usize, usize), workers: usize) -> Self {
        let field = |channels: usize, divisor: usize, offset: usize| {
            Field::new(Shape { channels, height: height / divisor, width: width / divisor }, offset)
        };
        let normalised = &layers[..layers.len() - 1];
        let raw = (0..normalised.len()).map(|i| field(layers[i].out_channels, divisor(i, layers.len()), 0)).collect();
        let w = shape.width;
        let room = 0..=shape.residual_blocks;
        let scratch =
            normalised[DOWN..].iter().map(|layer| winograd::scratch_for(layer.in_channels.max(layer.out_channels)));
        Self {
            canvas: Canvas::new(height, width, PAD),
            raw,
            norms: normalised.iter().map(|_| Norm::default()).collect(),
            padded: vec![field(w, 1, 1), field(2 * w, 2, 1), field(w, 1, PAD)],
            stream: room.map(|_| field(4 * w, 4, 0)).collect(),
            sums: normalised.iter().map(|layer| Sums::new(layer.out_channels, workers)).collect(),
            scratch: Buffer::new(scratch.max().unwrap_or(0) * workers),
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs { raw: &self.raw, norms: &self.norms, stream: &self.stream }
    }
}

/// By how much a layer's output is smaller than the picture.
fn divisor(index: usize, layers: usize) -> usize {
    match (index, layers - index) {
        (0, _) | (_, 2) => 1,
        (1, _) | (_, 3) => 2,
        _ => 4,
    }
}

impl Backward {
    fn new(shape: StyleNetShape, layers: &[StyleNetLayer], (height, width): (usize, usize), workers: usize) -> Self {
        let field = |channels: usize, divisor: usize, offset: usize| {
            Field::new(Shape { channels, height: height / divisor, width: width / divisor }, offset)
        };
        let w = shape.width;
        let last = layers.len() - 1;
        let weights = layers.iter().enumerate().map(|(index, layer)| {
            let len = match index {
                _ if index == 0 => weight_gradient::planes_len(layer.out_channels),
                _ if index == last => weight_gradient::planes_len(layer.in_channels),
                _ if index < DOWN => layer.weight_len(),
                _ => WeightSums::winograd_len(layer.in_channels, layer.out_channels),
            };
            WeightSums::new(len, workers)
        });
        Self {
            canvas: Canvas::new(height, width, 2 * PAD),
            down: [field(w, 1, RING), field(2 * w, 2, RING), field(4 * w, 4, RING)],
            block: [field(4 * w, 4, RING), field(4 * w, 4, RING)],
            up: [field(2 * w, 2, RING), field(w, 1, PAD)],
            weights: weights.collect(),
            rest: vec![0.0; shape.parameter_count()],
            scratch: Buffer::new(weight_gradient::scratch_len(4 * w, 4 * w) * workers),
        }
    }
}

/// Normalises, activates and continues a feature.
fn pad(isa: Isa, threads: &Threads, raw: &Field, norm: &Norm, target: &mut Field) {
    let rows = (raw.layout.blocks(), target.layout.shape.height);
    let activate = Activate::new(&norm.factor, &norm.offset);
    let kernel = Padded { source: Shared::of(raw), activate, target: Shared::new(target), edge: Edge::Reflect };
    rows::run(isa, threads, kernel, rows, None);
}

/// Normalises a feature and adds it to the stream, or activates it where there is none yet.
fn join(isa: Isa, threads: &Threads, before: Option<&Field>, (raw, norm): (&Field, &Norm), target: &mut Field) {
    let rows = (raw.layout.blocks(), raw.shape.height);
    let activate = Activate::new(&norm.factor, &norm.offset);
    let before = before.map_or(Before::Nothing, |before| Before::Other(Shared::of(before)));
    let kernel = Join { before, source: Shared::of(raw), activate, target: Shared::new(target) };
    rows::run(isa, threads, kernel, rows, None);
}

/// The way back through a convolution with stride 2, for rows and columns of one parity of its continued input.
fn strided_back(
    isa: Isa,
    threads: &Threads,
    parity: (usize, usize),
    weights: &super::window::Packed,
    gradient: &Field,
    target: &mut Field,
) {
    let (rows, columns) = (taps_of_parity(parity.0), taps_of_parity(parity.1));
    // Row y of the input, counted from the one outside, meets tap k at row (y − k) / 2 of the gradient.
    let from = |tap: usize| gradient.offset - tap / 2;
    let mut taps = [Places::new(gradient.layout, (0, 0), 1); TAPS];
    for (index, places) in taps.iter_mut().take(rows.len() * columns.len()).enumerate() {
        let (ky, kx) = (rows[index / columns.len()], columns[index % columns.len()]);
        *places = Places::new(gradient.layout, (from(ky), from(kx)), 1);
    }
    let first = |parity: usize| target.offset - 1 + parity;
    let (height, width) = (gradient.shape.height, gradient.shape.width);
    Window {
        weights,
        input: View::new(&gradient.data),
        taps,
        target: Places::new(target.layout, (first(parity.0), first(parity.1)), 2),
        output: ViewMut::new(&mut target.data),
        height: height + 1 - parity.0,
        width: width + 1 - parity.1,
    }
    .run(isa, threads);
}

/// What the ways back through layers have in common.
struct Step<'a> {
    isa: Isa,
    threads: &'a Threads,
    layers: &'a [StyleNetLayer],
    style: usize,
    styles: usize,
    rest: &'a mut [f32],
}

impl Step<'_> {
    /// From the gradient of an activated feature, with its ring, to that of the convolution's output, with a ring of
    /// zeros.
    fn through(&mut self, index: usize, forward: &mut Forward, gradient: &mut Field, edge: (Edge, usize)) {
        self.fold(index, forward, gradient, edge, None);
        rows::clear_ring(self.isa, self.threads, gradient);
        self.normalise(index, forward, None, gradient);
    }

    /// Folds a gradient back from its ring and closes it by the ReLU of layer `index`, if it has one; adds it to the
    /// stream's where there is one. The layer's sums are then those of its normalisation's way back.
    fn fold(
        &mut self,
        index: usize,
        forward: &mut Forward,
        gradient: &mut Field,
        edge: (Edge, usize),
        stream: Option<&mut Field>,
    ) {
        let raw = &forward.raw[index];
        let norm = &forward.norms[index];
        let rows = (raw.layout.blocks(), raw.shape.height);
        let relu = (!self.layers[index].name.ends_with("conv2")).then(|| Activate::new(&norm.factor, &norm.offset));
        let has_stream = stream.is_some();
        let kernel =
            Fold { gradient: Shared::new(gradient), edge, stream: stream.map(Shared::new), raw: Shared::of(raw), relu };
        rows::run(self.isa, self.threads, kernel, rows, Some(&mut forward.sums[index]));
        if has_stream {
            rows::clear_ring(self.isa, self.threads, gradient);
        }
    }

    /// Back through a normalisation, from the sums that `fold` left; in place, or from `source` to `target`.
    fn normalise(&mut self, index: usize, forward: &Forward, source: Option<&Field>, target: &mut Field) {
        let layer = &self.layers[index];
        let raw = &forward.raw[index];
        // Scale and shift of a style lie one behind the other, in this order.
        let (before, after) = self.rest.split_at_mut(layer.shift(self.style, self.styles).start);
        let (scale, shift) = (&mut before[layer.scale(self.style)], &mut after[..layer.out_channels]);
        let norm = &forward.norms[index];
        let NormBackward { gradient, value, constant } =
            norm.backward(&forward.sums[index], raw.shape.positions(), scale, shift);
        let rows = (raw.layout.blocks(), raw.shape.height);
        let kernel = NormGradient {
            source: source.map(Shared::of),
            raw: Shared::of(raw),
            factors: Activate::new(&gradient, &value),
            constant: Activate::new(&constant, &constant),
            target: Shared::new(target),
        };
        rows::run(self.isa, self.threads, kernel, rows, None);
    }

    /// Back through a convolution, ring and all.
    fn back(&self, weights: &winograd::Packed, gradient: &Field, target: &mut Field, scratch: &mut [f32]) {
        let Shape { height, width, .. } = target.layout.shape;
        let (source, sink) = (gradient.plane(), Gradient(target.plane_mut()));
        winograd::run(self.isa, self.threads, &Winograd { weights, height, width, source, sink }, scratch);
    }

    /// Back through a convolution and the enlarging in front of it.
    fn halve(&self, weights: &winograd::Packed, gradient: &Field, target: &mut Field, scratch: &mut [f32]) {
        let Shape { height, width, .. } = gradient.layout.shape;
        let sink = HalvedGradient { plane: target.plane_mut(), ring: gradient.offset };
        let source = gradient.plane();
        winograd::run(self.isa, self.threads, &Winograd { weights, height, width, source, sink }, scratch);
    }
}

//! The processor: the kernels of `impasto-kernels` on vectors in the host's memory.

use std::borrow::Cow;
use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use impasto_kernels::vector::{self, Adam};
use impasto_kernels::{Isa, StyleNet, StyleNetError, StyleNetShape, StyleNetTrainer, Threads, TrunkError};

use super::cpu_networks::CpuDeviceTrunk;
use super::networks::{ReadyTrunk, StyleNetwork, StyleTrainer, TrunkOptions};
use super::{AdamVectors, Backend, Cost, Input, Numbers, Pass, Slice, Tensor, Values, Window};
use crate::trunk::CpuTrunk;
use crate::vgg::Vgg;

/// How many values are turned from halves to floats, or back, at a time.
const CHUNK: usize = 1 << 16;

/// The share of the shallow part, which runs in bands, in a forward or a backward pass: the multiplications of VGG19 up
/// to its second pooling, of those up to conv5_1.
const SHALLOW: f64 = 0.26;

/// What one band for the whole picture costs: its first feature is made twice (`docs/performance.md`).
const ONE_BAND_COST: f64 = 1.02;

/// Rows of halo that each band has beside its own.
const HALO: f64 = 32.0;

/// What tiles cost for each pixel of a window: a second forward pass, which is a little less than half of all.
const TILES_COST: f64 = 1.46;

/// What packing large weights once in each direction costs, in pixels that could pass meanwhile (`docs/performance.md`).
const PACKING_COST: f64 = 70_000.0;

/// Operations on vectors in the host's memory, the same bits for the same instruction set and number of threads.
#[derive(Clone, Debug)]
pub struct Cpu {
    isa: Isa,
    threads: Threads,
}

impl Cpu {
    /// The fastest instruction set there is, on this many threads.
    pub fn new(threads: usize) -> Self {
        Self::with(Isa::best(), Threads::new(threads))
    }

    /// This instruction set on these threads.
    pub fn with(isa: Isa, threads: Threads) -> Self {
        Self { isa, threads }
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads, to be shared with whatever else works in turn with this.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// `Σ a·b`, in `f64`.
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f64 {
        vector::dot(self.isa, &self.threads, a, b)
    }

    /// `y += factor · x`.
    pub fn add_scaled(&self, y: &mut [f32], factor: f64, x: &[f32]) {
        vector::axpy(self.isa, &self.threads, factor as f32, x, y);
    }

    /// `y *= factor`.
    pub fn scale(&self, y: &mut [f32], factor: f64) {
        vector::scale(self.isa, &self.threads, factor as f32, y);
    }
}

/// The CPU as a [`Backend`].
#[derive(Clone, Debug)]
pub struct CpuBackend {
    cpu: Cpu,
}

impl CpuBackend {
    /// On this processor.
    pub fn new(cpu: Cpu) -> Self {
        Self { cpu }
    }
}

impl Values for Numbers {
    fn count(&self) -> usize {
        self.len()
    }

    fn duplicate(&self) -> Box<dyn Values> {
        Box::new(self.clone())
    }
}

/// The values of a tensor that is not halved.
pub(super) fn floats(tensor: &Tensor) -> &[f32] {
    match tensor.values::<Numbers>() {
        Numbers::Floats(values) => values,
        Numbers::Halves(_) => panic!("{HALVED}"),
    }
}

pub(super) fn floats_mut(tensor: &mut Tensor) -> &mut Vec<f32> {
    match tensor.values_mut::<Numbers>() {
        Numbers::Floats(values) => values,
        Numbers::Halves(_) => panic!("{HALVED}"),
    }
}

pub(super) fn input<'a>(input: Input<'a>) -> &'a [f32] {
    match input {
        Input::Host(values) => values,
        Input::Device(tensor) => floats(tensor),
    }
}

const HALVED: &str = "a halved tensor is only for sums";

/// Shows numbers a part at a time in floats, with where each part begins.
fn each(numbers: &Numbers, mut see: impl FnMut(usize, &[f32])) {
    match numbers {
        Numbers::Floats(values) => see(0, values),
        Numbers::Halves(values) => {
            let mut floats = vec![0.0; CHUNK.min(values.len())];
            for (index, halves) in values.chunks(CHUNK).enumerate() {
                let floats = &mut floats[..halves.len()];
                halves.convert_to_f32_slice(floats);
                see(index * CHUNK, floats);
            }
        }
    }
}

impl CpuBackend {
    /// `Σ numbers[at + i] · values[i]`
    fn dot_part(&self, numbers: &Numbers, at: usize, values: &[f32]) -> f64 {
        match numbers {
            Numbers::Floats(floats) => self.cpu.dot(&floats[at..at + values.len()], values),
            Numbers::Halves(halves) => {
                let mut floats = vec![0.0; values.len()];
                halves[at..at + values.len()].convert_to_f32_slice(&mut floats);
                self.cpu.dot(&floats, values)
            }
        }
    }
}

impl Backend for CpuBackend {
    fn name(&self) -> String {
        let threads = self.cpu.threads.count();
        format!("cpu, {}, {threads} thread{}", self.cpu.isa.name(), if threads == 1 { "" } else { "s" })
    }

    fn host(&self) -> &Cpu {
        &self.cpu
    }

    fn upload(&self, values: Vec<f32>) -> Tensor {
        Tensor::new(Numbers::Floats(values))
    }

    fn download<'a>(&self, tensor: &'a Tensor) -> Cow<'a, [f32]> {
        Cow::Borrowed(floats(tensor))
    }

    fn take(&self, tensor: Tensor) -> Vec<f32> {
        match tensor.into_values::<Numbers>() {
            Numbers::Floats(values) => values,
            numbers @ Numbers::Halves(_) => {
                let mut values = vec![0.0; numbers.len()];
                each(&numbers, |at, part| values[at..at + part.len()].copy_from_slice(part));
                values
            }
        }
    }

    fn on_host(&self, tensor: &mut Tensor, range: Range<usize>, change: &mut dyn FnMut(&mut [f32])) {
        change(&mut floats_mut(tensor)[range]);
    }

    fn stored<'a>(&self, tensor: &'a Tensor) -> Slice<'a> {
        match tensor.values::<Numbers>() {
            Numbers::Floats(values) => Slice::Floats(Cow::Borrowed(values)),
            Numbers::Halves(values) => Slice::Halves(Cow::Borrowed(values)),
        }
    }

    fn restore(&self, numbers: Numbers) -> Tensor {
        Tensor::new(numbers)
    }

    /// The largest half is 1, whatever the units are.
    fn halved(&self, tensor: Tensor) -> (Tensor, f64) {
        let values = floats(&tensor);
        let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        if largest == 0.0 || !largest.is_finite() {
            return (tensor, 1.0);
        }
        let mut halves = vec![f16::ZERO; values.len()];
        let mut scaled = Vec::with_capacity(CHUNK);
        for (values, halves) in values.chunks(CHUNK).zip(halves.chunks_mut(CHUNK)) {
            scaled.clear();
            scaled.extend(values.iter().map(|value| value / largest));
            halves.convert_from_f32_slice(&scaled);
        }
        (Tensor::new(Numbers::Halves(halves)), f64::from(largest))
    }

    fn copy(&self, from: &Tensor, to: &mut Tensor) {
        floats_mut(to).copy_from_slice(floats(from));
    }

    fn clear(&self, tensor: &mut Tensor) {
        floats_mut(tensor).fill(0.0);
    }

    fn dot(&self, a: &Tensor, b: &Tensor) -> f64 {
        let (a, b) = (a.values::<Numbers>(), b.values::<Numbers>());
        // The exact one is read as it is; of two halved ones both come in the same parts.
        let (parts, other) = if a.is_exact() { (b, a) } else { (a, b) };
        let mut sum = 0.0;
        each(parts, |at, values| sum += self.dot_part(other, at, values));
        sum
    }

    fn add_scaled(&self, y: &mut Tensor, factor: f64, x: &Tensor) {
        let y = floats_mut(y);
        each(x.values(), |at, values| self.cpu.add_scaled(&mut y[at..at + values.len()], factor, values));
    }

    fn scale(&self, y: &mut Tensor, factor: f64) {
        self.cpu.scale(floats_mut(y), factor);
    }

    fn subtract_from(&self, y: &mut Tensor, x: &Tensor) {
        floats_mut(y).iter_mut().zip(floats(x)).for_each(|(y, x)| *y = x - *y);
    }

    fn adam_step(&self, adam: Adam, range: Range<usize>, vectors: AdamVectors<'_>) {
        let AdamVectors { gradient, values, first, second } = vectors;
        let part = |tensor| &mut floats_mut(tensor)[range.clone()];
        let (values, first, second) = (part(values), part(first), part(second));
        let Cpu { isa, threads } = &self.cpu;
        vector::adam_step(*isa, threads, adam, &floats(gradient)[range.clone()], values, first, second);
    }

    fn cut(&self, picture: Input<'_>, at: Window<'_>, window: &mut Tensor) {
        let window = floats_mut(window);
        window.clear();
        let [height, width] = at.picture;
        let span = span(at.columns);
        for plane in input(picture).chunks_exact(height * width) {
            for row in at.rows.iter().map(|row| &plane[row * width..][..width]) {
                match &span {
                    Some(span) => window.extend_from_slice(&row[span.clone()]),
                    None => window.extend(at.columns.iter().map(|column| row[*column])),
                }
            }
        }
    }

    fn add_window(&self, window: &Tensor, at: Window<'_>, picture: &mut Tensor) {
        let [height, width] = at.picture;
        let across = at.columns.len();
        let span = span(at.columns);
        let planes = floats_mut(picture).chunks_exact_mut(height * width);
        for (plane, window) in planes.zip(floats(window).chunks_exact(at.rows.len() * across)) {
            for (values, row) in window.chunks_exact(across).zip(at.rows) {
                let target = &mut plane[row * width..][..width];
                match &span {
                    Some(span) => target[span.clone()].iter_mut().zip(values).for_each(|(t, value)| *t += value),
                    None => values.iter().zip(at.columns).for_each(|(value, column)| target[*column] += value),
                }
            }
        }
    }

    fn lay_over(&self, picture: &mut Tensor, over: &Tensor, share: &Tensor) {
        let share = floats(share);
        let planes = floats_mut(picture).chunks_exact_mut(share.len()).zip(floats(over).chunks_exact(share.len()));
        for (plane, over) in planes {
            for ((value, over), share) in plane.iter_mut().zip(over).zip(share) {
                // A share of 1 gives `over` exactly, one of 0 the picture.
                *value = if *share == 1.0 { *over } else { *value + share * (over - *value) };
            }
        }
    }

    fn hold(&self, gradient: &mut Tensor, share: &Tensor) {
        let share = floats(share);
        for plane in floats_mut(gradient).chunks_exact_mut(share.len()) {
            plane.iter_mut().zip(share).for_each(|(slope, share)| *slope *= 1.0 - share);
        }
    }

    fn total_variation(
        &self,
        picture: &Tensor,
        size: [usize; 2],
        visible: Option<&[f32]>,
        factor: f64,
        gradient: &mut Tensor,
    ) -> f64 {
        let (picture, gradient) = (floats(picture), floats_mut(gradient));
        let [height, width] = size;
        let Cpu { isa, threads } = &self.cpu;
        match visible {
            None => vector::total_variation(*isa, threads, picture, height, width, factor as f32, gradient),
            Some(visible) => visible_variation(picture, size, visible, factor, gradient),
        }
    }

    fn cost(&self, pass: Pass) -> Cost {
        match pass {
            Pass::Whole => Cost { of_a_pixel: 1.0, packings: 1.0 },
            Pass::Bands { rows, height } if rows >= height => Cost { of_a_pixel: ONE_BAND_COST, packings: 1.0 },
            Pass::Bands { rows, .. } => Cost { of_a_pixel: bands_cost(rows as f64), packings: 1.0 },
            // Two of three passes go forwards.
            Pass::Tiles => Cost { of_a_pixel: TILES_COST, packings: 1.5 },
        }
    }

    fn packing_cost(&self) -> f64 {
        PACKING_COST
    }

    fn trunk(&self, network: &Vgg, options: TrunkOptions<'_>) -> Result<ReadyTrunk, TrunkError> {
        let TrunkOptions { taps, pooling, pooling_scale, border, packing } = options;
        let mut trunk = CpuTrunk::on(network, pooling, taps, &self.cpu, packing)?;
        trunk.set_pooling_scale(pooling_scale);
        trunk.set_border(border);
        let weights = trunk.weights().bytes() as u64;
        let packed_weights = packed_bytes(network, taps).saturating_sub(trunk.weights().room() as u64);
        Ok(ReadyTrunk { trunk: Box::new(CpuDeviceTrunk(trunk)), weights, packed_weights })
    }

    fn style_net(&self, shape: StyleNetShape, parameters: &[f32]) -> Result<Box<dyn StyleNetwork>, StyleNetError> {
        Ok(Box::new(StyleNet::new(self.cpu.isa, self.cpu.threads.clone(), shape, parameters)?))
    }

    fn style_trainer(
        &self,
        shape: StyleNetShape,
        height: usize,
        width: usize,
    ) -> Result<Box<dyn StyleTrainer>, StyleNetError> {
        Ok(Box::new(StyleNetTrainer::new(self.cpu.isa, self.cpu.threads.clone(), shape, height, width)?))
    }
}

/// The cost of bands of `rows` rows: their part of the network runs forwards twice and backwards once, each time with the
/// halo; without bands it runs once each way. For 128 rows that is 1.23; 1.19 was measured (`docs/performance.md`).
fn bands_cost(rows: f64) -> f64 {
    1.0 + SHALLOW / 2.0 * (3.0 * (rows + HALO) / rows - 2.0)
}

/// Bytes of a network packed up to its deepest tap: all convolutions but the first as 6×6 frequencies of 4 bytes, for
/// both directions.
fn packed_bytes(network: &Vgg, taps: &[usize]) -> u64 {
    let deepest = taps.iter().max().copied().unwrap_or(0);
    let packed = network.convolutions[..=deepest].iter().skip(1);
    packed.map(|c| (c.in_channels * c.out_channels * 36 * 4 * 2) as u64).sum()
}

/// The range that indices are, if they are one.
fn span(indices: &[usize]) -> Option<Range<usize>> {
    let (first, last) = (*indices.first()?, *indices.last()?);
    (indices.windows(2).all(|pair| pair[1] == pair[0] + 1)).then_some(first..last + 1)
}

/// `Σ w · d²`, see [`Backend::total_variation`].
fn visible_variation(
    picture: &[f32],
    [height, width]: [usize; 2],
    visible: &[f32],
    factor: f64,
    gradient: &mut [f32],
) -> f64 {
    let mut sum = 0.0;
    for (plane, gradient) in picture.chunks_exact(height * width).zip(gradient.chunks_exact_mut(height * width)) {
        let mut pair = |a: usize, b: usize| {
            let weight = f64::from(visible[a].min(visible[b]));
            let difference = f64::from(plane[b]) - f64::from(plane[a]);
            sum += weight * difference * difference;
            let slope = (2.0 * factor * weight * difference) as f32;
            gradient[b] += slope;
            gradient[a] -= slope;
        };
        for y in 0..height {
            for x in 0..width {
                let here = y * width + x;
                if x + 1 < width {
                    pair(here, here + 1);
                }
                if y + 1 < height {
                    pair(here, here + width);
                }
            }
        }
    }
    sum
}

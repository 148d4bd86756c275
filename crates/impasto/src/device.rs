//! What computes: the one place that knows which trunks there are.

use impasto_nn::kernels::{Isa, StyleNet, StyleNetError, Threads, vector};
use impasto_nn::style_model::StyleModel;
use impasto_nn::trunk::{CpuTrunk, Packing, Trunk, TrunkError};
use impasto_nn::vgg::Vgg;

use crate::settings::{Device, Settings};

/// The environment variable that forces an instruction set, for measurements: `avx512`, `avx2` or `portable`.
pub const ISA_VARIABLE: &str = "IMPASTO_ISA";

/// Why there is nothing to compute with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The layers cannot be looked at.
    #[error(transparent)]
    Trunk(#[from] TrunkError),
    /// The network of a style does not run.
    #[error(transparent)]
    StyleNet(#[from] StyleNetError),
    /// [`ISA_VARIABLE`] names an instruction set that this processor does not have.
    #[error("{ISA_VARIABLE} is `{0}`, but this processor has {1}: name one of these, or unset it")]
    Isa(String, String),
}

/// A trunk and where it runs.
pub struct Machine {
    /// The network, ready.
    pub trunk: Box<dyn Trunk>,
    /// What works on the picture between the passes of the network.
    pub cpu: Cpu,
    /// For people, such as `cpu, avx512, 2 threads`.
    pub device: String,
    /// Bytes of the network as it runs.
    pub weights: u64,
    /// Bytes that it would take with all weights packed, less the room that it has for packing them.
    pub packed_weights: u64,
}

impl Machine {
    /// The trunk that the settings ask for.
    ///
    /// # Errors
    /// If a tap is beyond the network or there is none, or [`ISA_VARIABLE`] asks for what is not there.
    pub fn new(network: &Vgg, settings: &Settings, taps: &[usize]) -> Result<Self, DeviceError> {
        Self::packed(network, settings, taps, Packing::Kept)
    }

    /// The same in less memory: large weights are packed whenever they are used, which large pictures hardly notice.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn sparing(network: &Vgg, settings: &Settings, taps: &[usize]) -> Result<Self, DeviceError> {
        Self::packed(network, settings, taps, Packing::Sparing)
    }

    fn packed(network: &Vgg, settings: &Settings, taps: &[usize], packing: Packing) -> Result<Self, DeviceError> {
        match settings.device {
            Device::Auto | Device::Cpu => Self::on_cpu(network, settings, taps, packing),
        }
    }

    fn on_cpu(network: &Vgg, settings: &Settings, taps: &[usize], packing: Packing) -> Result<Self, DeviceError> {
        let threads = settings.threads.unwrap_or_else(cores);
        let mut trunk = CpuTrunk::new(network, settings.pooling.into(), taps, threads, forced_isa()?, packing)?;
        trunk.set_pooling_scale(settings.pooling_scale as f32);
        trunk.set_border(settings.border.into());
        let device = cpu_name(trunk.isa(), threads);
        let cpu = Cpu { isa: trunk.isa(), threads: trunk.threads().clone() };
        let weights = trunk.weights().bytes() as u64;
        let packed_weights = packed_bytes(network, trunk.taps()).saturating_sub(trunk.weights().room() as u64);
        Ok(Self { trunk: Box::new(trunk), cpu, device, weights, packed_weights })
    }
}

/// Bytes of a network packed up to its deepest tap: all convolutions but the first as 6×6 frequencies of 4 bytes, for
/// both directions.
fn packed_bytes(network: &Vgg, taps: &[usize]) -> u64 {
    let deepest = taps.iter().max().copied().unwrap_or(0);
    let packed = network.convolutions[..=deepest].iter().skip(1);
    packed.map(|c| (c.in_channels * c.out_channels * 36 * 4 * 2) as u64).sum()
}

/// The network of a style, ready to paint, and what computes, for people.
///
/// # Errors
/// If the network is not one that the kernels run, or [`ISA_VARIABLE`] asks for what is not there.
pub(crate) fn style_net(
    model: &StyleModel,
    device: Device,
    threads: Option<usize>,
) -> Result<(StyleNet, String), DeviceError> {
    match device {
        Device::Auto | Device::Cpu => cpu_style_net(model, threads),
    }
}

fn cpu_style_net(model: &StyleModel, threads: Option<usize>) -> Result<(StyleNet, String), DeviceError> {
    let isa = forced_isa()?.unwrap_or_else(Isa::best);
    let threads = threads.unwrap_or_else(cores);
    let net = StyleNet::new(isa, Threads::new(threads), model.shape, &model.parameters)?;
    Ok((net, cpu_name(isa, threads)))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn cpu_name(isa: Isa, threads: usize) -> String {
    format!("cpu, {}, {threads} thread{}", isa.name(), if threads == 1 { "" } else { "s" })
}

fn forced_isa() -> Result<Option<Isa>, DeviceError> {
    let Some(name) = std::env::var_os(ISA_VARIABLE).filter(|name| !name.is_empty()) else { return Ok(None) };
    let name = name.to_string_lossy();
    let available = || Isa::available().iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
    Isa::by_name(&name).map(Some).ok_or_else(|| DeviceError::Isa(name.into_owned(), available()))
}

/// The processor, for what happens to a picture between the passes of the network: sums over long slices, the same
/// bits for the same instruction set and number of threads.
#[derive(Clone)]
pub struct Cpu {
    isa: Isa,
    threads: Threads,
}

impl Cpu {
    /// The fastest instruction set there is, on this many threads.
    pub fn new(threads: usize) -> Self {
        Self { isa: Isa::best(), threads: Threads::new(threads) }
    }

    /// The instruction set.
    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// The threads, to be shared with whatever else works in turn with this.
    pub(crate) fn threads(&self) -> &Threads {
        &self.threads
    }

    /// `Σ a·b`, in `f64`.
    pub(crate) fn dot(&self, a: &[f32], b: &[f32]) -> f64 {
        vector::dot(self.isa, &self.threads, a, b)
    }

    /// `y += factor · x`.
    pub(crate) fn add_scaled(&self, y: &mut [f32], factor: f64, x: &[f32]) {
        vector::axpy(self.isa, &self.threads, factor as f32, x, y);
    }

    /// `y *= factor`.
    pub(crate) fn scale(&self, y: &mut [f32], factor: f64) {
        vector::scale(self.isa, &self.threads, factor as f32, y);
    }

    /// One step of Adam; `m` and `v` are its moments.
    pub(crate) fn adam_step(&self, adam: vector::Adam, gradient: &[f32], x: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        vector::adam_step(self.isa, &self.threads, adam, gradient, x, m, v);
    }

    /// `Σ` of squared differences between neighbours; `factor` times its gradient is added to `gradient`.
    pub(crate) fn variation(&self, planes: &[f32], size: (usize, usize), factor: f64, gradient: &mut [f32]) -> f64 {
        vector::total_variation(self.isa, &self.threads, planes, size.0, size.1, factor as f32, gradient)
    }
}

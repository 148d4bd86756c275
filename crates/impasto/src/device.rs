//! What computes: the one place that knows which devices there are.

use std::sync::Arc;

use impasto_nn::backend::{Backend, CpuBackend, DeviceTrunk, ReadyTrunk, ReferenceBackend, TrunkOptions};
use impasto_nn::kernels::{Isa, StyleNetError, Threads};
use impasto_nn::trunk::{Packing, TrunkError};
use impasto_nn::vgg::Vgg;

pub use impasto_nn::backend::Cpu;

use crate::settings::{Device, Settings};

/// The environment variable that forces an instruction set, for measurements: `avx512`, `avx2` or `portable`.
pub const ISA_VARIABLE: &str = "IMPASTO_ISA";

/// Why there is nothing to compute with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The layers cannot be read.
    #[error(transparent)]
    Trunk(#[from] TrunkError),
    /// The network of a style does not run.
    #[error(transparent)]
    StyleNet(#[from] StyleNetError),
    /// [`ISA_VARIABLE`] names an instruction set that this processor does not have.
    #[error("{ISA_VARIABLE} is `{0}`, but this processor has {1}: name one of these, or unset it")]
    Isa(String, String),
}

/// The device that is asked for, with this many threads of the processor (default: all cores).
///
/// # Errors
/// If [`ISA_VARIABLE`] asks for what is not there.
pub fn backend(device: Device, threads: Option<usize>) -> Result<Arc<dyn Backend>, DeviceError> {
    let threads = Threads::new(threads.unwrap_or_else(cores));
    Ok(match device {
        Device::Auto | Device::Cpu => {
            let isa = forced_isa()?.unwrap_or_else(Isa::best);
            Arc::new(CpuBackend::new(Cpu::with(isa, threads)))
        }
        Device::Reference => Arc::new(ReferenceBackend::new(Cpu::with(Isa::best(), threads))),
    })
}

/// A trunk and the device that it runs on.
pub struct Machine {
    /// The network, ready.
    pub trunk: Box<dyn DeviceTrunk>,
    /// What works on the picture between the passes of the network.
    pub backend: Arc<dyn Backend>,
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
        let backend = backend(settings.device, settings.threads)?;
        Ok(Self::on(backend, network, settings, taps, Packing::Kept)?)
    }

    /// The same on a backend that is there, with weights packed once, or whenever they are used: less memory, for large
    /// pictures.
    ///
    /// # Errors
    /// If a tap is beyond the network or there is none.
    pub fn on(
        backend: Arc<dyn Backend>,
        network: &Vgg,
        settings: &Settings,
        taps: &[usize],
        packing: Packing,
    ) -> Result<Self, TrunkError> {
        let options = TrunkOptions {
            taps,
            pooling: settings.pooling.into(),
            pooling_scale: settings.pooling_scale as f32,
            border: settings.border.into(),
            packing,
        };
        let ReadyTrunk { trunk, weights, packed_weights } = backend.trunk(network, options)?;
        Ok(Self { trunk, backend, weights, packed_weights })
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn forced_isa() -> Result<Option<Isa>, DeviceError> {
    let Some(name) = std::env::var_os(ISA_VARIABLE).filter(|name| !name.is_empty()) else { return Ok(None) };
    let name = name.to_string_lossy();
    let available = || Isa::available().iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
    Isa::by_name(&name).map(Some).ok_or_else(|| DeviceError::Isa(name.into_owned(), available()))
}

/// The processor, for tests.
#[cfg(test)]
pub(crate) fn cpu_backend() -> Arc<dyn Backend> {
    Arc::new(CpuBackend::new(Cpu::new(2)))
}

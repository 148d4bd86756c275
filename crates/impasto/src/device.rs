//! What computes: the one place that knows which trunks there are.

use impasto_nn::trunk::{CpuTrunk, Trunk, TrunkError};
use impasto_nn::vgg::Vgg;

use crate::settings::Settings;

/// A trunk and where it runs.
pub struct Machine {
    /// The network, ready.
    pub trunk: Box<dyn Trunk>,
    /// For people, such as `cpu, avx512, 2 threads`.
    pub device: String,
}

impl Machine {
    /// The trunk that the settings ask for.
    ///
    /// # Errors
    /// If a tap is beyond the network, or there is none.
    pub fn new(network: &Vgg, settings: &Settings, taps: &[usize]) -> Result<Self, TrunkError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = settings.threads.unwrap_or_else(cores);
        let trunk = CpuTrunk::new(network, settings.pooling.into(), taps, threads, None)?;
        let device = format!("cpu, {}, {threads} thread{}", trunk.isa().name(), if threads == 1 { "" } else { "s" });
        Ok(Self { trunk: Box::new(trunk), device })
    }
}

//! What computes: the one place that knows which trunks there are.

use impasto_nn::trunk::{BurnTrunk, Trunk, TrunkError};
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
        let trunk = BurnTrunk::cpu(network, settings.pooling.into(), taps)?;
        Ok(Self { trunk: Box::new(trunk), device: "cpu, burn".into() })
    }
}

//! Which instruction set runs, chosen at run time.

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Op, Portable, Simd};

/// An instruction set that this CPU has: no other value of this type can be made.
#[derive(Clone, Copy)]
pub struct Isa(Set);

#[derive(Clone, Copy)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

impl Isa {
    /// The fastest one of this CPU.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// All that this CPU has, the fastest first; `portable` is always among them.
    pub fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        all.extend(Avx512::new().map(|s| Self(Set::Avx512(s))));
        #[cfg(target_arch = "x86_64")]
        all.extend(Avx2::new().map(|s| Self(Set::Avx2(s))));
        all.push(Self(Set::Portable(Portable)));
        all
    }

    /// The one of this name, where this CPU has it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            Set::Portable(_) => "portable",
        }
    }

    /// Runs `op` compiled for this instruction set.
    pub(crate) fn run<O: Op>(self, op: O) -> O::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(s) => s.vectorise(op),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(s) => s.vectorise(op),
            Set::Portable(s) => s.vectorise(op),
        }
    }

    /// Blocks of sixteen channels in a panel of packed weights.
    pub(crate) fn panel_blocks(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => Avx512::VECTORS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => Avx2::VECTORS,
            Set::Portable(_) => Portable::VECTORS,
        }
    }
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Isa {}

impl std::fmt::Debug for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

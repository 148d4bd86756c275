//! Which instruction set runs, chosen at run time.

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Op, Portable, Simd};

/// An instruction set that this CPU has: no other value of this type can be made.
#[derive(Clone, Copy)]
pub struct Isa(Set);

/// Everything that is written once for each instruction set.
macro_rules! instruction_sets {
    ($($(#[$condition:meta])? $set:ident = $name:literal,)*) => {
        #[derive(Clone, Copy)]
        enum Set {
            $($(#[$condition])? $set($set),)*
        }

        /// Blocks of the widest panel of any instruction set.
        pub(crate) const MOST_PANEL_BLOCKS: usize = {
            let mut most = 0;
            $($(#[$condition])? {
                if $set::VECTORS > most {
                    most = $set::VECTORS;
                }
            })*
            most
        };

        impl Isa {
            /// All that this CPU has, the fastest first; `portable` is always among them.
            pub fn available() -> Vec<Self> {
                let mut all = Vec::new();
                $($(#[$condition])? all.extend($set::new().map(|s| Self(Set::$set(s))));)*
                all
            }

            /// `avx512`, `avx2` or `portable`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($(#[$condition])? Set::$set(_) => $name,)*
                }
            }

            /// Runs `op` compiled for this instruction set.
            pub(crate) fn run<O: Op>(self, op: O) -> O::Output {
                match self.0 {
                    $($(#[$condition])? Set::$set(s) => s.vectorise(op),)*
                }
            }

            /// Blocks of sixteen channels in a panel of packed weights.
            pub(crate) fn panel_blocks(self) -> usize {
                match self.0 {
                    $($(#[$condition])? Set::$set(_) => $set::VECTORS,)*
                }
            }
        }
    };
}

// The fastest first. To add one: its type in `simd`, and its line here.
instruction_sets! {
    #[cfg(target_arch = "x86_64")]
    Avx512 = "avx512",
    #[cfg(target_arch = "x86_64")]
    Avx2 = "avx2",
    Portable = "portable",
}

impl Isa {
    /// The fastest one of this CPU.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// The one of this name, where this CPU has it.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
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

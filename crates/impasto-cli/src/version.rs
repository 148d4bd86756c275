//! `--version`, with what the program was built for.

/// The version, the target, and the profile.
pub(crate) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nbuilt for ",
    env!("IMPASTO_TARGET"),
    ", ",
    env!("IMPASTO_PROFILE"),
    "\ndevices: cpu (avx512, avx2 or portable, chosen when it runs)\nnetworks built in: vgg19"
);

//! Checkpoints of paintings.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| impasto_fuzz::as_file(data, |path| {
    let _ = impasto::paint::probe(path);
}));

//! Checkpoints of trainings. The network has three parameters: as many as the seed has.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| impasto_fuzz::as_file(data, |path| {
    let _ = impasto::train::probe(path, 3);
}));

//! Weight files of MATLAB.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| impasto_fuzz::read_tensors(data));

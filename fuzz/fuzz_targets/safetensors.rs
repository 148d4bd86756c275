//! Weight files and style models in safetensors.
#![no_main]

use impasto_nn::style_model::StyleModel;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    impasto_fuzz::read_tensors(data);
    let _ = StyleModel::from_bytes("fuzzed", data.to_vec());
});

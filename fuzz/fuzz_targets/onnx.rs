//! Networks of styles in ONNX: tensors, and the importer, which reads the graph.
#![no_main]

use impasto_nn::style_model::StyleModel;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    impasto_fuzz::read_tensors(data);
    let _ = StyleModel::import_bytes("fuzzed", data.to_vec());
});

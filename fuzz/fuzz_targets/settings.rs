//! Settings files of painting and of training.
#![no_main]

use std::path::Path;

use impasto::settings::Overrides;
use impasto::train::TrainOverrides;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(given) = Overrides::from_toml(text, Path::new("fuzzed")) {
        let _ = given.settings().check();
        let _ = given.to_toml();
    }
    if let Ok(given) = TrainOverrides::from_toml(text, Path::new("fuzzed")) {
        let _ = given.settings().check();
        let _ = given.to_toml();
    }
});

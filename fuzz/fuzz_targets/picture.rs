//! Whatever opens picture files: pixels, profile, opacity, metadata, and the settings in them.
#![no_main]

use std::path::Path;

use impasto::picture::{Picture, PictureFile, settings_of};
use libfuzzer_sys::fuzz_target;

/// Pictures of more pixels are not decoded: a short file may say that it has many.
const MOST_PIXELS: usize = 1 << 22;

fuzz_target!(|data: &[u8]| {
    impasto_fuzz::let_caught_panics_pass();
    impasto_fuzz::as_file(data, |path| {
        let _ = settings_of(path);
        let size = Picture::size_of(path);
        if size.is_some_and(|(height, width)| height.saturating_mul(width) <= MOST_PIXELS) {
            let _ = PictureFile::from_bytes(data, Path::new("fuzzed"));
        }
    });
});

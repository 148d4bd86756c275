//! Thousands of damaged files of every format: an answer each time, soon, and in little memory.

mod common;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Instant,
};

use common::damage::{Random, damage};
use impasto_nn::formats::TensorFile;

/// Damaged copies of each fixture.
const COPIES: u64 = 1500;

#[test]
fn damaged_files_are_answered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_none_or(|e| e != "md" && e != "json"));
    paths.sort();
    assert!(paths.len() >= 25);
    let mut readable = 0;
    for (number, path) in paths.iter().enumerate() {
        let whole = fs::read(path).unwrap();
        for copy in 0..COPIES {
            let mut random = Random::new(number as u64 * COPIES + copy);
            let damaged = damage(&whole, &mut random);
            let start = Instant::now();
            let answer = catch_unwind(AssertUnwindSafe(|| read_all(damaged)));
            let answer = answer.unwrap_or_else(|_| panic!("copy {copy} of {}", path.display()));
            readable += usize::from(answer);
            assert!(start.elapsed().as_secs() < 10, "copy {copy} of {} took {:?}", path.display(), start.elapsed());
        }
    }
    // Some damage is harmless, most is not: the copies are neither all whole nor all hopeless.
    let all = paths.len() * COPIES as usize;
    assert!(readable > all / 50 && readable < all / 2, "{readable} of {all} could be read");
}

/// The same in a process that cannot allocate much: an announced length must not become memory.
#[test]
fn damaged_files_take_little_memory() {
    common::memory::run_with_little("damaged_files_are_answered");
}

/// Does with a file all that can be done with it; whether there was no error.
fn read_all(bytes: Vec<u8>) -> bool {
    let Ok(mut file) = TensorFile::from_bytes("damaged", bytes) else { return false };
    let described = file.describe().is_ok();
    let _ = file.vgg();
    described && (0..file.tensors().len()).all(|number| file.read(number).is_ok())
}

//! Thousands of damaged files of every format: an answer each time, soon, and in little memory.

mod common;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Instant,
};

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

/// One to four changes.
fn damage(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        // Descriptions stand at the front and at the back; most numbers in between mean nothing.
        let at = match random.below(4) {
            0 => random.below(bytes.len().min(400)),
            1 => bytes.len() - 1 - random.below(bytes.len().min(400)),
            _ => random.below(bytes.len()),
        };
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.below(4)],
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + 1 + random.below(16)).min(bytes.len()))),
            6 => {
                let piece = bytes[at..(at + 1 + random.below(16)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.iter_mut().skip(at).take(1 + random.below(8)).for_each(|b| *b = 0xff),
        }
    }
    bytes
}

/// `splitmix64`: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

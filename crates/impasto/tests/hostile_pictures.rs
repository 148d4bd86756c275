//! Picture files that were made to do harm, or came to harm: more than ten thousand of them through everything that
//! reads pictures. None may panic, hang, or take more memory than a picture of the size that may be had for nothing.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use impasto::picture::{Picture, PictureFile, PictureFormat, PictureOutput, settings_of};
use peak_alloc::PeakAlloc;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Files of harm.
const FILES: usize = 10_400;

/// Files at work at once.
const CREW: usize = 2;

/// What one file may take: longer, and it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that the crew may take together: a short file may say that it has 16 megapixels, which are 12 bytes each as a
/// picture, and often 4 as the decoder has them.
const BUDGET: usize = 1 << 30;

/// Words near which metadata, profiles, sizes and lengths stand.
const WORDS: [&[u8]; 16] = [
    b"IHDR",
    b"iCCP",
    b"eXIf",
    b"iTXt",
    b"acsp",
    b"Exif",
    b"ICC_PROFILE",
    b"Adobe",
    b"8BIM",
    b"http://ns",
    b"VP8",
    b"ICCP",
    b"EXIF",
    b"XMP ",
    b"II*",
    b"A2B0",
];

/// Numbers that lengths and sizes are replaced by.
const NUMBERS: [u32; 10] = [0, 1, 0x7fff, 0x8000, 0xffff, 0x1_0000, 40_000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

#[test]
#[allow(clippy::print_stdout, reason = "the figures of the run, for who asks for them")]
fn no_file_panics_hangs_or_takes_too_much_memory() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    let (next, read) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let slowest = Mutex::new((Duration::ZERO, 0));
    let at_work: Vec<Mutex<Option<(usize, Instant)>>> = (0..CREW).map(|_| Mutex::new(None)).collect();
    ALLOCATOR.reset_peak_usage();
    std::thread::scope(|scope| {
        let crew: Vec<_> = at_work
            .iter()
            .enumerate()
            .map(|(worker, at_work)| {
                let (files, next, read, slowest) = (&files, &next, &read, &slowest);
                let path = folder.path().join(format!("{worker}.picture"));
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::SeqCst);
                        if number >= FILES {
                            return;
                        }
                        let bytes = mutant(files, number);
                        let begun = Instant::now();
                        *at_work.lock().unwrap() = Some((number, begun));
                        read.fetch_add(usize::from(through_everything(&bytes, &path)), Ordering::SeqCst);
                        *at_work.lock().unwrap() = None;
                        let mut slowest = slowest.lock().unwrap();
                        *slowest = (*slowest).max((begun.elapsed(), number));
                    }
                })
            })
            .collect();
        while crew.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(50));
            for at_work in &at_work {
                if let Some((number, begun)) = *at_work.lock().unwrap() {
                    // A thread that hangs cannot be joined: the whole test ends here.
                    assert_patience(number, begun);
                }
            }
        }
        crew.into_iter().for_each(|worker| worker.join().unwrap());
    });
    let (read, peak) = (read.into_inner(), ALLOCATOR.peak_usage());
    let (slowest, number) = slowest.into_inner().unwrap();
    println!("{read} of {FILES} were pictures; at most {} MiB; the slowest, {number}, took {slowest:?}", peak >> 20);
    assert!(peak <= BUDGET, "{} MiB at the peak", peak >> 20);
    // Neither all whole nor all refused: the mutations reach what lies behind the heads.
    assert!(read > FILES / 20 && read < FILES * 9 / 10, "{read} of {FILES} were pictures");
}

fn assert_patience(number: usize, begun: Instant) {
    if begun.elapsed() > PATIENCE {
        std::io::Write::write_all(&mut std::io::stderr(), format!("file {number} hangs\n").as_bytes()).unwrap();
        std::process::abort();
    }
}

/// The pictures of the tests, each with what it is called.
fn files() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/files");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| !path.to_string_lossy().contains(".expected.")).collect();
    paths.sort();
    assert!(paths.len() > 40);
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Everything that reads picture files; whether this is one.
fn through_everything(bytes: &[u8], path: &Path) -> bool {
    std::fs::write(path, bytes).unwrap();
    let _ = Picture::size_of(path);
    let _ = settings_of(path);
    let Ok(file) = PictureFile::read(path) else { return false };
    assert!(file.picture.data().iter().all(|value| (0.0..=255.0).contains(value)));
    // What is kept of the metadata goes into files that can be read.
    let small = Picture::from_rgb8(8, 8, &[90; 192]);
    for format in [PictureFormat::Png, PictureFormat::Jpeg, PictureFormat::WebP, PictureFormat::Tiff] {
        let output = PictureOutput {
            settings: Some("a = 1".into()),
            metadata: file.metadata.to_keep(true),
            ..Default::default()
        };
        if file.metadata.is_empty() {
            break;
        }
        let written = small.to_file_bytes_with(format, &output).unwrap();
        PictureFile::from_bytes(&written, path).unwrap();
    }
    true
}

/// One of the files, changed in one to three ways; the same for a number always.
fn mutant(files: &[Vec<u8>], number: usize) -> Vec<u8> {
    let mut random = ChaCha8Rng::seed_from_u64(number as u64);
    let mut bytes = files[number % files.len()].clone();
    for _ in 0..random.random_range(1..=3) {
        mutate(&mut bytes, files, &mut random);
    }
    if random.random_bool(0.7) {
        repair_png(&mut bytes);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, files: &[Vec<u8>], random: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        return;
    }
    let anywhere = random.random_range(0..bytes.len());
    let place = if random.random_bool(0.5) { anywhere } else { near_a_word(bytes, random).unwrap_or(anywhere) };
    match random.random_range(0..8) {
        0 | 1 => (0..random.random_range(1..=6)).for_each(|_| {
            let place = random.random_range(0..bytes.len());
            bytes[place] ^= 1 << random.random_range(0..8);
        }),
        2 => bytes.truncate(anywhere),
        3 => {
            let other = &files[random.random_range(0..files.len())];
            let head = random.random_range(0..other.len().min(200));
            let tail = bytes.split_off(anywhere.min(head));
            *bytes = [&other[..head], &tail].concat();
        }
        4 | 5 => replace_number(bytes, place, random),
        6 => {
            let end = (place + random.random_range(1..=24)).min(bytes.len());
            random.fill_bytes(&mut bytes[place..end]);
        }
        _ => {
            let end = (place + random.random_range(1..=64)).min(bytes.len());
            let block = bytes[place..end].to_vec();
            if random.random_bool(0.5) {
                bytes.drain(place..end);
            } else {
                bytes.splice(anywhere..anywhere, block);
            }
        }
    }
}

/// A place within 48 bytes around one of the words that are in the file.
fn near_a_word(bytes: &[u8], random: &mut ChaCha8Rng) -> Option<usize> {
    let word = WORDS[random.random_range(0..WORDS.len())];
    let found: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i..].starts_with(word)).collect();
    let place = *found.get(random.random_range(0..found.len().max(1)))?;
    Some((place + random.random_range(0..48)).saturating_sub(8).min(bytes.len() - 1))
}

/// Puts a number of two or four bytes, either end first, into a place.
fn replace_number(bytes: &mut [u8], place: usize, random: &mut ChaCha8Rng) {
    let number = NUMBERS[random.random_range(0..NUMBERS.len())];
    let number = match random.random_range(0..4) {
        0 => number.to_be_bytes().to_vec(),
        1 => number.to_le_bytes().to_vec(),
        2 => (number as u16).to_be_bytes().to_vec(),
        _ => (number as u16).to_le_bytes().to_vec(),
    };
    bytes[place..].iter_mut().zip(number).for_each(|(byte, new)| *byte = new);
}

/// Makes the checksums of a PNG right again, so that what lies behind them is reached.
fn repair_png(bytes: &mut [u8]) {
    if !bytes.starts_with(b"\x89PNG") {
        return;
    }
    let mut place = 8;
    while let Some(head) = bytes.get(place..place + 8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = place + 8 + length;
        let Some(body) = bytes.get(place + 4..end) else { return };
        let crc = crc_of(body).to_be_bytes();
        let Some(sum) = bytes.get_mut(end..end + 4) else { return };
        sum.copy_from_slice(&crc);
        place = end + 4;
    }
}

/// CRC-32 as PNG has it (PNG specification, annex D).
fn crc_of(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

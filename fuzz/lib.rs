//! What the fuzz targets share.

use std::cell::RefCell;
use std::io::{Seek, Write};
use std::path::Path;
use std::sync::Once;

use impasto_nn::formats::TensorFile;
use tempfile::NamedTempFile;

/// Tensors larger than this are described and not read: some formats say with few bytes that they have many values.
const MOST_VALUES: usize = 1 << 22;

/// Lets panics pass that the program catches by itself; those that come out of a target still end it.
pub fn let_caught_panics_pass() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    });
}

/// Gives the bytes as a file, which is written over by the next call.
pub fn as_file(data: &[u8], read: impl FnOnce(&Path)) {
    thread_local!(static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) });
    FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(|| NamedTempFile::new().expect("there is a place for temporary files"));
        file.rewind().expect("a file can be written from its start");
        file.as_file().set_len(0).expect("a file can be emptied");
        file.write_all(data).expect("there is room for a small file");
        file.flush().expect("there is room for a small file");
        read(file.path());
    });
}

/// Does with a file of tensors all that the program does.
pub fn read_tensors(data: &[u8]) {
    let Ok(mut file) = TensorFile::from_bytes("fuzzed", data.to_vec()) else { return };
    let _ = file.describe();
    for number in 0..file.tensors().len().min(64) {
        let values = file.tensors()[number].shape.iter().try_fold(1usize, |all, side| all.checked_mul(*side));
        if values.is_some_and(|values| values <= MOST_VALUES) {
            let _ = file.read(number);
        }
    }
    let _ = file.vgg();
}

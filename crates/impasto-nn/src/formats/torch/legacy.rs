//! What `torch.save` wrote before version 1.6, and writes when asked to.
//!
//! Pickles in a row: a magic number, a protocol number, facts about the machine, the object, the list of storage
//! keys. Then for each key its number of elements in 8 bytes and the elements, both little-endian on every machine.

use std::{
    collections::HashMap,
    io::{BufReader, Seek},
};

use super::{
    Listing, Window,
    pickle::{self, Pickle, Value},
};
use crate::formats::{
    LoadError,
    contents::{Contents, Values},
    source::{Label, Source},
};

/// The first pickle holds this number (`MAGIC_NUMBER` in `torch/serialization.py`).
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// The only version there was.
const PROTOCOL: i128 = 1001;

/// Reads the pickles and finds the storages.
pub(in crate::formats) fn open(mut source: Source) -> Result<Contents, LoadError> {
    let label = source.label().clone();
    source.rewind().map_err(|e| label.io(e))?;
    let mut reader = BufReader::new(source);
    if number(&pickle::read(&mut reader, &label)?) != Some(MAGIC) {
        return Err(label.not_a_model("a Python pickle without PyTorch tensors"));
    }
    if number(&pickle::read(&mut reader, &label)?) != Some(PROTOCOL) {
        return Err(label.malformed("its protocol is not 1001"));
    }
    pickle::read(&mut reader, &label)?;
    let object = pickle::read(&mut reader, &label)?;
    let listing = Listing::of(&object, &label)?;
    let keys = keys(&pickle::read(&mut reader, &label)?, &label)?;
    let position = reader.stream_position().map_err(|e| label.io(e))?;
    let mut source = reader.into_inner();
    let storages = storages(&mut source, position, &keys, &object)?;

    let mut windows = Vec::with_capacity(listing.tensors.len());
    for (name, tensor) in listing.names.iter().zip(&listing.tensors) {
        let missing = || label.malformed(format!("the storage of `{name}` is missing"));
        let &(offset, bytes) = storages.get(tensor.storage.key.as_str()).ok_or_else(missing)?;
        windows.push((offset, Window::new(name, tensor, bytes, &label)?));
    }
    let tensors = listing.names.into_iter().zip(&windows).map(|(name, (_, window))| window.info(name)).collect();
    Ok(Contents { tensors, metadata: listing.metadata, values: Box::new(Reader { source, windows }) })
}

fn number(pickle: &Pickle) -> Option<i128> {
    match pickle.get(pickle.root()) {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn keys(pickle: &Pickle, label: &Label) -> Result<Vec<String>, LoadError> {
    let Value::List(keys) = pickle.get(pickle.root()) else {
        return Err(label.malformed("the list of its storages is missing"));
    };
    let key = |&id| match pickle.get(id) {
        Value::Int(number) => Ok(number.to_string()),
        _ => pickle.text(id).map(str::to_string).ok_or_else(|| label.malformed("a storage has no name")),
    };
    keys.iter().map(key).collect()
}

/// The first byte and the number of bytes of each storage.
fn storages<'a>(
    source: &mut Source,
    mut position: u64,
    keys: &'a [String],
    object: &Pickle,
) -> Result<HashMap<&'a str, (u64, u64)>, LoadError> {
    let widths: HashMap<&str, u64> = object.storages().map(|s| (s.key.as_str(), s.width)).collect();
    let mut storages = HashMap::new();
    for key in keys {
        let Some(&width) = widths.get(key.as_str()) else {
            let detail = format!("nothing says what storage `{}` is made of", key.escape_debug());
            return Err(source.label().malformed(detail));
        };
        let count = source.read_at(position, 8, "a storage")?;
        let count = count.first_chunk().map_or(0, |c| u64::from_le_bytes(*c));
        let end = count.checked_mul(width).and_then(|bytes| (position + 8).checked_add(bytes));
        let Some(end) = end.filter(|&end| end <= source.len()) else {
            let detail = format!("a storage of {count} elements should begin at byte {}", position + 8);
            return Err(source.label().truncated(detail));
        };
        storages.insert(key.as_str(), (position + 8, end - position - 8));
        position = end;
    }
    Ok(storages)
}

struct Reader {
    source: Source,
    /// The first byte of the storage and the place in it.
    windows: Vec<(u64, Window)>,
}

impl Values for Reader {
    fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError> {
        let (offset, window) = &self.windows[index];
        let bytes = self.source.read_at(offset + window.first, window.extent, "a tensor")?;
        Ok(window.gather(&bytes, false))
    }
}

//! What `torch.save` writes since version 1.6.
//!
//! Entries, below a folder of any name: `data.pkl` the pickle, `data/KEY` the bytes of each storage, `byteorder`
//! (`little` or `big`) the order of those bytes.

use std::{
    collections::HashSet,
    io::{self, BufReader, Read},
};

use zip::{ZipArchive, result::ZipError};

use super::{Listing, Window, pickle, storage_end};
use crate::formats::{
    LoadError,
    contents::{Contents, Values},
    source::{Label, Source, read_bounded, skip},
};

/// Reads the pickle and finds the storages.
pub(in crate::formats) fn open(mut source: Source) -> Result<Contents, LoadError> {
    let label = source.label().clone();
    if !has_table_of_contents(&mut source)? {
        return Err(label.truncated("the table of contents at its end is missing"));
    }
    let archive = ZipArchive::new(BufReader::new(source)).map_err(|e| zip_error(&label, e))?;
    let mut archive = Archive { archive, label, whole: HashSet::new() };
    let folder = archive.folder()?;
    let big_endian = archive.short_text(&format!("{folder}byteorder"))?.trim() == "big";
    let listing = archive.listing(&format!("{folder}data.pkl"))?;
    let mut windows = Vec::with_capacity(listing.tensors.len());
    for (name, tensor) in listing.names.iter().zip(&listing.tensors) {
        let (entry, bytes) = archive.storage(&format!("{folder}data/{}", tensor.storage.key), name)?;
        if storage_end(tensor).is_none_or(|end| end > bytes) {
            return Err(archive.label.malformed(format!("the storage of `{name}` is shorter than announced")));
        }
        windows.push((entry, Window::new(name, tensor, bytes, &archive.label)?));
    }
    let tensors = listing.names.into_iter().zip(&windows).map(|(name, (_, window))| window.info(name)).collect();
    Ok(Contents { tensors, metadata: listing.metadata, values: Box::new(Reader { archive, windows, big_endian }) })
}

/// Whether the record that ends every zip is whole. It has 22 bytes, the last two of which say how long the comment
/// behind it is: at most 64 kB.
fn has_table_of_contents(source: &mut Source) -> Result<bool, LoadError> {
    let count = source.len().min(0xffff + 22);
    let tail = source.read_at(source.len() - count, count, "the table of contents")?;
    let is_whole = |record: &[u8]| {
        let comment = record.get(20..22).and_then(|c| c.first_chunk()).map(|c| u16::from_le_bytes(*c));
        comment.is_some_and(|comment| record.len() >= 22 + usize::from(comment))
    };
    let mut marks = (0..tail.len()).filter(|&at| tail[at..].starts_with(b"PK\x05\x06"));
    Ok(marks.any(|at| is_whole(&tail[at..])))
}

struct Archive {
    archive: ZipArchive<BufReader<Source>>,
    label: Label,
    /// Entries that were read to their end, so that their checksum is known to be right.
    whole: HashSet<usize>,
}

impl Archive {
    /// What stands before `data.pkl`.
    fn folder(&self) -> Result<String, LoadError> {
        let names = self.archive.file_names().filter_map(Result::ok);
        let names: Vec<_> = names.map(|n| n.into_owned()).collect();
        let folder = |name: &String| {
            let folder = name.strip_suffix("data.pkl")?;
            (folder.is_empty() || folder.ends_with('/') && folder.matches('/').count() == 1).then(|| folder.to_string())
        };
        let Some(folder) = names.iter().find_map(folder) else {
            return Err(self.label.not_a_model("a zip archive without a PyTorch file in it"));
        };
        if names.iter().any(|n| *n == format!("{folder}constants.pkl")) {
            let advice = "store its weights alone with `torch.save(model.state_dict(), …)`";
            return Err(self.label.unsupported("a TorchScript program", advice));
        }
        Ok(folder)
    }

    fn short_text(&mut self, name: &str) -> Result<String, LoadError> {
        let Some(index) = self.archive.index_for_name(name) else { return Ok(String::new()) };
        let mut text = String::new();
        let entry = self.archive.by_index(index).map_err(|e| zip_error(&self.label, e))?;
        entry.take(100).read_to_string(&mut text).map_err(|e| self.label.io(e))?;
        Ok(text)
    }

    fn listing(&mut self, name: &str) -> Result<Listing, LoadError> {
        let entry = self.archive.by_name(name).map_err(|e| zip_error(&self.label, e))?;
        // To its end, where its checksum is compared; a longer one the pickle machine would refuse as well.
        let mut bytes = Vec::new();
        entry.take(pickle::LONGEST + 1).read_to_end(&mut bytes).map_err(|e| self.label.io(e))?;
        let pickle = pickle::read(&mut bytes.as_slice(), &self.label)?;
        Listing::of(&pickle, &self.label)
    }

    /// The entry of a storage and its length in bytes.
    fn storage(&self, entry: &str, tensor: &str) -> Result<(usize, u64), LoadError> {
        let index = self.archive.index_for_name(entry);
        let index = index.ok_or_else(|| self.label.malformed(format!("the storage of `{tensor}` is missing")))?;
        let data = self.archive.by_index_data(index).map_err(|e| zip_error(&self.label, e))?;
        // Deflate makes at most 1032 bytes of one, whatever is announced; nothing else is read than that and bytes as
        // they are.
        let most = data.compressed_size().saturating_mul(1032);
        Ok((index, data.size().min(most)))
    }

    fn read(&mut self, entry: usize, window: &Window) -> Result<Vec<u8>, LoadError> {
        let mut data = self.archive.by_index(entry).map_err(|e| zip_error(&self.label, e))?;
        let bytes = skip(&mut data, window.first).and_then(|()| read_bounded(&mut data, window.extent));
        let bytes = bytes.map_err(|e| self.label.io(e))?;
        if self.whole.insert(entry) {
            io::copy(&mut data, &mut io::sink()).map_err(|e| self.label.io(e))?;
        }
        Ok(bytes)
    }
}

struct Reader {
    archive: Archive,
    /// The entry and the place in it.
    windows: Vec<(usize, Window)>,
    big_endian: bool,
}

impl Values for Reader {
    fn read(&mut self, index: usize) -> Result<Vec<f32>, LoadError> {
        let (entry, window) = &self.windows[index];
        let bytes = self.archive.read(*entry, window)?;
        Ok(window.gather(&bytes, self.big_endian))
    }
}

fn zip_error(label: &Label, error: ZipError) -> LoadError {
    match error {
        ZipError::Io(error) => label.io(error),
        other => label.malformed(other.to_string()),
    }
}

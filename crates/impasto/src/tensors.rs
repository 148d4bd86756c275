//! Exact numbers in a safetensors file: written to the disk one tensor after another, whole or not at all, and read one
//! at a time, so that neither takes more memory than the largest of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use half::f16;
use impasto_files::FileError;
use impasto_nn::formats::{LONGEST_HEADER, NamedTensor, write_safetensors};
use safetensors::tensor::{Dtype, Metadata};

/// Writes metadata and tensors to a file that is on the disk when this returns.
///
/// # Errors
/// If it cannot be written; then the file before it is as it was.
pub(crate) fn write(
    path: &Path,
    metadata: &BTreeMap<&str, String>,
    tensors: &[NamedTensor<'_>],
) -> Result<(), FileError> {
    impasto_files::write(path, |out| write_safetensors(out, metadata, tensors))
}

/// A file of tensors that is open.
#[derive(Debug)]
pub(crate) struct Tensors {
    file: File,
    header: Metadata,
    /// The first byte behind the header.
    data: u64,
}

impl Tensors {
    /// Opens a file and reads its header; nothing where it is none, or is cut short.
    ///
    /// # Errors
    /// If the system would not let it be read.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut start = [0; 8];
        if length < 8 {
            return Ok(None);
        }
        file.read_exact(&mut start)?;
        let announced = u64::from_le_bytes(start);
        if announced > LONGEST_HEADER || announced > length - 8 {
            return Ok(None);
        }
        let mut header = vec![0; announced as usize];
        file.read_exact(&mut header)?;
        // Metadata checks itself: shapes against sizes, and that the tensors lie end to end.
        let Ok(header) = serde_json::from_slice::<Metadata>(&header) else { return Ok(None) };
        let data = 8 + announced;
        Ok((data.checked_add(header.data_len() as u64) == Some(length)).then_some(Self { file, header, data }))
    }

    /// A text of the metadata, empty where there is none.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.header.metadata().as_ref().and_then(|texts| texts.get(key)).map_or("", String::as_str)
    }

    /// The names of all tensors.
    pub(crate) fn names(&self) -> Vec<String> {
        self.header.tensors().into_keys().collect()
    }

    /// A tensor of halves, if there is one of this name.
    pub(crate) fn halves(&mut self, name: &str) -> Option<Vec<f16>> {
        let bytes = self.bytes(name, Dtype::F16)?;
        Some(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]])).collect())
    }

    /// A tensor of `f32`, if there is one of this name.
    pub(crate) fn floats(&mut self, name: &str) -> Option<Vec<f32>> {
        let bytes = self.bytes(name, Dtype::F32)?;
        Some(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// A tensor of `f64`, if there is one of this name.
    pub(crate) fn doubles(&mut self, name: &str) -> Option<Vec<f64>> {
        let bytes = self.bytes(name, Dtype::F64)?;
        Some(bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap_or_default())).collect())
    }

    fn bytes(&mut self, name: &str, dtype: Dtype) -> Option<Vec<u8>> {
        let info = self.header.info(name).filter(|info| info.dtype == dtype)?;
        let (begin, end) = info.data_offsets;
        self.file.seek(SeekFrom::Start(self.data + begin as u64)).ok()?;
        let mut bytes = vec![0; end - begin];
        self.file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use impasto_nn::formats::TensorValues;

    use super::*;

    #[test]
    fn numbers_come_back_bit_for_bit_and_a_file_cut_anywhere_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let (floats, doubles) = ([0.1f32, f32::MIN_POSITIVE, -0.0], [1.0 / 3.0, f64::INFINITY, f64::NAN]);
        let halves = [f16::MIN_POSITIVE_SUBNORMAL, f16::NEG_ZERO, f16::MAX];
        let tensors = [
            NamedTensor::flat("b", TensorValues::F64((&doubles).into())),
            NamedTensor::flat("h", TensorValues::F16((&halves).into())),
            NamedTensor::flat("a", TensorValues::F32((&floats).into())),
        ];
        write(&path, &[("key", "größe".to_owned())].into(), &tensors).unwrap();
        let mut read = Tensors::open(&path).unwrap().unwrap();
        assert_eq!(read.text("key"), "größe");
        assert_eq!(read.floats("a").unwrap().map_bits(), floats.to_vec().map_bits());
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read.doubles("b").unwrap()), bits(&doubles));
        assert_eq!(read.halves("h").unwrap(), halves);
        assert_eq!((read.floats("b"), read.doubles("c"), read.halves("a")), (None, None, None));
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 7, 9, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert!(Tensors::open(&path).unwrap().is_none(), "{len}");
        }
    }

    trait Bits {
        fn map_bits(&self) -> Vec<u32>;
    }

    impl Bits for Vec<f32> {
        fn map_bits(&self) -> Vec<u32> {
            self.iter().map(|v| v.to_bits()).collect()
        }
    }
}

//! The tree inside a variable: cells, structs, text, and where the numbers are.
//!
//! The format is described in "MAT-File Format" (MathWorks), chapter "MAT-File Level 5": every element is a tag (type
//! and number of bytes) and data, padded to 8 bytes; a matrix is an element of elements.

use std::io::Read;

use super::stream::Stream;
use crate::formats::{
    Dtype, LoadError,
    source::{Label, read_bounded},
};

/// The most values in a file. A VGG with the names of its 1000 classes has some 4000.
const MOST_NODES: usize = 200_000;

/// How deep cells and structs may lie in each other. A VGG has 5.
const DEEPEST: usize = 16;

/// The longest text that is kept, in bytes, and the longest list of dimensions or names.
const LONGEST_TEXT: u64 = 4096;

/// `miMATRIX`.
const MATRIX: u32 = 14;

/// The class of an object of newer versions, which has no dimensions, and the flag of complex numbers.
const OPAQUE: u32 = 17;
const COMPLEX: u32 = 0x800;

/// A value of MATLAB.
#[derive(Debug)]
pub(super) enum Node {
    Numbers(Numbers),
    Text(String),
    Cell(Vec<Node>),
    /// The values of all fields of the first element, then those of the second, and so on.
    Struct {
        fields: Vec<String>,
        values: Vec<Node>,
    },
    /// Something that networks are not made of.
    Other,
}

/// A full numeric array: where it is, not what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    /// What it is in MATLAB.
    pub(super) dtype: Dtype,
    /// What it is in the file: MATLAB stores whole numbers in the smallest type that holds them.
    pub(super) stored: Dtype,
    /// As MATLAB has it, fastest axis first.
    pub(super) dims: Vec<usize>,
    /// First byte within the unpacked variable.
    pub(super) first: u64,
    pub(super) bytes: u64,
}

impl Node {
    /// The value of a field of a struct's first element.
    pub(super) fn field(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Struct { fields, values } => values.get(fields.iter().position(|f| f == name)?),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn numbers(&self) -> Option<&Numbers> {
        match self {
            Self::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }
}

/// Walks through the variable that the stream stands at the start of; gives its name and its value. `bytes` is the
/// length of the matrix, or `None` where the stream has its tag still.
pub(super) fn variable(
    stream: &mut Stream,
    bytes: Option<u64>,
    big_endian: bool,
    nodes: &mut usize,
    label: &Label,
) -> Result<(String, Node), LoadError> {
    let mut walker = Walker { stream, big_endian, nodes, label };
    let bytes = match bytes {
        Some(bytes) => bytes,
        None => {
            let tag = walker.tag(u64::MAX)?;
            if tag.kind != MATRIX {
                return Err(label.malformed(format!("a variable is an element of type {}", tag.kind)));
            }
            tag.bytes
        }
    };
    let end = walker.stream.position() + bytes;
    let found = walker.matrix(end, 0)?;
    // The checksum of a packed variable stands behind its last byte.
    walker.stream.read(&mut [0]).map_err(|e| label.io(e))?;
    Ok(found)
}

struct Walker<'a> {
    stream: &'a mut Stream,
    big_endian: bool,
    nodes: &'a mut usize,
    label: &'a Label,
}

struct Tag {
    kind: u32,
    bytes: u64,
    /// Bytes to pass over behind the data.
    padding: u64,
}

impl Walker<'_> {
    /// The name and value of the matrix whose inside begins here and goes to `end`.
    fn matrix(&mut self, end: u64, depth: usize) -> Result<(String, Node), LoadError> {
        *self.nodes += 1;
        if *self.nodes > MOST_NODES || depth > DEEPEST {
            return Err(self.label.malformed("it holds more values than any network"));
        }
        if self.stream.position() == end {
            return Ok((String::new(), Node::Other));
        }
        let flags = self.short(end)?;
        let flags = self.integers(&flags).first().copied().unwrap_or(0);
        let class = flags & 0xff;
        if class == OPAQUE || flags & COMPLEX != 0 {
            self.skip_to(end)?;
            return Ok((String::new(), Node::Other));
        }
        let dims = self.short(end)?;
        let dims = self.integers(&dims).into_iter().map(|d| d as usize).collect::<Vec<_>>();
        let name = self.short(end)?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let count = dims.iter().try_fold(1_usize, |a, &d| a.checked_mul(d));
        let count = count.ok_or_else(|| self.label.malformed("an array is larger than memory"))?;
        let node = match class {
            1 => Node::Cell(self.children(count, end, depth)?),
            2 => self.structure(count, end, depth)?,
            4 => self.characters(end)?,
            6..=15 => self.numbers(class, dims, count, end)?,
            _ => Node::Other,
        };
        self.skip_to(end)?;
        Ok((name, node))
    }

    fn structure(&mut self, count: usize, end: u64, depth: usize) -> Result<Node, LoadError> {
        let width = self.short(end)?;
        let width = self.integers(&width).first().map_or(0, |&w| w as usize);
        let names = self.short(end)?;
        if width == 0 || width > 256 {
            return Err(self.label.malformed("a struct has fields without names"));
        }
        let until_zero = |name: &[u8]| name.iter().copied().take_while(|&b| b != 0).collect::<Vec<_>>();
        let fields = names.chunks(width).map(|name| String::from_utf8_lossy(&until_zero(name)).into_owned());
        let fields: Vec<_> = fields.collect();
        let values = self.children(count.saturating_mul(fields.len()), end, depth)?;
        Ok(Node::Struct { fields, values })
    }

    fn children(&mut self, count: usize, end: u64, depth: usize) -> Result<Vec<Node>, LoadError> {
        let mut children = Vec::new();
        for _ in 0..count {
            let tag = self.tag(end)?;
            if tag.kind != MATRIX {
                return Err(self.label.malformed(format!("a cell holds an element of type {}", tag.kind)));
            }
            let inner = self.stream.position() + tag.bytes;
            children.push(self.matrix(inner, depth + 1)?.1);
            self.pass(tag.padding)?;
        }
        Ok(children)
    }

    fn characters(&mut self, end: u64) -> Result<Node, LoadError> {
        let tag = self.tag(end)?;
        if tag.bytes > LONGEST_TEXT {
            return Ok(Node::Other);
        }
        let bytes = self.take(tag.bytes)?;
        let wide = |c: &[u8; 2]| if self.big_endian { u16::from_be_bytes(*c) } else { u16::from_le_bytes(*c) };
        let text = match tag.kind {
            // `miUINT16` and `miUTF16`.
            4 | 17 => String::from_utf16_lossy(&bytes.as_chunks().0.iter().map(wide).collect::<Vec<_>>()),
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        };
        Ok(Node::Text(text))
    }

    fn numbers(&mut self, class: u32, dims: Vec<usize>, count: usize, end: u64) -> Result<Node, LoadError> {
        let tag = self.tag(end)?;
        let stored = stored_type(tag.kind).ok_or_else(|| self.label.malformed("an array is made of no numbers"))?;
        let bytes = (count as u64).checked_mul(stored.size() as u64);
        if bytes != Some(tag.bytes) {
            let shape = crate::formats::shape_text(&dims);
            return Err(self.label.malformed(format!("an array of {shape} has {} bytes", tag.bytes)));
        }
        let first = self.stream.position();
        Ok(Node::Numbers(Numbers { dtype: class_type(class), stored, dims, first, bytes: tag.bytes }))
    }

    /// The next tag, whose data must lie before `end`. Data of up to four bytes may stand in the tag itself.
    fn tag(&mut self, end: u64) -> Result<Tag, LoadError> {
        if end - self.stream.position() < 8 {
            return Err(self.label.malformed("an element ends inside another"));
        }
        let word = self.word()?;
        let tag = match word >> 16 {
            0 => {
                let bytes = u64::from(self.word()?);
                Tag { kind: word, bytes, padding: bytes.wrapping_neg() % 8 }
            }
            bytes if bytes <= 4 => Tag { kind: word & 0xffff, bytes: bytes.into(), padding: u64::from(4 - bytes) },
            _ => return Err(self.label.malformed("an element has no type")),
        };
        if tag.bytes > end - self.stream.position() {
            return Err(self.label.malformed("an element is longer than what holds it"));
        }
        // The last element need not be padded.
        let padding = tag.padding.min(end - self.stream.position() - tag.bytes);
        Ok(Tag { padding, ..tag })
    }

    /// The data of an element that is short in every sound file.
    fn short(&mut self, end: u64) -> Result<Vec<u8>, LoadError> {
        let tag = self.tag(end)?;
        if tag.bytes > LONGEST_TEXT {
            return Err(self.label.malformed("a name or a list of dimensions is too long"));
        }
        let bytes = self.take(tag.bytes)?;
        self.pass(tag.padding)?;
        Ok(bytes)
    }

    fn integers(&self, bytes: &[u8]) -> Vec<u32> {
        let one = |c: &[u8; 4]| if self.big_endian { u32::from_be_bytes(*c) } else { u32::from_le_bytes(*c) };
        bytes.as_chunks().0.iter().map(one).collect()
    }

    fn word(&mut self) -> Result<u32, LoadError> {
        let bytes = self.take(4)?;
        Ok(self.integers(&bytes).first().copied().unwrap_or(0))
    }

    fn take(&mut self, count: u64) -> Result<Vec<u8>, LoadError> {
        read_bounded(self.stream, count).map_err(|e| self.label.io(e))
    }

    fn pass(&mut self, count: u64) -> Result<(), LoadError> {
        self.stream.pass(count).map_err(|e| self.label.io(e))
    }

    fn skip_to(&mut self, end: u64) -> Result<(), LoadError> {
        self.pass(end.saturating_sub(self.stream.position()))
    }
}

/// The types of an array's elements in MATLAB, `mxDOUBLE_CLASS` to `mxUINT64_CLASS`.
fn class_type(class: u32) -> Dtype {
    match class {
        6 => Dtype::F64,
        7 => Dtype::F32,
        8 => Dtype::I8,
        9 => Dtype::U8,
        10 => Dtype::I16,
        11 => Dtype::U16,
        12 => Dtype::I32,
        13 => Dtype::U32,
        14 => Dtype::I64,
        15 => Dtype::U64,
        _ => Dtype::Other,
    }
}

/// The types of an array's elements in the file, `miINT8` to `miUINT64`.
fn stored_type(kind: u32) -> Option<Dtype> {
    Some(match kind {
        1 => Dtype::I8,
        2 => Dtype::U8,
        3 => Dtype::I16,
        4 => Dtype::U16,
        5 => Dtype::I32,
        6 => Dtype::U32,
        7 => Dtype::F32,
        9 => Dtype::F64,
        12 => Dtype::I64,
        13 => Dtype::U64,
        _ => return None,
    })
}

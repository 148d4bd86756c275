//! How much is in an ONNX file, counted before anything is taken out of it.
//!
//! In protobuf an empty message takes two bytes of a file and up to fifty of memory, a small number one and eight. So
//! the fields are counted first: in messages that are looked into, by their wire format alone
//! (<https://protobuf.dev/programming-guides/encoding/>).

/// The most texts, byte strings and messages. The ONNX files of networks that paint have some thousands.
const MOST_PIECES: usize = 200_000;

/// The most numbers outside raw data.
const MOST_NUMBERS: usize = 4_000_000;

/// What the fields of a message hold that are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// Whole numbers in a row, each of one to ten bytes.
    Numbers,
    /// Text, bytes, messages without further ones, and numbers of a fixed width: no larger in memory than in the file.
    Plain,
}

impl Kind {
    /// What stands under a field number, as in `proto.rs`.
    fn of_field(self, number: u64) -> Self {
        match (self, number) {
            (Self::Model, 7) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11 | 12) => Self::ValueInfo,
            (Self::Node, 5) => Self::Attribute,
            (Self::ValueInfo, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Attribute, 8) | (Self::Tensor, 1 | 7) => Self::Numbers,
            _ => Self::Plain,
        }
    }
}

/// What was counted so far.
#[derive(Default)]
struct Count {
    pieces: usize,
    numbers: usize,
}

/// Whether a file has no more parts than networks have; what cannot be followed is left to the decoder.
pub(super) fn is_reasonable(bytes: &[u8]) -> bool {
    let mut count = Count::default();
    let _ = scan(bytes, Kind::Model, &mut count);
    count.pieces <= MOST_PIECES && count.numbers <= MOST_NUMBERS
}

/// Counts the fields of a message; nothing where it cannot be followed, or is too much already.
fn scan(mut bytes: &[u8], kind: Kind, count: &mut Count) -> Option<()> {
    while !bytes.is_empty() {
        if count.pieces > MOST_PIECES || count.numbers > MOST_NUMBERS {
            return None;
        }
        let key = varint(&mut bytes)?;
        match key & 7 {
            0 => {
                count.numbers += 1;
                varint(&mut bytes)?;
            }
            1 => {
                count.numbers += 1;
                bytes = bytes.get(8..)?;
            }
            5 => {
                count.numbers += 1;
                bytes = bytes.get(4..)?;
            }
            2 => {
                count.pieces += 1;
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (inside, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                match kind.of_field(key >> 3) {
                    Kind::Plain => {}
                    Kind::Numbers => count.numbers += inside.iter().filter(|byte| **byte < 0x80).count(),
                    inner => scan(inside, inner, count)?,
                }
            }
            // Groups are in no ONNX file.
            _ => return None,
        }
    }
    Some(())
}

/// A number of seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            *bytes = &bytes[i + 1..];
            return Some(value);
        }
    }
    None
}

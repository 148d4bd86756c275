//! The number types that weights are stored in.

use half::{bf16, f16};
use serde::Serialize;

/// How one element of a tensor is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 64-bit float.
    F64,
    /// 32-bit float.
    F32,
    /// 16-bit float (IEEE half).
    F16,
    /// 16-bit float with 8 bits of exponent.
    Bf16,
    /// 64-bit integer.
    I64,
    /// 32-bit integer.
    I32,
    /// 16-bit integer.
    I16,
    /// 8-bit integer.
    I8,
    /// 64-bit integer without sign.
    U64,
    /// 32-bit integer without sign.
    U32,
    /// 16-bit integer without sign.
    U16,
    /// 8-bit integer without sign.
    U8,
    /// One byte, 0 or 1.
    Bool,
    /// Anything else: listed, never read.
    Other,
}

impl Dtype {
    /// Bytes of one element; 0 for [`Other`](Self::Other).
    pub fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::Other => 0,
        }
    }

    /// Its name in lower case, as `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U64 => "u64",
            Self::U32 => "u32",
            Self::U16 => "u16",
            Self::U8 => "u8",
            Self::Bool => "bool",
            Self::Other => "other",
        }
    }

    /// Whether it holds fractions.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F64 | Self::F32 | Self::F16 | Self::Bf16)
    }

    /// The values of `bytes`, each rounded to f32; a rest shorter than an element is dropped, and
    /// [`Other`](Self::Other) gives nothing.
    pub(super) fn decode(self, bytes: &[u8], big_endian: bool) -> Vec<f32> {
        macro_rules! values {
            ($type:ty, $to_f32:expr) => {{
                let one = |c: &[u8; size_of::<$type>()]| {
                    if big_endian { <$type>::from_be_bytes(*c) } else { <$type>::from_le_bytes(*c) }
                };
                bytes.as_chunks().0.iter().map(one).map($to_f32).collect()
            }};
        }
        match self {
            Self::F64 => values!(f64, |v| v as f32),
            Self::F32 => values!(f32, |v| v),
            Self::F16 => values!(f16, f16::to_f32),
            Self::Bf16 => values!(bf16, bf16::to_f32),
            Self::I64 => values!(i64, |v| v as f32),
            Self::I32 => values!(i32, |v| v as f32),
            Self::I16 => values!(i16, f32::from),
            Self::I8 => values!(i8, f32::from),
            Self::U64 => values!(u64, |v| v as f32),
            Self::U32 => values!(u32, |v| v as f32),
            Self::U16 => values!(u16, f32::from),
            Self::U8 | Self::Bool => bytes.iter().copied().map(f32::from).collect(),
            Self::Other => Vec::new(),
        }
    }
}

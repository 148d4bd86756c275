//! The number types that weights are stored in.

use half::slice::HalfFloatSliceExt;
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
        macro_rules! numbers {
            ($type:ty) => {
                bytes.as_chunks().0.iter().map(|number: &[u8; size_of::<$type>()]| {
                    if big_endian { <$type>::from_be_bytes(*number) } else { <$type>::from_le_bytes(*number) }
                })
            };
        }
        match self {
            Self::F64 => numbers!(f64).map(|v| v as f32).collect(),
            Self::F32 => numbers!(f32).collect(),
            Self::F16 => halves(numbers!(f16).collect()),
            Self::Bf16 => numbers!(bf16).map(bf16::to_f32).collect(),
            Self::I64 => numbers!(i64).map(|v| v as f32).collect(),
            Self::I32 => numbers!(i32).map(|v| v as f32).collect(),
            Self::I16 => numbers!(i16).map(f32::from).collect(),
            Self::I8 => numbers!(i8).map(f32::from).collect(),
            Self::U64 => numbers!(u64).map(|v| v as f32).collect(),
            Self::U32 => numbers!(u32).map(|v| v as f32).collect(),
            Self::U16 => numbers!(u16).map(f32::from).collect(),
            Self::U8 | Self::Bool => bytes.iter().copied().map(f32::from).collect(),
            Self::Other => Vec::new(),
        }
    }
}

/// All at once: processors convert eight by one instruction.
fn halves(values: Vec<f16>) -> Vec<f32> {
    let mut floats = vec![0.0; values.len()];
    values.convert_to_f32_slice(&mut floats);
    floats
}

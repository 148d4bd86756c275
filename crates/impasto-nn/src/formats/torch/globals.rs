//! The Python objects that a pickle may name. Everything else is refused by name; nothing is ever imported or called.

use crate::formats::Dtype;

/// A Python object with a meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`, a dictionary.
    OrderedDict,
    /// `torch.Size`, a tuple.
    Size,
    /// `torch._utils._rebuild_tensor`: storage, offset, size, stride.
    RebuildTensor,
    /// `_rebuild_tensor_v2`: the same, and flags that do not matter here.
    RebuildTensorV2,
    /// `_rebuild_tensor_v3`: the same, with the element type as argument number 6.
    RebuildTensorV3,
    /// `_rebuild_parameter`: a tensor and flags.
    RebuildParameter,
    /// `torch.FloatStorage` and its kin: the element type of a storage.
    Storage {
        /// The type, as far as it is known here.
        dtype: Dtype,
        /// Bytes of one element.
        width: u64,
    },
    /// `torch.float32` and its kin.
    ElementType(Dtype),
    /// `torch.device`: what it makes is carried along and never read.
    Device,
}

/// What `module.name` means here, if it may be named at all.
pub(super) fn lookup(module: &str, name: &str) -> Option<Global> {
    match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor") => Some(Global::RebuildTensor),
        ("torch._utils", "_rebuild_tensor_v2") => Some(Global::RebuildTensorV2),
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTensorV3),
        ("torch._utils", "_rebuild_parameter") => Some(Global::RebuildParameter),
        ("torch", "Size") => Some(Global::Size),
        ("torch", "device") => Some(Global::Device),
        ("torch" | "torch.cuda" | "torch.storage", _) if name.ends_with("Storage") => {
            storage_type(name).map(|(dtype, width)| Global::Storage { dtype, width })
        }
        ("torch", _) => element_type(name).map(Global::ElementType),
        _ => None,
    }
}

fn storage_type(name: &str) -> Option<(Dtype, u64)> {
    let known = |dtype: Dtype| (dtype, dtype.size() as u64);
    Some(match name {
        "DoubleStorage" => known(Dtype::F64),
        "FloatStorage" => known(Dtype::F32),
        "HalfStorage" => known(Dtype::F16),
        "BFloat16Storage" => known(Dtype::Bf16),
        "LongStorage" => known(Dtype::I64),
        "IntStorage" => known(Dtype::I32),
        "ShortStorage" => known(Dtype::I16),
        "CharStorage" => known(Dtype::I8),
        "ByteStorage" | "UntypedStorage" => known(Dtype::U8),
        "BoolStorage" => known(Dtype::Bool),
        "ComplexDoubleStorage" => (Dtype::Other, 16),
        "ComplexFloatStorage" => (Dtype::Other, 8),
        "QInt32Storage" => (Dtype::Other, 4),
        "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage" | "QUInt2x4Storage" => (Dtype::Other, 1),
        _ => return None,
    })
}

fn element_type(name: &str) -> Option<Dtype> {
    Some(match name {
        "float64" | "double" => Dtype::F64,
        "float32" | "float" => Dtype::F32,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::Bf16,
        "int64" | "long" => Dtype::I64,
        "int32" | "int" => Dtype::I32,
        "int16" | "short" => Dtype::I16,
        "int8" => Dtype::I8,
        "uint64" => Dtype::U64,
        "uint32" => Dtype::U32,
        "uint16" => Dtype::U16,
        "uint8" => Dtype::U8,
        "bool" => Dtype::Bool,
        "complex64" | "complex128" | "float8_e4m3fn" | "float8_e5m2" => Dtype::Other,
        _ => return None,
    })
}

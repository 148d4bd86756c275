//! Bits of a channel.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::{ValueError, inline_schema};

/// How finely a file keeps a channel of a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum BitDepth {
    /// 256 steps.
    #[default]
    Eight,
    /// 65,536 steps.
    Sixteen,
}

impl From<BitDepth> for u8 {
    fn from(depth: BitDepth) -> Self {
        match depth {
            BitDepth::Eight => 8,
            BitDepth::Sixteen => 16,
        }
    }
}

impl TryFrom<u8> for BitDepth {
    type Error = ValueError;

    fn try_from(bits: u8) -> Result<Self, ValueError> {
        match bits {
            8 => Ok(Self::Eight),
            16 => Ok(Self::Sixteen),
            _ => Err(ValueError { what: "bit depth", value: bits.to_string(), expected: "`8` or `16`" }),
        }
    }
}

inline_schema!(BitDepth, {"enum": [8, 16]});

impl FromStr for BitDepth {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError { what: "bit depth", value: text.into(), expected: "`8` or `16`" };
        text.parse::<u8>().ok().and_then(|bits| Self::try_from(bits).ok()).ok_or_else(wrong)
    }
}

impl fmt::Display for BitDepth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        u8::from(*self).fmt(f)
    }
}

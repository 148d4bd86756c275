//! How many pixels a picture may have.

use std::fmt;
use std::str::FromStr;

use crate::value::{ValueError, inline_schema, text_in_serde};

/// Pixels in a megapixel.
const MEGA: f64 = 1e6;

/// The most pixels of a picture that is read; 200 megapixels by default. In text: a number with `MP` or `GP` behind it,
/// or nothing, such as `200MP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaxPixels(pub u64);

impl Default for MaxPixels {
    /// The largest sensors in use have 150 megapixels.
    fn default() -> Self {
        Self(200_000_000)
    }
}

impl fmt::Display for MaxPixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(MEGA as u64) { write!(f, "{}MP", self.0 / MEGA as u64) } else { self.0.fmt(f) }
    }
}

impl FromStr for MaxPixels {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let expected = "a number and a unit, such as `200MP` or `1.5GP`";
        let wrong = || ValueError { what: "number of pixels", value: text.into(), expected };
        let plain = text.trim().to_ascii_lowercase();
        let digits = plain.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(plain.len());
        let (number, unit) = plain.split_at(digits);
        let factor = match unit.trim() {
            "" => 1.0,
            "mp" | "m" => MEGA,
            "gp" | "g" => 1000.0 * MEGA,
            _ => return Err(wrong()),
        };
        let pixels = number.parse::<f64>().map_err(|_| wrong())? * factor;
        (1.0..1e18).contains(&pixels).then_some(Self(pixels as u64)).ok_or_else(wrong)
    }
}

text_in_serde!(MaxPixels);
inline_schema!(MaxPixels, {"type": "string", "pattern": r"^\s*[0-9.]+\s*([mM][pP]?|[gG][pP]?)?\s*$"});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn megapixels_are_read_and_written() {
        for (text, pixels) in
            [("200MP", 200_000_000), ("1.5 GP", 1_500_000_000), ("1000001", 1_000_001), ("2m", 2_000_000)]
        {
            let read: MaxPixels = text.parse().unwrap();
            assert_eq!(read, MaxPixels(pixels), "{text}");
            assert_eq!(read.to_string().parse::<MaxPixels>().unwrap(), read);
        }
        for wrong in ["", "MP", "-3MP", "0", "4 boxes", "1e400"] {
            assert!(wrong.parse::<MaxPixels>().is_err(), "{wrong}");
        }
    }
}

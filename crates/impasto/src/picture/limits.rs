//! What reading one picture may take: pixels and memory, both known from the head of the file.

use image::ImageFormat;

use super::{MaxPixels, ReadError};
use crate::bytes::Bytes;
use crate::free_memory;

/// Bytes that decoders may take for what stands beside the pixels: profiles, texts, other metadata.
pub(super) const METADATA: u64 = 64 << 20;

/// The most bytes of an ICC profile that is used: the profiles of presses have three million.
pub(super) const PROFILE: usize = 8 << 20;

/// What may be taken where the free memory cannot be known: 4 GiB.
const UNKNOWN: u64 = 4 << 30;

/// What may be taken whatever is given: with less, the work on the picture says what it needs.
const LEAST: u64 = 16 << 20;

/// Bytes of a picture in memory for each pixel: three planes of `f32`.
const PLANES: u64 = 12;

/// Bytes for each pixel with an opacity: its plane, and what filling in the colours around takes.
const OPACITY: u64 = 16;

/// What reading one picture may take at most. Files that need more are refused by their head, before any pixel is
/// decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Pixels of a picture.
    pub max_pixels: MaxPixels,
    /// Bytes of memory: the file, the decoder's own, and the picture.
    pub memory: u64,
}

impl Default for ReadLimits {
    /// The default number of pixels, and the default share of the memory that is free.
    fn default() -> Self {
        Self::new(MaxPixels::default(), None)
    }
}

impl ReadLimits {
    /// This many pixels and this much memory, or the default share of what is free where nothing is given.
    pub fn new(max_pixels: MaxPixels, memory: Option<u64>) -> Self {
        let memory = memory.or_else(free_memory::share_of_available).unwrap_or(UNKNOWN);
        Self { max_pixels, memory: memory.max(LEAST) }
    }

    /// The same with this many bytes taken by other things.
    #[must_use]
    pub fn less(self, bytes: u64) -> Self {
        Self { memory: self.memory.saturating_sub(bytes).max(LEAST), ..self }
    }

    /// For what stands in the head of a file alone.
    pub(super) fn head() -> Self {
        Self { max_pixels: MaxPixels::default(), memory: 4 * METADATA }
    }

    /// Bytes that decoders may take for what stands beside the pixels.
    pub(super) fn metadata(&self) -> u64 {
        METADATA.min(self.memory / 4)
    }

    /// Refuses a picture that needs more.
    pub(super) fn check(&self, cost: &Cost, path: &std::path::Path) -> Result<(), ReadError> {
        let &Cost { width, height, bytes: needed } = cost;
        if width as u64 * height as u64 > self.max_pixels.0 {
            let (path, limit) = (path.into(), self.max_pixels);
            return Err(ReadError::TooManyPixels { path, width, height, needed: Bytes(needed), limit });
        }
        if needed > self.memory {
            let (path, allowed) = (path.into(), Bytes(self.memory));
            return Err(ReadError::TooLarge { path, width, height, needed: Bytes(needed), allowed });
        }
        Ok(())
    }
}

/// What reading a picture takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Columns as they are stored.
    pub(crate) width: usize,
    /// Rows as they are stored.
    pub(crate) height: usize,
    /// Bytes at the peak.
    pub(crate) bytes: u64,
}

/// What the head of a file says of how its pixels are stored.
pub(super) struct Stored {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) format: ImageFormat,
    /// Bytes of a decoded pixel.
    pub(super) pixel: u64,
    /// Whether there is an opacity.
    pub(super) transparent: bool,
    /// Bytes of the decoder's buffers where rows are converted as they come; nothing where all of the picture is
    /// decoded at once.
    pub(super) in_rows: Option<u64>,
    /// Whether all coefficients of a JPEG are kept until its last scan.
    pub(super) progressive: bool,
    /// Bytes of the file.
    pub(super) file: u64,
}

impl Stored {
    /// What reading it takes, if `kept` of its pixels are kept.
    pub(super) fn cost(&self, kept: u64) -> Cost {
        let pixels = u64::from(self.width) * u64::from(self.height);
        let decoder = self.in_rows.unwrap_or_else(|| pixels.saturating_mul(self.pixel + self.working()));
        let picture = PLANES + if self.transparent { OPACITY } else { 0 };
        // JPEG files are copied by their decoder.
        let files = if self.format == ImageFormat::Jpeg { 2 } else { 1 };
        let bytes = (self.file * files).saturating_add(decoder).saturating_add(kept.saturating_mul(picture));
        Cost { width: self.width as usize, height: self.height as usize, bytes }
    }

    /// Bytes for each pixel that a decoder takes beside its result.
    fn working(&self) -> u64 {
        match self.format {
            // Coefficients of 16 bits, for up to four components.
            ImageFormat::Jpeg if self.progressive => 2 * self.pixel.max(3),
            // The planes of lossy files; transforms and copies of lossless ones. A frame of a GIF.
            ImageFormat::WebP => 8,
            ImageFormat::Gif => 4,
            _ => 0,
        }
    }
}

/// Whether a JPEG file is progressive: its frame begins with the marker SOF2, or another of those with several scans
/// (ITU-T T.81, table B.1).
pub(super) fn is_progressive(jpeg: &[u8]) -> bool {
    let mut place = 2;
    while let Some([0xff, marker, high, low]) = jpeg.get(place..place + 4) {
        match marker {
            0xc2 | 0xc6 | 0xca | 0xce => return true,
            0xda => return false,
            // Fill bytes.
            0xff => place += 1,
            _ => place += 2 + usize::from(u16::from_be_bytes([*high, *low])),
        }
    }
    // What cannot be followed counts as the worse.
    true
}

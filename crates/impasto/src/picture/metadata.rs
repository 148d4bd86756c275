//! What a picture file says beside its pixels.

use exif::Field;
use image::ImageFormat;

use super::{ReadLimits, decode, exif as fields, iptc, segments, xmp};

/// The metadata of a picture file: EXIF, XMP and IPTC, of those that it has.
///
/// Nothing of it goes into an output unless [`to_keep`](Metadata::to_keep) has been through it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pub(super) exif: Option<Vec<u8>>,
    pub(super) xmp: Option<String>,
    pub(super) iptc: Option<Vec<u8>>,
}

impl Metadata {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.exif.is_none() && self.xmp.is_none() && self.iptc.is_none()
    }

    /// What of it may go into a picture made from that which it belongs to: the camera, the lens, the exposure, the
    /// date, the author and the copyright, each by its name in EXIF, XMP and IPTC, and nothing else; where it was taken
    /// (GPS, and the names of places) only if `gps` says so.
    pub fn to_keep(&self, gps: bool) -> Self {
        Self {
            exif: fields::bytes_of(&self.exif.as_deref().map(|raw| fields::kept_fields(raw, gps)).unwrap_or_default()),
            xmp: self.xmp.as_deref().and_then(|packet| xmp::kept(packet, gps)),
            iptc: self.iptc.as_deref().and_then(|iptc| iptc::kept(iptc, gps)),
        }
    }

    /// The metadata of a picture file, as far as it can be read.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let Ok(format) = image::guess_format(bytes) else { return Self::default() };
        let exif = match format {
            // A TIFF file is itself what EXIF data is.
            ImageFormat::Tiff => fields::bytes_of(&fields::kept_fields(bytes, true)),
            _ => decode::open(bytes, format, &ReadLimits::head())
                .ok()
                .and_then(|mut decoder| decoder.exif_metadata().ok().flatten()),
        };
        let resources = match format {
            ImageFormat::Jpeg => decode::open(bytes, format, &ReadLimits::head())
                .ok()
                .and_then(|mut decoder| decoder.iptc_metadata().ok()?),
            _ => None,
        };
        let iptc = resources.and_then(|resources| segments::iptc_of_resources(&resources).map(<[u8]>::to_vec));
        Self { exif, xmp: decode::packet(bytes, format), iptc }
    }

    /// The EXIF fields.
    pub(super) fn fields(&self) -> Vec<Field> {
        self.exif.as_deref().map(|raw| fields::kept_fields(raw, true)).unwrap_or_default()
    }
}

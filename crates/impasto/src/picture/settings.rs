//! The settings that a picture was made with, as they are stored in it.

use std::path::Path;

use image::ImageFormat;

use super::decode::guarded;
use super::limits::METADATA;
use super::{ReadLimits, decode, read, xmp};

/// The keyword of the PNG text in which the settings are stored.
pub(super) const SETTINGS_KEYWORD: &str = "impasto:settings";

/// The most bytes of settings that are read.
const LONGEST: usize = 1 << 20;

/// The settings stored in a picture that impasto wrote, as TOML; nothing where the file cannot be read or has none.
///
/// A PNG has them as text, a JPEG, WebP or TIFF in its XMP packet.
pub fn settings_of(path: &Path) -> Option<String> {
    let bytes = read::load(path, &ReadLimits::default()).ok()?;
    guarded(path, || Ok(settings_in(&bytes))).ok().flatten()
}

fn settings_in(bytes: &[u8]) -> Option<String> {
    let format = image::guess_format(bytes).ok()?;
    if format == ImageFormat::Png {
        let limits = png::Limits { bytes: METADATA as usize };
        let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits);
        decoder.set_ignore_iccp_chunk(true);
        let reader = decoder.read_info().ok()?;
        let mut chunk = reader.info().utf8_text.iter().find(|chunk| chunk.keyword == SETTINGS_KEYWORD)?.clone();
        // Text that is compressed may be a thousand times as long.
        chunk.decompress_text_with_limit(LONGEST).ok()?;
        return chunk.get_text().ok();
    }
    xmp::settings_in(&decode::packet(bytes, format)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    #[test]
    fn what_is_written_is_found_again_in_every_format() {
        let folder = tempfile::tempdir().unwrap();
        let picture = Picture::from_rgb8(8, 8, &[90; 192]);
        let settings = "size = 8\nname = \"größe <&>\"\n";
        for name in ["out.png", "out.jpg", "out.webp", "out.tiff"] {
            let path = folder.path().join(name);
            picture.write(&path, Some(settings)).unwrap();
            assert_eq!(settings_of(&path).as_deref(), Some(settings), "{name}");
            picture.write(&path, None).unwrap();
            assert_eq!(settings_of(&path), None, "{name}");
        }
        assert_eq!(settings_of(&folder.path().join("none.png")), None);
        assert_eq!(settings_of(folder.path()), None);
    }
}

//! The settings that a picture was made with, as they are stored in it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// The keyword of the PNG text in which the settings are stored.
pub(super) const SETTINGS_KEYWORD: &str = "impasto:settings";

/// The settings stored in a picture that impasto wrote, as TOML; nothing where the file cannot be read or has none.
pub fn settings_of(path: &Path) -> Option<String> {
    let reader = png::Decoder::new(BufReader::new(File::open(path).ok()?)).read_info().ok()?;
    let chunk = reader.info().utf8_text.iter().find(|chunk| chunk.keyword == SETTINGS_KEYWORD)?;
    chunk.get_text().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    #[test]
    fn what_is_written_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.png");
        let picture = Picture::from_rgb8(8, 8, &[90; 192]);
        picture.write(&path, Some("size = 8\nname = \"größe <&>\"\n")).unwrap();
        assert_eq!(settings_of(&path).unwrap(), "size = 8\nname = \"größe <&>\"\n");
        picture.write(&path, None).unwrap();
        assert_eq!(settings_of(&path), None);
        assert_eq!(settings_of(&folder.path().join("none.png")), None);
    }
}

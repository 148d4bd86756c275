//! File names that fit into a folder.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The longest file name, in bytes: what ext4, XFS, APFS, NTFS (in half-words) and most others take.
pub const LONGEST: usize = 255;

/// `stem` and `suffix` as a file name. Where that is longer than [`LONGEST`], the stem is cut between two characters, and
/// `~` with eight digits that depend on the whole stem takes the place of the rest, so that different stems stay
/// different.
pub fn fitted(stem: impl AsRef<OsStr>, suffix: &str) -> OsString {
    let stem = stem.as_ref();
    if stem.len() + suffix.len() <= LONGEST {
        let mut name = stem.to_os_string();
        name.push(suffix);
        return name;
    }
    let mark = format!("~{:08x}", hash(stem.as_encoded_bytes()));
    let stem = stem.to_string_lossy();
    let end = stem.floor_char_boundary(LONGEST.saturating_sub(mark.len() + suffix.len()));
    format!("{}{mark}{suffix}", &stem[..end]).into()
}

/// The file beside `path` that is called as its stem with `suffix` behind it: `out.png` and `-again.png` make
/// `out-again.png`.
pub fn beside_stem(path: &Path, suffix: &str) -> PathBuf {
    path.with_file_name(fitted(path.file_stem().unwrap_or_default(), suffix))
}

/// The file beside `path` that is called as itself with `suffix` behind it: `out.png` and `.lock` make `out.png.lock`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    path.with_file_name(fitted(path.file_name().unwrap_or_default(), suffix))
}

/// FNV-1a, 32 bits (<http://www.isthe.com/chongo/tech/comp/fnv>): the same on every machine and in every version.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_stay_and_long_ones_are_cut_between_characters() {
        assert_eq!(beside_stem("a/out.png".as_ref(), "-again.png"), Path::new("a/out-again.png"));
        assert_eq!(beside("out.png".as_ref(), ".lock"), Path::new("out.png.lock"));
        for letter in ["x", "ä", "画", "🖌"] {
            let stem = letter.repeat(255 / letter.len());
            for extra in ["", "1", "22", "333"] {
                let name = fitted(format!("{extra}{stem}"), "-style.png").into_string().unwrap();
                assert!(name.len() <= LONGEST && name.len() > LONGEST - 4, "{}", name.len());
                assert!(name.starts_with(extra) && name.ends_with("-style.png") && name.contains(letter));
            }
            assert_ne!(fitted(format!("{stem}1"), ".png"), fitted(format!("{stem}2"), ".png"));
        }
        assert_eq!(fitted("x".repeat(251), ".png").len(), 255);
        assert_eq!(fitted("x".repeat(251), ".png"), format!("{}.png", "x".repeat(251)).as_str());
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_stay_where_they_fit() {
        use std::os::unix::ffi::OsStrExt;
        let odd = |byte: u8, times: usize| OsStr::from_bytes(&[byte]).to_owned().as_bytes().repeat(times);
        let name = |byte, times| fitted(OsStr::from_bytes(&odd(byte, times)), ".png");
        assert_eq!(name(0xff, 3).as_bytes(), b"\xff\xff\xff.png");
        assert_ne!(name(0xff, 300), name(0xfe, 300));
        assert!(name(0xff, 300).len() <= LONGEST);
    }
}

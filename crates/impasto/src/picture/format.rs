//! The one table of picture formats: every list of formats and endings in the program is read from it.

use std::io::Read;
use std::path::Path;
use std::str::FromStr;
use std::sync::LazyLock;

use super::depth::BitDepth;
use crate::value::ValueError;

/// A picture format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Format {
    /// What it is called.
    pub name: &'static str,
    /// The endings of its files in lower case, the usual one first.
    pub endings: &'static [&'static str],
    /// Its media type (IANA; `image/x-portable-anymap` is not registered).
    pub content_type: &'static str,
    /// How it is written, if it is.
    pub written: Option<PictureFormat>,
    /// The most bits of a channel that are written.
    pub depth: BitDepth,
    /// Whether it keeps how opaque a pixel is.
    pub alpha: bool,
    /// Whether it keeps pixels exactly as they are written.
    pub lossless: bool,
}

/// All formats that are read.
pub const FORMATS: [Format; 7] = [
    Format {
        name: "PNG",
        endings: &["png"],
        content_type: "image/png",
        written: Some(PictureFormat::Png),
        depth: BitDepth::Sixteen,
        alpha: true,
        lossless: true,
    },
    Format {
        name: "JPEG",
        endings: &["jpg", "jpeg", "jpe", "jfif"],
        content_type: "image/jpeg",
        written: Some(PictureFormat::Jpeg),
        depth: BitDepth::Eight,
        alpha: false,
        lossless: false,
    },
    Format {
        name: "WebP",
        endings: &["webp"],
        content_type: "image/webp",
        written: Some(PictureFormat::WebP),
        depth: BitDepth::Eight,
        alpha: true,
        lossless: true,
    },
    Format {
        name: "TIFF",
        endings: &["tiff", "tif"],
        content_type: "image/tiff",
        written: Some(PictureFormat::Tiff),
        depth: BitDepth::Sixteen,
        alpha: true,
        lossless: true,
    },
    Format {
        name: "BMP",
        endings: &["bmp"],
        content_type: "image/bmp",
        written: None,
        depth: BitDepth::Eight,
        alpha: true,
        lossless: true,
    },
    Format {
        name: "GIF",
        endings: &["gif"],
        content_type: "image/gif",
        written: None,
        depth: BitDepth::Eight,
        alpha: true,
        lossless: true,
    },
    Format {
        name: "PNM",
        endings: &["pnm", "ppm", "pgm", "pbm"],
        content_type: "image/x-portable-anymap",
        written: None,
        depth: BitDepth::Sixteen,
        alpha: false,
        lossless: true,
    },
];

/// Whether a file looks like a picture: by the ending of its name, or where that says nothing, by its first bytes.
pub(crate) fn looks_like_a_picture(path: &Path) -> bool {
    if Format::of(path).is_some() {
        return true;
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(32).read_to_end(&mut start));
    read.is_ok() && image::guess_format(&start).is_ok()
}

impl Format {
    /// The format that the ending of a path stands for, if it is one that is read.
    pub fn of(path: &Path) -> Option<&'static Self> {
        Self::of_ending(&path.extension()?.to_string_lossy())
    }

    fn of_ending(ending: &str) -> Option<&'static Self> {
        let ending = ending.to_ascii_lowercase();
        FORMATS.iter().find(|format| format.endings.contains(&ending.as_str()))
    }
}

/// The picture formats that can be written. JPEG has quality 95, WebP and PNG are lossless, TIFF is not compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    WebP,
    /// TIFF.
    Tiff,
}

impl PictureFormat {
    /// What is known of it.
    pub fn info(self) -> &'static Format {
        FORMATS.iter().find(|format| format.written == Some(self)).expect("every written format is in the table")
    }

    /// The ending that files of this format are given.
    pub fn ending(self) -> &'static str {
        self.info().endings[0]
    }

    /// Whether files of this format can keep how opaque a pixel is.
    pub fn holds_alpha(self) -> bool {
        self.info().alpha
    }

    /// Whether files of this format can keep channels this finely.
    pub fn holds(self, depth: BitDepth) -> bool {
        u8::from(depth) <= u8::from(self.info().depth)
    }
}

impl FromStr for PictureFormat {
    type Err = ValueError;

    /// The format by one of its endings.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        static EXPECTED: LazyLock<String> = LazyLock::new(|| writable("`", "`"));
        let written = Format::of_ending(text).and_then(|format| format.written);
        written.ok_or_else(|| ValueError { what: "picture format", value: text.into(), expected: &EXPECTED })
    }
}

/// The usual endings of the formats that are written, each between two texts, as in `.png, .jpg, .webp or .tiff`.
pub(super) fn writable(before: &str, behind: &str) -> String {
    let written = FORMATS.iter().filter(|format| format.written.is_some());
    listed(written.map(|format| format!("{before}{}{behind}", format.endings[0])).collect())
}

/// The names of all formats, as in `PNG, JPEG or TIFF`.
pub(super) fn readable() -> String {
    listed(FORMATS.iter().map(|format| format.name.to_owned()).collect())
}

fn listed(mut names: Vec<String>) -> String {
    let last = names.pop().unwrap_or_default();
    format!("{} or {last}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Picture;
    use crate::picture::PictureFile;

    #[test]
    fn no_ending_stands_for_two_formats_and_all_are_known() {
        let endings: Vec<&str> = FORMATS.iter().flat_map(|format| format.endings).copied().collect();
        for (i, ending) in endings.iter().enumerate() {
            assert!(!endings[..i].contains(ending), "{ending}");
            assert!(Format::of(Path::new(&format!("a.{}", ending.to_uppercase()))).is_some());
            assert!(image::ImageFormat::from_extension(ending).is_some() || *ending == "jpe", "{ending}");
        }
        assert_eq!(Format::of(Path::new("png")), None);
        assert_eq!(Format::of(Path::new("a.txt")), None);
    }

    #[test]
    fn what_is_written_reads_back_with_what_the_table_promises() {
        let folder = tempfile::tempdir().unwrap();
        let ramp = (0..3 * 16 * 16).map(|i| (i % 256) as f32).collect();
        let picture = Picture::from_planar(16, 16, ramp).with_alpha((0..256).map(|i| i as f32 / 255.0).collect());
        for format in FORMATS.iter().filter(|format| format.written.is_some()) {
            for ending in format.endings {
                let path = folder.path().join(format!("a.{ending}"));
                picture.write(&path, None).unwrap();
                let back = PictureFile::read(&path).unwrap().picture;
                assert_eq!(back.alpha().is_some(), format.alpha, "{ending}");
                let near = |a: &f32, b: &f32| (a - b).abs() < if format.lossless { 0.6 } else { 255.0 };
                // What is fully transparent takes the colours around it.
                let seen = back.data().iter().zip(picture.data()).enumerate().filter(|(i, _)| i % 256 > 0);
                assert!(seen.into_iter().all(|(_, (a, b))| near(a, b)), "{ending}");
            }
        }
        assert!(PictureFormat::Png.holds(BitDepth::Sixteen) && !PictureFormat::Jpeg.holds(BitDepth::Sixteen));
    }

    #[test]
    fn sentences_list_the_table() {
        assert_eq!(writable(".", ""), ".png, .jpg, .webp or .tiff");
        assert_eq!(readable(), "PNG, JPEG, WebP, TIFF, BMP, GIF or PNM");
        let error = "bmp".parse::<PictureFormat>().unwrap_err().to_string();
        assert!(error.ends_with("use `png`, `jpg`, `webp` or `tiff`"), "{error}");
    }
}

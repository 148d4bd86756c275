//! Files as they are written.

use std::io::Cursor;

use exif::{In, Tag};
use image::ImageDecoder;
use impasto::picture::{BitDepth, Metadata, Picture, PictureFile, PictureFormat, PictureOutput, settings_of};

use crate::files::{apart, read};

const FORMATS: [PictureFormat; 4] = [PictureFormat::Png, PictureFormat::Jpeg, PictureFormat::WebP, PictureFormat::Tiff];

fn back(bytes: &[u8]) -> PictureFile {
    PictureFile::from_bytes(bytes, "written".as_ref()).unwrap()
}

fn exif_of(bytes: &[u8]) -> Option<exif::Exif> {
    exif::Reader::new().read_from_container(&mut Cursor::new(bytes)).ok()
}

#[test]
fn every_format_says_that_it_is_srgb() {
    let picture = read("plain.png").picture;
    for format in FORMATS {
        let bytes = picture.to_file_bytes(format, None).unwrap();
        if format == PictureFormat::Png {
            let reader = png::Decoder::new(Cursor::new(&bytes[..])).read_info().unwrap();
            assert!(reader.info().srgb.is_some());
            continue;
        }
        let profile = bytes.windows(4).filter(|bytes| bytes == b"acsp").count();
        assert_eq!(profile, 1, "{format:?}");
        assert!(bytes.windows(8).any(|bytes| bytes == b"RGB XYZ "), "{format:?}");
        assert_eq!(bytes, picture.to_file_bytes(format, None).unwrap(), "the same picture is the same file");
    }
}

#[test]
fn opacity_comes_back_where_the_format_holds_it_and_lies_on_white_elsewhere() {
    let picture = read("alpha.png").picture;
    for format in FORMATS {
        let written = back(&picture.to_file_bytes(format, None).unwrap()).picture;
        assert_eq!(written.alpha().is_some(), format.holds_alpha());
        if format.holds_alpha() {
            assert_eq!(written, picture, "{format:?}");
        } else {
            let (_, average) = apart(&written, &picture.clone().on_white());
            assert!(average < 3.0, "{average}");
            assert!(written.data()[0] > 245.0, "the corner is white, not {}", written.data()[0]);
        }
    }
}

#[test]
fn sixteen_bits_come_back() {
    let values = (0..3 * 20 * 30).map(|i| (i * 36) as f32 / 257.0).collect();
    let alpha: Vec<f32> = (0..600).map(|i| (i * 109) as f32 / 65535.0).collect();
    let opaque = Picture::from_planar(20, 30, values);
    for picture in [opaque.clone(), opaque.with_alpha(alpha)] {
        for format in [PictureFormat::Png, PictureFormat::Tiff] {
            let output = PictureOutput { depth: BitDepth::Sixteen, ..PictureOutput::default() };
            let written = back(&picture.to_file_bytes_with(format, &output).unwrap());
            assert_eq!(written.depth, BitDepth::Sixteen);
            // Pixel 0 is fully transparent in one of them.
            let same = written.picture.data().iter().zip(picture.data()).enumerate();
            let worst = same.filter(|(i, _)| i % 600 != 0).map(|(_, (a, b))| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{format:?}: {worst}");
            assert_eq!(written.picture.alpha().is_some(), picture.alpha().is_some());
        }
    }
}

#[test]
fn what_is_written_is_8_bits_where_nothing_else_is_said_or_held() {
    let picture = read("plain.png").picture;
    for format in FORMATS {
        assert_eq!(back(&picture.to_file_bytes(format, None).unwrap()).depth, BitDepth::Eight);
        let deep = PictureOutput { depth: BitDepth::Sixteen, ..PictureOutput::default() };
        let expected = if format.holds(BitDepth::Sixteen) { BitDepth::Sixteen } else { BitDepth::Eight };
        assert_eq!(back(&picture.to_file_bytes_with(format, &deep).unwrap()).depth, expected);
    }
}

#[test]
fn metadata_stays_without_the_place_unless_it_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    for source in ["camera.jpg", "camera.png", "camera.webp", "camera.tiff"] {
        let camera = read(source);
        for (format, gps) in FORMATS.into_iter().flat_map(|format| [(format, false), (format, true)]) {
            let what = format!("{source} as {format:?}, place {gps}");
            let output = PictureOutput {
                settings: Some("size = 8\n".into()),
                metadata: camera.metadata.to_keep(gps),
                ..PictureOutput::default()
            };
            let path = folder.path().join(format!("out.{}", format.ending()));
            camera.picture.write_with(format, &path, &output).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let exif = exif_of(&bytes).unwrap_or_else(|| panic!("{what}"));
            let text = |tag| exif.get_field(tag, In::PRIMARY).map(|field| field.display_value().to_string());
            assert_eq!(text(Tag::Make).as_deref(), Some("\"Telephones\""), "{what}");
            assert_eq!(text(Tag::MakerNote), None, "{what}");
            // The TIFF fixture has the main directory alone.
            if source != "camera.tiff" {
                assert_eq!(text(Tag::ExposureTime).as_deref(), Some("1/125"), "{what}");
                assert_eq!(text(Tag::GPSLatitude).is_some(), gps, "{what}");
            }
            let lines = String::from_utf8_lossy(&bytes);
            assert!(lines.contains("<xmp:Rating>4</xmp:Rating>"), "{what}");
            assert_eq!(lines.contains("48,51.483N"), gps, "{what}");
            // Upright as it is, and not turned again.
            let again = PictureFile::read(&path).unwrap();
            assert_eq!((again.picture.width(), again.picture.height()), (18, 24), "{what}");
            assert_eq!(settings_of(&path).as_deref(), Some("size = 8\n"), "{what}");
        }
    }
}

/// The fixture has every field that exiftool can write and that may tell a place: `tools/make_picture_fixtures.py`.
#[test]
fn no_field_that_may_tell_a_place_stays_unless_it_is_wanted() {
    let picture = read("everywhere.jpg");
    let has = |bytes: &[u8], words: &[&str]| {
        let holds = |word: &[u8]| bytes.windows(word.len()).any(|bytes| bytes.eq_ignore_ascii_case(word));
        // Windows' own EXIF fields have 16 bits a letter.
        let wide = |word: &str| word.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<_>>();
        words
            .iter()
            .filter(|word| holds(word.as_bytes()) || holds(&wide(word)))
            .map(|word| (*word).to_owned())
            .collect()
    };
    for format in FORMATS {
        let written = |gps| {
            let metadata = picture.metadata.to_keep(gps);
            let output = PictureOutput { metadata, ..PictureOutput::default() };
            picture.picture.to_file_bytes_with(format, &output).unwrap()
        };
        let exif = |bytes: &[u8]| exif_of(bytes).unwrap();
        let places = |bytes: &[u8]| exif(bytes).fields().any(|field| field.tag.context() == exif::Context::Gps);
        let (without, with) = (written(false), written(true));
        let telling = ["Nowhere", "GPS", "05:45", "0545", "the maker alone", "12.5", "12,30"];
        let left: Vec<String> = has(&without, &telling);
        assert!(left.is_empty() && !places(&without), "{format:?}: {left:?}");
        let kept: Vec<String> = has(&with, &["Nowhere", "the maker alone"]);
        assert!(kept == ["Nowhere"] && places(&with), "{format:?}: {kept:?}");
        for bytes in [&without, &with] {
            let kept: Vec<String> = has(bytes, &["Ann Author", "Glass 50", "Telephones", "2020:02:02"]);
            assert_eq!(kept.len(), 4, "{format:?}: {kept:?}");
        }
    }
}

#[test]
fn nothing_stays_where_nothing_is_asked_for() {
    let camera = read("camera.jpg");
    assert!(!camera.metadata.is_empty());
    for format in FORMATS {
        let bytes = camera.picture.to_file_bytes(format, Some("size = 8\n")).unwrap();
        for word in [&b"Telephones"[..], b"48,51", b"GPS", b"Rating"] {
            assert!(!bytes.windows(word.len()).any(|bytes| bytes == word), "{format:?}");
        }
    }
    assert!(read("plain.png").metadata.is_empty());
    assert_eq!(Metadata::default().to_keep(true), Metadata::default());
}

#[test]
fn a_record_of_the_press_stays_in_jpeg() {
    let jpeg = read("baseline.jpg").picture.to_file_bytes(PictureFormat::Jpeg, None).unwrap();
    // Photoshop's resources with an IPTC record in them, behind the start of the image.
    let resources = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x50\0\x05Smith";
    let length = (resources.len() as u16 + 2).to_be_bytes();
    let with = [&jpeg[..2], &[0xff, 0xed], &length, resources, &jpeg[2..]].concat();
    let kept = back(&with).metadata.to_keep(false);
    for format in [PictureFormat::Jpeg, PictureFormat::Tiff] {
        let output = PictureOutput { metadata: kept.clone(), ..PictureOutput::default() };
        let bytes = read("baseline.jpg").picture.to_file_bytes_with(format, &output).unwrap();
        assert!(bytes.windows(10).any(|bytes| bytes == b"\x1c\x02\x50\0\x05Smith"), "{format:?}");
    }
}

#[test]
fn other_readers_find_profile_and_packet() {
    let picture = read("plain.png").picture;
    for format in [PictureFormat::Jpeg, PictureFormat::WebP] {
        let bytes = picture.to_file_bytes(format, Some("size = 8\n")).unwrap();
        let reader = image::ImageReader::new(Cursor::new(&bytes)).with_guessed_format().unwrap();
        let mut decoder = reader.into_decoder().unwrap();
        assert!(decoder.icc_profile().unwrap().is_some(), "{format:?}");
        assert!(decoder.xmp_metadata().unwrap().is_some(), "{format:?}");
    }
}

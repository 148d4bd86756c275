//! Files of every kind, read.

use std::path::{Path, PathBuf};

use impasto::picture::{BitDepth, Picture, PictureFile, ReadError, ReadLimits};
use impasto::settings::MaxPixels;

pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/files").join(name)
}

pub(crate) fn read(name: &str) -> PictureFile {
    PictureFile::read(&file(name)).unwrap()
}

/// The greatest and the mean difference of two pictures of one size.
#[track_caller]
pub(crate) fn apart(one: &Picture, other: &Picture) -> (f32, f32) {
    assert_eq!((one.height(), one.width()), (other.height(), other.width()));
    let differences = one.data().iter().zip(other.data()).map(|(a, b)| (a - b).abs());
    (differences.clone().fold(0.0, f32::max), differences.sum::<f32>() / one.data().len() as f32)
}

/// What another program makes of a file is what is read, up to its rounding to 8 bits and so much more.
#[track_caller]
fn like_expected(name: &str, greatest: f32, mean: f32) {
    let (picture, expected) = (read(name).picture, read(&format!("{name}.expected.png")).picture);
    let (worst, average) = apart(&picture, &expected);
    assert!(worst <= greatest && average <= mean, "{name}: {worst} at worst, {average} on average");
}

#[test]
fn profiles_of_a_matrix_are_converted_as_little_cms_does() {
    for name in ["matrix.png", "matrix.webp", "matrix.tiff"] {
        like_expected(name, 1.0, 0.4);
    }
    // The decoders of two programs differ by one step before the profile.
    like_expected("matrix.jpg", 4.0, 0.7);
}

#[test]
fn profiles_of_tables_and_greys_are_converted_as_little_cms_does() {
    like_expected("table.png", 2.0, 0.5);
    like_expected("grey-profile.png", 1.0, 0.4);
}

#[test]
fn a_profile_changes_what_is_seen() {
    let plain = read("plain.png").picture;
    for name in ["matrix.png", "table.png", "grey-profile.png"] {
        let (_, average) = apart(&read(name).picture, &plain);
        assert!(average > 4.0, "{name}: {average}");
    }
}

#[test]
fn inks_with_a_profile_are_converted_as_little_cms_does() {
    like_expected("inks-profile.tiff", 2.0, 0.5);
    like_expected("inks-profile.jpg", 5.0, 0.8);
}

#[test]
fn inks_without_a_profile_are_what_pillow_makes_of_them() {
    like_expected("inks.tiff", 1.0, 0.5);
    like_expected("inks.jpg", 4.0, 0.7);
    like_expected("ycck.jpg", 6.0, 1.0);
    // Inverted or not is no question of rounding: the photograph is recognised.
    for name in ["inks.tiff", "inks.jpg", "ycck.jpg"] {
        let (_, average) = apart(&read(name).picture, &read("plain.png").picture);
        assert!(average < 6.0, "{name}: {average}");
    }
}

#[test]
fn every_kind_of_file_shows_the_photograph() {
    let plain = read("plain.png").picture;
    for (name, mean) in [
        ("plain.tiff", 0.0),
        ("lzw.tiff", 0.0),
        ("deflate.tiff", 0.0),
        ("plain.bmp", 0.0),
        ("plain.ppm", 0.0),
        ("interlaced.png", 0.0),
        ("baseline.jpg", 6.0),
        ("progressive.jpg", 6.0),
        ("lossy.webp", 8.0),
        ("palette.png", 6.0),
        ("palette.bmp", 6.0),
        ("plain.gif", 6.0),
    ] {
        let read = read(name);
        let (_, average) = apart(&read.picture, &plain);
        assert!(average <= mean, "{name}: {average}");
        assert_eq!((read.depth, read.picture.alpha()), (BitDepth::Eight, None), "{name}");
    }
    like_expected("baseline.jpg", 4.0, 0.7);
    // How colours at half the size are brought back to full size is left to the decoder.
    like_expected("progressive.jpg", 40.0, 3.0);
    like_expected("lossy.webp", 40.0, 3.0);
}

#[test]
fn a_kind_of_file_that_cannot_be_read_is_said_to_be_one() {
    let error = Picture::read(&file("palette.tiff")).unwrap_err();
    assert!(matches!(error, ReadError::Unsupported { .. }), "{error}");
    assert!(error.to_string().ends_with("; save it as PNG first"), "{error}");
}

#[test]
fn grey_files_are_grey_in_every_depth() {
    let grey = read("grey.pgm").picture;
    let [red, green, blue] = [0, 1, 2].map(|c| &grey.data()[c * 432..(c + 1) * 432]);
    assert!(red == green && green == blue);
    let deep = read("grey16.png");
    assert_eq!(deep.depth, BitDepth::Sixteen);
    assert_eq!(apart(&deep.picture, &grey).0, 0.0);
    like_expected("grey.jpg", 2.0, 0.3);
    assert!(read("bits.png").picture.data().iter().all(|v| *v == 0.0 || *v == 255.0));
}

#[test]
fn opacity_is_read_and_what_is_not_seen_has_the_colours_around_it() {
    let plain = read("plain.png").picture;
    let expected = |i: usize| {
        let (x, y) = ((i % 24) as f32 - 11.0, (i / 24) as f32 - 9.0);
        (255.0 - 3.0 * (x * x + y * y)).clamp(0.0, 255.0) / 255.0
    };
    for (name, exact) in [("alpha.png", true), ("alpha.webp", true), ("alpha.tiff", true), ("alpha-lossy.webp", false)]
    {
        let picture = read(name).picture;
        let alpha = picture.alpha().unwrap();
        for (i, a) in alpha.iter().enumerate() {
            assert!((a - expected(i)).abs() < if exact { 1e-6 } else { 0.02 }, "{name}: {a} at {i}");
            let (new, old) = (picture.data()[i], plain.data()[i]);
            assert!(!exact || *a == 0.0 || new == old, "{name}: {new} is not {old} at {i}");
        }
        // The fixture's corners are transparent; they are neither black nor white, but like the cat.
        let corner = [0, 432, 864].map(|c| picture.data()[c]);
        assert!(corner.iter().all(|v| (20.0..235.0).contains(v)), "{name}: {corner:?}");
    }
    let holes = read("palette-alpha.png").picture;
    assert!(holes.alpha().unwrap().iter().all(|a| *a == 0.0 || *a == 1.0));
}

#[test]
fn animations_are_refused_and_single_frames_are_not() {
    for name in ["animated.gif", "animated.png", "animated.webp"] {
        let error = Picture::read(&file(name)).unwrap_err();
        assert!(matches!(error, ReadError::Animated(_)), "{error}");
        assert!(error.to_string().contains("is animated: save the frame"), "{error}");
    }
    assert_eq!(read("plain.gif").picture.width(), 24);
}

#[test]
fn a_photograph_held_upright_is_read_upright_from_every_format() {
    for name in ["camera.jpg", "camera.png", "camera.webp", "camera.tiff"] {
        let picture = read(name).picture;
        assert_eq!((picture.width(), picture.height()), (18, 24), "{name}");
    }
    // A quarter clockwise: what was on the left is on top.
    let (flat, upright) = (read("plain.png").picture, read("camera.png").picture);
    let turned: Vec<f32> = (0..3 * 432)
        .map(|i| {
            let (c, y, x) = (i / 432, i % 432 / 18, i % 18);
            flat.data()[c * 432 + (17 - x) * 24 + y]
        })
        .collect();
    assert_eq!(upright.data(), turned);
}

#[test]
fn sixteen_bits_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep.png");
    let values = |x: u32, y: u32| image::Rgb([(x * 1000 + y) as u16, (x * 7) as u16, (60000 + y * 3) as u16]);
    let deep = image::ImageBuffer::from_fn(40, 20, values);
    deep.save(&path).unwrap();
    let read = PictureFile::read(&path).unwrap();
    assert_eq!(read.depth, BitDepth::Sixteen);
    for (i, value) in read.picture.data()[..800].iter().enumerate() {
        let exact = f64::from(deep.as_raw()[3 * i]) / 257.0;
        assert!((f64::from(*value) - exact).abs() < 1e-4, "{value} is not {exact}");
    }
}

#[test]
fn a_file_that_lies_about_its_size_is_refused_at_once() {
    let mut png = std::fs::read(file("interlaced.png")).unwrap();
    png[16..20].copy_from_slice(&40000u32.to_be_bytes());
    png[20..24].copy_from_slice(&40000u32.to_be_bytes());
    let crc = crc_of(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&crc);
    let error = Picture::from_file_bytes(&png, "large.png".as_ref()).unwrap_err().to_string();
    assert!(error.contains("`large.png` is broken") && error.contains("40000×40000 pixels, in"), "{error}");
}

/// One bit a pixel in strips of four rows, where white is 0 and where it is 1, against what `image` reads.
#[test]
fn tiff_files_of_single_bits_are_read() {
    let (width, height, rows) = (21u32, 18u32, 4u32);
    let bits: Vec<u8> = (0..3 * height).map(|i| (i * 37 + 11) as u8).collect();
    for white_is_one in [0, 1] {
        let strips = height.div_ceil(rows);
        let (offsets, counts) = (8 + bits.len() as u32, 8 + bits.len() as u32 + 4 * strips);
        let mut tiff = [b"II*\0".to_vec(), (counts + 4 * strips).to_le_bytes().to_vec(), bits.clone()].concat();
        (0..strips).for_each(|i| tiff.extend((8 + i * rows * 3).to_le_bytes()));
        (0..strips).for_each(|i| tiff.extend((rows.min(height - i * rows) * 3).to_le_bytes()));
        let entries = [
            (256, 1, width),
            (257, 1, height),
            (258, 1, 1),
            (259, 1, 1),
            (262, 1, white_is_one),
            (273, strips, offsets),
            (277, 1, 1),
            (278, 1, rows),
            (279, strips, counts),
        ];
        tiff.extend((entries.len() as u16).to_le_bytes());
        for (tag, count, value) in entries {
            tiff.extend([tag as u16, 4].map(u16::to_le_bytes).concat());
            tiff.extend([count, value].map(u32::to_le_bytes).concat());
        }
        tiff.extend([0; 4]);
        let expected = image::load_from_memory(&tiff).unwrap().to_luma8();
        let read = Picture::from_file_bytes(&tiff, "bits.tiff".as_ref()).unwrap();
        let values: Vec<f32> = expected.as_raw().iter().map(|value| f32::from(*value)).collect();
        assert_eq!(read.data()[..values.len()], values, "white is {white_is_one}");
    }
}

/// A flat picture of 1.2 megapixels in every format: refused by its head where it has too many pixels, or would take too
/// much memory, and read where it does not.
#[test]
fn limits_are_kept_in_every_format() {
    let flat = image::DynamicImage::ImageRgb8(image::RgbImage::from_pixel(1200, 1000, image::Rgb([90, 120, 30])));
    for format in ["png", "jpg", "gif", "bmp", "webp", "tiff", "ppm"] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        flat.write_to(&mut bytes, image::ImageFormat::from_extension(format).unwrap()).unwrap();
        let bytes = bytes.into_inner();
        let read = |pixels, memory| {
            let limits = ReadLimits { max_pixels: MaxPixels(pixels), memory };
            PictureFile::from_bytes_within(&bytes, format.as_ref(), &limits)
        };
        let picture = read(1_200_000, 64 << 20).unwrap().picture;
        assert_eq!((picture.height(), picture.width()), (1000, 1200), "{format}");
        let error = read(1_199_999, 64 << 20).unwrap_err();
        assert!(matches!(error, ReadError::TooManyPixels { .. }), "{format}: {error}");
        let text = error.to_string();
        assert!(text.contains("1200×1000") && text.contains("--max-pixels") && text.contains("MiB"), "{text}");
        // The three planes alone take 13.7 MiB.
        let error = read(1_200_000, 13 << 20).unwrap_err();
        assert!(matches!(error, ReadError::TooLarge { .. }), "{format}: {error}");
        let text = error.to_string();
        assert!(text.contains("1200×1000") && text.contains("--memory") && text.contains("13 MiB"), "{text}");
    }
}

/// Text, an ICC profile and EXIF that are packed a thousandfold.
#[test]
fn what_unpacks_to_much_beside_the_pixels_is_refused_or_passed_over() {
    let packed = |bytes: usize| {
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packer, &vec![b'a'; bytes]).unwrap();
        packer.finish().unwrap()
    };
    let with = |name: &[u8; 4], head: &[u8], body: Vec<u8>| {
        let mut png = std::fs::read(file("plain.png")).unwrap();
        let chunk = [name, head, &body].concat();
        let length = (chunk.len() as u32 - 4).to_be_bytes();
        let crc = crc_of(&chunk).to_be_bytes();
        png.splice(33..33, [&length[..], &chunk, &crc].concat());
        png
    };
    let read = |png: &[u8]| PictureFile::from_bytes(png, "bomb.png".as_ref());
    let settings = with(b"iTXt", b"impasto:settings\0\x01\0\0\0", packed(100 << 20));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.png");
    std::fs::write(&path, &settings).unwrap();
    assert_eq!(impasto::picture::settings_of(&path), None);
    assert!(read(&settings).is_ok());
    let small = with(b"iTXt", b"impasto:settings\0\x01\0\0\0", packed(1000));
    std::fs::write(&path, &small).unwrap();
    assert_eq!(impasto::picture::settings_of(&path).unwrap().len(), 1000);
    assert!(read(&with(b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0", packed(100 << 20))).is_ok());
    assert!(read(&with(b"zTXt", b"Raw profile type iptc\0\0", packed(100 << 20))).is_ok());
    // Neither nine megabytes nor a hundred are a profile.
    for bytes in [9 << 20, 100 << 20] {
        let png = with(b"iCCP", b"a\0\0", packed(bytes));
        assert_eq!(read(&png).unwrap().picture, Picture::read(&file("plain.png")).unwrap());
    }
}

/// CRC-32 as PNG has it (PNG specification, annex D).
fn crc_of(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

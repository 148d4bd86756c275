//! EXIF: what of it may stand in another picture than that which it was made for.

use std::io::Cursor;

use exif::experimental::Writer;
use exif::{Context, Error, Exif, Field, In, Reader, Tag, Value};

/// Entries of the main directory that are kept: the camera, the date, the author, the resolution.
const KEPT: [Tag; 9] = [
    Tag::Make,
    Tag::Model,
    Tag::Orientation,
    Tag::XResolution,
    Tag::YResolution,
    Tag::ResolutionUnit,
    Tag::DateTime,
    Tag::Artist,
    Tag::Copyright,
];

/// Entries of the EXIF directory that are kept: the lens, the exposure, the date. All else goes, above all what may tell
/// a place: makers' notes, comments, numbers of devices.
const KEPT_OF_EXPOSURE: [Tag; 44] = [
    Tag::ExifVersion,
    Tag::ExposureTime,
    Tag::FNumber,
    Tag::ExposureProgram,
    Tag::PhotographicSensitivity,
    Tag::SensitivityType,
    Tag::StandardOutputSensitivity,
    Tag::RecommendedExposureIndex,
    Tag::ISOSpeed,
    Tag::DateTimeOriginal,
    Tag::DateTimeDigitized,
    Tag::SubSecTime,
    Tag::SubSecTimeOriginal,
    Tag::SubSecTimeDigitized,
    Tag::ShutterSpeedValue,
    Tag::ApertureValue,
    Tag::BrightnessValue,
    Tag::ExposureBiasValue,
    Tag::MaxApertureValue,
    Tag::SubjectDistance,
    Tag::MeteringMode,
    Tag::LightSource,
    Tag::Flash,
    Tag::FocalLength,
    Tag::ColorSpace,
    Tag::ExposureIndex,
    Tag::SensingMethod,
    Tag::FileSource,
    Tag::SceneType,
    Tag::CustomRendered,
    Tag::ExposureMode,
    Tag::WhiteBalance,
    Tag::DigitalZoomRatio,
    Tag::FocalLengthIn35mmFilm,
    Tag::SceneCaptureType,
    Tag::GainControl,
    Tag::Contrast,
    Tag::Saturation,
    Tag::Sharpness,
    Tag::SubjectDistanceRange,
    Tag::LensSpecification,
    Tag::LensMake,
    Tag::LensModel,
    Tag::Gamma,
];

/// Entries of the EXIF directory that are kept with the place: the time zone tells some of it.
const KEPT_OF_PLACE: [Tag; 3] = [Tag::OffsetTime, Tag::OffsetTimeOriginal, Tag::OffsetTimeDigitized];

/// What stays of EXIF data, as the fields of the first directory: what is on the lists above, upright, in sRGB, and the
/// place where it was taken if that is wanted. Of broken data, what can be read.
pub(super) fn kept_fields(raw: &[u8], gps: bool) -> Vec<Field> {
    let read: Result<Exif, Error> = Reader::new().continue_on_error(true).read_raw(raw.to_vec());
    let exif = read.or_else(|error| error.distill_partial_result(|_| {}));
    let Ok(exif) = exif else { return Vec::new() };
    let of_picture = exif.fields().filter(|field| field.ifd_num == In::PRIMARY);
    let stays = of_picture.filter(|field| match field.tag.context() {
        _ if matches!(field.value, Value::Unknown(..)) => false,
        Context::Tiff => KEPT.contains(&field.tag),
        Context::Exif => KEPT_OF_EXPOSURE.contains(&field.tag) || gps && KEPT_OF_PLACE.contains(&field.tag),
        Context::Gps => gps,
        _ => false,
    });
    stays.map(corrected).collect()
}

/// A field with what is true of the new picture.
fn corrected(field: &Field) -> Field {
    let value = match field.tag {
        Tag::Orientation | Tag::ColorSpace => Value::Short(vec![1]),
        _ => field.value.clone(),
    };
    Field { value, ..field.clone() }
}

/// EXIF data of these fields; nothing where there are none.
pub(super) fn bytes_of(fields: &[Field]) -> Option<Vec<u8>> {
    if fields.is_empty() {
        return None;
    }
    let mut writer = Writer::new();
    fields.iter().for_each(|field| writer.push_field(field));
    let mut bytes = Cursor::new(Vec::new());
    writer.write(&mut bytes, false).ok()?;
    Some(bytes.into_inner())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A photograph's EXIF data: turned, with a maker's note, a place, and a thumbnail.
    pub(in crate::picture) fn photograph() -> Vec<u8> {
        let field = |tag, ifd_num, value| Field { tag, ifd_num, value };
        let text = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
        let degrees = Value::Rational([48, 51, 29].map(|num| exif::Rational { num, denom: 1 }).to_vec());
        let fields = [
            field(Tag::Make, In::PRIMARY, text("Camera & Sons")),
            field(Tag::Orientation, In::PRIMARY, Value::Short(vec![6])),
            field(Tag::ImageWidth, In::PRIMARY, Value::Long(vec![4000])),
            field(Tag::ExposureTime, In::PRIMARY, Value::Rational(vec![exif::Rational { num: 1, denom: 125 }])),
            field(Tag::ColorSpace, In::PRIMARY, Value::Short(vec![65535])),
            field(Tag::MakerNote, In::PRIMARY, Value::Undefined(b"secret".to_vec(), 0)),
            field(Tag::PixelXDimension, In::PRIMARY, Value::Long(vec![4000])),
            field(Tag::GPSLatitude, In::PRIMARY, degrees),
            field(Tag::GPSLatitudeRef, In::PRIMARY, text("N")),
            field(Tag::Orientation, In::THUMBNAIL, Value::Short(vec![6])),
        ];
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        writer.set_jpeg(&[0xff, 0xd8, 0xff, 0xd9], In::THUMBNAIL);
        let mut bytes = Cursor::new(Vec::new());
        writer.write(&mut bytes, true).unwrap();
        bytes.into_inner()
    }

    fn kept(gps: bool) -> Exif {
        let bytes = bytes_of(&kept_fields(&photograph(), gps)).unwrap();
        Reader::new().read_raw(bytes).unwrap()
    }

    #[test]
    fn what_is_true_of_the_painting_stays() {
        let exif = kept(false);
        let value = |tag| exif.get_field(tag, In::PRIMARY).map(|field| field.display_value().to_string());
        assert_eq!(value(Tag::Make).unwrap(), "\"Camera & Sons\"");
        assert_eq!(value(Tag::ExposureTime).unwrap(), "1/125");
        assert_eq!(exif.get_field(Tag::Orientation, In::PRIMARY).unwrap().value.get_uint(0), Some(1));
        assert_eq!(exif.get_field(Tag::ColorSpace, In::PRIMARY).unwrap().value.get_uint(0), Some(1));
        for gone in [Tag::ImageWidth, Tag::MakerNote, Tag::PixelXDimension, Tag::GPSLatitude, Tag::GPSLatitudeRef] {
            assert_eq!(value(gone), None, "{gone}");
        }
        assert!(exif.fields().all(|field| field.ifd_num == In::PRIMARY));
    }

    #[test]
    fn the_place_stays_where_it_is_wanted() {
        let exif = kept(true);
        assert!(exif.get_field(Tag::GPSLatitude, In::PRIMARY).is_some());
        assert!(exif.get_field(Tag::MakerNote, In::PRIMARY).is_none());
    }

    #[test]
    fn of_broken_data_stays_what_can_be_read() {
        let whole = photograph();
        for cut in 0..whole.len() {
            let fields = kept_fields(&whole[..cut], false);
            assert!(bytes_of(&fields).is_some() != fields.is_empty());
        }
        assert_eq!(kept_fields(b"nothing of the kind", true).len(), 0);
    }
}

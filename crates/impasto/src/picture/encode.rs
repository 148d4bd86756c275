//! From a picture to the bytes of a file, with what is written beside the pixels.

use std::io::{Cursor, Write};

use exif::{Context, Field, Value};
use image::ExtendedColorType::Rgb8;
use image::ImageEncoder;
use image::codecs::jpeg::JpegEncoder;
use tiff::encoder::{DirectoryEncoder, TiffKind, TiffValue, colortype};
use tiff::tags::{ExtraSamples, Tag, Type};

use super::settings::SETTINGS_KEYWORD;
use super::{BitDepth, Metadata, Picture, PictureFile, PictureFormat, WriteError, profile, segments, xmp};

/// JPEG quality: paintings have fine strokes everywhere, and 95 keeps them.
const JPEG_QUALITY: u8 = 95;

/// The keyword of the PNG text that is an XMP packet (XMP specification, part 3, 1.1.5).
const XMP_KEYWORD: &str = "XML:com.adobe.xmp";

/// What a file that comes of another keeps of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptOfInput {
    /// Bits of a channel; where nothing is said, as many as the input has, if the format holds them.
    pub depth: Option<BitDepth>,
    /// Its metadata: see [`Metadata::to_keep`].
    pub metadata: bool,
    /// Its metadata, and among them where it was taken.
    pub gps: bool,
}

impl KeptOfInput {
    /// Checks before any work that a format can hold what is asked for.
    ///
    /// # Errors
    /// If it has fewer bits a channel.
    pub fn check(&self, format: PictureFormat) -> Result<(), WriteError> {
        match self.depth {
            Some(depth) if !format.holds(depth) => Err(WriteError::Depth { format: format.ending(), depth }),
            _ => Ok(()),
        }
    }

    /// What is written into a file of this format, but for the settings.
    pub fn output(&self, format: PictureFormat, input: &PictureFile) -> PictureOutput {
        let depth = self.depth.unwrap_or(input.depth);
        let kept = self.metadata || self.gps;
        PictureOutput {
            depth: if format.holds(depth) { depth } else { BitDepth::Eight },
            settings: None,
            metadata: if kept { input.metadata.to_keep(self.gps) } else { Metadata::default() },
        }
    }
}

/// What goes into a file beside the pixels, and how finely these are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PictureOutput {
    /// Bits of a channel; PNG and TIFF can hold 16, the others have 8 whatever is said.
    pub depth: BitDepth,
    /// The settings that make the picture again, as TOML.
    pub settings: Option<String>,
    /// What [`Metadata::to_keep`] has kept of an input.
    pub metadata: Metadata,
}

impl PictureOutput {
    /// The XMP packet: what is kept, and the settings.
    fn packet(&self) -> Option<String> {
        let kept = self.metadata.xmp.as_deref();
        self.settings.as_deref().map(|settings| xmp::with_settings(kept, settings)).or_else(|| kept.map(str::to_owned))
    }
}

/// Writes a picture in a format. What the format cannot hold is left out; JPEG shows transparent pictures on white.
pub(super) fn encode(
    picture: &Picture,
    format: PictureFormat,
    output: &PictureOutput,
    to: &mut dyn Write,
) -> Result<(), String> {
    match format {
        PictureFormat::Png => png(picture, output, to).map_err(|error| error.to_string()),
        PictureFormat::Jpeg => jpeg(picture, output, to),
        PictureFormat::WebP => webp(picture, output, to),
        PictureFormat::Tiff => tiff(picture, output, to),
    }
}

/// Interleaved samples, with the opacity where there is one, rounded and clipped to 0 to `full`.
fn samples<T>(picture: &Picture, full: f32, sample: impl Fn(f32) -> T) -> Vec<T> {
    let positions = picture.height() * picture.width();
    let (planes, scale) = (picture.data(), full / 255.0);
    // The cast that `sample` is cuts off, and turns NaN into 0.
    let rounded = |value: f32| sample(value.clamp(0.0, full) + 0.5);
    let mut samples = Vec::with_capacity(positions * if picture.alpha().is_some() { 4 } else { 3 });
    for i in 0..positions {
        samples.extend([0, 1, 2].map(|c| rounded(planes[c * positions + i] * scale)));
        samples.extend(picture.alpha().map(|alpha| rounded(alpha[i] * full)));
    }
    samples
}

fn samples8(picture: &Picture) -> Vec<u8> {
    if picture.alpha().is_none() { picture.to_rgb8() } else { samples(picture, 255.0, |value| value as u8) }
}

fn samples16(picture: &Picture) -> Vec<u16> {
    samples(picture, 65535.0, |value| value as u16)
}

fn png(picture: &Picture, output: &PictureOutput, to: &mut dyn Write) -> Result<(), png::EncodingError> {
    let mut info = png::Info::with_size(picture.width() as u32, picture.height() as u32);
    info.color_type = if picture.alpha().is_some() { png::ColorType::Rgba } else { png::ColorType::Rgb };
    info.bit_depth = match output.depth {
        BitDepth::Eight => png::BitDepth::Eight,
        BitDepth::Sixteen => png::BitDepth::Sixteen,
    };
    info.exif_metadata = output.metadata.exif.as_deref().map(Into::into);
    let mut encoder = png::Encoder::with_info(to, info)?;
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    if let Some(settings) = &output.settings {
        encoder.add_itxt_chunk(SETTINGS_KEYWORD.into(), settings.clone())?;
    }
    if let Some(packet) = &output.metadata.xmp {
        encoder.add_itxt_chunk(XMP_KEYWORD.into(), packet.clone())?;
    }
    let mut writer = encoder.write_header()?;
    match output.depth {
        BitDepth::Eight => writer.write_image_data(&samples8(picture))?,
        BitDepth::Sixteen => {
            let bytes: Vec<u8> = samples16(picture).into_iter().flat_map(u16::to_be_bytes).collect();
            writer.write_image_data(&bytes)?;
        }
    }
    writer.finish()
}

fn jpeg(picture: &Picture, output: &PictureOutput, to: &mut dyn Write) -> Result<(), String> {
    let rgb = match picture.alpha() {
        Some(_) => picture.clone().on_white().to_rgb8(),
        None => picture.to_rgb8(),
    };
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    if let Some(profile) = profile::srgb_bytes() {
        encoder.set_icc_profile(profile.to_vec()).map_err(|error| error.to_string())?;
    }
    // A segment holds 64 KB; larger EXIF data has no place in a JPEG.
    if let Some(exif) = output.metadata.exif.as_ref().filter(|exif| exif.len() < 65000) {
        encoder.set_exif_metadata(exif.clone()).map_err(|error| error.to_string())?;
    }
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    encoder.write_image(&rgb, width, height, Rgb8).map_err(|error| error.to_string())?;
    // Where the packet is too large with what is kept, the settings alone are in it.
    let whole = output.packet().filter(|packet| segments::fits(packet));
    let packet = whole.or_else(|| output.settings.as_deref().map(|settings| xmp::with_settings(None, settings)));
    let bytes = segments::with_segments(&bytes, packet.as_deref(), output.metadata.iptc.as_deref());
    to.write_all(&bytes).map_err(|error| error.to_string())
}

fn webp(picture: &Picture, output: &PictureOutput, to: &mut dyn Write) -> Result<(), String> {
    let mut encoder = image_webp::WebPEncoder::new(to);
    encoder.set_icc_profile(profile::srgb_bytes().unwrap_or_default().to_vec());
    encoder.set_exif_metadata(output.metadata.exif.clone().unwrap_or_default());
    encoder.set_xmp_metadata(output.packet().unwrap_or_default().into_bytes());
    let color = if picture.alpha().is_some() { image_webp::ColorType::Rgba8 } else { image_webp::ColorType::Rgb8 };
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    encoder.encode(&samples8(picture), width, height, color).map_err(|error| error.to_string())
}

fn tiff(picture: &Picture, output: &PictureOutput, to: &mut dyn Write) -> Result<(), String> {
    let mut bytes = Cursor::new(Vec::new());
    let written = match output.depth {
        BitDepth::Eight => tiff_of::<colortype::RGB8>(picture, output, &samples8(picture), &mut bytes),
        BitDepth::Sixteen => tiff_of::<colortype::RGB16>(picture, output, &samples16(picture), &mut bytes),
    };
    written.map_err(|error| error.to_string())?;
    to.write_all(bytes.get_ref()).map_err(|error| error.to_string())
}

fn tiff_of<C: colortype::ColorType>(
    picture: &Picture,
    output: &PictureOutput,
    samples: &[C::Inner],
    to: &mut Cursor<Vec<u8>>,
) -> Result<(), tiff::TiffError>
where
    [C::Inner]: TiffValue,
{
    let mut encoder = tiff::encoder::TiffEncoder::new(to)?;
    let fields = output.metadata.fields();
    let mut offsets = Vec::new();
    for (context, pointer) in [(Context::Exif, Tag::ExifDirectory), (Context::Gps, Tag::GpsDirectory)] {
        let mut of_context = fields.iter().filter(|field| field.tag.context() == context).peekable();
        if of_context.peek().is_some() {
            let mut directory = encoder.extra_directory()?;
            of_context.try_for_each(|field| push(&mut directory, field))?;
            offsets.push((pointer, directory.finish_with_offsets()?.offset));
        }
    }
    let mut image = encoder.new_image::<C>(picture.width() as u32, picture.height() as u32)?;
    if picture.alpha().is_some() {
        image.extra_samples(&[ExtraSamples::UnassociatedAlpha])?;
    }
    let directory = image.encoder();
    fields.iter().filter(|field| field.tag.context() == Context::Tiff).try_for_each(|field| push(directory, field))?;
    for (pointer, offset) in offsets {
        directory.write_tag(pointer, offset)?;
    }
    if let Some(profile) = profile::srgb_bytes() {
        // The type is a row of bytes without a meaning (ICC.1:2022, B.4).
        push_bytes(directory, Tag::IccProfile, Type::UNDEFINED, profile)?;
    }
    if let Some(packet) = output.packet() {
        directory.write_tag(Tag::Unknown(700), packet.as_bytes())?;
    }
    if let Some(iptc) = &output.metadata.iptc {
        push_bytes(directory, Tag::Unknown(33723), Type::UNDEFINED, iptc)?;
    }
    image.write_data(samples)
}

/// Puts an EXIF field into a directory of a TIFF file.
fn push<W: Write + std::io::Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, W, K>,
    field: &Field,
) -> Result<(), tiff::TiffError> {
    let tag = Tag::from_u16_exhaustive(field.tag.number());
    let pairs = |pairs: &[(u32, u32)]| {
        pairs.iter().flat_map(|(a, b)| [a.to_ne_bytes(), b.to_ne_bytes()]).flatten().collect::<Vec<u8>>()
    };
    match &field.value {
        Value::Byte(values) => directory.write_tag(tag, &values[..]),
        Value::Short(values) => directory.write_tag(tag, &values[..]),
        Value::Long(values) => directory.write_tag(tag, &values[..]),
        Value::Undefined(bytes, _) => push_bytes(directory, tag, Type::UNDEFINED, bytes),
        Value::Ascii(texts) => {
            let text: Vec<u8> = texts.iter().flat_map(|text| text.iter().copied().chain([0])).collect();
            push_bytes(directory, tag, Type::ASCII, &text)
        }
        Value::Rational(values) => {
            let values: Vec<(u32, u32)> = values.iter().map(|value| (value.num, value.denom)).collect();
            push_bytes(directory, tag, Type::RATIONAL, &pairs(&values))
        }
        Value::SRational(values) => {
            let values: Vec<(u32, u32)> = values.iter().map(|value| (value.num as u32, value.denom as u32)).collect();
            push_bytes(directory, tag, Type::SRATIONAL, &pairs(&values))
        }
        // The other types are not used in EXIF.
        _ => Ok(()),
    }
}

fn push_bytes<W: Write + std::io::Seek, K: TiffKind>(
    directory: &mut DirectoryEncoder<'_, W, K>,
    tag: Tag,
    kind: Type,
    bytes: &[u8],
) -> Result<(), tiff::TiffError> {
    let entry = directory.write_entry_bytes(kind, bytes)?;
    let mut one = tiff::Directory::empty();
    one.extend([(tag, entry)]);
    directory.extend_from(&one);
    Ok(())
}

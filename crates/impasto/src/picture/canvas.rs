//! From the samples of a file, row after row, to a picture in sRGB that stands upright.

use image::metadata::Orientation;
use image::{ColorType, DynamicImage};

use super::Picture;
use super::profile::{Colors, Conversion};

/// Samples, a row after the other, the channels of a pixel side by side.
#[derive(Clone, Copy)]
pub(super) enum Samples<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    /// 16 bits, high end first.
    Bytes16(&'a [u8]),
    F32(&'a [f32]),
}

impl<'a> Samples<'a> {
    /// Those of a decoded picture.
    pub(super) fn of(image: &'a DynamicImage) -> Self {
        match image {
            DynamicImage::ImageLuma16(image) => Self::U16(image.as_raw()),
            DynamicImage::ImageLumaA16(image) => Self::U16(image.as_raw()),
            DynamicImage::ImageRgb16(image) => Self::U16(image.as_raw()),
            DynamicImage::ImageRgba16(image) => Self::U16(image.as_raw()),
            DynamicImage::ImageRgb32F(image) => Self::F32(image.as_raw()),
            DynamicImage::ImageRgba32F(image) => Self::F32(image.as_raw()),
            image => Self::U8(image.as_bytes()),
        }
    }

    /// How many there are.
    fn len(self) -> usize {
        match self {
            Self::U8(all) => all.len(),
            Self::U16(all) => all.len(),
            Self::Bytes16(all) => all.len() / 2,
            Self::F32(all) => all.len(),
        }
    }

    /// These samples as values of 0–255.
    fn read(self, range: std::ops::Range<usize>, into: &mut Vec<f32>) {
        into.clear();
        match self {
            Self::U8(all) => into.extend(all[range].iter().map(|v| f32::from(*v))),
            Self::U16(all) => into.extend(all[range].iter().map(|v| f32::from(*v) / 257.0)),
            Self::Bytes16(all) => {
                let pairs = all[2 * range.start..2 * range.end].as_chunks::<2>().0;
                into.extend(pairs.iter().map(|pair| f32::from(u16::from_be_bytes(*pair)) / 257.0));
            }
            // Files with floating-point samples may hold anything.
            Self::F32(all) => into.extend(all[range].iter().map(|v| if *v > 0.0 { v.min(1.0) * 255.0 } else { 0.0 })),
        }
    }
}

/// What the channels of a file's pixels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channels {
    pub(super) count: usize,
    pub(super) transparent: bool,
    pub(super) colors: Colors,
}

impl Channels {
    pub(super) fn of(color: ColorType) -> Self {
        let (count, transparent) = (usize::from(color.channel_count()), color.has_alpha());
        let colors = if count - usize::from(transparent) == 1 { Colors::Grey } else { Colors::Rgb };
        Self { count, transparent, colors }
    }

    /// Cyan, magenta, yellow and black.
    pub(super) const INKS: Self = Self { count: 4, transparent: false, colors: Colors::Inks };
}

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Area {
    /// All of a picture.
    pub(crate) fn whole(height: usize, width: usize) -> Self {
        Self { top: 0, left: 0, height, width }
    }

    /// How many pixels there are.
    pub(super) fn pixels(self) -> u64 {
        self.height as u64 * self.width as u64
    }

    /// The same as it is stored: this area is one of the upright picture, whose stored rows and columns are given.
    pub(super) fn stored(self, turn: Orientation, height: usize, width: usize) -> Self {
        let Self { top, left, height: rows, width: columns } = self;
        let (far_top, far_left) = (top + rows, left + columns);
        match turn {
            Orientation::NoTransforms => self,
            Orientation::Rotate180 => Self { top: height - far_top, left: width - far_left, ..self },
            Orientation::FlipHorizontal => Self { left: width - far_left, ..self },
            Orientation::FlipVertical => Self { top: height - far_top, ..self },
            Orientation::Rotate90 => Self { top: height - far_left, left: top, height: columns, width: rows },
            Orientation::Rotate270 => Self { top: left, left: width - far_top, height: columns, width: rows },
            Orientation::Rotate90FlipH => Self { top: left, left: top, height: columns, width: rows },
            Orientation::Rotate270FlipH => {
                Self { top: height - far_left, left: width - far_top, height: columns, width: rows }
            }
        }
    }
}

/// Whether rows become columns.
pub(super) fn is_on_its_side(turn: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(turn, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// A picture that is being read: rows come as they are stored, and go to where they belong.
pub(super) struct Canvas {
    /// What is kept, as it is stored.
    area: Area,
    turn: Orientation,
    channels: Channels,
    conversion: Conversion,
    data: Vec<f32>,
    alpha: Vec<f32>,
    row: Vec<f32>,
    opaque: Vec<f32>,
    rgb: Vec<f32>,
}

impl Canvas {
    /// For this area of the picture as it is stored; nothing where there is no memory for it.
    pub(super) fn new(area: Area, turn: Orientation, channels: Channels, profile: Option<&[u8]>) -> Option<Self> {
        let zeros = |len: usize| {
            let mut values = Vec::new();
            values.try_reserve_exact(len).ok()?;
            values.resize(len, 0.0);
            Some(values)
        };
        let pixels = area.height.checked_mul(area.width)?;
        Some(Self {
            area,
            turn,
            channels,
            conversion: Conversion::new(profile, channels.colors),
            data: zeros(pixels.checked_mul(3)?)?,
            alpha: zeros(if channels.transparent { pixels } else { 0 })?,
            row: Vec::new(),
            opaque: Vec::new(),
            rgb: Vec::new(),
        })
    }

    /// Takes in stored row `y` from column `left` on.
    pub(super) fn put(&mut self, y: usize, left: usize, samples: Samples<'_>) {
        let Area { top, left: first, height, width } = self.area;
        let count = self.channels.count;
        let right = left + samples.len() / count;
        let (from, to) = (left.max(first), right.min(first + width));
        if y < top || y >= top + height || from >= to {
            return;
        }
        samples.read((from - left) * count..(to - left) * count, &mut self.row);
        let (start, step) = self.place(y - top, from - first);
        if self.channels.transparent {
            let pixels = self.row.chunks_exact(count);
            let mut place = start;
            for pixel in pixels.clone() {
                self.alpha[place] = pixel[count - 1] / 255.0;
                place = place.wrapping_add_signed(step);
            }
            self.opaque.clear();
            self.opaque.extend(pixels.flat_map(|pixel| &pixel[..count - 1]));
            std::mem::swap(&mut self.row, &mut self.opaque);
        }
        self.conversion.to_srgb(&self.row, &mut self.rgb);
        for (channel, plane) in self.data.chunks_exact_mut(height * width).enumerate() {
            let mut place = start;
            for pixel in self.rgb.chunks_exact(3) {
                plane[place] = pixel[channel];
                place = place.wrapping_add_signed(step);
            }
        }
    }

    /// Takes in a picture that is decoded as a whole.
    pub(super) fn put_all(&mut self, samples: Samples<'_>, width: usize) {
        let row = width * self.channels.count;
        for y in 0..samples.len() / row.max(1) {
            let range = y * row..(y + 1) * row;
            self.put(
                y,
                0,
                match samples {
                    Samples::U8(all) => Samples::U8(&all[range]),
                    Samples::U16(all) => Samples::U16(&all[range]),
                    Samples::Bytes16(all) => Samples::Bytes16(&all[2 * range.start..2 * range.end]),
                    Samples::F32(all) => Samples::F32(&all[range]),
                },
            );
        }
    }

    /// Where pixel `x` of row `y` of the area belongs in a plane of the upright picture, and how far from it the next.
    fn place(&self, y: usize, x: usize) -> (usize, isize) {
        let Area { height, width, .. } = self.area;
        let tall = height as isize;
        match self.turn {
            Orientation::NoTransforms => (y * width + x, 1),
            Orientation::Rotate180 => ((height - 1 - y) * width + (width - 1 - x), -1),
            Orientation::FlipHorizontal => (y * width + (width - 1 - x), -1),
            Orientation::FlipVertical => ((height - 1 - y) * width + x, 1),
            Orientation::Rotate90 => (x * height + (height - 1 - y), tall),
            Orientation::Rotate270 => ((width - 1 - x) * height + y, -tall),
            Orientation::Rotate90FlipH => (x * height + y, tall),
            Orientation::Rotate270FlipH => ((width - 1 - x) * height + (height - 1 - y), -tall),
        }
    }

    /// The picture.
    pub(super) fn finish(self) -> Picture {
        let Area { height, width, .. } = self.area;
        let (height, width) = if is_on_its_side(self.turn) { (width, height) } else { (height, width) };
        let picture = Picture::from_planar(height, width, self.data);
        let mut picture = if self.channels.transparent { picture.with_alpha(self.alpha) } else { picture };
        picture.fill_transparent();
        picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURNS: [Orientation; 8] = [
        Orientation::NoTransforms,
        Orientation::Rotate90,
        Orientation::Rotate180,
        Orientation::Rotate270,
        Orientation::FlipHorizontal,
        Orientation::FlipVertical,
        Orientation::Rotate90FlipH,
        Orientation::Rotate270FlipH,
    ];

    /// Against what `image` does to a whole picture, for the whole and for a part of it.
    #[test]
    fn every_orientation_and_every_part_is_where_image_puts_it() {
        let (height, width) = (7, 5);
        let rgba =
            image::RgbaImage::from_fn(width, height, |x, y| image::Rgba([x as u8, y as u8, 9, (10 * x + y) as u8]));
        for turn in TURNS {
            let mut turned = DynamicImage::ImageRgba8(rgba.clone());
            turned.apply_orientation(turn);
            let (tall, wide) = (turned.height() as usize, turned.width() as usize);
            for part in [Area::whole(tall, wide), Area { top: 1, left: 2, height: tall - 3, width: wide - 3 }] {
                let stored = part.stored(turn, height as usize, width as usize);
                let mut canvas = Canvas::new(stored, turn, Channels::of(ColorType::Rgba8), None).unwrap();
                canvas.put_all(Samples::U8(rgba.as_raw()), width as usize);
                assert!(canvas.data.len() == 3 * part.height * part.width, "{turn:?}");
                let (left, top) = (part.left as u32, part.top as u32);
                let expected = turned.crop_imm(left, top, part.width as u32, part.height as u32).to_rgba8();
                for (i, pixel) in expected.pixels().enumerate() {
                    let pixels = part.height * part.width;
                    let read = [0, 1, 2].map(|c| canvas.data[c * pixels + i] as u8);
                    assert_eq!(read, pixel.0[..3], "{turn:?} {part:?} at {i}");
                    assert_eq!((canvas.alpha[i] * 255.0).round() as u8, pixel.0[3], "{turn:?} {part:?} at {i}");
                }
            }
        }
    }
}

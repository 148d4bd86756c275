//! What a network makes of photographs that it never trains on: their losses, and a sheet to look at.

use super::TrainError;
use super::events::{Skipped, StyleLosses};
use super::learner::Learner;
use super::photos::Photos;
use super::samples::{Crop, Reading, cropped};
use super::settings::TrainSettings;
use crate::objective::{ContentTarget, Losses};
use crate::picture::Picture;

/// Photographs on the preview sheet, at most.
const PREVIEW_ROWS: usize = 5;

/// Styles on the preview sheet, at most.
const PREVIEW_COLUMNS: usize = 12;

/// About this many pairs of photograph and style are evaluated in one validation, and at least [`LEAST_EACH`] for each
/// style: some seconds' work on two cores.
const PAIRS: usize = 20;
const LEAST_EACH: usize = 4;

/// White between the pictures of the sheet, in pixels.
const GAP: usize = 8;

/// The photographs that are held out, cropped to a square in their middle.
pub(super) struct Validation {
    photos: Vec<(Picture, ContentTarget)>,
    styles: Vec<HeldOut>,
}

/// A style that a validation is held against.
pub(super) struct HeldOut {
    pub(super) number: usize,
    pub(super) name: String,
    /// Its painting.
    pub(super) picture: Picture,
}

/// What is stored in the sheet, so that a later run does not take it for a photograph.
pub(super) const WRITTEN_BY_TRAINING: &str = "command = \"train\"\n";

impl Validation {
    /// Reads the photographs held out for validation, and says which could not be used: no other takes their place,
    /// since all others are trained on or kept for reports.
    ///
    /// # Errors
    /// If none can be read.
    pub(super) fn read(
        photos: &Photos,
        learner: &mut Learner,
        styles: Vec<HeldOut>,
        settings: &TrainSettings,
    ) -> Result<(Self, Vec<Skipped>), TrainError> {
        let (mut good, mut skipped) = (Vec::new(), Vec::new());
        let reading = Reading { size: settings.image_size, limits: settings.read_limits() };
        for photograph in &photos.validation {
            match cropped(photograph, Crop::CENTRE, reading) {
                Ok(photo) => {
                    let content = learner.content(&photo);
                    good.push((photo, content));
                }
                Err(error) => skipped.push(Skipped::new(photograph.path(), error)),
            }
        }
        if let (true, Some(first)) = (good.is_empty(), skipped.first()) {
            return Err(TrainError::NoGoodValidation { count: skipped.len(), reason: first.reason.clone() });
        }
        Ok((Self { photos: good, styles }, skipped))
    }

    /// How many photographs there are.
    pub(super) fn photographs(&self) -> usize {
        self.photos.len()
    }

    /// The mean losses over all styles, and those of each: the same photographs every time.
    pub(super) fn losses(&self, learner: &mut Learner) -> (Losses, Vec<StyleLosses>) {
        let styles = self.styles.len();
        let each = (PAIRS / styles).max(LEAST_EACH).min(self.photos.len());
        let mut all = Vec::new();
        for (i, style) in self.styles.iter().enumerate() {
            let mut losses = Losses::default();
            for j in 0..each {
                let (photo, content) = &self.photos[(i * each + j) % self.photos.len()];
                losses += learner.value(photo, content, style.number) * (1.0 / each as f64);
            }
            all.push(StyleLosses { name: style.name.clone(), losses });
        }
        let mut mean = Losses::default();
        all.iter().for_each(|style| mean += style.losses * (1.0 / styles as f64));
        (mean, all)
    }

    /// The first photograph.
    pub(super) fn first_photo(&self) -> &Picture {
        &self.photos[0].0
    }

    /// The sheet: the paintings above, the photographs on the left, and each painted in each style.
    pub(super) fn sheet(&self, learner: &mut Learner) -> Picture {
        let shown = shown(&self.styles);
        let size = self.first_photo().height();
        let paintings = shown.iter().map(|style| square(&style.picture, size));
        let blank = self.first_photo().filled(255.0);
        let mut rows = vec![std::iter::once(blank).chain(paintings).collect::<Vec<_>>()];
        for (photo, _) in self.photos.iter().take(PREVIEW_ROWS) {
            let painted = shown.iter().map(|style| learner.paint(photo, style.number));
            rows.push(std::iter::once(photo.clone()).chain(painted).collect());
        }
        sheet(&rows)
    }
}

/// The styles on the sheet: all, or as many as it has columns, evenly among them.
fn shown(styles: &[HeldOut]) -> Vec<&HeldOut> {
    let columns = styles.len().min(PREVIEW_COLUMNS);
    (0..columns).map(|column| &styles[column * styles.len() / columns]).collect()
}

/// The square in the middle of a picture.
fn square(picture: &Picture, size: usize) -> Picture {
    let (height, width) = (picture.height(), picture.width());
    let (top, left, side) = Crop::CENTRE.place(height, width);
    let rows = (0..3 * side).map(|row| (row / side) * height + top + row % side);
    let data = rows.flat_map(|row| picture.data()[row * width + left..][..side].iter().copied()).collect();
    Picture::from_planar(side, side, data).resized(size, size)
}

/// Rows of equally large pictures side by side, on white.
fn sheet(rows: &[Vec<Picture>]) -> Picture {
    let (height, width) = (rows[0][0].height(), rows[0][0].width());
    let (down, across) = (height + GAP, width + GAP);
    let (full_height, full_width) = (rows.len() * down + GAP, rows[0].len() * across + GAP);
    let mut data = vec![255.0; 3 * full_height * full_width];
    for (i, row) in rows.iter().enumerate() {
        for (j, picture) in row.iter().enumerate() {
            for (line, values) in picture.data().chunks_exact(width).enumerate() {
                let y = (line / height) * full_height + GAP + i * down + line % height;
                data[y * full_width + GAP + j * across..][..width].copy_from_slice(values);
            }
        }
    }
    Picture::from_planar(full_height, full_width, data)
}

#[cfg(test)]
mod tests {
    use crate::train::learner::StyleSource;
    use impasto_nn::kernels::StyleNetShape;

    use super::*;
    use crate::device::cpu_backend;
    use crate::network::network;
    use crate::train::TrainSettings;

    #[test]
    fn a_sheet_has_every_picture_in_its_place() {
        let tile = |value: f32| Picture::from_planar(4, 4, vec![value; 48]);
        let sheet = sheet(&[vec![tile(1.0), tile(2.0)], vec![tile(3.0), tile(4.0)]]);
        assert_eq!((sheet.height(), sheet.width()), (32, 32));
        let at = |c: usize, y: usize, x: usize| sheet.data()[(c * 32 + y) * 32 + x];
        for c in 0..3 {
            assert_eq!([at(c, 8, 8), at(c, 11, 23), at(c, 23, 8), at(c, 20, 20)], [1.0, 2.0, 3.0, 4.0]);
            assert_eq!([at(c, 0, 0), at(c, 13, 13), at(c, 31, 31)], [255.0; 3]);
        }
    }

    #[test]
    fn a_broken_photograph_is_not_replaced_by_one_that_is_trained_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |i: u8| folder.path().join(format!("{i}.png"));
        for i in 0..12 {
            Picture::from_rgb8(16, 16, &[10 * i; 16 * 16 * 3]).write(&path(i), None).unwrap();
        }
        let photos = Photos::find(&[folder.path().into()], &[]).unwrap();
        let settings = TrainSettings { image_size: 32, threads: Some(2), ..TrainSettings::default() };
        let shape = StyleNetShape { width: 16, residual_blocks: 1, styles: 1, ..StyleNetShape::JOHNSON };
        let paintings = [(Picture::from_rgb8(32, 32, &[99; 32 * 32 * 3]), 1.0)];
        let mut learner = Learner::new(
            cpu_backend(),
            &settings,
            network("vgg19").unwrap(),
            shape,
            StyleSource { own: &paintings, paintings: None },
        )
        .unwrap();
        let held_out = || vec![HeldOut { number: 0, name: "a".into(), picture: paintings[0].0.clone() }];
        let mut read = || Validation::read(&photos, &mut learner, held_out(), &settings);
        std::fs::write(photos.validation[1].path(), b"broken").unwrap();
        let (validation, skipped) = read().unwrap();
        assert_eq!((validation.photographs(), skipped.len()), (photos.validation.len() - 1, 1));
        assert_eq!(skipped[0].path, photos.validation[1].path());
        photos.validation.iter().for_each(|photo| std::fs::write(photo.path(), b"broken").unwrap());
        let error = read().err().unwrap().to_string();
        assert!(error.contains("none of the 4 photographs held out for validation"), "{error}");
    }

    #[test]
    fn a_square_is_the_middle() {
        let rows: Vec<u8> = (0..3 * 10 * 30).map(|i| ((i / 3) % 30) as u8).collect();
        let square = square(&Picture::from_rgb8(10, 30, &rows), 10);
        assert_eq!((square.height(), square.width()), (10, 10));
        assert_eq!(square.data()[..10], [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0]);
    }
}

//! Which crop of which photograph comes when, and the thread that makes them ahead of the compute.
//!
//! Sample number `n` of a run is a pure function of the seed and of `n`, so that a position in the data is a number,
//! and a resumed run sees what it would have seen.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::TrainError;
use super::events::Skipped;
use super::photos::Photo;
use crate::job::Control;
use crate::picture::{MIN_SIDE, Picture, ReadError, ReadLimits};

/// A crop's side is at least this share of the photograph's shorter one.
const LEAST_CROP: f64 = 0.5;

/// How often a run that waits for a crop asks its control.
const POLL: Duration = Duration::from_millis(20);

/// What the random numbers are for: no two purposes share them.
const ORDER: u64 = 1;
const CROP: u64 = 2;
const PAINTINGS: u64 = 3;

/// Random numbers that depend on these alone.
fn random(seed: u64, purpose: u64, epoch: u64, index: u64) -> ChaCha8Rng {
    let words = [seed, purpose, epoch, index].map(u64::to_le_bytes);
    let mut key = [0; 32];
    key.iter_mut().zip(words.iter().flatten()).for_each(|(to, from)| *to = *from);
    ChaCha8Rng::from_seed(key)
}

/// A square in a photograph, and whether it is mirrored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crop {
    /// Side, as a share of the photograph's shorter side.
    pub(crate) side: f64,
    /// Where it lies between the upper and the lower edge, from 0 to 1.
    pub(crate) down: f64,
    /// Where it lies between the left and the right edge, from 0 to 1.
    pub(crate) right: f64,
    /// Whether left and right change places.
    pub(crate) mirrored: bool,
}

impl Crop {
    /// The largest square in the middle.
    pub(crate) const CENTRE: Self = Self { side: 1.0, down: 0.5, right: 0.5, mirrored: false };

    /// The crop of a sample.
    fn random(seed: u64, epoch: u64, index: u64) -> Self {
        let mut random = random(seed, CROP, epoch, index);
        let mut share = || random.random_range(0.0..1.0f64);
        let (side, down, right) = (LEAST_CROP + (1.0 - LEAST_CROP) * share(), share(), share());
        Self { side, down, right, mirrored: share() < 0.5 }
    }

    /// Upper edge, left edge and side in a photograph of this size, in pixels.
    pub(crate) fn place(&self, height: usize, width: usize) -> (usize, usize, usize) {
        let shorter = height.min(width);
        let side = ((shorter as f64 * self.side).round() as usize).clamp(MIN_SIDE.min(shorter), shorter);
        let offset = |room: usize, share: f64| ((room as f64 * share).round() as usize).min(room);
        (offset(height - side, self.down), offset(width - side, self.right), side)
    }
}

/// A square crop of a photograph, at `size` × `size` pixels.
pub(super) fn cropped(photo: &Photo, crop: Crop, reading: Reading) -> Result<Picture, ReadError> {
    let Reading { size, limits } = reading;
    let square = photo.cropped(&limits, |height, width| crop.place(height, width))?;
    Ok(square.resized(size, size).mirrored_if(crop.mirrored))
}

/// How photographs are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The side of a crop, in pixels.
    pub(super) size: usize,
    /// What reading one may take.
    pub(super) limits: ReadLimits,
}

/// The order of this many photographs in an epoch.
fn order(seed: u64, epoch: u64, count: usize) -> Vec<usize> {
    shuffled(count, &mut random(seed, ORDER, epoch, 0))
}

/// The order of this many paintings in an epoch.
pub(super) fn order_of_paintings(seed: u64, epoch: u64, count: usize) -> Vec<usize> {
    shuffled(count, &mut random(seed, PAINTINGS, epoch, 0))
}

fn shuffled(count: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(random);
    order
}

/// What the thread sends.
enum Sent {
    Sample(Picture),
    Skipped(Skipped),
    /// No photograph at all can be read.
    Nothing(String),
}

/// Crops one after the other, made ahead by a thread of their own.
pub(super) struct Samples {
    count: usize,
    receiver: Receiver<Sent>,
}

impl Samples {
    /// The crops from number `first` on, at most `ahead` of them waiting.
    pub(super) fn start(photos: Vec<Photo>, reading: Reading, seed: u64, first: u64, ahead: usize) -> Self {
        let (sender, receiver) = sync_channel(ahead);
        let count = photos.len();
        let mut maker = Maker { photos, reading, seed, order: (u64::MAX, Vec::new()), bad: HashSet::new(), sender };
        // Ends by itself when nobody listens any more.
        thread::spawn(move || (first..).find(|&number| maker.send(number).is_err()));
        Self { count, receiver }
    }

    /// The next crop, and the photographs that had to be left out on the way to it; nothing if the run is stopped.
    pub(super) fn next(&self, control: &Control) -> Result<Option<(Picture, Vec<Skipped>)>, TrainError> {
        let mut skipped = Vec::new();
        loop {
            let sent = match self.receiver.recv_timeout(POLL) {
                Ok(sent) => sent,
                Err(RecvTimeoutError::Timeout) if control.is_stopped() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Err(TrainError::Reader),
            };
            match sent {
                Sent::Sample(picture) => return Ok(Some((picture, skipped))),
                Sent::Skipped(photo) => skipped.push(photo),
                Sent::Nothing(reason) => return Err(TrainError::NoGoodPhotos { count: self.count, reason }),
            }
        }
    }
}

/// Nobody listens any more, or there is nothing to say.
struct Gone;

struct Maker {
    photos: Vec<Photo>,
    reading: Reading,
    seed: u64,
    /// An epoch and its order.
    order: (u64, Vec<usize>),
    /// Photographs that cannot be read.
    bad: HashSet<usize>,
    sender: SyncSender<Sent>,
}

impl Maker {
    /// Sends sample `number`. In place of a photograph that cannot be read comes the one behind it in the order.
    fn send(&mut self, number: u64) -> Result<(), Gone> {
        let count = self.photos.len();
        let (epoch, index) = (number / count as u64, number % count as u64);
        if self.order.0 != epoch {
            self.order = (epoch, order(self.seed, epoch, count));
        }
        let crop = Crop::random(self.seed, epoch, index);
        for step in 0..count {
            let photo = self.order.1[(index as usize + step) % count];
            if self.bad.contains(&photo) {
                continue;
            }
            match cropped(&self.photos[photo], crop, self.reading) {
                Ok(picture) => return self.say(Sent::Sample(picture)),
                Err(error) => {
                    self.bad.insert(photo);
                    let reason = error.to_string();
                    self.say(Sent::Skipped(Skipped::new(self.photos[photo].path(), &reason)))?;
                    if self.bad.len() == count {
                        self.say(Sent::Nothing(reason))?;
                    }
                }
            }
        }
        Err(Gone)
    }

    fn say(&self, what: Sent) -> Result<(), Gone> {
        self.sender.send(what).map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(paths: &[PathBuf]) -> Vec<Photo> {
        paths.iter().cloned().map(Photo::File).collect()
    }

    fn small() -> Reading {
        Reading { size: 32, limits: ReadLimits::default() }
    }

    #[test]
    fn every_epoch_has_every_photograph_once_in_another_order() {
        let mut sorted = order(1, 3, 40);
        assert_ne!(sorted, order(1, 4, 40));
        assert_ne!(sorted, order(2, 3, 40));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..40).collect::<Vec<_>>());
    }

    #[test]
    fn crops_lie_within_the_photograph() {
        let mut mirrored = 0;
        for index in 0..500 {
            let crop = Crop::random(7, 0, index);
            for (height, width) in [(100, 300), (300, 100), (8, 8), (9, 4000)] {
                let (top, left, side) = crop.place(height, width);
                assert!(top + side <= height && left + side <= width, "{crop:?}");
                assert!(2 * side + 1 >= height.min(width) && side >= 8, "{crop:?}");
            }
            mirrored += usize::from(crop.mirrored);
        }
        assert!((200..300).contains(&mirrored), "{mirrored} of 500");
        assert_eq!(Crop::CENTRE.place(100, 301), (0, 101, 100));
    }

    #[test]
    fn a_sample_depends_on_its_number_alone() {
        let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures");
        let photos: Vec<Photo> =
            ["chelsea.png", "coffee.png", "rocket.jpg"].map(|name| Photo::File(pictures.join(name))).into();
        let next = |samples: &Samples| samples.next(&Control::default()).unwrap().unwrap().0;
        let from = |first: u64| Samples::start(photos.clone(), small(), 5, first, 2);
        let straight = from(0);
        let all: Vec<Picture> = (0..5).map(|_| next(&straight)).collect();
        let late = from(3);
        assert_eq!([next(&late), next(&late)], all[3..]);
        assert!(all.iter().all(|picture| (picture.height(), picture.width()) == (32, 32)));
    }

    #[test]
    fn broken_photographs_are_left_out_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures/chelsea.png");
        let bad: Vec<PathBuf> = ["a.jpg", "b.png"].map(|name| folder.path().join(name)).into();
        bad.iter().for_each(|path| std::fs::write(path, b"nothing of the kind").unwrap());
        let samples = Samples::start([files(&bad), files(&[good])].concat(), small(), 0, 0, 2);
        let mut skipped: Vec<PathBuf> = (0..12)
            .flat_map(|_| samples.next(&Control::default()).unwrap().unwrap().1)
            .map(|skipped| skipped.path)
            .collect();
        skipped.sort();
        assert_eq!(skipped, bad);
        let nothing = Samples::start(files(&bad), small(), 0, 0, 2);
        assert!(matches!(nothing.next(&Control::default()), Err(TrainError::NoGoodPhotos { count: 2, .. })));
    }
}

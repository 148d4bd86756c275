//! How a run shares out the memory that it may take, between the network and the pictures in flight.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::memory;

/// What a run takes where nothing is said, if that much is free: Johnson's network paints 4 megapixels whole in it, and
/// 12 with its layers at full resolution in strips.
const USUAL: u64 = 1900 << 20;

/// The program, and the network's weights as they are and packed.
const PROGRAM: u64 = 60 << 20;

/// Bytes for each pixel of a picture on its way: the photograph and the painting in `f32`, and the file's 8 bits
/// beside one of them.
const PER_PIXEL: u64 = 12 + 12 + 6;

/// Bytes of a second network, its weights as they are and packed.
const NETWORK: u64 = 40 << 20;

/// Bytes for each pixel of what is mixed of several passes.
const MIXED: u64 = 12;

/// Bytes for each pixel of how much of a pass is in it.
const SHARE: u64 = 4;

/// Bytes on top for each pixel that the network sees, where that is another size: the picture that goes in.
const PER_SEEN_PIXEL: u64 = 12 + 12;

/// The share of what the network takes for a whole picture below which it becomes slow: a third and a little is needed
/// to keep its layers at less than full resolution, and without these everything is computed once for each layer.
const COMFORT: f64 = 0.4;

/// The memory of a run, in bytes.
#[derive(Debug)]
pub(super) struct Allowance {
    total: u64,
    /// What may be taken if `total` does not do: nothing more, where the user has said how much.
    utmost: u64,
    /// What there is beside the pictures and a network's pass.
    fixed: u64,
}

impl Allowance {
    /// What the user says; else a share of what is free.
    pub(super) fn new(given: Option<u64>) -> Self {
        if let Some(total) = given {
            return Self { total, utmost: total, fixed: PROGRAM };
        }
        let free = memory::available().unwrap_or(2 * USUAL);
        Self { total: USUAL.min(free / 2), utmost: free / 4 * 3, fixed: PROGRAM }
    }

    /// The same with this many networks, and masks that take so many bytes as they are.
    pub(super) fn with(self, networks: usize, masks: u64) -> Self {
        Self { fixed: self.fixed + (networks as u64 - 1) * NETWORK + masks, ..self }
    }

    /// The share of all pictures in flight together; one alone may take more.
    pub(super) fn pictures(&self) -> u64 {
        self.total / 4
    }

    /// What the network may take beside a picture of this many bytes, of which it would like `whole`: first choice, and
    /// last. Where the usual would make it slow and there is more, it is more.
    pub(super) fn network(&self, picture: u64, whole: u64) -> [u64; 2] {
        let usual = self.total.saturating_sub(picture.max(self.pictures()) + self.fixed);
        let utmost = self.utmost.saturating_sub(picture + self.fixed);
        [usual.max(utmost.min((whole as f64 * COMFORT) as u64)), utmost]
    }

    /// What reading a picture may take beside the program.
    pub(super) fn reading(&self) -> u64 {
        self.utmost.saturating_sub(self.fixed)
    }

    /// What the network needs in all, if it needs so much beside a picture.
    pub(super) fn in_all(&self, network: u64, picture: u64) -> u64 {
        network + picture + self.fixed
    }

    /// The most that there may be.
    pub(super) fn utmost(&self) -> u64 {
        self.utmost
    }
}

/// What a picture takes on its way from file to file, if the network sees `seen` pixels of its `pixels`.
pub(super) fn picture_bytes(pixels: usize, seen: usize) -> u64 {
    pixels as u64 * PER_PIXEL + if seen == pixels { 0 } else { seen as u64 * PER_SEEN_PIXEL }
}

/// What mixing this many passes takes beside the pictures, for each pixel.
pub(super) fn mixing_bytes(passes: usize) -> u64 {
    passes as u64 * SHARE + if passes > 1 { MIXED } else { 0 }
}

/// Lends bytes to pictures: who asks for more than is left waits.
pub(super) struct MemoryPool {
    bytes: u64,
    lent: Mutex<u64>,
    returned: Condvar,
}

/// Bytes lent, until it is dropped.
pub(super) struct Reservation<'a> {
    pool: &'a MemoryPool,
    bytes: u64,
}

impl MemoryPool {
    pub(super) fn new(bytes: u64) -> Self {
        Self { bytes, lent: Mutex::new(0), returned: Condvar::new() }
    }

    /// Waits until this many bytes are free, or nothing is reserved: a single picture is never refused.
    pub(super) fn lend(&self, bytes: u64) -> Reservation<'_> {
        let full = |lent: &mut u64| *lent > 0 && lent.saturating_add(bytes) > self.bytes;
        let lent = self.returned.wait_while(self.lent(), full);
        let mut lent = lent.unwrap_or_else(PoisonError::into_inner);
        *lent = lent.saturating_add(bytes);
        Reservation { pool: self, bytes }
    }

    fn lent(&self) -> MutexGuard<'_, u64> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut lent = self.pool.lent();
        *lent = lent.saturating_sub(self.bytes);
        self.pool.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_is_given_is_shared_out() {
        let allowance = Allowance::new(Some(3 << 30));
        let small = picture_bytes(512 * 512, 512 * 512);
        for network in allowance.network(small, 1 << 30) {
            assert!(network > 1 << 30 && allowance.in_all(network, small) <= 3 << 30);
        }
        let large = picture_bytes(4000 * 3000, 4000 * 3000);
        let [first, last] = allowance.network(large, 1 << 30);
        assert!(first < last && allowance.in_all(last, large) == 3 << 30);
        assert_eq!(allowance.network(large, 16 << 30), [last, last]);
        assert_eq!(allowance.network(4 << 30, 16 << 30), [0, 0]);
        let [_, masked] = Allowance::new(Some(3 << 30)).with(2, 1 << 20).network(large, 16 << 30);
        assert_eq!(last - masked, NETWORK + (1 << 20));
        assert!(picture_bytes(100, 400) > picture_bytes(100, 100) + 400 * 12);
    }

    #[test]
    fn no_more_is_lent_than_there_is() {
        let (pool, out, most) = (MemoryPool::new(10), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for bytes in [4, 5, 6, 3, 25, 2, 7] {
                let (pool, out, most) = (&pool, &out, &most);
                scope.spawn(move || {
                    for _ in 0..100 {
                        let _loan = pool.lend(bytes);
                        let now = out.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        assert!(now <= 10 || now == 25, "{now} lent");
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        out.fetch_sub(bytes, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!((*pool.lent(), most.into_inner()), (0, 25));
    }
}

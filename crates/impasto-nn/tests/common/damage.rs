//! Files that were damaged on their way.

/// One to four changes.
pub(crate) fn damage(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        // Descriptions stand at the front and at the back; most numbers in between mean nothing.
        let at = match random.below(4) {
            0 => random.below(bytes.len().min(400)),
            1 => bytes.len() - 1 - random.below(bytes.len().min(400)),
            _ => random.below(bytes.len()),
        };
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = random.next() as u8,
            3 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.below(4)],
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..(at + 1 + random.below(16)).min(bytes.len()))),
            6 => {
                let piece = bytes[at..(at + 1 + random.below(16)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.iter_mut().skip(at).take(1 + random.below(8)).for_each(|b| *b = 0xff),
        }
    }
    bytes
}

/// `splitmix64`: the same numbers on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

//! The IPTC record (IIM 4.2): what of a photograph's may stand in another picture.

/// What every data set begins with: the mark, the record, the number, and the length in two bytes.
const MARK: u8 = 0x1c;
const HEAD: usize = 5;

/// The record of a photograph, and its data sets that are kept: the dates, the author, the copyright.
const PHOTOGRAPH: u8 = 2;
const KEPT: [u8; 4] = [55, 62, 80, 116];

/// What says how the others are to be read: the characters of texts (1:90), and the version (2:00).
const READING: [(u8, u8); 2] = [(1, 90), (PHOTOGRAPH, 0)];

/// Data sets that are kept with the place: its names and codes, and times, which have a time zone.
const PLACE: [u8; 9] = [26, 27, 60, 63, 90, 92, 95, 100, 101];

/// What stays of a record, and the place if that is wanted; nothing where nothing of it is there.
pub(super) fn kept(mut iptc: &[u8], gps: bool) -> Option<Vec<u8>> {
    let (mut left, mut any) = (Vec::new(), false);
    while let Some([MARK, record, number, high, low]) = iptc.first_chunk::<HEAD>().copied() {
        // Lengths with the highest bit set are of another kind, for what is no text.
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((set, rest)) = iptc.split_at_checked(HEAD + length) else { break };
        let wanted = record == PHOTOGRAPH && (KEPT.contains(&number) || gps && PLACE.contains(&number));
        if wanted || READING.contains(&(record, number)) {
            left.extend_from_slice(set);
        }
        any |= wanted;
        iptc = rest;
    }
    any.then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_goes_and_an_author_stays() {
        let set = |record, number, text: &[u8]| [&[MARK, record, number, 0, text.len() as u8], text].concat();
        let (utf8, author, city) = (set(1, 90, b"\x1b%G"), set(2, 80, b"Ann"), set(2, 90, b"Paris"));
        let all = [&utf8[..], &city, &author, &set(2, 120, b"in Paris")].concat();
        assert_eq!(kept(&all, false).unwrap(), [&utf8[..], &author].concat());
        assert_eq!(kept(&all, true).unwrap(), [&utf8[..], &city, &author].concat());
        assert_eq!(kept(&[&utf8[..], &city].concat(), false), None);
        for cut in 0..all.len() {
            let left = kept(&all[..cut], false).unwrap_or_default();
            assert!(!left.windows(5).any(|bytes| bytes == b"Paris"));
        }
    }
}

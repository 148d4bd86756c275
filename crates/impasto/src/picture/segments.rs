//! The segments of a JPEG file (ITU-T T.81, annex B) that hold metadata.

/// What the segment of an XMP packet begins with (XMP specification, part 3, 1.1.3).
const XMP_NAME: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// What the segment of Photoshop's resources begins with; IPTC is one of them.
const PHOTOSHOP_NAME: &[u8] = b"Photoshop 3.0\0";

/// How a Photoshop resource begins, and the number of that with the IPTC record.
const RESOURCE: &[u8] = b"8BIM";
const IPTC_RESOURCE: u16 = 0x0404;

/// The most bytes that one segment holds, its length not counted.
const SEGMENT: usize = 65533;

/// A JPEG file with these pieces of metadata put behind those that it begins with. What does not fit a segment is left
/// out.
pub(super) fn with_segments(jpeg: &[u8], xmp: Option<&str>, iptc: Option<&[u8]>) -> Vec<u8> {
    let place = end_of_head(jpeg);
    let mut out = jpeg[..place].to_vec();
    if let Some(xmp) = xmp {
        push(&mut out, 0xe1, &[XMP_NAME, xmp.as_bytes()].concat());
    }
    if let Some(iptc) = iptc {
        let length = u32::try_from(iptc.len()).unwrap_or(u32::MAX).to_be_bytes();
        let padding: &[u8] = if iptc.len() % 2 == 0 { &[] } else { &[0] };
        // A resource: its kind, its number, an empty name, its length, its bytes, and one more where they are odd.
        let resource = [RESOURCE, &IPTC_RESOURCE.to_be_bytes(), &[0, 0], &length, iptc, padding].concat();
        push(&mut out, 0xed, &[PHOTOSHOP_NAME, &resource].concat());
    }
    out.extend_from_slice(&jpeg[place..]);
    out
}

/// Whether an XMP packet fits one segment.
pub(super) fn fits(xmp: &str) -> bool {
    XMP_NAME.len() + xmp.len() <= SEGMENT
}

fn push(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    if let (true, Ok(length)) = (body.len() <= SEGMENT, u16::try_from(body.len() + 2)) {
        out.extend_from_slice(&[0xff, marker]);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(body);
    }
}

/// The byte behind the start of the image and the application segments that follow it.
fn end_of_head(jpeg: &[u8]) -> usize {
    let mut place = 2.min(jpeg.len());
    while let Some([0xff, 0xe0..=0xef, high, low]) = jpeg.get(place..place + 4) {
        let end = place + 2 + usize::from(u16::from_be_bytes([*high, *low]));
        if end > jpeg.len() {
            break;
        }
        place = end;
    }
    place
}

/// The IPTC record among Photoshop's resources, as they follow their name in the segment.
pub(super) fn iptc_of_resources(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let number = u16::from_be_bytes(rest.strip_prefix(RESOURCE)?.first_chunk().copied()?);
        let name = usize::from(*rest.get(6)?) + 1;
        let body = rest.get(6 + name + name % 2..)?;
        let length = u32::from_be_bytes(body.first_chunk().copied()?) as usize;
        let body = &body[4..];
        if number == IPTC_RESOURCE {
            return body.get(..length).filter(|iptc| !iptc.is_empty());
        }
        rest = body.get(length.checked_add(length % 2)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_go_behind_those_that_are_there() {
        let jpeg = [&[0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2], &[0xff, 0xdb, 0, 2, 0xff, 0xd9][..]].concat();
        let with = with_segments(&jpeg, Some("<x/>"), Some(b"abc"));
        assert_eq!(with[..8], jpeg[..8]);
        assert!(with.ends_with(&jpeg[8..]));
        let photoshop = with.windows(14).position(|bytes| bytes == PHOTOSHOP_NAME).unwrap();
        assert_eq!(iptc_of_resources(&with[photoshop + 14..]), Some(&b"abc"[..]));
        assert_eq!(with_segments(&jpeg, Some(&"x".repeat(70000)), None), jpeg);
    }

    #[test]
    fn a_resource_behind_another_is_found_and_broken_ones_are_not() {
        let other = [b"8BIM\x04\x0c\x03abc\0\0\0\x03xyz\0".as_slice(), b"8BIM\x04\x04\0\0\0\0\0\x02ok"].concat();
        assert_eq!(iptc_of_resources(&other), Some(&b"ok"[..]));
        for cut in 0..other.len() {
            assert_eq!(iptc_of_resources(&other[..cut]), None);
        }
        assert_eq!(iptc_of_resources(b"8BIM\x04\x04\0\0\xff\xff\xff\xffok"), None);
    }
}

//! XMP packets (ISO 16684-1): the settings in them, and what of a photograph's may stand in another picture.

use std::ops::Range;

use roxmltree::{Document, Node};

/// The namespace of what impasto writes.
const NAMESPACE: &str = "https://github.com/impasto-rs/impasto/ns/1.0/";

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// Properties that would be wrong of another picture, whatever their namespace.
const DROPPED: [&str; 8] = [
    "Orientation",
    "ImageWidth",
    "ImageLength",
    "PixelXDimension",
    "PixelYDimension",
    "Thumbnails",
    "MakerNote",
    "ColorSpace",
];

/// A packet that holds settings alone.
fn packet(description: &str) -> String {
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"{RDF}\">{description}</rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
    )
}

/// A packet with these settings, put into another where there is one.
pub(super) fn with_settings(kept: Option<&str>, settings: &str) -> String {
    let description = description(settings);
    let inserted = kept.and_then(|kept| Some((kept, end_of_rdf(kept)?)));
    inserted.map_or_else(
        || packet(&description),
        |(kept, place)| format!("{}{description}{}", &kept[..place], &kept[place..]),
    )
}

/// The settings as a description of the picture. `rdf` is declared again: another packet may call it otherwise.
fn description(settings: &str) -> String {
    let escaped = settings.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#13;");
    format!(
        "<rdf:Description xmlns:rdf=\"{RDF}\" rdf:about=\"\" xmlns:impasto=\"{NAMESPACE}\">\
         <impasto:settings>{escaped}</impasto:settings></rdf:Description>"
    )
}

/// Where the last description of a packet ends.
fn end_of_rdf(xmp: &str) -> Option<usize> {
    let document = Document::parse(xmp).ok()?;
    let rdf = document.descendants().find(|node| node.has_tag_name((RDF, "RDF")))?;
    let range = rdf.range();
    if xmp[range.clone()].ends_with("/>") { None } else { Some(range.start + xmp[range].rfind("</")?) }
}

/// The settings in a packet.
pub(super) fn settings_in(xmp: &str) -> Option<String> {
    let document = Document::parse(xmp).ok()?;
    let node = document.descendants().find(|node| node.has_tag_name((NAMESPACE, "settings")))?;
    Some(node.text().unwrap_or_default().to_owned())
}

/// What stays of a packet: what is true of another picture, without the place where it was taken unless that is wanted.
/// Nothing stays of a packet that is no XML, or has no descriptions in it.
pub(super) fn kept(xmp: &str, gps: bool) -> Option<String> {
    let document = Document::parse(xmp).ok()?;
    let goes = |name: &str, namespace: Option<&str>| {
        namespace == Some(NAMESPACE) || DROPPED.contains(&name) || (!gps && name.starts_with("GPS"))
    };
    let mut cuts = Vec::new();
    for node in document.descendants().filter(Node::is_element) {
        if goes(node.tag_name().name(), node.tag_name().namespace()) {
            cuts.push(node.range());
        }
        let attributes = node.attributes().filter(|attribute| goes(attribute.name(), attribute.namespace()));
        cuts.extend(attributes.map(|attribute| attribute.range()));
    }
    let left = without(xmp, cuts);
    end_of_rdf(&left).map(|_| left)
}

/// A text without these parts; one may lie in another.
fn without(text: &str, mut cuts: Vec<Range<usize>>) -> String {
    cuts.sort_by_key(|cut| cut.start);
    let (mut left, mut place) = (String::new(), 0);
    for cut in cuts {
        left.push_str(text.get(place..cut.start).unwrap_or_default());
        place = place.max(cut.end);
    }
    left + &text[place..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMERA: &str = r#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<r:Description r:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 tiff:Orientation="6" exif:GPSLatitude="48,51.5N" xmp:Rating="5">
<exif:GPSLongitude>2,17.4E</exif:GPSLongitude><dc:creator><r:Seq><r:li>Jos&#233; &amp; Ann</r:li></r:Seq></dc:creator>
<xmp:Thumbnails><r:Alt><r:li><exif:GPSAltitude>1</exif:GPSAltitude></r:li></r:Alt></xmp:Thumbnails>
</r:Description></r:RDF></x:xmpmeta><?xpacket end="w"?>"#;

    const SETTINGS: &str = "content = \"a <b> & c.png\"\nname = \"größe ]]> \"\n";

    #[test]
    fn settings_come_back_alone_and_from_another_packet() {
        assert_eq!(settings_in(&with_settings(None, SETTINGS)).unwrap(), SETTINGS);
        let both = with_settings(Some(CAMERA), SETTINGS);
        assert_eq!(settings_in(&both).unwrap(), SETTINGS);
        assert!(both.contains("Jos&#233; &amp; Ann"));
        for broken in ["", "<x", "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"/>", "<a></a>"] {
            assert_eq!(settings_in(&with_settings(Some(broken), SETTINGS)).unwrap(), SETTINGS, "{broken}");
        }
        assert_eq!(settings_in(CAMERA), None);
    }

    #[test]
    fn the_place_and_what_is_no_longer_true_go() {
        let left = kept(CAMERA, false).unwrap();
        Document::parse(&left).unwrap();
        assert!(left.contains("xmp:Rating=\"5\"") && left.contains("Ann"), "{left}");
        for gone in ["GPS", "Orientation", "Thumbnails", "48,51", "2,17"] {
            assert!(!left.contains(gone), "{gone} is in {left}");
        }
        let left = kept(CAMERA, true).unwrap();
        assert!(left.contains("48,51.5N") && left.contains("2,17.4E") && !left.contains("Thumbnails"), "{left}");
    }

    #[test]
    fn settings_of_an_earlier_painting_do_not_stay() {
        let painted = with_settings(Some(CAMERA), SETTINGS);
        assert_eq!(settings_in(&kept(&painted, false).unwrap()), None);
    }

    #[test]
    fn what_is_no_packet_goes_altogether() {
        for nothing in ["", "no xml", "<a/>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"] {
            assert_eq!(kept(nothing, true), None, "{nothing}");
        }
    }
}

//! XMP packets (ISO 16684-1): the settings in them, and what of a photograph's may stand in another picture.

use std::collections::HashSet;

use roxmltree::{Document, Node};

/// The namespace of what impasto writes.
const NAMESPACE: &str = "https://github.com/impasto-rs/impasto/ns/1.0/";

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// Properties of a namespace that are kept.
struct Kept {
    prefix: &'static str,
    namespace: &'static str,
    /// The camera, the lens, the exposure, the date, the author and the copyright.
    names: &'static [&'static str],
    /// The place, kept where it is wanted; a name that ends in `*` stands for all that begin so.
    places: &'static [&'static str],
}

/// All that is kept of a packet: ISO 16684-1, Exif for XMP (CIPA DC-010), IPTC Photo Metadata Standard.
const KEPT: [Kept; 10] = [
    Kept {
        prefix: "tiff",
        namespace: "http://ns.adobe.com/tiff/1.0/",
        names: &["Make", "Model", "Artist", "Copyright", "DateTime"],
        places: &[],
    },
    Kept {
        prefix: "exif",
        namespace: "http://ns.adobe.com/exif/1.0/",
        names: &[
            "ExposureTime",
            "FNumber",
            "ExposureProgram",
            "ISOSpeedRatings",
            "DateTimeOriginal",
            "DateTimeDigitized",
            "ShutterSpeedValue",
            "ApertureValue",
            "BrightnessValue",
            "ExposureBiasValue",
            "MaxApertureValue",
            "SubjectDistance",
            "MeteringMode",
            "LightSource",
            "FocalLength",
            "ExposureMode",
            "WhiteBalance",
            "DigitalZoomRatio",
            "FocalLengthIn35mmFilm",
            "SceneCaptureType",
        ],
        places: &["GPS*"],
    },
    Kept {
        prefix: "exifEX",
        namespace: "http://cipa.jp/exif/1.0/",
        names: &["PhotographicSensitivity", "LensMake", "LensModel", "LensSpecification"],
        places: &[],
    },
    Kept {
        prefix: "aux",
        namespace: "http://ns.adobe.com/exif/1.0/aux/",
        names: &["Lens", "LensInfo", "LensID"],
        places: &[],
    },
    Kept { prefix: "xmp", namespace: "http://ns.adobe.com/xap/1.0/", names: &["CreateDate", "Rating"], places: &[] },
    Kept {
        prefix: "dc",
        namespace: "http://purl.org/dc/elements/1.1/",
        names: &["creator", "rights", "date"],
        places: &[],
    },
    Kept {
        prefix: "xmpRights",
        namespace: "http://ns.adobe.com/xap/1.0/rights/",
        names: &["Marked", "Owner", "UsageTerms"],
        places: &[],
    },
    Kept {
        prefix: "photoshop",
        namespace: "http://ns.adobe.com/photoshop/1.0/",
        names: &["DateCreated"],
        places: &["City", "State", "Country"],
    },
    Kept {
        prefix: "Iptc4xmpCore",
        namespace: "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
        names: &[],
        places: &["Location", "CountryCode"],
    },
    Kept {
        prefix: "Iptc4xmpExt",
        namespace: "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        names: &[],
        places: &["LocationShown", "LocationCreated"],
    },
];

/// How deep the parts of a place may lie in each other.
const DEEPEST: usize = 12;

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

/// What stays of a packet: what is on the list above, and the place if that is wanted; nothing where nothing of it is
/// there. The packet is made anew, so that nothing else can be in it.
pub(super) fn kept(xmp: &str, gps: bool) -> Option<String> {
    let document = Document::parse(xmp).ok()?;
    let rdf = document.descendants().find(|node| node.has_tag_name((RDF, "RDF")))?;
    let (mut properties, mut seen) = (String::new(), HashSet::new());
    for description in rdf.children().filter(|node| node.has_tag_name((RDF, "Description"))) {
        for attribute in description.attributes() {
            let (namespace, name) = (attribute.namespace(), attribute.name());
            if let Some(allowed) = allowed(namespace, name, gps).filter(|_| seen.insert((namespace, name))) {
                properties += &allowed.simple(name, attribute.value(), gps);
            }
        }
        for node in description.children().filter(Node::is_element) {
            let (namespace, name) = (node.tag_name().namespace(), node.tag_name().name());
            if let Some(allowed) = allowed(namespace, name, gps).filter(|_| seen.insert((namespace, name))) {
                properties += &allowed.element(name, node, gps);
            }
        }
    }
    let namespaces = KEPT.map(|kept| format!(" xmlns:{}=\"{}\"", kept.prefix, kept.namespace)).concat();
    let description = format!("<rdf:Description rdf:about=\"\"{namespaces}>{properties}</rdf:Description>");
    (!properties.is_empty()).then(|| packet(&description))
}

/// The namespace of a property, and whether it is a place, if it is kept.
fn allowed(namespace: Option<&str>, name: &str, gps: bool) -> Option<Allowed> {
    let kept = KEPT.iter().find(|kept| Some(kept.namespace) == namespace)?;
    let like = |pattern: &&str| pattern.strip_suffix('*').map_or(*pattern == name, |start| name.starts_with(start));
    let place = gps && kept.places.iter().any(like);
    (place || kept.names.contains(&name)).then_some(Allowed { prefix: kept.prefix, place })
}

struct Allowed {
    prefix: &'static str,
    place: bool,
}

impl Allowed {
    /// A property that is a text.
    fn simple(&self, name: &str, value: &str, gps: bool) -> String {
        let (prefix, value) = (self.prefix, escaped(without_zone(name, value, gps)));
        format!("<{prefix}:{name}>{value}</{prefix}:{name}>")
    }

    /// A property that is a text or a list of texts; a place with all that is in it.
    fn element(&self, name: &str, node: Node<'_, '_>, gps: bool) -> String {
        let prefix = self.prefix;
        if self.place {
            let mut copy = String::new();
            copy_of(node, 0, &mut copy);
            return copy;
        }
        let list = ["Seq", "Bag", "Alt"].into_iter().find(|kind| node.children().any(|c| c.has_tag_name((RDF, *kind))));
        let Some(kind) = list else { return self.simple(name, node.text().unwrap_or_default().trim(), gps) };
        let language = if kind == "Alt" { " xml:lang=\"x-default\"" } else { "" };
        let texts = node.descendants().filter(|node| node.has_tag_name((RDF, "li"))).filter_map(|item| item.text());
        let items = texts.map(|text| format!("<rdf:li{language}>{}</rdf:li>", escaped(without_zone(name, text, gps))));
        // Of texts in several languages the first is the default.
        let items: String = if kind == "Alt" { items.take(1).collect() } else { items.collect() };
        format!("<{prefix}:{name}><rdf:{kind}>{items}</rdf:{kind}></{prefix}:{name}>")
    }
}

/// A date without its time zone, which tells some of a place; any other text as it is.
fn without_zone<'a>(name: &str, text: &'a str, gps: bool) -> &'a str {
    let is_date = name.to_ascii_lowercase().contains("date");
    let Some((date, time)) = text.split_once('T').filter(|_| is_date && !gps) else { return text };
    let zone = time.find(['+', '-', 'Z']).unwrap_or(time.len());
    &text[..date.len() + 1 + zone]
}

/// Writes an element with all that is in it; its namespaces are declared where they are used.
fn copy_of(node: Node<'_, '_>, depth: usize, out: &mut String) {
    if depth > DEEPEST {
        return;
    }
    let mut namespaces: Vec<String> = Vec::new();
    let mut named = |namespace: Option<&'_ str>, name: &str| match namespace {
        None => name.to_owned(),
        Some("http://www.w3.org/XML/1998/namespace") => format!("xml:{name}"),
        Some(namespace) => {
            let number = namespaces.iter().position(|known| known == namespace).unwrap_or_else(|| {
                namespaces.push(namespace.to_owned());
                namespaces.len() - 1
            });
            format!("n{number}:{name}")
        }
    };
    let name = named(node.tag_name().namespace(), node.tag_name().name());
    let attributes: String = node
        .attributes()
        .map(|attribute| {
            format!(" {}=\"{}\"", named(attribute.namespace(), attribute.name()), escaped(attribute.value()))
        })
        .collect();
    let declared = namespaces.iter().enumerate();
    let declared: String = declared.map(|(i, namespace)| format!(" xmlns:n{i}=\"{}\"", escaped(namespace))).collect();
    out.push_str(&format!("<{name}{declared}{attributes}>"));
    for child in node.children() {
        match child.text().filter(|_| child.is_text()) {
            Some(text) => out.push_str(&escaped(text)),
            None if child.is_element() => copy_of(child, depth + 1, out),
            None => {}
        }
    }
    out.push_str(&format!("</{name}>"));
}

/// Text as it may stand in an element or in an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\r' | '\t' => escaped.push_str(&format!("&#{};", u32::from(c))),
            _ => escaped.push(c),
        }
    }
    escaped
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
        assert!(left.contains("<xmp:Rating>5</xmp:Rating>") && left.contains("Ann"), "{left}");
        for gone in ["GPS", "Orientation", "Thumbnails", "48,51", "2,17"] {
            assert!(!left.contains(gone), "{gone} is in {left}");
        }
        let left = kept(CAMERA, true).unwrap();
        Document::parse(&left).unwrap();
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

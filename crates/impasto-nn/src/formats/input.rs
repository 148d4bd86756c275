//! What the first layer of a network expects: the order of its channels, its range and its mean.
//!
//! The same names travel with different training. `features.0.weight` is RGB 0–1, normalised, in a file from
//! torchvision, and BGR 0–255 minus the mean in a file converted from the authors' Caffe release; MatConvNet swapped
//! the first layer to RGB and kept the range. So the weights themselves are asked first.

use std::collections::BTreeMap;

use crate::vgg::Preprocessing;

/// How the channels of the filters in a file are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Rgb,
    Bgr,
}

/// What a file's first layer expects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Input {
    pub(super) order: Order,
    pub(super) preprocessing: Preprocessing,
}

/// How a file names its layers, which hints at who trained them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// `conv1_1.weight`.
    Blocks,
    /// `features.0.weight`, as torchvision has it.
    Features,
    /// The layers of a MatConvNet file.
    MatConvNet,
}

/// Filters of the first layer that are this near to the authors' own (the mean of their cosines, so that a scaled
/// filter is as near as the filter) are theirs. Measured: VGG16 to VGG19 0.987, each to itself with red and blue
/// swapped 0.69; unrelated filters are near 0.
const SAME_FILTERS: f64 = 0.95;

/// Decides from, in this order: the file's own statement, its first layer's likeness to the authors' filters, its
/// mean picture, and its names.
///
/// `filters` and `reference` are `64 × 3 × 3 × 3`, `reference` the authors' filters for RGB.
pub(super) fn decide(naming: Naming, metadata: &BTreeMap<String, String>, filters: &[f32], reference: &[f32]) -> Input {
    if let Some(stated) = metadata.get("input").and_then(|text| parse(text)) {
        return stated;
    }
    for (order, filters) in [(Order::Rgb, filters), (Order::Bgr, &swapped(filters))] {
        if likeness(filters, reference) >= SAME_FILTERS {
            return Input { order, preprocessing: Preprocessing::CAFFE };
        }
    }
    match naming {
        Naming::Features => Input { order: Order::Rgb, preprocessing: Preprocessing::TORCHVISION },
        Naming::Blocks => Input { order: Order::Bgr, preprocessing: Preprocessing::CAFFE },
        Naming::MatConvNet => from_mean(metadata.get(super::contents::MEAN_KEY).and_then(|text| numbers(text))),
    }
}

/// The order of MatConvNet is that of its mean picture: RGB (123.68, 116.779, 103.939) as it is published.
fn from_mean(mean: Option<[f32; 3]>) -> Input {
    let known = Input { order: Order::Rgb, preprocessing: Preprocessing::CAFFE };
    let Some(mean) = mean else { return known };
    let reversed = [mean[2], mean[1], mean[0]];
    let near = |a: [f32; 3]| a.iter().zip(Preprocessing::CAFFE.mean).all(|(a, b)| (a - b).abs() < 0.1);
    if near(mean) {
        known
    } else if near(reversed) {
        Input { order: Order::Bgr, ..known }
    } else {
        Input { order: Order::Rgb, preprocessing: Preprocessing { mean, scale: [1.0; 3] } }
    }
}

/// Reads a statement such as `BGR, 0..255, mean subtracted [103.939,116.779,123.68]` or
/// `RGB, 0..1, mean subtracted [0.485,0.456,0.406], divided by [0.229,0.224,0.225]`; `None` for any other.
fn parse(text: &str) -> Option<Input> {
    let order = match text.get(..3)?.to_ascii_uppercase().as_str() {
        "RGB" => Order::Rgb,
        "BGR" => Order::Bgr,
        _ => return None,
    };
    let range = match text.split(',').nth(1)?.trim() {
        "0..255" => 1.0,
        "0..1" => 255.0,
        _ => return None,
    };
    let mut lists = text.split('[').skip(1).map(|rest| numbers(rest.split(']').next()?));
    let mut mean = lists.next().unwrap_or(Some([0.0; 3]))?.map(|v| v * range);
    let mut scale = lists.next().unwrap_or(Some([1.0; 3]))?.map(|v| 1.0 / (v * range));
    if order == Order::Bgr {
        mean.reverse();
        scale.reverse();
    }
    let usable = mean.iter().chain(&scale).all(|v| v.is_finite());
    usable.then_some(Input { order, preprocessing: Preprocessing { mean, scale } })
}

fn numbers(text: &str) -> Option<[f32; 3]> {
    let values: Vec<f32> = text.split(',').map(|v| v.trim().parse().ok()).collect::<Option<_>>()?;
    values.try_into().ok()
}

/// Filters `out × 3 × 3 × 3` with their first and last channels exchanged.
pub(crate) fn swapped(filters: &[f32]) -> Vec<f32> {
    filters.chunks(27).flat_map(|filter| filter.rchunks(9).flatten().copied()).collect()
}

/// The mean cosine of filters of 3 × 3 × 3.
fn likeness(filters: &[f32], reference: &[f32]) -> f64 {
    let cosines = filters.chunks(27).zip(reference.chunks(27)).map(|(a, b)| cosine(a, b));
    cosines.sum::<f64>() / (filters.len() / 27).max(1) as f64
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if norm > 0.0 { dot(a, b) / norm } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read() {
        let caffe = parse("BGR, 0..255, mean subtracted [103.939,116.779,123.68]").unwrap();
        assert_eq!(caffe, Input { order: Order::Bgr, preprocessing: Preprocessing::CAFFE });
        let torch = parse("RGB, 0..1, mean subtracted [0.485,0.456,0.406], divided by [0.229,0.224,0.225]").unwrap();
        assert_eq!(torch, Input { order: Order::Rgb, preprocessing: Preprocessing::TORCHVISION });
        let plain = parse("rgb, 0..1").unwrap();
        assert_eq!(plain.preprocessing, Preprocessing { mean: [0.0; 3], scale: [1.0 / 255.0; 3] });
    }

    #[test]
    fn other_statements_are_left_alone() {
        for text in ["", "RG", "a picture", "RGB", "RGB, 0..2", "RGB, 0..255, [1,2]", "RGB, 0..1, [0,0,0], [0,1,1]"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn mean_pictures_give_the_order() {
        assert_eq!(from_mean(Some([123.68, 116.779, 103.939])).order, Order::Rgb);
        assert_eq!(from_mean(Some([103.939, 116.779, 123.68])).order, Order::Bgr);
        assert_eq!(from_mean(None).order, Order::Rgb);
        assert_eq!(from_mean(Some([1.0, 2.0, 3.0])).preprocessing.mean, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn swapping_exchanges_red_and_blue() {
        let filters: Vec<f32> = (0..54).map(|v| v as f32).collect();
        let there = swapped(&filters);
        assert_eq!((there[0], there[9], there[18], there[27]), (18.0, 9.0, 0.0, 45.0));
        assert_eq!(swapped(&there), filters);
    }
}

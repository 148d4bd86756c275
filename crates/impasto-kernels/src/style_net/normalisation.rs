//! Which scales and shifts the instance normalisations of a pass have: the network's own, or others.

use super::shape::{StyleNetLayer, StyleNetShape};
use std::ops::{AddAssign, Mul, Range};

/// The scales and shifts of the instance normalisations of one pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalisation<'a> {
    /// Those of one of the network's styles.
    Style(usize),
    /// The sum over the network's styles, each times its share; there is one share for each style, and they should add up to
    /// 1.
    Blend(&'a [f32]),
    /// From outside, such as predicted from a painting: [`StyleNetShape::normalisation_len`] values.
    Given(&'a [f32]),
}

impl Normalisation<'_> {
    /// Whether the network has these.
    ///
    /// # Panics
    /// If it does not.
    pub(crate) fn check(self, shape: StyleNetShape) {
        match self {
            Self::Style(style) => assert!(style < shape.styles, "the network has {} styles", shape.styles),
            Self::Blend(shares) => assert_eq!(shares.len(), shape.styles, "one share for each style"),
            Self::Given(values) => assert_eq!(values.len(), shape.normalisation_len(), "one scale and shift for each"),
        }
    }

    /// The share of each of the network's styles that has one.
    pub(crate) fn shares(self) -> StyleShares {
        StyleShares(match self {
            Self::Style(style) => vec![(style, 1.0)],
            Self::Blend(shares) => shares.iter().copied().enumerate().filter(|(_, share)| *share != 0.0).collect(),
            Self::Given(_) => Vec::new(),
        })
    }

    /// All values, as they lie when they are given from outside.
    pub(crate) fn values<T>(self, shape: StyleNetShape, parameters: &[T]) -> Vec<T>
    where
        T: Copy + Default + From<f32> + Mul<Output = T> + AddAssign,
    {
        if let Self::Given(values) = self {
            return values.iter().map(|&value| T::from(value)).collect();
        }
        let mut values = vec![T::default(); shape.normalisation_len()];
        for (style, share) in self.shares().0 {
            shape.each_norm(style, |here, of_style| {
                let own = &parameters[of_style];
                values[here].iter_mut().zip(own).for_each(|(value, &p)| *value += T::from(share) * p);
            });
        }
        values
    }
}

/// The styles of the network that a pass takes its normalisation from, each with its share.
#[derive(Debug, Default)]
pub(crate) struct StyleShares(Vec<(usize, f32)>);

impl StyleShares {
    /// From the gradient of all values to that of the network's own scales and shifts, which is added to `sums`.
    pub(crate) fn add_gradient<T>(&self, shape: StyleNetShape, gradient: &[T], sums: &mut [T])
    where
        T: Copy + From<f32> + Mul<Output = T> + AddAssign,
    {
        for &(style, share) in &self.0 {
            shape.each_norm(style, |here, of_style| {
                let own = &mut sums[of_style];
                own.iter_mut().zip(&gradient[here]).for_each(|(sum, &g)| *sum += T::from(share) * g);
            });
        }
    }
}

/// Where the scale and the shift of a layer lie among the values of a normalisation.
#[derive(Clone)]
pub(super) struct NormPlace {
    pub(super) scale: Range<usize>,
    pub(super) shift: Range<usize>,
}

impl StyleNetShape {
    /// Values of the normalisations of one style: for each layer with a normalisation, in order, the scale of each of its
    /// channels and then the shift of each.
    pub fn normalisation_len(&self) -> usize {
        self.norm_places().last().map_or(0, |place| place.shift.end)
    }

    /// The places of all layers with a normalisation, in order.
    pub(super) fn norm_places(&self) -> Vec<NormPlace> {
        let mut start = 0;
        let place = |layer: StyleNetLayer| {
            let (scale, end) = (start..start + layer.out_channels, start + 2 * layer.out_channels);
            start = end;
            NormPlace { shift: scale.end..end, scale }
        };
        self.layers().into_iter().filter(|layer| layer.role.is_normalised()).map(place).collect()
    }

    /// The scales and shifts of a style, as they lie when they are given from outside.
    ///
    /// # Panics
    /// If the network has fewer styles, or other parameters.
    pub fn normalisation_of(&self, style: usize, parameters: &[f32]) -> Vec<f32> {
        Normalisation::Style(style).check(*self);
        Normalisation::Style(style).values(*self, parameters)
    }

    /// Puts scales and shifts that are given from outside in the place of those of a style.
    ///
    /// # Panics
    /// As [`normalisation_of`](Self::normalisation_of).
    pub fn set_normalisation(&self, style: usize, normalisation: &[f32], parameters: &mut [f32]) {
        Normalisation::Style(style).check(*self);
        self.each_norm(style, |here, of_style| parameters[of_style].copy_from_slice(&normalisation[here]));
    }

    /// Shows for each scale and shift where it lies among the values of one style and among all parameters.
    fn each_norm(&self, style: usize, mut show: impl FnMut(Range<usize>, Range<usize>)) {
        for (layer, place) in self.layers().iter().zip(self.norm_places()) {
            show(place.scale, layer.scale(style));
            show(place.shift, layer.shift(style, self.styles));
        }
    }
}

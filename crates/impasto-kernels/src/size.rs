//! Sizes that no buffer can have are refused before anything is computed from them.

/// More than any layer adds to a side of a picture: borders, reflections and whole tiles.
const MARGIN: usize = 64;

/// The product of some lengths, where it is at most `isize::MAX`, the most bytes that one object may have.
pub(crate) fn product(lengths: &[usize]) -> Option<usize> {
    let product = lengths.iter().try_fold(1usize, |product, &length| product.checked_mul(length))?;
    (product <= isize::MAX as usize).then_some(product)
}

/// Whether a feature of this many channels, at this size and with every border that it may have, is one that can lie in
/// memory. Then no index into it overflows.
pub(crate) fn feature_fits(channels: usize, height: usize, width: usize) -> bool {
    let side = |side: usize| side.saturating_add(MARGIN);
    product(&[channels, side(height), side(width), size_of::<f32>()]).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_that_overflow_or_are_no_length_are_none() {
        assert_eq!(product(&[]), Some(1));
        assert_eq!(product(&[3, 5, 7]), Some(105));
        assert_eq!(product(&[0, usize::MAX]), Some(0));
        assert_eq!(product(&[1 << (usize::BITS - 1)]), None, "more than isize::MAX");
        assert_eq!(product(&[1 << (usize::BITS / 2), 1 << (usize::BITS / 2)]), None);
        assert!(feature_fits(512, 4096, 4096) || usize::BITS < 64);
        assert!(!feature_fits(16, usize::MAX, 1) && !feature_fits(16, 1 << (usize::BITS - 2), 1));
    }
}

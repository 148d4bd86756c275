//! Arrays whose elements lie in another order than ours.

/// The elements of an array in row-major order: `size` per axis, slowest first, and for each axis how far its
/// neighbours lie apart in `values`. The caller has checked that the farthest element is there.
pub(super) fn gather(values: Vec<f32>, size: &[usize], stride: &[usize]) -> Vec<f32> {
    if size.contains(&0) {
        return Vec::new();
    }
    let count = size.iter().product();
    if count == values.len() && is_contiguous(size, stride) {
        return values;
    }
    let mut at = vec![0; size.len()];
    let mut from = 0;
    let mut gathered = Vec::with_capacity(count);
    for _ in 0..count {
        gathered.push(values[from]);
        for axis in (0..size.len()).rev() {
            at[axis] += 1;
            from += stride[axis];
            if at[axis] < size[axis] {
                break;
            }
            from -= at[axis] * stride[axis];
            at[axis] = 0;
        }
    }
    gathered
}

fn is_contiguous(size: &[usize], stride: &[usize]) -> bool {
    let mut expected = 1;
    size.iter().zip(stride).rev().all(|(&n, &s)| {
        let right = n == 1 || s == expected;
        expected *= n;
        right
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: u8) -> Vec<f32> {
        (0..count).map(f32::from).collect()
    }

    #[test]
    fn transposed() {
        assert_eq!(gather(numbers(6), &[3, 2], &[1, 3]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn repeated_and_spaced() {
        assert_eq!(gather(numbers(3), &[2, 2], &[0, 2]), [0.0, 2.0, 0.0, 2.0]);
    }

    #[test]
    fn single_and_empty() {
        assert_eq!(gather(numbers(1), &[], &[]), [0.0]);
        assert_eq!(gather(numbers(0), &[0, 3], &[3, 1]), [0.0; 0]);
    }

    #[test]
    fn filters_of_matlab() {
        // Column-major 2×1×2×2 (height, width, in, out) to out × in × height × width is the order they lie in.
        assert_eq!(gather(numbers(8), &[2, 2, 2, 1], &[4, 2, 1, 2]), numbers(8));
        // Column-major 2×2×1×1: a transposition.
        assert_eq!(gather(numbers(4), &[1, 1, 2, 2], &[4, 4, 1, 2]), [0.0, 2.0, 1.0, 3.0]);
    }
}

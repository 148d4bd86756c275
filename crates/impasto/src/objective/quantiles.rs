//! Weighted samples in order, and their quantiles.

/// The positions of a sample in the order of their values, and what each weighs.
pub(super) struct Sorted<'a> {
    order: Vec<u32>,
    weights: Option<&'a [f32]>,
    total: f64,
}

/// Bits of the key that one pass of the sort uses.
const DIGIT: u32 = 11;

/// With fewer values than this, a sort by comparison is faster than a radix sort.
const SMALL: usize = 1 << 11;

impl<'a> Sorted<'a> {
    /// Sorts the positions of a sample by its values; where there are weights, one for each.
    pub(super) fn new(values: &[f32], weights: Option<&'a [f32]>) -> Self {
        let total = weights.map_or(values.len() as f64, |weights| weights.iter().map(|w| f64::from(*w)).sum());
        Self { order: order_of(values), weights, total }
    }

    /// Calls `visit` with every position that weighs anything, its weight, and the quantile that it stands for: the middle
    /// of its weight, from 0 to 1. The smallest value comes first.
    pub(super) fn for_each(&self, mut visit: impl FnMut(usize, f64, f64)) {
        let mut before = 0.0;
        for &position in &self.order {
            let position = position as usize;
            let weight = self.weights.map_or(1.0, |weights| f64::from(weights[position]));
            if weight > 0.0 {
                visit(position, weight, (before + 0.5 * weight) / self.total);
                before += weight;
            }
        }
    }

    /// Writes the quantiles `(j + ½) / n` of the sample, each between those that its values stand for; zeros where nothing
    /// weighs anything.
    pub(super) fn even_quantiles(&self, values: &[f32], out: &mut [f32]) {
        let (mut next, mut last) = (0, None);
        let count = out.len() as f64;
        self.for_each(|position, _, quantile| {
            let value = f64::from(values[position]);
            while next < out.len() && (next as f64 + 0.5) / count <= quantile {
                let wanted = (next as f64 + 0.5) / count;
                out[next] = match last {
                    Some((before, below)) => below + (value - below) * (wanted - before) / (quantile - before),
                    None => value,
                } as f32;
                next += 1;
            }
            last = Some((quantile, value));
        });
        let largest = last.map_or(0.0, |(_, value)| value);
        out[next..].fill(largest as f32);
    }
}

/// The positions of the values, the smallest first; equal ones in their order.
fn order_of(values: &[f32]) -> Vec<u32> {
    // As unsigned numbers, floats are in order once the sign is turned, and all bits of negative ones.
    let key = |value: f32| {
        let bits = value.to_bits();
        bits ^ ((bits.cast_signed() >> 31).cast_unsigned() | 1 << 31)
    };
    let keyed = |(position, value): (usize, &f32)| u64::from(key(*value)) << 32 | position as u64;
    let mut keyed: Vec<u64> = values.iter().enumerate().map(keyed).collect();
    if keyed.len() < SMALL {
        keyed.sort_unstable();
    } else {
        let mut other = vec![0; keyed.len()];
        for pass in 0..u32::BITS.div_ceil(DIGIT) {
            count_into(&keyed, &mut other, 32 + pass * DIGIT);
            std::mem::swap(&mut keyed, &mut other);
        }
    }
    keyed.into_iter().map(|keyed| keyed as u32).collect()
}

/// One pass of a radix sort: by the digit that begins at a bit; equal ones stay in order.
fn count_into(from: &[u64], to: &mut [u64], shift: u32) {
    let digit = |keyed: u64| (keyed >> shift) as usize & ((1 << DIGIT) - 1);
    let mut places = [0u32; 1 << DIGIT];
    from.iter().for_each(|keyed| places[digit(*keyed)] += 1);
    let mut start = 0;
    for place in &mut places {
        (*place, start) = (start, start + *place);
    }
    for keyed in from {
        let place = &mut places[digit(*keyed)];
        to[*place as usize] = *keyed;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_floats_are_put_in_order() {
        for len in [0, 1, 100, 5000] {
            let value = |i: usize| match i % 7 {
                0 => 0.0,
                1 => -0.0,
                _ => ((i * 7919 % 1009) as f32 - 500.0) * 10f32.powi((i % 9) as i32 - 4),
            };
            let values: Vec<f32> = (0..len).map(value).collect();
            let order = order_of(&values);
            let mut expected: Vec<u32> = (0..len as u32).collect();
            expected.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
            assert_eq!(order, expected);
        }
    }

    #[test]
    fn a_weight_of_two_is_the_value_twice_and_of_zero_never() {
        let doubled = Sorted::new(&[3.0, 1.0, 1.0, 2.0], None);
        let mut plain = [0.0; 4];
        doubled.even_quantiles(&[3.0, 1.0, 1.0, 2.0], &mut plain);
        assert_eq!(plain, [1.0, 1.0, 2.0, 3.0]);
        let values = [3.0, 1.0, 99.0, 2.0];
        let weights = [1.0, 2.0, 0.0, 1.0];
        let sorted = Sorted::new(&values, Some(&weights));
        let mut visited = Vec::new();
        sorted.for_each(|position, weight, quantile| visited.push((position, weight, quantile)));
        assert_eq!(visited, [(1, 2.0, 0.25), (3, 1.0, 0.625), (0, 1.0, 0.875)]);
        let mut even = [0.0; 2];
        sorted.even_quantiles(&values, &mut even);
        assert_eq!(even[0], 1.0);
        assert!((f64::from(even[1]) - 2.5).abs() < 1e-6);
        let mut nothing = [7.0; 2];
        Sorted::new(&values, Some(&[0.0; 4])).even_quantiles(&values, &mut nothing);
        assert_eq!(nothing, [0.0; 2]);
    }
}

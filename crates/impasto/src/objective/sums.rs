//! What the windows of a picture add up to.

use impasto_nn::trunk::Moments;

/// Moments of several windows, added up in double precision.
#[derive(Clone, Debug, Default)]
pub(super) struct MomentSum {
    /// Of the first window: where it stays the only one, its bits are the result's.
    first: Option<Moments>,
    /// `Σ w·F` and `Σ w·F·Fᵀ` where there are more.
    wide: Vec<f64>,
    weight: f64,
}

impl MomentSum {
    /// Adds those of a window, which are means over its own weights.
    pub(super) fn add(&mut self, moments: Moments) {
        let Some(first) = &self.first else {
            self.weight = moments.weight;
            self.first = Some(moments);
            return;
        };
        if self.wide.is_empty() {
            self.wide = values(first).map(|value| f64::from(value) * first.weight).collect();
        }
        self.weight += moments.weight;
        let sums = self.wide.iter_mut().zip(values(&moments));
        sums.for_each(|(sum, value)| *sum += f64::from(value) * moments.weight);
    }

    /// The moments of all windows together.
    ///
    /// # Panics
    /// If there was no window.
    pub(super) fn finish(self) -> Moments {
        let Self { first, wide, weight } = self;
        let mut moments = first.expect("a picture has at least one window");
        if !wide.is_empty() {
            let share = if weight == 0.0 { 0.0 } else { 1.0 / weight };
            let targets = moments.mean.iter_mut().chain(&mut moments.second);
            targets.zip(wide).for_each(|(target, sum)| *target = (sum * share) as f32);
            moments.weight = weight;
        }
        moments
    }
}

fn values(moments: &Moments) -> impl Iterator<Item = f32> {
    moments.mean.iter().chain(&moments.second).copied()
}

/// Weighted squared distances of several windows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DistanceSum {
    /// `Σ w · (F − P)²`.
    pub(super) distance: f64,
    /// `Σ w` over positions.
    pub(super) weight: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_count_by_their_weights() {
        let moments = |weight, value| Moments { channels: 1, weight, mean: vec![value], second: vec![2.0 * value] };
        let mut sum = MomentSum::default();
        for (weight, value) in [(2.0, 1.0), (0.0, 77.0), (6.0, 5.0)] {
            sum.add(moments(weight, value));
        }
        assert_eq!(sum.finish(), moments(8.0, 4.0));
        let mut one = MomentSum::default();
        one.add(moments(3.0, 0.1));
        assert_eq!(one.finish(), moments(3.0, 0.1));
    }
}

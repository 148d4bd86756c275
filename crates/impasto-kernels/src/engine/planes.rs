//! Planes that share one buffer: where each of them lies while it is needed.
//!
//! A plane is needed from the operation that writes it to the last one that reads it. Planes that are never needed at
//! the same time may lie in the same place; which go where is decided by size, the largest first, each into the least
//! gap that it fits (Pisarchyk & Lee 2020, "Efficient Memory Management for Deep Neural Net Inference",
//! arXiv:2001.03288; they have forward passes alone, and one stay for each plane).

use crate::memory::Buffer;
use std::ops::{Range, RangeInclusive};

/// Places begin at a multiple of this many floats, a page of memory.
const ALIGNED: usize = 1024;

/// A point of a forward and a backward pass.
pub(super) type Time = usize;

/// The steps of going back through a layer, in their order.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// The gradient behind the stretch's last pooling is taken over.
    Inject,
    /// A pooled gradient becomes that of the feature.
    Unpool,
    /// A feature is made once more.
    Again,
    /// Something flows in at a tap.
    Tap,
    /// The gradient reaches the layer's input.
    Convolve,
}

/// How many steps a layer has.
const STEPS: usize = Step::Convolve as usize + 1;

/// When what happens in the two passes over this many layers.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) layers: usize,
}

impl Times {
    /// Before the forward pass.
    pub(super) const BEFORE: Time = 0;

    /// A layer's forward pass.
    pub(super) fn forward(self, index: usize) -> Time {
        1 + index
    }

    /// Between the passes.
    pub(super) fn between(self) -> Time {
        1 + self.layers
    }

    /// A step of going back.
    pub(super) fn back(self, index: usize, step: Step) -> Time {
        2 + self.layers + STEPS * (self.layers - 1 - index) + step as usize
    }

    /// After the backward pass.
    pub(super) fn end(self) -> Time {
        2 + self.layers + STEPS * self.layers
    }
}

/// A plane: its length, and when it is needed.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub(super) len: usize,
    pub(super) stays: Vec<RangeInclusive<Time>>,
}

impl Tenant {
    /// Whether both are needed at some time.
    fn meets(&self, other: &Self) -> bool {
        let apart = |a: &RangeInclusive<Time>, b: &RangeInclusive<Time>| a.end() < b.start() || b.end() < a.start();
        self.stays.iter().any(|a| other.stays.iter().any(|b| !apart(a, b)))
    }
}

/// Where planes lie in the buffer that they share.
#[derive(Clone, Debug)]
pub(super) struct Placement(Vec<Range<usize>>);

impl Placement {
    /// A place for each.
    pub(super) fn new(tenants: &[Tenant]) -> Self {
        let mut places = vec![0..0; tenants.len()];
        let mut order: Vec<usize> = (0..tenants.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(tenants[index].len));
        for (settled, &index) in order.iter().enumerate() {
            let tenant = &tenants[index];
            let meeting = order[..settled].iter().filter(|&&other| tenant.meets(&tenants[other]));
            let mut taken: Vec<_> = meeting.map(|&other| places[other].clone()).collect();
            taken.sort_by_key(|place| place.start);
            let start = least_gap(&taken, tenant.len);
            places[index] = start..start.saturating_add(tenant.len);
        }
        Self(places)
    }

    /// Floats of the whole buffer.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|place| place.end).max().unwrap_or(0)
    }
}

/// Where the smallest gap begins that a plane of this length fits in: between what is taken, or behind it.
fn least_gap(taken: &[Range<usize>], len: usize) -> usize {
    let (mut end, mut best) = (0usize, None);
    for place in taken {
        let gap = place.start.saturating_sub(end);
        if gap >= len && best.is_none_or(|(least, _)| gap < least) {
            best = Some((gap, end));
        }
        end = end.max(place.end.checked_next_multiple_of(ALIGNED).unwrap_or(usize::MAX));
    }
    best.map_or(end, |(_, start)| start)
}

/// Planes in one buffer.
pub(super) struct Planes {
    data: Buffer<f32>,
    placement: Placement,
}

impl Planes {
    /// The buffer, zeros at first.
    pub(super) fn new(placement: Placement) -> Self {
        Self { data: Buffer::new(placement.len()), placement }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.data)
    }

    /// A plane to read.
    pub(super) fn plane(&self, plane: usize) -> &[f32] {
        &self.data[self.placement.0[plane].clone()]
    }

    /// A plane to write.
    pub(super) fn plane_mut(&mut self, plane: usize) -> &mut [f32] {
        &mut self.data[self.placement.0[plane].clone()]
    }

    /// Several planes that are needed at the same time; an empty one for none.
    ///
    /// # Panics
    /// Where two of them share their place.
    pub(super) fn several<const N: usize>(&mut self, planes: [Option<usize>; N]) -> [&mut [f32]; N] {
        let places = planes.map(|plane| plane.map_or(0..0, |plane| self.placement.0[plane].clone()));
        let Ok(planes) = self.data.get_disjoint_mut(places) else { unreachable!("needed at once, and so apart") };
        planes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(len: usize, stays: &[RangeInclusive<Time>]) -> Tenant {
        Tenant { len, stays: stays.to_vec() }
    }

    #[test]
    fn what_is_needed_at_the_same_time_lies_apart_and_the_rest_together() {
        let long = |pages: usize| pages * ALIGNED;
        let tenants =
            [tenant(long(4), &[0..=2]), tenant(long(4), &[2..=4]), tenant(long(2), &[5..=9]), tenant(5, &[0..=9])];
        let Placement(places) = Placement::new(&tenants);
        assert_eq!(places, [0..long(4), long(4)..long(8), 0..long(2), long(8)..long(8) + 5]);
    }

    #[test]
    fn any_planes_find_places() {
        let mut seed = 1u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) as usize % below
        };
        for _ in 0..300 {
            let stay = |random: &mut dyn FnMut(usize) -> usize| {
                let start = random(30);
                start..=start + random(6)
            };
            let tenants: Vec<Tenant> = (0..1 + random(20))
                .map(|_| {
                    let stays = (0..1 + random(2)).map(|_| stay(&mut random)).collect();
                    Tenant { len: random(5000), stays }
                })
                .collect();
            let places = Placement::new(&tenants);
            for (a, first) in tenants.iter().enumerate() {
                assert_eq!((places.0[a].len(), places.0[a].start % ALIGNED), (first.len, 0));
                for (b, second) in tenants.iter().enumerate().skip(a + 1) {
                    let (one, other) = (&places.0[a], &places.0[b]);
                    assert!(!first.meets(second) || one.end <= other.start || other.end <= one.start);
                }
            }
            let needed = |time: Time| {
                let there = tenants.iter().filter(|tenant| tenant.stays.iter().any(|stay| stay.contains(&time)));
                there.map(|tenant| tenant.len).sum::<usize>()
            };
            let least = (0..40).map(needed).max().unwrap_or(0);
            assert!(places.len() >= least && places.len() <= 2 * least + 20 * ALIGNED, "{} {least}", places.len());
        }
    }
}

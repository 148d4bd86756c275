//! Edges of 3×3 as edges of 9×9 with zeros around them: that is what the kernels run. Reflection fills as far as a kernel
//! reads, so the results are the same.

use std::borrow::Cow;
use std::ops::Range;

use super::shape::StyleNetShape;

/// The side of the edges that the kernels run.
const EDGE: usize = 9;

/// The shape that the kernels run in place of this one.
pub(super) fn shape(shape: StyleNetShape) -> StyleNetShape {
    StyleNetShape { edge_kernel: EDGE, ..shape }
}

/// The parameters of that shape.
pub(super) fn parameters(own: StyleNetShape, values: &[f32]) -> Cow<'_, [f32]> {
    if own.edge_kernel == EDGE {
        return Cow::Borrowed(values);
    }
    let wide = StyleNetShape { edge_kernel: EDGE, ..own };
    let mut all = vec![0.0; wide.parameter_count()];
    each_run(own, wide, |from, to| all[to].copy_from_slice(&values[from]));
    Cow::Owned(all)
}

/// The values of a shape's own parameters among those of the shape that the kernels run.
pub(super) fn extract(own: StyleNetShape, all: &[f32], values: &mut [f32]) {
    let wide = StyleNetShape { edge_kernel: EDGE, ..own };
    each_run(own, wide, |to, from| values[to].copy_from_slice(&all[from]));
}

/// Shows where each run of values lies in both shapes.
fn each_run(own: StyleNetShape, wide: StyleNetShape, mut show: impl FnMut(Range<usize>, Range<usize>)) {
    for (own, wide) in own.parameters().into_iter().zip(wide.parameters()) {
        let (k, edge) = match (&own.shape[..], &wide.shape[..]) {
            (&[_, _, k, _], &[_, _, edge, _]) if k != edge => (k, edge),
            _ => {
                show(own.range, wide.range);
                continue;
            }
        };
        let margin = (edge - k) / 2;
        for row in 0..own.range.len() / k {
            let (filter, y) = (row / k, row % k);
            let from = own.range.start + row * k;
            let to = wide.range.start + (filter * edge + y + margin) * edge + margin;
            show(from..from + k, to..to + k);
        }
    }
}

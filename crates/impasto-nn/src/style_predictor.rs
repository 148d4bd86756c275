//! From a painting to the scales and shifts of an image transformation network: Ghiasi et al. 2017 (arXiv:1705.06830),
//! with another input. There a network in training sees the painting; here a frozen VGG19 does, of which the means and
//! deviations of four layers are kept:
//!
//! ```text
//! relu1_1 … relu4_1 ─▶ means, deviations ─▶ ln(1 + x), standardised ─▶ hidden, ReLU ─▶ scales and shifts
//!                      2 · 960 values                                  H
//! ```
//!
//! The output is `W·h / √H + b` for a hidden layer h of H values.

use std::ops::Range;

use impasto_kernels::{Moments, Parameter};

/// The layers of VGG19 whose moments are read, in order.
pub const STYLE_TAPS: [&str; 4] = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"];

/// Channels of these layers.
const CHANNELS: [usize; 4] = [64, 128, 256, 512];

/// Numbers that describe a painting: a mean and a deviation for each channel.
pub const STATISTICS: usize = 2 * (CHANNELS[0] + CHANNELS[1] + CHANNELS[2] + CHANNELS[3]);

/// Which predictor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PredictorShape {
    /// Values of the hidden layer, at least 1.
    pub hidden: usize,
    /// Scales and shifts that are predicted: [`StyleNetShape::normalisation_len`](impasto_kernels::StyleNetShape).
    pub outputs: usize,
}

/// A predictor with its parameters, as [`PredictorShape::parameters`] lays them out.
#[derive(Clone, Debug, PartialEq)]
pub struct StylePredictor {
    /// Which.
    pub shape: PredictorShape,
    /// Its parameters.
    pub parameters: Vec<f32>,
}

impl StylePredictor {
    /// Scales and shifts for a painting with these [`statistics`].
    pub fn predict(&self, statistics: &[f32]) -> Vec<f32> {
        self.shape.predict(&self.parameters, statistics).values
    }

    /// Scales and shifts for the mean of the paintings that it learned from.
    pub fn predict_mean(&self) -> Vec<f32> {
        self.predict(&self.parameters[..STATISTICS])
    }
}

/// What a predictor made of a painting.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The hidden layer behind its ReLU, which the gradient needs.
    hidden: Vec<f32>,
    /// Scales and shifts, as [`Normalisation::Given`](impasto_kernels::Normalisation::Given) takes them.
    pub values: Vec<f32>,
}

/// A painting as four layers of VGG19 see it, for [`PredictorShape::predict`].
///
/// # Panics
/// If the moments are not those of [`STYLE_TAPS`].
pub fn statistics(moments: &[Moments]) -> Vec<f32> {
    assert!(moments.iter().map(|moments| moments.channels).eq(CHANNELS), "the moments of VGG19's first four blocks");
    let mut statistics = Vec::with_capacity(STATISTICS);
    for Moments { channels, mean, second, .. } in moments {
        let deviation = |c: usize| (second[c * channels + c] - mean[c] * mean[c]).max(0.0).sqrt();
        statistics.extend(mean.iter().map(|mean| mean.max(0.0).ln_1p()));
        statistics.extend((0..*channels).map(|c| deviation(c).ln_1p()));
    }
    statistics
}

impl PredictorShape {
    /// All parameters in order. `mean` and `factor` standardise the statistics, `(x − mean) · factor`; they are measured
    /// and not trained.
    pub fn parameters(&self) -> Vec<Parameter> {
        let parts: [(&str, Vec<usize>); 6] = [
            ("mean", vec![STATISTICS]),
            ("factor", vec![STATISTICS]),
            ("hidden.weight", vec![self.hidden, STATISTICS]),
            ("hidden.bias", vec![self.hidden]),
            ("output.weight", vec![self.outputs, self.hidden]),
            ("output.bias", vec![self.outputs]),
        ];
        let mut start = 0;
        let place = |(name, shape): (&str, Vec<usize>)| {
            let range = start..start + shape.iter().product::<usize>();
            start = range.end;
            Parameter { name: format!("predictor.{name}"), shape, range }
        };
        parts.into_iter().map(place).collect()
    }

    /// Values of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.trained().end
    }

    /// Where the parameters lie that training moves.
    pub fn trained(&self) -> Range<usize> {
        2 * STATISTICS..self.output_bias().end
    }

    fn hidden_weight(&self) -> Range<usize> {
        2 * STATISTICS..2 * STATISTICS + self.hidden * STATISTICS
    }

    fn hidden_bias(&self) -> Range<usize> {
        let start = self.hidden_weight().end;
        start..start + self.hidden
    }

    fn output_weight(&self) -> Range<usize> {
        let start = self.hidden_bias().end;
        start..start + self.outputs * self.hidden
    }

    /// Where the scales and shifts lie that are predicted where nothing else is known.
    pub fn output_bias(&self) -> Range<usize> {
        let start = self.output_weight().end;
        start..start + self.outputs
    }

    /// What the sums over the hidden layer are multiplied by: so a step of an optimiser, which is of one length for every
    /// weight, moves what is predicted as little for a wide layer as for a narrow one.
    pub(crate) fn output_factor(&self) -> f32 {
        1.0 / (self.hidden as f32).sqrt()
    }

    /// What is predicted for a painting with these statistics.
    pub fn predict(&self, parameters: &[f32], statistics: &[f32]) -> Prediction {
        let inputs = standardised(parameters, statistics);
        let rows = parameters[self.hidden_weight()].chunks_exact(STATISTICS).zip(&parameters[self.hidden_bias()]);
        let hidden: Vec<f32> = rows.map(|(row, bias)| (dot(row, &inputs) + bias).max(0.0)).collect();
        let rows = parameters[self.output_weight()].chunks_exact(self.hidden).zip(&parameters[self.output_bias()]);
        let values = rows.map(|(row, bias)| dot(row, &hidden) * self.output_factor() + bias).collect();
        Prediction { hidden, values }
    }

    /// Adds the gradient with respect to all parameters to `sums`, from that with respect to the predicted values.
    pub fn add_gradient(
        &self,
        parameters: &[f32],
        statistics: &[f32],
        prediction: &Prediction,
        of_values: &[f32],
        sums: &mut [f32],
    ) {
        let inputs = standardised(parameters, statistics);
        let mut of_hidden = vec![0.0; self.hidden];
        let rows = parameters[self.output_weight()].chunks_exact(self.hidden).zip(of_values);
        for ((row, slope), sums) in rows.zip(sums[self.output_weight()].chunks_exact_mut(self.hidden)) {
            let slope = *slope * self.output_factor();
            add_scaled(sums, slope, &prediction.hidden);
            add_scaled(&mut of_hidden, slope, row);
        }
        add_scaled(&mut sums[self.output_bias()], 1.0, of_values);
        for (slope, hidden) in of_hidden.iter_mut().zip(&prediction.hidden) {
            *slope = if *hidden > 0.0 { *slope } else { 0.0 };
        }
        for (sums, slope) in sums[self.hidden_weight()].chunks_exact_mut(STATISTICS).zip(&of_hidden) {
            add_scaled(sums, *slope, &inputs);
        }
        add_scaled(&mut sums[self.hidden_bias()], 1.0, &of_hidden);
    }
}

/// The statistics as the hidden layer reads them.
fn standardised(parameters: &[f32], statistics: &[f32]) -> Vec<f32> {
    assert_eq!(statistics.len(), STATISTICS, "a mean and a deviation for each channel");
    let (mean, factor) = (&parameters[..STATISTICS], &parameters[STATISTICS..2 * STATISTICS]);
    statistics.iter().zip(mean).zip(factor).map(|((value, mean), factor)| (value - mean) * factor).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        (0..LANES).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f32>() + rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum::<f32>()
}

fn add_scaled(sums: &mut [f32], factor: f32, values: &[f32]) {
    if factor != 0.0 {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: PredictorShape = PredictorShape { hidden: 5, outputs: 7 };

    fn wave(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * step).sin()).collect()
    }

    fn parameters() -> Vec<f32> {
        let mut parameters = wave(SHAPE.parameter_count(), 0.37);
        parameters[STATISTICS..2 * STATISTICS].iter_mut().for_each(|factor| *factor = 0.1 + factor.abs());
        parameters[SHAPE.hidden_weight()].iter_mut().for_each(|weight| *weight *= 0.05);
        parameters
    }

    #[test]
    fn parameters_follow_each_other_and_fill_their_shapes() {
        let mut next = 0;
        for parameter in SHAPE.parameters() {
            assert_eq!(parameter.range.start, next, "{}", parameter.name);
            assert_eq!(parameter.range.len(), parameter.shape.iter().product::<usize>(), "{}", parameter.name);
            next = parameter.range.end;
        }
        assert_eq!(next, SHAPE.parameter_count());
    }

    #[test]
    fn what_is_predicted_is_what_the_formula_says() {
        let (parameters, statistics) = (parameters(), wave(STATISTICS, 0.11));
        let part = |name: &str| {
            let named = |p: &Parameter| p.name.ends_with(name);
            &parameters[SHAPE.parameters().into_iter().find(named).unwrap().range]
        };
        let inputs: Vec<f64> = (0..STATISTICS)
            .map(|i| f64::from(statistics[i] - part(".mean")[i]) * f64::from(part("factor")[i]))
            .collect();
        let layer = |weights: &[f32], inputs: &[f64]| -> Vec<f64> {
            weights
                .chunks(inputs.len())
                .map(|row| row.iter().zip(inputs).map(|(w, x)| f64::from(*w) * x).sum())
                .collect()
        };
        let plus = |values: Vec<f64>, bias: &[f32]| -> Vec<f64> {
            values.iter().zip(bias).map(|(value, bias)| value + f64::from(*bias)).collect()
        };
        let hidden = plus(layer(part("hidden.weight"), &inputs), part("hidden.bias"));
        let hidden: Vec<f64> = hidden.into_iter().map(|x| x.max(0.0)).collect();
        let sums: Vec<f64> = layer(part("output.weight"), &hidden).iter().map(|sum| sum / 5f64.sqrt()).collect();
        let expected = plus(sums, part("output.bias"));
        let found = SHAPE.predict(&parameters, &statistics);
        assert!(
            hidden.iter().any(|h| *h > 0.0) && hidden.contains(&0.0),
            "both sides of the ReLU are tried: {hidden:?}"
        );
        for (found, expected) in found.values.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} against {expected}");
        }
    }

    #[test]
    fn its_gradient_is_that_of_finite_differences() {
        let (parameters, statistics, slopes) = (parameters(), wave(STATISTICS, 0.11), wave(SHAPE.outputs, 0.9));
        let prediction = SHAPE.predict(&parameters, &statistics);
        let mut gradient = vec![0.0; parameters.len()];
        SHAPE.add_gradient(&parameters, &statistics, &prediction, &slopes, &mut gradient);
        assert!(gradient[..2 * STATISTICS].iter().all(|g| *g == 0.0), "what is measured is not trained");
        let value = |parameters: &[f32]| -> f64 {
            let values = SHAPE.predict(parameters, &statistics).values;
            values.iter().zip(&slopes).map(|(value, slope)| f64::from(*value) * f64::from(*slope)).sum()
        };
        for part in [SHAPE.hidden_weight(), SHAPE.hidden_bias(), SHAPE.output_weight(), SHAPE.output_bias()] {
            let direction = wave(part.len(), 1.7);
            let at = |step: f32| {
                let mut moved = parameters.clone();
                moved[part.clone()].iter_mut().zip(&direction).for_each(|(p, d)| *p += step * d);
                value(&moved)
            };
            let found = (at(1e-3) - at(-1e-3)) / 2e-3;
            let told: f64 = gradient[part.clone()].iter().zip(&direction).map(|(g, d)| f64::from(*g * *d)).sum();
            assert!((found - told).abs() < 1e-2 * told.abs().max(0.1), "{part:?}: {found} found, {told} told");
        }
    }

    #[test]
    fn statistics_are_means_and_deviations() {
        let moments = CHANNELS.map(|channels| {
            let mean: Vec<f32> = (0..channels).map(|c| c as f32).collect();
            let second = (0..channels * channels).map(|i| mean[i / channels] * mean[i % channels]);
            let second = second.enumerate().map(|(i, s)| if i / channels == i % channels { s + 9.0 } else { s });
            Moments { channels, weight: 1.0, second: second.collect(), mean }
        });
        let found = statistics(&moments);
        assert_eq!(found.len(), STATISTICS);
        assert_eq!((found[0], found[5], found[64], found[127]), (0.0, 6.0f32.ln(), 4.0f32.ln(), 4.0f32.ln()));
    }
}

//! The parameters that a training starts from.

use impasto_nn::kernels::{Parameter, StyleNetShape};
use impasto_nn::style_model::StyleModel;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::TrainError;
use super::values::TrainFrom;

/// The bounds of the weights, times √fan-in: √6 for layers with a ReLU behind them (He et al. 2015, arXiv:1502.01852),
/// and so little for the last one that its pictures begin around middle grey, mostly within what can be shown.
///
/// Measured as validation losses after 120 steps at 128², The Starry Night, rate 1e-3, in 10⁶: √6 and 0.5: 1.31; 1 and
/// 0.5: 1.48; 6 and 0.5: 2.24; 1 and 1: 2.42; 1 and 0.1: 2.49; √6 and 0.5 at rate 2e-3: 3.29. A scale of 0.1 at the end
/// of each residual block: 2.64.
const BOUND: f32 = 2.449_489_7;
const OUT_BOUND: f32 = 0.5;

/// New parameters: weights uniform within ±[`BOUND`]/√fan-in, scale 1, shift 0; the last layer's bias in the middle of
/// the range of pictures.
pub(super) fn fresh(shape: StyleNetShape, seed: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut parameters = vec![0.0; shape.parameter_count()];
    for Parameter { name, shape, range } in shape.parameters() {
        let values = &mut parameters[range];
        match name.rsplit('.').next() {
            Some("weight") => {
                let bound = if name.starts_with("out.") { OUT_BOUND } else { BOUND };
                let bound = bound / (shape[1..].iter().product::<usize>() as f32).sqrt();
                values.fill_with(|| random.random_range(-bound..bound));
            }
            Some("scale") => values.fill(1.0),
            Some("bias") => values.fill(0.5),
            _ => values.fill(0.0),
        }
    }
    parameters
}

/// The parameters of another model, for these styles: a style that it knows by name keeps its scales and shifts, a new
/// one gets what was `predicted` for it, or where nothing was, the mean of all that the model has.
///
/// # Errors
/// If the model is of another width or depth.
pub(super) fn from_model(
    from: &TrainFrom,
    model: &StyleModel,
    shape: StyleNetShape,
    styles: &[String],
    predicted: &[Vec<f32>],
) -> Result<Vec<f32>, TrainError> {
    let StyleNetShape { width, residual_blocks, .. } = model.shape;
    if (width, residual_blocks) != (shape.width, shape.residual_blocks) {
        return Err(TrainError::OtherNetwork { from: from.to_string(), width, residual_blocks });
    }
    let known: Vec<&str> = model.card.styles.iter().map(|style| style.name.as_str()).collect();
    let mut parameters = vec![0.0; shape.parameter_count()];
    for (from, to) in model.shape.parameters().into_iter().zip(shape.parameters()) {
        let (from_values, to_values) = (&model.parameters[from.range], &mut parameters[to.range]);
        if !to.name.ends_with(".scale") && !to.name.ends_with(".shift") {
            to_values.copy_from_slice(from_values);
            continue;
        }
        let channels = to.shape[1];
        for (style, row) in styles.iter().zip(to_values.chunks_exact_mut(channels)) {
            match known.iter().position(|name| name == style) {
                Some(i) => row.copy_from_slice(&from_values[i * channels..][..channels]),
                None => mean_row(from_values, row),
            }
        }
    }
    for (i, (style, predicted)) in styles.iter().zip(predicted).enumerate() {
        if !known.contains(&style.as_str()) {
            shape.set_normalisation(i, predicted, &mut parameters);
        }
    }
    Ok(parameters)
}

fn mean_row(rows: &[f32], mean: &mut [f32]) {
    let count = (rows.len() / mean.len()) as f32;
    mean.fill(0.0);
    for row in rows.chunks_exact(mean.len()) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_nn::style_model::{ModelCard, StyleCard};

    const SHAPE: StyleNetShape = StyleNetShape { width: 16, residual_blocks: 1, styles: 2, ..StyleNetShape::JOHNSON };

    fn parameter<'a>(shape: StyleNetShape, values: &'a [f32], name: &str) -> &'a [f32] {
        let parameters = shape.parameters();
        &values[parameters.iter().find(|parameter| parameter.name == name).unwrap().range.clone()]
    }

    #[test]
    fn fresh_parameters_depend_on_the_seed_and_keep_to_their_bounds() {
        let parameters = fresh(SHAPE, 3);
        assert_eq!(parameters, fresh(SHAPE, 3));
        assert_ne!(parameters, fresh(SHAPE, 4));
        let weight = parameter(SHAPE, &parameters, "down2.weight");
        let bound = (6.0f32 / (16.0 * 9.0)).sqrt();
        assert!(weight.iter().all(|w| w.abs() <= bound) && weight.iter().any(|w| w.abs() > 0.9 * bound));
        assert!(parameter(SHAPE, &parameters, "up1.scale").iter().all(|v| *v == 1.0));
        assert_eq!(parameter(SHAPE, &parameters, "out.bias"), [0.5; 3]);
    }

    #[test]
    fn a_known_style_keeps_its_own_and_a_new_one_gets_the_mean() {
        let mut parameters = fresh(SHAPE, 3);
        let range = SHAPE.parameters().into_iter().find(|p| p.name == "down1.shift").unwrap().range;
        parameters[range].iter_mut().enumerate().for_each(|(i, v)| *v = (i / 16) as f32 * 4.0 + 1.0);
        let style = |name: &str| StyleCard { name: name.into(), ..StyleCard::default() };
        let card = ModelCard { name: "m".into(), styles: vec![style("a"), style("b")], ..ModelCard::default() };
        let model = StyleModel { shape: SHAPE, parameters, predictor: None, card };
        let wanted = StyleNetShape { styles: 3, ..SHAPE };
        let names = ["new", "b", "a"].map(String::from);
        let found = from_model(&TrainFrom::Model("m".into()), &model, wanted, &names, &[]).unwrap();
        let shift = parameter(wanted, &found, "down1.shift");
        assert_eq!([shift[0], shift[16], shift[32]], [3.0, 5.0, 1.0]);
        assert_eq!(parameter(wanted, &found, "up2.weight"), parameter(SHAPE, &model.parameters, "up2.weight"));
        let predicted = [7.0, 8.0, 9.0].map(|value| vec![value; wanted.normalisation_len()]);
        let found = from_model(&TrainFrom::Model("m".into()), &model, wanted, &names, &predicted).unwrap();
        let shift = parameter(wanted, &found, "down1.shift");
        assert_eq!([shift[0], shift[16], shift[32]], [7.0, 5.0, 1.0]);
        let narrow = StyleNetShape { residual_blocks: 2, ..wanted };
        let message = from_model(&TrainFrom::Model("m".into()), &model, narrow, &names, &[]).unwrap_err().to_string();
        assert!(message.contains("width 16 with 1 residual block"), "{message}");
    }
}

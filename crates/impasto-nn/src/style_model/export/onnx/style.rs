//! What a network of any style makes of a style: the scales and shifts of its normalisations.
//!
//! ```text
//! style ─▶ Sub, Mul ─▶ Conv, Relu, AveragePool … ─▶ relu1_1 … relu4_1
//! each ─▶ GlobalAveragePool, Sub, Mul, GlobalAveragePool, Sqrt ─▶ Concat ─▶ statistics
//! statistics ─▶ Add 1, Log ─▶ Sub, Mul ─▶ Gemm, Relu ─▶ Gemm ─▶ Split ─▶ a scale and a shift of each normalisation
//! ```
//!
//! `style_predictor` takes deviations from second moments; taken from the mean they are the same and lose less in single
//! precision.

use impasto_kernels::{Convolution, StyleNetShape, TrunkLayer};

use super::STYLE;
use super::builder::{Builder, float, integer, integers};
use crate::formats::onnx::proto::Attribute;
use crate::style_predictor::{STYLE_TAPS, StylePredictor};
use crate::vgg::{Preprocessing, Vgg};

/// Everything between the style and the image transformation network.
pub(super) fn add(builder: &mut Builder, shape: StyleNetShape, predictor: &StylePredictor, vgg: &Vgg) {
    let statistics = statistics(builder, vgg);
    let predicted = predicted(builder, predictor, &statistics);
    split(builder, shape, &predicted);
}

/// Means and deviations of the layers that are read, `1 × STATISTICS`.
fn statistics(builder: &mut Builder, vgg: &Vgg) -> String {
    let relus: Vec<_> = vgg.kind.layer_names().iter().map(|name| name.replace("conv", "relu")).collect();
    let last = STYLE_TAPS.last().and_then(|tap| relus.iter().position(|relu| relu == tap));
    let mut relus = relus.iter();
    let mut x = preprocessed(builder, vgg.preprocessing);
    let mut moments = Vec::new();
    for layer in vgg.trunk_layers(last.unwrap_or(0)) {
        let TrunkLayer::Convolution(convolution) = layer else {
            let halving = ["kernel_shape", "strides"].map(|name| integers(name, &[2, 2]));
            x = builder.node("AveragePool", &format!("{x}.halved"), &[&x], halving.into());
            continue;
        };
        let relu = relus.next().map_or("", String::as_str);
        x = convolved(builder, relu, &convolution, &x);
        if STYLE_TAPS.contains(&relu) {
            moments.extend(mean_and_deviation(builder, &x));
        }
    }
    let moments: Vec<_> = moments.iter().map(String::as_str).collect();
    let moments = builder.node("Concat", "moments", &moments, axis(1));
    builder.node("Flatten", "statistics", &[&moments], axis(1))
}

fn preprocessed(builder: &mut Builder, Preprocessing { mean, scale }: Preprocessing) -> String {
    builder.floats("vgg.mean", &[1, 3, 1, 1], mean.into_iter());
    builder.floats("vgg.scale", &[1, 3, 1, 1], scale.into_iter());
    let x = builder.node("Sub", "style.centred", &[STYLE, "vgg.mean"], vec![]);
    builder.node("Mul", "style.preprocessed", &[&x, "vgg.scale"], vec![])
}

/// A convolution with zeros around and a ReLU behind it, which gives the names.
fn convolved(builder: &mut Builder, relu: &str, convolution: &Convolution, x: &str) -> String {
    let Convolution { in_channels, out_channels, weight, bias } = convolution;
    let [weight_name, bias_name] = ["weight", "bias"].map(|what| format!("vgg.{relu}.{what}"));
    builder.floats(&weight_name, &[*out_channels, *in_channels, 3, 3], weight.iter().copied());
    builder.floats(&bias_name, &[*out_channels], bias.iter().copied());
    let attributes = vec![integers("kernel_shape", &[3, 3]), integers("pads", &[1; 4])];
    let x = builder.node("Conv", &format!("{relu}.convolved"), &[x, &weight_name, &bias_name], attributes);
    builder.node("Relu", relu, &[&x], vec![])
}

/// Both `1 × channels × 1 × 1`.
fn mean_and_deviation(builder: &mut Builder, feature: &str) -> [String; 2] {
    let name = |what: &str| format!("{feature}.{what}");
    let mean = builder.node("GlobalAveragePool", &name("mean"), &[feature], vec![]);
    let away = builder.node("Sub", &name("away"), &[feature, &mean], vec![]);
    let squares = builder.node("Mul", &name("squares"), &[&away, &away], vec![]);
    let variance = builder.node("GlobalAveragePool", &name("variance"), &[&squares], vec![]);
    [mean, builder.node("Sqrt", &name("deviation"), &[&variance], vec![])]
}

/// All scales and shifts in a row.
fn predicted(builder: &mut Builder, predictor: &StylePredictor, statistics: &str) -> String {
    for part in predictor.shape.parameters() {
        builder.floats(&part.name, &part.shape, predictor.parameters[part.range].iter().copied());
    }
    builder.floats("one", &[1], [1.0].into_iter());
    builder.integers("first axis", &[0]);
    let x = builder.node("Add", "statistics.shifted", &[statistics, "one"], vec![]);
    let x = builder.node("Log", "statistics.logarithms", &[&x], vec![]);
    let x = builder.node("Sub", "statistics.centred", &[&x, "predictor.mean"], vec![]);
    let x = builder.node("Mul", "statistics.standardised", &[&x, "predictor.factor"], vec![]);
    let rows = || integer("transB", 1);
    let x = builder.node("Gemm", "hidden", &[&x, "predictor.hidden.weight", "predictor.hidden.bias"], vec![rows()]);
    let x = builder.node("Relu", "hidden.positive", &[&x], vec![]);
    let scaled = vec![rows(), float("alpha", predictor.shape.output_factor())];
    let x = builder.node("Gemm", "row", &[&x, "predictor.output.weight", "predictor.output.bias"], scaled);
    builder.node("Squeeze", "scales and shifts", &[&x, "first axis"], vec![])
}

/// The scales and shifts one by one, under the names that they have among the network's parameters.
fn split(builder: &mut Builder, shape: StyleNetShape, predicted: &str) {
    let (mut names, mut lengths) = (Vec::new(), Vec::new());
    for layer in shape.layers().into_iter().filter(|layer| layer.role.is_normalised()) {
        names.extend(["scale", "shift"].map(|what| format!("{}.{what}", layer.name)));
        lengths.extend([layer.out_channels as i64; 2]);
    }
    builder.integers("lengths", &lengths);
    builder.node_to("Split", names, &[predicted, "lengths"], axis(0));
}

fn axis(number: i64) -> Vec<Attribute> {
    vec![integer("axis", number)]
}

//! ONNX files of the network, by following the graph: names do not matter, the order of the operations does.
//!
//! Exporters differ in what they compute on the side (shapes, paddings, scales); what happens to the picture is the same
//! in all of them: `Pad` by reflection, `Conv`, `InstanceNormalization`, `Relu`, `Add` around each residual block, and
//! `Upsample` or `Resize` to the nearest neighbour.

use std::collections::HashMap;

use super::assemble::Layer;
use crate::{
    formats::{
        LoadError, TensorFile,
        onnx::{graph::Graph, proto::Node},
    },
    style_model::{StyleModelError, read::MOST_DOWNSAMPLINGS},
};

/// ε of instance normalisation that is taken for ours, 1e-5: a smaller one matters where nothing is to be seen only.
const LARGEST_EPSILON: f32 = 1.001e-5;

/// Operations that hand a tensor on as it is.
const SAME: [&str; 2] = ["Identity", "Dropout"];

/// Reads all layers in order, and how often they halve the sides.
pub(super) fn layers(file: &TensorFile) -> Result<(Vec<Layer>, usize), StyleModelError> {
    let path = file.path().to_path_buf();
    let Some(graph) = file.graph() else {
        return Err(StyleModelError::NotImportable { path, what: "no ONNX file".into() });
    };
    let foreign = |detail: String| StyleModelError::Foreign { path: path.clone(), detail };
    let steps = chain(graph).map_err(foreign)?;
    let chain: Vec<_> = steps.iter().map(|step| step.node).collect();
    let chain = without_own_padding(&chain);
    let downsamplings = check_order(graph, chain).map_err(foreign)?;
    check_links(&steps).map_err(foreign)?;
    let mut layers = Vec::new();
    for (number, node) in chain.iter().enumerate().filter(|(_, node)| node.op_type == "Conv") {
        let stride = if (1..=downsamplings).contains(&layers.len()) { 2 } else { 1 };
        check_convolution(graph, node, stride).map_err(foreign)?;
        let weight = node.input.get(1).map_or("", String::as_str);
        let pad = number.checked_sub(1).map_or(*node, |before| chain[before]);
        check_padding(graph, pad, weight).map_err(foreign)?;
        let norm = chain.get(number + 1).filter(|node| node.op_type == "InstanceNormalization");
        layers.push(layer(graph, node, norm).map_err(|e| e.into_error(&path))?);
    }
    Ok((layers, downsamplings))
}

/// An operation on the picture's way.
struct Step<'a> {
    node: &'a Node,
    /// How many operations lie before the results that it takes, ascending: 0 for the picture itself.
    takes: Vec<usize>,
}

/// The operations that the picture goes through, in order.
fn chain(graph: &Graph) -> Result<Vec<Step<'_>>, String> {
    let [input] = &graph.inputs[..] else {
        return Err(format!("it takes {} inputs, not one picture", graph.inputs.len()));
    };
    let mut results = HashMap::from([(input.as_str(), 0)]);
    let mut chain = Vec::new();
    for node in &graph.nodes {
        let mut takes: Vec<usize> =
            node.input.iter().filter_map(|input| results.get(input.as_str())).copied().collect();
        let (Some(output), Some(&first)) = (node.output.first(), takes.first()) else { continue };
        if node.op_type == "Shape" {
            continue;
        }
        if SAME.contains(&node.op_type.as_str()) {
            results.insert(output, first);
            continue;
        }
        takes.sort_unstable();
        chain.push(Step { node, takes });
        results.insert(output, chain.len());
    }
    Ok(chain)
}

/// That each operation takes the result of the one before, and those that add that of a block's beginning too.
fn check_links(chain: &[Step<'_>]) -> Result<(), String> {
    /// Operations of a residual block.
    const BLOCK: usize = 8;
    for (number, Step { node, takes }) in chain.iter().enumerate() {
        let linked = match node.op_type.as_str() {
            "Add" => number >= BLOCK && takes[..] == [number + 1 - BLOCK, number],
            _ => takes[..] == [number],
        };
        if !linked {
            return Err(format!(
                "its operation {}, `{}`, takes another result than it should",
                number + 1,
                node.op_type
            ));
        }
    }
    Ok(())
}

/// Without what `impasto models export` puts around the network: padding to a multiple of 4, and its removal.
fn without_own_padding<'a, 'g>(mut chain: &'a [&'g Node]) -> &'a [&'g Node] {
    if let [first, second, ..] = chain
        && first.op_type == "Pad"
        && second.op_type == "Pad"
    {
        chain = &chain[1..];
        if let [before @ .., last] = chain
            && last.op_type == "Slice"
        {
            chain = before;
        }
    }
    chain
}

/// That the operations are those of the network, one by one; how often it enlarges the sides, and so halves them.
fn check_order(graph: &Graph, chain: &[&Node]) -> Result<usize, String> {
    let enlarges = |node: &&&Node| matches!(node.op_type.as_str(), "Resize" | "Upsample");
    let downsamplings = chain.iter().filter(enlarges).count().min(MOST_DOWNSAMPLINGS);
    let convolutions = chain.iter().filter(|node| node.op_type == "Conv").count();
    let blocks = convolutions.saturating_sub(2 + 2 * downsamplings) / 2;
    let norm = ["Pad", "Conv", "InstanceNormalization", "Relu"];
    let mut expected = norm.repeat(1 + downsamplings);
    for _ in 0..blocks {
        expected.extend(norm);
        expected.extend(["Pad", "Conv", "InstanceNormalization", "Add"]);
    }
    for _ in 0..downsamplings {
        expected.push("Resize");
        expected.extend(norm);
    }
    expected.extend(["Pad", "Conv"]);
    let found = chain.iter().map(|node| match node.op_type.as_str() {
        "Upsample" => "Resize",
        op => op,
    });
    let differs = found.zip(&expected).position(|(found, expected)| found != *expected);
    match differs.unwrap_or(chain.len().min(expected.len())) {
        at if at == chain.len() && at == expected.len() => {}
        at => {
            let found = chain.get(at).map_or("nothing".into(), |node| format!("`{}`", node.op_type));
            let expected = expected.get(at).map_or("nothing".into(), |op| format!("`{op}`"));
            return Err(format!("{found} stands where {expected} belongs, as operation {}", at + 1));
        }
    }
    chain.iter().try_for_each(|node| match node.op_type.as_str() {
        "Pad" => check_pad(node),
        "Upsample" | "Resize" => check_resize(graph, node),
        "InstanceNormalization" => check_norm(node),
        _ => Ok(()),
    })?;
    Ok(downsamplings)
}

fn text(node: &Node, name: &str) -> Option<String> {
    node.attribute(name)?.s.map(|s| String::from_utf8_lossy(&s).into_owned())
}

fn check_pad(node: &Node) -> Result<(), String> {
    match text(node, "mode").as_deref() {
        Some("reflect") => Ok(()),
        mode => Err(format!("it pads by `{}`, not by reflection", mode.unwrap_or("constant"))),
    }
}

fn check_norm(node: &Node) -> Result<(), String> {
    match node.attribute("epsilon").and_then(|epsilon| epsilon.f) {
        Some(epsilon) if !(0.0..=LARGEST_EPSILON).contains(&epsilon) => {
            Err(format!("its instance normalisation has an ε of {epsilon}, not 1e-5"))
        }
        _ => Ok(()),
    }
}

fn check_resize(graph: &Graph, node: &Node) -> Result<(), String> {
    let mode = text(node, "mode").unwrap_or_else(|| "nearest".into());
    let aligned = text(node, "coordinate_transformation_mode").is_some_and(|mode| mode == "align_corners");
    if mode != "nearest" || aligned {
        return Err(format!("it enlarges by `{mode}`, not to the nearest neighbour"));
    }
    // In the newer operation a region stands before the scales.
    let input = node.input.get(if node.input.len() > 2 { 2 } else { 1 });
    let scales = match node.attribute("scales") {
        Some(scales) => scales.floats,
        None => input.and_then(|name| graph.values(name).ok()).unwrap_or_default(),
    };
    if scales.is_empty() || scales == [1.0, 1.0, 2.0, 2.0] {
        return Ok(());
    }
    Err("it enlarges by another factor than 2".into())
}

/// That a padding is that of the convolution behind it, where it is known before the network runs.
fn check_padding(graph: &Graph, node: &Node, weight: &str) -> Result<(), String> {
    let pads: Vec<i64> = match node.attribute("pads") {
        Some(pads) => pads.ints,
        None => match node.input.get(1).and_then(|name| graph.values(name).ok()) {
            Some(pads) => pads.into_iter().map(|pad| pad as i64).collect(),
            None => return Ok(()),
        },
    };
    let kernel = graph.shape(weight).and_then(|shape| shape.last().copied()).unwrap_or(0);
    let p = i64::try_from(kernel / 2).unwrap_or(i64::MAX);
    if pads == [0, 0, p, p, 0, 0, p, p] {
        return Ok(());
    }
    Err(format!("the padding before the convolution with `{weight}` is not {p} on each side"))
}

fn check_convolution(graph: &Graph, node: &Node, stride: i64) -> Result<(), String> {
    let weight = node.input.get(1).map_or("", String::as_str);
    let wrong = |what: &str| Err(format!("the convolution with `{weight}` has {what}"));
    let ints = |name: &str| node.attribute(name).map(|a| a.ints).unwrap_or_default();
    let is = |name: &str, expected: i64| {
        let ints = ints(name);
        ints.is_empty() && expected == 1 || !ints.is_empty() && ints.iter().all(|&i| i == expected)
    };
    if !is("strides", stride) {
        return wrong(&format!("another stride than {stride}"));
    }
    if !is("dilations", 1) || node.attribute("group").and_then(|g| g.i).is_some_and(|group| group != 1) {
        return wrong("dilations or groups");
    }
    let padded = ints("pads").iter().any(|&pad| pad != 0);
    if padded || text(node, "auto_pad").is_some_and(|mode| mode != "NOTSET" && mode != "VALID") {
        return wrong("a padding of zeros");
    }
    if graph.shape(weight).is_none() {
        return wrong("a weight that is computed");
    }
    Ok(())
}

/// Why a layer could not be read.
enum Fault {
    File(LoadError),
    Other(String),
}

impl Fault {
    fn into_error(self, path: &std::path::Path) -> StyleModelError {
        match self {
            Self::File(error) => StyleModelError::from_import(error),
            Self::Other(detail) => StyleModelError::Foreign { path: path.to_path_buf(), detail },
        }
    }
}

fn layer(graph: &Graph, node: &Node, norm: Option<&&Node>) -> Result<Layer, Fault> {
    let values = |node: &Node, input: usize, what: &str| match node.input.get(input) {
        Some(name) if graph.shape(name).is_some() => graph.values(name).map_err(Fault::File),
        _ => Err(Fault::Other(format!("the {what} of a `{}` is computed or missing", node.op_type))),
    };
    let name = node.input.get(1).cloned().unwrap_or_default();
    let shape = graph.shape(&name).unwrap_or_default();
    let weight = values(node, 1, "weight")?;
    let (scale, shift) = match norm {
        Some(norm) => (Some(values(norm, 1, "scale")?), values(norm, 2, "shift")?),
        // A convolution may come without a bias.
        None if node.input.get(2).is_none_or(String::is_empty) => {
            (None, vec![0.0; shape.first().copied().unwrap_or(0).min(weight.len())])
        }
        None => (None, values(node, 2, "bias")?),
    };
    Ok(Layer { name, shape, weight, scale, shift })
}

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks to who runs it")]
//! How good is a trained network? Its pictures and those of painting, by the same objective on the same photographs.
//!
//! ```text
//! cargo run --release -p impasto --example 04_yardstick -- MODEL.safetensors PHOTOS NAME=PAINTING… \
//!     [--unseen] [--count N] [--size N] [--iterations 50,100] [--init content|noise|mix] [--json FILE]
//! ```
//!
//! For each style: the mean objective of what the network paints, and of what L-BFGS reaches after 50 and 100
//! evaluations (Johnson et al. 2016, arXiv:1603.08155, figure 5, compare with 50 to 100). It begins at the photograph
//! unless `--init noise` is given, from where it needs many more. The weights, the layers and the size
//! of the painting are those that the model was trained with. Both are measured as they are seen: clipped to 0–255 and
//! rounded, as in a file.
//!
//! PHOTOS is the folder that the model was trained on. Of its photographs those are taken that the training held out for
//! reports: it neither learned from them nor chose the best network by them. With `--unseen` it is another folder, and
//! all of it is taken, in the order of the names. Photographs become squares from their middle.

use std::error::Error;
use std::path::{Path, PathBuf};

use impasto::device::Machine;
use impasto::objective::{Losses, Objective, Weights};
use impasto::optimizer::{Outcome, optimizer};
use impasto::paint::{Masks, Scene, start};
use impasto::settings::{Init, OptimizerKind, Settings};
use impasto::train::{ReportPhotos, TrainOverrides, TrainSettings, TrainStyle, report_photos};
use impasto::{Picture, network};
use impasto_nn::backend::Backend;
use impasto_nn::kernels::{Isa, Normalisation, StyleNet, Threads};
use impasto_nn::style_model::StyleModel;
use serde::Serialize;

/// What is asked for on the command line.
struct Asked {
    model: PathBuf,
    photos: PathBuf,
    /// Whether the training never read the folder.
    unseen: bool,
    paintings: Vec<TrainStyle>,
    count: usize,
    size: Option<usize>,
    iterations: Vec<usize>,
    init: Init,
    json: Option<PathBuf>,
}

/// The mean losses of one style.
#[derive(Serialize)]
struct Row {
    style: String,
    photographs: usize,
    size: usize,
    network: Losses,
    /// Evaluations, and what painting reaches with them.
    painting: Vec<(usize, Losses)>,
    /// The photographs as they are.
    untouched: Losses,
}

fn main() -> Result<(), Box<dyn Error>> {
    let asked = asked()?;
    let model = StyleModel::load(&asked.model)?;
    let (settings, weights) = trained_with(&model)?;
    let size = asked.size.unwrap_or(settings.image_size);
    let paths = if asked.unseen { all_in(&asked.photos)? } else { held_out(&model, &asked.photos)? };
    let photos = photographs(&paths, asked.count, size)?;
    let mut rows = Vec::new();
    let heads: Vec<String> = asked.iterations.iter().map(|n| format!("painting, {n}")).collect();
    println!("| style | network | {} | ratio to the first |", heads.join(" | "));
    println!("|---|---|{}---|", "---|".repeat(heads.len()));
    for painting in &asked.paintings {
        let cards = &model.card.styles;
        let known = || cards.iter().map(|style| style.name.as_str()).collect::<Vec<_>>().join(", ");
        let style = cards.iter().position(|style| style.name == painting.name);
        let style = style.ok_or_else(|| format!("the model has no style `{}`, but {}", painting.name, known()))?;
        let picture = Picture::read(&painting.path)?.resized_to_longer_side(settings.style_size);
        let target = (picture, weights.get(style).copied().unwrap_or(1.0));
        let row = measure(&model, style, &settings, target, &photos, &asked)?;
        let painted: Vec<String> = row.painting.iter().map(|(_, losses)| format!("{:.4e}", losses.loss)).collect();
        let ratio = row.painting.first().map_or(f64::NAN, |(_, losses)| row.network.loss / losses.loss);
        println!("| {} | {:.4e} | {} | {ratio:.3} |", row.style, row.network.loss, painted.join(" | "));
        rows.push(row);
    }
    if let Some(path) = &asked.json {
        std::fs::write(path, serde_json::to_string_pretty(&rows)?)?;
    }
    Ok(())
}

/// The arguments, read by hand: this is an example.
fn asked() -> Result<Asked, Box<dyn Error>> {
    let (mut places, mut paintings) = (Vec::new(), Vec::new());
    let mut asked = Asked {
        model: "".into(),
        photos: "".into(),
        unseen: false,
        paintings: vec![],
        count: 20,
        size: None,
        iterations: vec![50, 100],
        init: Init::Content,
        json: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("`{arg}` needs a value"));
        match arg.as_str() {
            "--unseen" => asked.unseen = true,
            "--count" => asked.count = value()?.parse()?,
            "--size" => asked.size = Some(value()?.parse()?),
            "--iterations" => asked.iterations = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--init" => asked.init = value()?.parse()?,
            "--json" => asked.json = Some(value()?.into()),
            _ if places.len() < 2 => places.push(PathBuf::from(arg)),
            _ => paintings.push(arg.parse::<TrainStyle>()?),
        }
    }
    let usage = "give a model, a folder of photographs, and the paintings as NAME=FILE";
    (asked.photos, asked.model) = places.pop().zip(places.pop()).ok_or(usage)?;
    asked.paintings = paintings;
    if asked.paintings.is_empty() { Err(usage.into()) } else { Ok(asked) }
}

/// The settings and the weight of each style that the model's card tells.
fn trained_with(model: &StyleModel) -> Result<(TrainSettings, Vec<f64>), Box<dyn Error>> {
    let training = model.card.training.as_ref().ok_or("the model does not say how it was trained")?;
    let settings: TrainOverrides = serde_json::from_value(training["settings"].clone())?;
    let weights = serde_json::from_value(training["style_weights"].clone()).unwrap_or_default();
    Ok((settings.settings(), weights))
}

/// The files in a folder, by their names.
fn all_in(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// The photographs of the folder that a model was trained on that it was neither trained nor chosen by.
fn held_out(model: &StyleModel, folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let ReportPhotos { paths, fingerprint } = report_photos(&[folder.into()])?;
    let trained_on = model.card.training.as_ref().and_then(|training| training["photos"].as_str());
    if trained_on != Some(&fingerprint) {
        let folder = folder.display();
        let reason = format!(
            "the model was not trained on the files in `{folder}`, or does not say so: name its folder, or \
                              give `--unseen` if the training never read `{folder}`"
        );
        return Err(reason.into());
    }
    Ok(paths)
}

/// This many squares from the middle of these photographs.
fn photographs(paths: &[PathBuf], count: usize, size: usize) -> Result<Vec<Picture>, Box<dyn Error>> {
    let readable = paths.iter().filter_map(|path| Picture::read(path).ok());
    let photos: Vec<Picture> = readable.take(count).map(|photo| middle(&photo).resized(size, size)).collect();
    if photos.is_empty() { Err("none of the photographs can be read".into()) } else { Ok(photos) }
}

fn middle(photo: &Picture) -> Picture {
    let (height, width) = (photo.height(), photo.width());
    let side = height.min(width);
    let (top, left) = ((height - side) / 2, (width - side) / 2);
    let rows = (0..3 * side).flat_map(|row| {
        photo.data()[((row / side) * height + top + row % side) * width + left..][..side].iter().copied()
    });
    Picture::from_planar(side, side, rows.collect())
}

/// The network and painting on every photograph in one style.
fn measure(
    model: &StyleModel,
    style: usize,
    settings: &TrainSettings,
    target: (Picture, f64),
    photos: &[Picture],
    Asked { iterations, init, .. }: &Asked,
) -> Result<Row, Box<dyn Error>> {
    let paint = Settings {
        optimizer: OptimizerKind::Lbfgs,
        learning_rate: Settings::default().learning_rate,
        init: init.clone(),
        ..settings.to_paint()
    };
    let vgg = network(&paint.network)?;
    let weights = Weights::new(&paint, vgg.kind)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let net = StyleNet::new(Isa::best(), Threads::new(threads), model.shape, &model.parameters)?;
    let share = 1.0 / photos.len() as f64;
    let mut row = Row {
        style: model.card.styles[style].name.clone(),
        photographs: photos.len(),
        size: photos[0].height(),
        network: Losses::default(),
        painting: iterations.iter().map(|&n| (n, Losses::default())).collect(),
        untouched: Losses::default(),
    };
    for photo in photos {
        let machine = Machine::new(&vgg, &paint, &weights.taps())?;
        let backend = machine.backend.clone();
        let mut objective = Objective::new(machine, &weights, photo, std::slice::from_ref(&target));
        let mut painted = vec![0.0; photo.data().len()];
        net.run(photo.data(), photo.height(), photo.width(), Normalisation::Style(style), usize::MAX, &mut painted)?;
        let painted = as_seen(Picture::from_planar(photo.height(), photo.width(), painted));
        row.network += objective.value(painted.data()) * share;
        row.untouched += objective.value(photo.data()) * share;
        let scene =
            Scene { content: photo.clone(), styles: vec![target.clone()], start: None, masks: Masks::default() };
        let beginning = start(&scene, &paint, &vgg.preprocessing);
        let mut by_hand = optimizer(&paint, backend.clone());
        let reached = descend(&mut objective, by_hand.as_mut(), &*backend, beginning, iterations);
        row.painting.iter_mut().zip(reached).for_each(|((_, mean), losses)| *mean += losses * share);
    }
    Ok(row)
}

/// A picture as a file keeps it: clipped to 0–255 and rounded.
fn as_seen(picture: Picture) -> Picture {
    Picture::from_rgb8(picture.height(), picture.width(), &picture.to_rgb8())
}

/// The losses of the best picture within each number of evaluations, from the beginning on.
fn descend(
    objective: &mut Objective,
    optimizer: &mut dyn impasto::optimizer::Optimizer,
    backend: &dyn Backend,
    beginning: Picture,
    iterations: &[usize],
) -> Vec<Losses> {
    let (height, width) = (beginning.height(), beginning.width());
    let mut picture = backend.upload(beginning.into_data());
    let mut gradient = backend.zeros(picture.len());
    let mut best = (f64::INFINITY, picture.clone());
    let mut reached = Vec::new();
    let mut over = false;
    for iteration in 1..=iterations.iter().copied().max().unwrap_or(0) {
        if !over {
            let losses = objective.value_and_gradient_of(&picture, &mut gradient);
            if losses.loss < best.0 {
                best = (losses.loss, picture.clone());
            }
            over = matches!(optimizer.tell(&mut picture, losses.loss, &gradient), Outcome::Converged(_));
        }
        if iterations.contains(&iteration) {
            let seen = as_seen(Picture::from_planar(height, width, backend.take(best.1.clone())));
            reached.push(objective.value(seen.data()));
        }
    }
    reached
}

//! What the tests of stylising share: a small network whose weights are random, a real photograph, a folder.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use impasto::Picture;
use impasto::job::{Context, Event, Job};
use impasto::styles::{Blend, ModelCard, StyleCard, StyleChoice, StyleDtype, StyleModel, StyleNetShape};
use impasto::stylize::{StylizeEvent, StylizeJob, StylizeSettings, StylizeSummary, Stylizer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A network of this many styles, `one`, `two` and so on, that answers with strong colours.
pub(crate) fn model(styles: usize) -> StyleModel {
    let shape = StyleNetShape { width: 16, residual_blocks: 1, styles, ..StyleNetShape::JOHNSON };
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut parameters = vec![0.0; shape.parameter_count()];
    for parameter in shape.parameters() {
        let inputs: usize = parameter.shape.iter().skip(1).product();
        let (centre, spread) = match parameter.name.rsplit('.').next() {
            Some("scale") => (1.0, 0.5),
            Some("shift") => (0.0, 0.5),
            Some("bias") => (0.5, 0.0),
            _ => (0.0, (3.0 / inputs as f32).sqrt()),
        };
        for value in &mut parameters[parameter.range] {
            *value = centre + spread * random.random_range(-1.0..1.0);
        }
    }
    let names = ["one", "two", "three"].into_iter().take(styles);
    let styles = names.map(|name| StyleCard { name: name.into(), ..StyleCard::default() }).collect();
    StyleModel {
        shape,
        parameters,
        predictor: None,
        card: ModelCard { name: "random".into(), styles, ..ModelCard::default() },
    }
}

pub(crate) fn photo(height: usize, width: usize) -> Picture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures/coffee.png");
    Picture::read(&path).unwrap().resized(height, width)
}

pub(crate) fn stylizer(shares: &[f32], settings: StylizeSettings) -> Stylizer {
    let blend = Blend { model: Cow::Owned(model(shares.len())), shares: shares.to_vec() };
    Stylizer::new(&blend, &settings).unwrap()
}

/// The largest and the mean difference of two pictures.
pub(crate) fn apart(one: &Picture, other: &Picture) -> (f32, f32) {
    assert_eq!((one.height(), one.width()), (other.height(), other.width()));
    let differences = one.data().iter().zip(other.data()).map(|(a, b)| (a - b).abs());
    let mean = differences.clone().sum::<f32>() / one.data().len() as f32;
    (differences.fold(0.0, f32::max), mean)
}

/// A folder with a model of two styles, and an album of pictures under `in`.
pub(crate) struct Album(tempfile::TempDir);

impl Album {
    pub(crate) fn new(pictures: &[&str]) -> Self {
        let album = Self(tempfile::tempdir().unwrap());
        model(2).save(&album.path("model.safetensors"), StyleDtype::F32).unwrap();
        for name in pictures {
            let path = album.path("in").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            photo(18, 22).write(&path, None).unwrap();
        }
        album
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn job(&self) -> StylizeJob {
        let style = StyleChoice::new(format!("{}#two", self.path("model.safetensors").display()));
        let output = Some(self.path("out"));
        StylizeJob { inputs: vec![self.path("in")], styles: vec![style], output, ..StylizeJob::default() }
    }

    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = std::fs::read_dir(self.path(folder)).unwrap().map(name).collect();
        names.sort();
        names
    }
}

pub(crate) fn run(job: &StylizeJob) -> (StylizeSummary, Vec<StylizeEvent>) {
    let events = Mutex::new(Vec::new());
    let summary = job.run(&Context::new(&events)).unwrap();
    let of_batch = |event| match event {
        Event::Stylize(event) => event,
        other => panic!("{other:?}"),
    };
    (summary, events.into_inner().unwrap().into_iter().map(of_batch).collect())
}

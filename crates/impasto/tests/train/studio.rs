//! A folder with small real photographs and paintings, and small networks to be trained in it.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use image::imageops::FilterType;
use image::{DynamicImage, GenericImageView};
use impasto::job::{Context, Control, Event, Job};
use impasto::train::{Every, TrainError, TrainEvent, TrainJob, TrainOverrides, TrainSettings, Trained};
use tempfile::TempDir;

pub(crate) struct Studio {
    pub(crate) folder: TempDir,
}

fn example(name: &str) -> DynamicImage {
    image::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name)).unwrap()
}

impl Studio {
    /// A dozen crops of the project's photographs under `photos`, of two formats and three sizes, one smaller than the
    /// network's crops; and two paintings.
    pub(crate) fn new() -> Self {
        let studio = Self { folder: tempfile::tempdir().unwrap() };
        for (i, name) in ["chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"].into_iter().enumerate() {
            let photo = example(name);
            let (width, height) = photo.dimensions();
            for (j, side) in [40, 90, 120].into_iter().enumerate() {
                let crop = photo.crop_imm(width / 8 * (j as u32), height / 4, width / 2, height / 2);
                let ending = if i == 2 { "png" } else { "jpg" };
                let path = studio.path(&format!("photos/{i}/{j}.{ending}"));
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                crop.resize(side, side, FilterType::Triangle).to_rgb8().save(path).unwrap();
            }
        }
        let night = example("starry-night.jpg");
        night.resize(120, 120, FilterType::Triangle).to_rgb8().save(studio.path("night.png")).unwrap();
        let detail = night.crop_imm(0, 0, night.width() / 3, night.height() / 3);
        detail.resize(100, 100, FilterType::Triangle).to_rgb8().save(studio.path("detail.jpg")).unwrap();
        studio
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A small network, a few steps, and what `change` makes of them.
    pub(crate) fn job(&self, output: &str, change: impl FnOnce(&mut TrainSettings)) -> TrainJob {
        TrainJob::new(self.given(output, change)).unwrap()
    }

    /// The same for a network of any style, from nine paintings and one that cannot be read.
    pub(crate) fn any(&self, output: &str, change: impl FnOnce(&mut TrainSettings)) -> TrainJob {
        let folder = self.path("paintings");
        std::fs::create_dir_all(&folder).unwrap();
        let night = example("starry-night.jpg");
        for i in 0..9 {
            let (left, top) = (night.width() / 4 * (i % 3), night.height() / 4 * (i / 3));
            let part = night.crop_imm(left, top, night.width() / 3, night.height() / 3).huerotate(40 * i as i32);
            part.resize(90, 90, FilterType::Triangle).to_rgb8().save(folder.join(format!("{i}.png"))).unwrap();
        }
        std::fs::write(folder.join("broken.jpg"), "no picture").unwrap();
        let any = |settings: &mut TrainSettings| {
            (settings.any, settings.style_size, settings.style_weight) = (true, 64, 20.0);
            change(settings);
        };
        let given = self.given(output, any);
        TrainJob::new(TrainOverrides { style: Vec::new(), styles: vec![folder], ..given }).unwrap()
    }

    pub(crate) fn given(&self, output: &str, change: impl FnOnce(&mut TrainSettings)) -> TrainOverrides {
        let mut settings = TrainSettings {
            image_size: 64,
            style_size: 96,
            batch: 2,
            steps: 10,
            width: 16,
            residual_blocks: 2,
            threads: Some(2),
            validate_every: Every::Steps(1000),
            ..TrainSettings::default()
        };
        change(&mut settings);
        let style = |name: &str, file: &str| format!("{name}={}", self.path(file).display()).parse().unwrap();
        TrainOverrides {
            style: vec![style("night", "night.png"), style("detail", "detail.jpg")],
            photos: vec![self.path("photos")],
            output: Some(self.path(output)),
            ..TrainOverrides::from(&settings)
        }
    }
}

/// Trains, and keeps what is told.
pub(crate) fn watched(job: &TrainJob) -> (Result<Trained, TrainError>, Vec<TrainEvent>) {
    let events = Mutex::new(Vec::new());
    let trained = job.run(&Context::new(&events));
    let of_training = |event| match event {
        Event::Train(event) => event,
        other => panic!("{other:?}"),
    };
    (trained, events.into_inner().unwrap().into_iter().map(of_training).collect())
}

/// Trains until this many steps are made.
pub(crate) fn stopped_after(job: &TrainJob, wanted: usize) -> Trained {
    let control = Control::default();
    let sink = |event: &Event| {
        if matches!(event, Event::Train(TrainEvent::Step { step, .. }) if *step == wanted) {
            control.stop();
        }
    };
    job.run(&Context::new(&sink).with_control(&control)).unwrap()
}

/// The bits of every step's losses.
pub(crate) fn bits(trained: &Trained) -> Vec<[u64; 4]> {
    let bits = |l: &impasto::objective::Losses| [l.loss, l.content, l.style, l.total_variation].map(f64::to_bits);
    trained.history.iter().map(|(_, losses)| bits(losses)).collect()
}

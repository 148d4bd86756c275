#![allow(clippy::print_stdout, reason = "it prints a table")]
//! How soon jobs answer a stop: milliseconds from [`Control::stop`] to the end of the job, at moments spread over its run.
//!
//! ```text
//! cargo bench -p impasto --bench control
//! ```

use std::error::Error;
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use impasto::eval::EvalJob;
use impasto::job::{Context, Control, Job};
use impasto::settings::Overrides;
use impasto::styles::{StyleChoice, names};
use impasto::train::{TrainJob, TrainOverrides};
use impasto::{PaintJob, Picture, StylizeJob};

/// Moments at which each job is stopped.
const MOMENTS: u32 = 20;

/// Stops a new job at moments spread over `span`; prints the median and the longest answer.
fn answers<J: Job + Sync>(what: &str, span: Duration, job: impl Fn(u32) -> J)
where
    J::Output: Send,
    J::Error: Send + Debug,
{
    let mut waits: Vec<f64> = (0..MOMENTS).filter_map(|moment| answer(&job(moment), span * moment / MOMENTS)).collect();
    waits.sort_by(f64::total_cmp);
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("{what:40} {median:8.0} {longest:8.0}   ({} of {MOMENTS} stopped while it ran)", waits.len());
}

/// Milliseconds from a stop after `delay` to the end of the job; nothing if it ended before.
fn answer<J: Job + Sync>(job: &J, delay: Duration) -> Option<f64>
where
    J::Output: Send,
    J::Error: Send,
{
    let control = Control::default();
    thread::scope(|scope| {
        let context = Context::default().with_control(&control);
        let run = scope.spawn(move || {
            let _ = job.run(&context);
            Instant::now()
        });
        thread::sleep(delay);
        let stopped = (!run.is_finished()).then(Instant::now);
        control.stop();
        let ended = run.join().ok()?;
        stopped.map(|stopped| ended.saturating_duration_since(stopped).as_secs_f64() * 1000.0)
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let example = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name);
    let style: Vec<_> = vec![example("starry-night.jpg").display().to_string().parse()?];
    Picture::read(&example("coffee.png"))?.resized(9000, 12_000).write(&path("huge.png"), None)?;
    Picture::read(&example("coffee.png"))?.resized(683, 1024).write(&path("photo.png"), None)?;
    std::fs::create_dir(path("photos"))?;
    for i in 0..20 {
        Picture::read(&example("coffee.png"))?.resized(300 + i, 400).write(&path(&format!("photos/{i}.jpg")), None)?;
    }
    println!("{:40} {:>8} {:>8}", "milliseconds to the end of a job", "median", "longest");

    let paint = |content: PathBuf, moment: u32| {
        let given = Overrides {
            content: Some(content),
            style: style.clone(),
            output: Some(path(&format!("out-{moment}.png"))),
            size: Some(1024),
            scales: Some(1),
            ..Overrides::default()
        };
        let _ = std::fs::remove_file(path(&format!("out-{moment}.png-checkpoint.safetensors")));
        PaintJob::new(given).expect("the settings are good")
    };
    answers("paint, 1024 pixels, first 12 s", Duration::from_secs(12), |moment| paint(path("photo.png"), moment));
    answers("paint, decoding 108 megapixels", Duration::from_secs(2), |moment| paint(path("huge.png"), moment));
    let stylize = |input: &'static str| {
        let (inputs, styles) = (vec![path(input)], vec![StyleChoice::new(names()[0])]);
        StylizeJob { inputs, styles, output: Some(path("stylized.png")), ..StylizeJob::default() }
    };
    answers("stylize, 1024 pixels", Duration::from_millis(1500), |_| stylize("photo.png"));
    answers("stylize, 108 megapixels", Duration::from_secs(10), |_| stylize("huge.png"));
    let train = |moment: u32| {
        let given = TrainOverrides {
            style: vec![format!("night={}", example("starry-night.jpg").display()).parse().expect("a style")],
            photos: vec![path("photos")],
            output: Some(path(&format!("model-{moment}.safetensors"))),
            ..TrainOverrides::default()
        };
        TrainJob::new(given).expect("the settings are good")
    };
    answers("train, with its first validation", Duration::from_secs(20), train);
    let eval = |_| EvalJob::new(path("photo.png"), example("starry-night.jpg"), vec![path("photo.png")]);
    answers("eval, 1024 pixels", Duration::from_secs(5), eval);
    Ok(())
}

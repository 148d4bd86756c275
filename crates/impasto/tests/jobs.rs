//! What all jobs have in common: events that read back, and a control that is answered in the middle of the work.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use impasto::eval::EvalJob;
use impasto::job::{Context, Control, End, Event, EventSink, Job, Previews, Stopped};
use impasto::objective::Losses;
use impasto::paint::{JobError, PaintError, PaintEvent, checkpoint_path};
use impasto::settings::{Overrides, Preset};
use impasto::styles::{StyleChoice, names};
use impasto::stylize::StylizeJob;
use impasto::train::{TrainJob, TrainOverrides};
use impasto::{PaintJob, Painting};

/// Held by each test: some of them measure the whole process.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name)
}

/// A painting of this many pixels on its longer side.
fn painting(folder: &Path, size: usize, change: impl FnOnce(&mut Overrides)) -> PaintJob {
    let mut given = Overrides {
        content: Some(example("coffee.png")),
        style: vec![example("starry-night.jpg").to_str().unwrap().parse().unwrap()],
        output: Some(folder.join("out.png")),
        preset: Some(Preset::Fast),
        size: Some(size),
        threads: Some(2),
        ..Overrides::default()
    };
    change(&mut given);
    PaintJob::new(given).unwrap()
}

/// Runs a job on a thread and calls `then` with its control once an event is told that `when` wants; the result, and the
/// seconds from there to its end.
fn controlled<J: Job + Sync>(
    job: &J,
    when: impl Fn(&Event) -> bool + Send + Sync,
    then: impl FnOnce(&Control),
) -> (Result<J::Output, J::Error>, Duration)
where
    J::Output: Send,
    J::Error: Send,
{
    let control = Control::default();
    let (reached, reaching) = std::sync::mpsc::channel();
    let sink = move |event: &Event| {
        if when(event) {
            let _ = reached.send(());
        }
    };
    thread::scope(|scope| {
        let context = Context::new(&sink).with_control(&control);
        let run = scope.spawn(move || (job.run(&context), Instant::now()));
        reaching.recv_timeout(Duration::from_secs(120)).unwrap();
        let begun = Instant::now();
        then(&control);
        let (result, ended) = run.join().unwrap();
        (result, ended.saturating_duration_since(begun))
    })
}

fn is_step(event: &Event, wanted: usize) -> bool {
    matches!(event, Event::Paint(PaintEvent::Step { iteration, .. }) if *iteration == wanted)
}

fn same(a: &Painting, b: &Painting) -> bool {
    let losses = |painting: &Painting| painting.history.iter().map(|(_, losses)| *losses).collect::<Vec<_>>();
    a.picture == b.picture && losses(a) == losses(b)
}

/// A step of this painting takes a second and more; the bound leaves room for a busy machine. What is reached is measured
/// by the bench `control`.
#[test]
fn a_painting_stops_in_the_middle_of_a_step_and_resumes_bit_for_bit() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let job = |change: &dyn Fn(&mut Overrides)| {
        painting(folder.path(), 800, |given| {
            (given.scales, given.iterations, given.checkpoint_every) = (Some(1), Some(3), Some(1e6));
            change(given);
        })
    };
    let straight = job(&|_| ()).run(&Context::default()).unwrap();
    let stopped = job(&|given| given.output = Some(folder.path().join("b.png")));
    let (result, seconds) = controlled(
        &stopped,
        |event| is_step(event, 1),
        |control| {
            thread::sleep(Duration::from_millis(150));
            control.stop();
        },
    );
    let result = result.unwrap();
    assert_eq!((result.end.clone(), result.history.len()), (End::Stopped, 1));
    let step = straight.history[2].0 - straight.history[1].0;
    assert!(seconds.as_secs_f64() < 0.15 + 0.6 * step.max(1.0), "{seconds:?} with steps of {step} s");
    let checkpoint = checkpoint_path(&folder.path().join("b.png"));
    let resumed = PaintJob::resume(&checkpoint, Overrides::default()).unwrap().run(&Context::default()).unwrap();
    assert!(same(&resumed, &straight));
}

#[test]
fn a_paused_painting_computes_nothing_and_changes_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let job = |output: &str| {
        painting(folder.path(), 200, |given| {
            (given.iterations, given.output) = (Some(4), Some(folder.path().join(output)));
        })
    };
    let straight = job("a.png").run(&Context::default()).unwrap();
    let (paused, _) = controlled(
        &job("b.png"),
        |event| is_step(event, 2),
        |control| {
            control.pause();
            thread::sleep(Duration::from_millis(100));
            let before = cpu_seconds();
            thread::sleep(Duration::from_millis(400));
            let used = cpu_seconds() - before;
            control.resume();
            assert!(used < 0.1, "{used} CPU seconds in a pause of 0.4 s");
        },
    );
    let paused = paused.unwrap();
    assert!(same(&paused, &straight));
    assert!(paused.history.windows(2).all(|pair| pair[0].0 <= pair[1].0), "time does not run while paused");
}

#[test]
fn a_painting_gives_its_memory_back_and_resumes_bit_for_bit() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let job = |output: &str| {
        painting(folder.path(), 240, |given| {
            (given.iterations, given.output) = (Some(4), Some(folder.path().join(output)));
        })
    };
    let straight = job("a.png").run(&Context::default()).unwrap();
    for wanted in [1, 5] {
        let output = format!("{wanted}.png");
        let checkpoint = checkpoint_path(&folder.path().join(&output));
        let (released, _) = controlled(
            &job(&output),
            |event| is_step(event, wanted),
            |control| {
                control.pause_and_release();
                thread::sleep(Duration::from_millis(500));
                // Only a painting that is not in memory leaves the lock of its checkpoint to others.
                let lock = impasto_files::Lock::of(&checkpoint);
                assert!(lock.is_ok(), "the run waits without its files");
                drop(lock);
                control.resume();
            },
        );
        assert!(same(&released.unwrap(), &straight), "released after step {wanted}");
        assert!(!checkpoint.exists());
    }
}

#[test]
fn what_is_stopped_before_its_first_step_leaves_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let control = Control::default();
    control.stop();
    let context = Context::default().with_control(&control);
    let error = painting(folder.path(), 64, |_| ()).run(&context).unwrap_err();
    assert!(matches!(error, JobError::Stopped(Stopped)), "{error:?}");
    let job = painting(folder.path(), 1000, |_| ());
    let (result, _) =
        controlled(&job, |event| matches!(event, Event::Paint(PaintEvent::Started { .. })), Control::stop);
    let stopped = matches!(result, Err(JobError::Paint(PaintError::Stopped(Stopped))));
    assert!(stopped, "{result:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().ends_with(".lock")), "{left:?}");
}

/// Runs small jobs of every kind with this sink.
fn every_job(folder: &Path, sink: &dyn EventSink, previews: &Previews) {
    let context = Context::new(sink).with_previews(previews);
    painting(folder, 72, |given| (given.iterations, given.save_every) = (Some(3), Some(2))).run(&context).unwrap();
    let styles = vec![StyleChoice::new(names()[0])];
    let inputs = vec![example("coffee.png"), folder.join("none.png")];
    let output = Some(folder.join("stylized"));
    StylizeJob { inputs, styles, output, ..StylizeJob::default() }.run(&context).unwrap();
    let photos = folder.join("photos");
    std::fs::create_dir(&photos).unwrap();
    for i in 0..8 {
        let photo = impasto::Picture::read(&example("coffee.png")).unwrap().resized(48 + i, 64);
        photo.write(&photos.join(format!("{i}.png")), None).unwrap();
    }
    let given = TrainOverrides {
        style: vec![format!("a={}", example("starry-night.jpg").display()).parse().unwrap()],
        photos: vec![photos],
        output: Some(folder.join("m.safetensors")),
        image_size: Some(48),
        style_size: Some(48),
        width: Some(16),
        residual_blocks: Some(1),
        batch: Some(1),
        steps: Some(3),
        ..TrainOverrides::default()
    };
    TrainJob::new(given).unwrap().run(&context).unwrap();
    let mut eval = EvalJob::new(example("coffee.png"), example("starry-night.jpg"), vec![folder.join("out.png")]);
    eval.settings.threads = Some(2);
    eval.run(&context).unwrap();
}

#[test]
fn events_of_every_job_read_back_from_json_and_previews_are_small() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (events, sizes) = (Mutex::new(Vec::new()), Arc::new(Mutex::new(Vec::new())));
    let shown = sizes.clone();
    let previews = Previews::new(Duration::ZERO, Some(40), move |preview| {
        shown.lock().unwrap().push(preview.picture.height().max(preview.picture.width()));
    });
    every_job(folder.path(), &events, &previews);
    drop(previews);
    let sizes = sizes.lock().unwrap();
    assert!(sizes.len() >= 3 && sizes.iter().all(|side| *side == 40), "{sizes:?}");
    let events = events.into_inner().unwrap();
    for event in &events {
        let json = serde_json::to_value(event).unwrap();
        assert!(json["job"].is_string() && json["event"].is_string(), "{json}");
        let back: Event = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(&back, event, "{json}");
        assert_eq!(serde_json::from_str::<Event>(&json.to_string()).unwrap(), back);
    }
    let names = |job: &str| {
        let of_job = events.iter().map(|event| serde_json::to_value(event).unwrap());
        let of_job = of_job.filter(|json| json["job"] == job).map(|json| json["event"].as_str().unwrap().to_owned());
        of_job.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("paint"), "checkpoint finished saved scale started step");
    assert_eq!(names("stylize"), "done failed finished painting started");
    assert_eq!(names("train"), "finished saved started step validated");
    assert_eq!(names("eval"), "done finished started");
}

#[test]
fn losses_that_are_not_finite_read_back() {
    let _alone = alone();
    let losses = Losses { loss: f64::NAN, content: f64::INFINITY, style: 1.5, total_variation: 0.0 };
    let event = Event::Paint(PaintEvent::Finished { iteration: 1, elapsed: 0.5, end: End::TimeUp, losses });
    let json = serde_json::to_string(&event).unwrap();
    let Event::Paint(PaintEvent::Finished { losses, .. }) = serde_json::from_str(&json).unwrap() else {
        panic!("{json}")
    };
    assert!(losses.loss.is_nan() && losses.content.is_nan() && losses.style == 1.5, "{losses:?}");
}

/// Seconds of processor time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat.rsplit(')').next().unwrap_or("").split(' ').filter_map(|f| f.parse().ok()).collect();
    fields.get(10).zip(fields.get(11)).map_or(0.0, |(user, system)| (user + system) / 100.0)
}

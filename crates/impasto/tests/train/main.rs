//! Small networks trained for a few steps on real pictures.

mod studio;

use std::path::Path;
use std::sync::OnceLock;

use impasto::job::{Context, End, Event, Job};
use impasto::train::{Every, TrainError, TrainEvent, TrainFrom, TrainJob, TrainOverrides, Trained, checkpoint_path};
use impasto_nn::style_model::StyleModel;
use studio::{Studio, bits, stopped_after, watched};

#[test]
fn the_loss_falls_and_everything_is_written() {
    let studio = Studio::new();
    let job = TrainJob {
        author: Some("Ada".into()),
        license: Some("CC0-1.0".into()),
        ..studio.job("m.safetensors", |s| (s.steps, s.validate_every) = (40, Every::Steps(20)))
    };
    let (trained, events) = watched(&job);
    let trained = trained.unwrap();
    let validated: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            TrainEvent::Validated { step, losses, styles, .. } => Some((*step, losses.loss, styles.len())),
            _ => None,
        })
        .collect();
    assert_eq!(validated.iter().map(|v| (v.0, v.2)).collect::<Vec<_>>(), [(0, 2), (20, 2), (40, 2)]);
    assert!(validated[2].1 < 0.6 * validated[0].1, "{validated:?}");
    assert_eq!((trained.history.len(), trained.end), (40, End::Complete));

    let model = StyleModel::load(&studio.path("m.safetensors")).unwrap();
    assert_eq!(model, trained.model);
    let card = &model.card;
    assert_eq!(
        (card.name.as_str(), card.author.as_deref(), card.license.as_deref()),
        ("m", Some("Ada"), Some("CC0-1.0"))
    );
    assert_eq!(card.styles.iter().map(|style| style.name.as_str()).collect::<Vec<_>>(), ["night", "detail"]);
    let thumbnail = image::load_from_memory(card.styles[0].thumbnail.as_ref().unwrap()).unwrap();
    assert_eq!(thumbnail.width().max(thumbnail.height()), 128);
    let training = card.training.as_ref().unwrap().to_string();
    assert!(training.contains("\"image_size\":64") && !training.contains(studio.folder.path().to_str().unwrap()));

    // The paintings above, four photographs on the left: three tiles across and five down, with gaps.
    let sheet = image::open(studio.path("m-preview.jpg")).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (3 * 72 + 8, 5 * 72 + 8));
    assert_eq!(image::open(studio.path("m-curve.png")).unwrap().width(), 900);
}

#[test]
fn a_run_that_was_stopped_goes_on_bit_for_bit() {
    let studio = Studio::new();
    let settings = |s: &mut impasto::train::TrainSettings| s.validate_every = Every::Steps(3);
    let straight = watched(&studio.job("a.safetensors", settings)).0.unwrap();
    // Stopped and resumed twice: over an epoch's end, and between validations.
    let stopped = stopped_after(&studio.job("b.safetensors", settings), 4);
    assert_eq!((stopped.end, stopped.history.len()), (End::Stopped, 4));
    let given = || TrainOverrides { output: Some(studio.path("b.safetensors")), ..TrainOverrides::default() };
    let resume = || TrainJob::resume(given()).unwrap();
    assert_eq!(stopped_after(&resume(), 8).history.len(), 8);
    let resumed = watched(&resume()).0.unwrap();
    assert_eq!(bits(&resumed), bits(&straight));
    assert_eq!(resumed.model.parameters, straight.model.parameters);
    assert_eq!(resumed.losses, straight.losses);
    let checkpoint = |name: &str| state(&checkpoint_path(&studio.path(name)));
    assert_eq!(checkpoint("a.safetensors"), checkpoint("b.safetensors"));
}

/// What a training that was stopped comes to when it is resumed.
fn resumed(studio: &Studio, output: &str) -> Trained {
    let given = TrainOverrides { output: Some(studio.path(output)), ..TrainOverrides::default() };
    watched(&TrainJob::resume(given).unwrap()).0.unwrap()
}

/// The network, the predictor and the order of the paintings come back; the model paints in the style of pictures that it
/// never saw.
#[test]
fn a_network_of_any_style_is_trained_resumed_bit_for_bit_and_used() {
    let studio = Studio::new();
    let straight = watched(&studio.any("a.safetensors", |_| ())).0.unwrap();
    let stopped = stopped_after(&studio.any("b.safetensors", |_| ()), 4);
    assert_eq!((stopped.end, stopped.history.len()), (End::Stopped, 4));
    let resumed = resumed(&studio, "b.safetensors");
    assert_eq!((bits(&resumed), &resumed.model.parameters), (bits(&straight), &straight.model.parameters));
    let predictor = straight.model.predictor.as_ref().unwrap();
    assert_eq!(resumed.model.predictor.as_ref(), Some(predictor));
    let first = predictor.predict(&predictor.parameters[..1920]);
    assert_eq!(
        first,
        straight.model.shape.normalisation_of(0, &straight.model.parameters),
        "its own style is the mean"
    );
    assert!(straight.losses.loss < straight.history[0].1.loss, "it learns");
    assert_eq!(StyleModel::load(&studio.path("a.safetensors")).unwrap(), straight.model);

    let paint = |styles: &[&str]| {
        let model = studio.path("a.safetensors");
        let choice = |style: &&str| format!("{}#{style}", model.display()).parse().unwrap();
        let choices: Vec<_> = styles.iter().map(choice).collect();
        let blend = impasto::styles::Blend::find(&choices)?;
        let stylizer = impasto::Stylizer::new(&blend, &Default::default()).unwrap();
        let photo = impasto::Picture::read(&studio.path("photos/1/2.jpg")).unwrap();
        Ok::<_, impasto::styles::StylesError>((stylizer.stylize(photo).unwrap().picture, blend.label()))
    };
    let (night, detail) = (studio.path("night.png"), studio.path("detail.jpg"));
    let (night, detail) = (night.to_str().unwrap(), detail.to_str().unwrap());
    let (one, label) = paint(&[night]).unwrap();
    assert_eq!(label, "night");
    assert!(one != paint(&[detail]).unwrap().0, "every picture has a style of its own");
    assert_eq!(paint(&[night, "mean"]).unwrap().1, "night-mean");
    std::fs::write(studio.path("broken.png"), "no picture").unwrap();
    let refused = paint(&[studio.path("broken.png").to_str().unwrap()]).unwrap_err().to_string();
    assert!(refused.contains("broken.png"), "{refused}");
}

#[test]
fn a_network_of_any_style_learns_styles_of_its_own_as_well() {
    let studio = Studio::new();
    let job = |output: &str| {
        let styles = studio.job(output, |_| ()).styles;
        let job = studio.any(output, |settings| settings.own_share = 0.5);
        TrainJob { styles, ..job }
    };
    let straight = watched(&job("a.safetensors")).0.unwrap();
    let stopped = stopped_after(&job("b.safetensors"), 4);
    assert_eq!(stopped.end, End::Stopped);
    let resumed = resumed(&studio, "b.safetensors");
    assert_eq!(straight.model.parameters, resumed.model.parameters);
    assert_eq!(straight.model.predictor, resumed.model.predictor);
    let names: Vec<&str> = straight.model.card.styles.iter().map(|style| style.name.as_str()).collect();
    assert_eq!(names, ["night", "detail"]);
    let rows = [0, 1].map(|style| straight.model.shape.normalisation_of(style, &straight.model.parameters));
    assert_ne!(rows[0], rows[1], "each style has learned");

    // What it predicts is where a further style begins.
    let further = TrainJob {
        from: TrainFrom::Model(studio.path("a.safetensors")),
        ..studio.job("c.safetensors", |s| s.steps = 1)
    };
    let begun = |name: &str| {
        let mut job = further.clone();
        job.styles.truncate(1);
        job.styles[0].name = name.into();
        let loss = |event: &TrainEvent| match event {
            TrainEvent::Validated { step: 0, losses, .. } => Some(losses.loss),
            _ => None,
        };
        watched(&job).1.iter().find_map(loss).unwrap()
    };
    assert_ne!(begun("night"), begun("new"), "a known name keeps its scales and shifts");
}

#[test]
fn any_style_needs_paintings() {
    let studio = Studio::new();
    let refused = |change: fn(&mut TrainOverrides)| {
        let mut given = studio.given("a.safetensors", |_| ());
        change(&mut given);
        TrainJob::new(given).unwrap_err().to_string()
    };
    assert!(refused(|given| given.any = Some(true)).contains("`--styles`"));
    assert!(refused(|given| given.styles = vec!["paintings".into()]).contains("`--any`"));
}

#[test]
fn paintings_of_which_none_can_be_read_are_refused() {
    let studio = Studio::new();
    let job = studio.any("a.safetensors", |_| ());
    for i in 0..9 {
        std::fs::write(studio.path(&format!("paintings/{i}.png")), "no picture").unwrap();
    }
    let refused = watched(&job).0.unwrap_err().to_string();
    assert!(refused.contains("paintings can be read"), "{refused}");
}

#[test]
fn validation_does_not_disturb_the_run() {
    let studio = Studio::new();
    let run = |output: &str, every: usize| {
        let job = studio.job(output, |s| (s.steps, s.validate_every) = (5, Every::Steps(every)));
        watched(&job).0.unwrap()
    };
    assert_eq!(bits(&run("often.safetensors", 1)), bits(&run("never.safetensors", 1000)));
}

#[test]
fn seeds_differ_and_one_seed_is_one_network() {
    let studio = Studio::new();
    let run = |output: &str, seed: u64| {
        let job = studio.job(output, |s| (s.steps, s.seed) = (2, seed));
        watched(&job).0.unwrap().model.parameters
    };
    let first = run("a.safetensors", 1);
    assert_eq!(first, run("b.safetensors", 1));
    assert_ne!(first, run("c.safetensors", 2));
}

#[test]
fn broken_photographs_are_left_out_and_listed() {
    let studio = Studio::new();
    let whole = std::fs::read(studio.path("photos/2/2.png")).unwrap();
    std::fs::write(studio.path("photos/cut.png"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(studio.path("photos/none.jpg"), b"not a picture").unwrap();
    std::fs::write(studio.path("photos/zero.jpeg"), b"").unwrap();
    std::fs::write(studio.path("photos/notes.txt"), b"not even meant to be one").unwrap();
    // None of the three is among those held out for reports, which are not read; an epoch is seven photographs.
    let (trained, events) = watched(&studio.job("m.safetensors", |s| s.steps = 6));
    let mut names: Vec<_> =
        trained.unwrap().skipped.iter().map(|s| s.path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["cut.png", "none.jpg", "zero.jpeg"]);
    assert_eq!(events.iter().filter(|event| matches!(event, TrainEvent::Skipped(_))).count(), 3);
    let Some(TrainEvent::Finished { skipped, .. }) =
        events.iter().find(|event| matches!(event, TrainEvent::Finished { .. }))
    else {
        panic!("{events:?}")
    };
    assert!(skipped.iter().any(|photo| photo.reason.contains("broken or cut short")), "{skipped:?}");
}

#[test]
fn a_rate_too_wild_goes_back_and_gives_up_in_a_sentence() {
    let studio = Studio::new();
    let (trained, events) = watched(&studio.job("m.safetensors", |s| s.learning_rate = 1e30));
    let back = events.iter().filter(|event| matches!(event, TrainEvent::RolledBack { .. })).count();
    assert_eq!(back, 5, "{events:?}");
    let Err(error @ TrainError::NotFinite { .. }) = trained else { panic!("{trained:?}") };
    assert!(
        error.to_string().contains("smaller `--learning-rate` than 1e30") || error.to_string().contains("than 1000"),
        "{error}"
    );
    assert!(!studio.path("m.safetensors").exists() && checkpoint_path(&studio.path("m.safetensors")).exists());
}

#[test]
fn a_start_that_is_not_finite_is_refused() {
    let studio = Studio::new();
    let (trained, _) = watched(&studio.job("m.safetensors", |s| s.style_weight = 1e300));
    assert!(matches!(trained, Err(TrainError::NotFiniteStart)), "{trained:?}");
}

#[test]
fn minutes_become_steps_before_the_end() {
    let studio = Studio::new();
    let (trained, events) = watched(&studio.job("m.safetensors", |s| (s.steps, s.minutes) = (100_000, Some(0.15))));
    let trained = trained.unwrap();
    assert_eq!(trained.end, End::TimeUp);
    let announced = events.iter().rev().find_map(|event| match event {
        TrainEvent::Step { steps, .. } => Some(*steps),
        _ => None,
    });
    assert_eq!(announced, Some(trained.history.len()), "the number of steps was known before the end");
}

#[test]
fn a_network_is_gone_on_from_and_another_architecture_is_refused() {
    let studio = Studio::new();
    let first = watched(&studio.job("first.safetensors", |s| s.steps = 20)).0.unwrap();
    let from = TrainFrom::Model(studio.path("first.safetensors"));
    let job = TrainJob { from: from.clone(), ..studio.job("second.safetensors", |s| s.steps = 1) };
    let (second, events) = watched(&job);
    let start = events.iter().find_map(|event| match event {
        TrainEvent::Validated { step: 0, losses, .. } => Some(losses.loss),
        _ => None,
    });
    assert_eq!(start, Some(first.losses.loss), "it begins where the other ended");
    assert!(second.is_ok());
    let job = TrainJob { from, ..studio.job("third.safetensors", |s| s.residual_blocks = 1) };
    let error = watched(&job).0.unwrap_err().to_string();
    assert!(error.contains("width 16 with 2 residual blocks"), "{error}");
}

#[test]
fn what_a_run_was_made_with_is_not_changed_behind_its_back() {
    let studio = Studio::new();
    stopped_after(&studio.job("m.safetensors", |_| ()), 2);
    let resume = |change: &dyn Fn(&mut TrainOverrides)| {
        let mut given = TrainOverrides { output: Some(studio.path("m.safetensors")), ..TrainOverrides::default() };
        change(&mut given);
        TrainJob::resume(given)
    };
    let refused = |change: &dyn Fn(&mut TrainOverrides), word: &str| {
        let error = resume(change).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(&|given| given.style_weight = Some(7.0), "another `--style-weight` (0.05)");
    refused(&|given| given.batch = Some(3), "another `--batch` (2)");
    refused(&|given| given.style = vec!["night.png".parse().unwrap()], "another `--style` (night:1, detail:1)");
    refused(&|given| given.output = Some(studio.path("other.safetensors")), "there is no checkpoint");
    assert_eq!(resume(&|given| given.steps = Some(3)).unwrap().settings.steps, 3);

    let anew = watched(&studio.job("m.safetensors", |_| ())).0.unwrap_err().to_string();
    assert!(anew.contains("stopped at step 2 of 10: resume it with `--resume`"), "{anew}");
    std::fs::remove_file(studio.path("photos/0/0.jpg")).unwrap();
    let error = watched(&resume(&|_| ()).unwrap()).0.unwrap_err().to_string();
    assert!(error.contains("another `--photos`"), "{error}");
}

/// The tensors of a checkpoint, without what names files and seconds.
fn state(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut state: Vec<_> = tensors
        .tensors()
        .into_iter()
        .filter(|(name, _)| ["parameters", "good", "best", "adam.first", "adam.second"].contains(&name.as_str()))
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect();
    state.sort();
    assert_eq!(state.len(), 5);
    state
}

/// A run by minutes counts steps once its speed is known: the checkpoint that it wrote on the way leads to where it came
/// itself, however often that run is stopped, and however long it takes.
#[test]
fn a_run_by_minutes_that_was_stopped_resumes_bit_for_bit() {
    let studio = Studio::new();
    let job = studio.job("whole.safetensors", |s| {
        (s.steps, s.minutes, s.validate_every) = (100_000, Some(0.3), Every::Steps(2));
    });
    let kept = checkpoint_path(&studio.path("stopped.safetensors"));
    let (known, copied) = (OnceLock::new(), OnceLock::new());
    let sink = |event: &Event| match event {
        Event::Train(TrainEvent::Step { step, steps, .. }) if *steps < 100_000 => {
            known.get_or_init(|| (*step, *steps));
        }
        Event::Train(TrainEvent::Saved { step, path })
            if known.get().is_some() && path.ends_with("whole-checkpoint.safetensors") =>
        {
            copied.get_or_init(|| {
                std::fs::copy(path, &kept).unwrap();
                *step
            });
        }
        _ => {}
    };
    let whole = job.run(&Context::new(&sink)).unwrap();
    let (begins, steps) = *known.get().expect("the length of the run was known before its end");
    let copied = *copied.get().unwrap();
    assert!(whole.history.len() == steps && copied >= begins, "{begins} {copied} {steps}");

    let given = || TrainOverrides { output: Some(studio.path("stopped.safetensors")), ..TrainOverrides::default() };
    for stop in copied + 1..steps {
        // A pause counts no more than any other time.
        std::thread::sleep(std::time::Duration::from_millis(20));
        stopped_after(&TrainJob::resume(given()).unwrap(), stop);
        if stop == copied + 3 {
            break;
        }
    }
    let resumed = watched(&TrainJob::resume(given()).unwrap()).0.unwrap();
    assert_eq!(bits(&resumed), bits(&whole));
    assert_eq!(resumed.model.parameters, whole.model.parameters);
    assert_eq!(state(&kept), state(&checkpoint_path(&studio.path("whole.safetensors"))));
}

//! The whole of painting, stylising and training on the reference device. Its tensors are of another type than the
//! processor's, so whatever went around the seam would panic; and what it makes is what the processor makes.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Mutex;

use impasto::job::{Context, Event, Job};
use impasto::paint::{Mask, Masks};
use impasto::settings::{BorderKind, Device, LayerWeights, MemorySize, OptimizerKind, StyleLossKind};
use impasto::styles::{Blend, StyleModel};
use impasto::stylize::{StylizeError, StylizeSettings, Stylizer};
use impasto::train::{Every, TrainEvent, TrainJob, TrainOptimizer, TrainOverrides, TrainSettings};
use impasto::{Picture, Scene, Settings, network, paint};

fn example(name: &str, side: usize) -> Picture {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures");
    Picture::read(&folder.join(name)).unwrap().resized_to_longer_side(side)
}

fn layers(names: &str) -> LayerWeights {
    names.parse().unwrap()
}

/// The mean difference of two pictures, of 255.
fn apart(one: &Picture, other: &Picture) -> f32 {
    assert_eq!((one.height(), one.width()), (other.height(), other.width()));
    let differences = one.data().iter().zip(other.data()).map(|(a, b)| (a - b).abs());
    differences.sum::<f32>() / one.data().len() as f32
}

/// How far the pictures of the two devices are from each other, and how far the painting is from its photograph.
fn painted(settings: Settings, masks: Masks) -> (f32, f32) {
    let content = example("coffee.png", 48);
    let scene =
        Scene { content: content.clone(), styles: vec![(example("starry-night.jpg", 60), 1.0)], start: None, masks };
    let on = |device| {
        let settings = Settings { device, threads: Some(2), ..settings.clone() };
        let painting = paint(&scene, &settings, network("vgg19").unwrap(), &Context::default()).unwrap();
        painting.picture
    };
    let (reference, cpu) = (on(Device::Reference), on(Device::Cpu));
    (apart(&reference, &cpu), apart(&cpu, &content))
}

fn shallow() -> Settings {
    Settings {
        size: Some(48),
        min_size: 32,
        iterations: 4,
        content_layers: layers("conv2_1"),
        style_layers: layers("conv1_1,conv2_1"),
        ..Settings::default()
    }
}

#[test]
fn a_painting_is_the_same_with_every_optimiser_loss_and_border() {
    let cases = [
        shallow(),
        Settings { optimizer: OptimizerKind::Adam, learning_rate: 5.0, average: 0.9, ..shallow() },
        Settings { style_loss: StyleLossKind::Gram, border: BorderKind::Replicate, tv_weight: 1.0, ..shallow() },
        Settings { style_loss: StyleLossKind::Sliced, border: BorderKind::Zero, ..shallow() },
    ];
    for settings in cases {
        let (difference, change) = painted(settings.clone(), Masks::default());
        assert!(difference < 0.02 * change && change > 1.0, "{difference} of {change}: {settings:?}");
    }
}

#[test]
fn a_painting_through_the_whole_network_with_a_mask_is_the_same() {
    let half: Vec<f32> = (0..3 * 32 * 48).map(|i| if i % 48 < 24 { 255.0 } else { 0.0 }).collect();
    let protect = Some(Mask::of(&Picture::from_planar(32, 48, half)));
    let settings = Settings { size: Some(48), scales: Some(1), iterations: 2, ..Settings::default() };
    let (difference, change) = painted(settings, Masks { protect, ..Masks::default() });
    assert!(difference < 0.02 * change && change > 0.5, "{difference} of {change}");
}

#[test]
fn a_picture_is_stylised_the_same() {
    let model =
        StyleModel::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("styles/styles.safetensors").as_ref()).unwrap();
    let mut shares = vec![0.0; model.shape.styles];
    shares[0] = 1.0;
    let photo = example("chelsea.png", 40);
    let on = |device| {
        let blend = Blend { model: Cow::Owned(model.clone()), shares: shares.clone() };
        let settings = StylizeSettings { device, threads: Some(2), ..StylizeSettings::default() };
        Stylizer::new(&blend, &settings).unwrap().stylize(photo.clone()).unwrap().picture
    };
    let (reference, cpu) = (on(Device::Reference), on(Device::Cpu));
    assert!(apart(&reference, &cpu) < 0.01 && apart(&cpu, &photo) > 5.0);
}

#[test]
fn the_reference_keeps_to_the_memory_allowed() {
    let model = StyleModel::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("styles/styles.safetensors")).unwrap();
    let shares = vec![1.0 / model.shape.styles as f32; model.shape.styles];
    let memory = Some(MemorySize(64 << 20));
    let settings = StylizeSettings { device: Device::Reference, memory, ..StylizeSettings::default() };
    let stylizer = Stylizer::new(&Blend { model: Cow::Owned(model), shares }, &settings).unwrap();
    assert!(stylizer.check(40, 40).is_ok());
    assert!(matches!(stylizer.check(2000, 2000), Err(StylizeError::Memory { .. })));
}

#[test]
fn a_network_is_trained_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("photos")).unwrap();
    for (i, name) in
        ["chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"].into_iter().cycle().take(12).enumerate()
    {
        example(name, 40 + i).write(&path(&format!("photos/{i}.png")), None).unwrap();
    }
    example("starry-night.jpg", 40).write(&path("night.png"), None).unwrap();
    let on = |device, optimizer| {
        let settings = TrainSettings {
            device,
            optimizer,
            image_size: 32,
            style_size: 40,
            batch: 2,
            steps: 5,
            width: 16,
            residual_blocks: 1,
            threads: Some(2),
            validate_every: Every::Steps(1000),
            content_layers: layers("conv2_1"),
            style_layers: layers("conv1_1,conv2_1"),
            ..TrainSettings::default()
        };
        let given = TrainOverrides {
            style: vec![format!("night={}", path("night.png").display()).parse().unwrap()],
            photos: vec![path("photos")],
            output: Some(path(&format!("{device:?}-{optimizer:?}.safetensors"))),
            ..TrainOverrides::from(&settings)
        };
        let steps = Mutex::new(Vec::new());
        let note = |event: &Event| {
            if let Event::Train(TrainEvent::Step { losses, gradient_norm, .. }) = event {
                steps.lock().unwrap().push([losses.content, losses.style, *gradient_norm]);
            }
        };
        TrainJob::new(given).unwrap().run(&Context::new(&note)).unwrap();
        steps.into_inner().unwrap()
    };
    // What a step finds depends on all parameters that the steps before it moved.
    for optimizer in [TrainOptimizer::Muon, TrainOptimizer::Adam] {
        let (reference, cpu) = (on(Device::Reference, optimizer), on(Device::Cpu, optimizer));
        assert_eq!((reference.len(), cpu.len()), (5, 5));
        for (reference, cpu) in reference.iter().zip(&cpu) {
            let near = |(a, b): (&f64, &f64)| (a / b - 1.0).abs() < 1e-3;
            assert!(reference.iter().zip(cpu).all(near), "{optimizer:?}: {reference:?} against {cpu:?}");
        }
    }
}

//! Networks of other shapes than Johnson's: trained, written, read, exported and imported by walking the same layers.

mod common;

use common::styles::{furthest, model};
use impasto_nn::backend::{Backend, Cpu, CpuBackend, ReferenceBackend};
use impasto_nn::kernels::{Normalisation, StyleNetShape};
use impasto_nn::style_model::{StyleDtype, StyleModel};

const SIDE: usize = 16;

/// No downsampling and 3×3 edges; one downsampling; Johnson's order with 3×3 edges.
const SHAPES: [StyleNetShape; 3] = [
    StyleNetShape { width: 16, downsamplings: 0, residual_blocks: 3, edge_kernel: 3, styles: 1 },
    StyleNetShape { width: 32, downsamplings: 1, residual_blocks: 1, edge_kernel: 9, styles: 1 },
    StyleNetShape { width: 16, downsamplings: 2, residual_blocks: 3, edge_kernel: 3, styles: 1 },
];

fn picture(wave: f32) -> Vec<f32> {
    (0..3 * SIDE * SIDE).map(|i| 127.0 + 100.0 * (i as f32 * wave).sin()).collect()
}

/// The processor's kernels, and the definition.
fn backends() -> [Box<dyn Backend>; 2] {
    let cpu = || Cpu::new(2);
    [Box::new(CpuBackend::new(cpu())), Box::new(ReferenceBackend::new(cpu()))]
}

fn paint(backend: &dyn Backend, model: &StyleModel, picture: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; picture.len()];
    let net = backend.style_net(model.shape, &model.parameters).unwrap();
    net.run(picture, SIDE, SIDE, Normalisation::Style(0), usize::MAX, &mut out).unwrap();
    out
}

/// A few steps down the slope of the squared distance to another picture; the loss before and after.
fn train(backend: &dyn Backend, model: &mut StyleModel) -> (f64, f64) {
    let (photo, wanted) = (picture(0.11), picture(0.05));
    let mut trainer = backend.style_trainer(model.shape, SIDE, SIDE).unwrap();
    let (mut losses, mut painted) = (Vec::new(), backend.zeros(photo.len()));
    for _ in 0..6 {
        trainer.set_parameters(&backend.upload(model.parameters.clone())).unwrap();
        trainer.forward(&photo, Normalisation::Style(0), &mut painted);
        let away: Vec<f32> = backend.download(&painted).iter().zip(&wanted).map(|(a, b)| a - b).collect();
        losses.push(away.iter().map(|v| f64::from(v * v)).sum::<f64>());
        trainer.backward(&backend.upload(away));
        let mut gradient = backend.zeros(model.parameters.len());
        trainer.take_gradient(1.0, &mut gradient);
        let gradient = backend.take(gradient);
        let length = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        model.parameters.iter_mut().zip(&gradient).for_each(|(value, g)| *value -= 0.05 * g / length);
    }
    (losses[0], losses[5])
}

#[test]
fn a_network_of_another_shape_is_trained_written_exported_and_imported() {
    for (backend, shape) in backends().iter().flat_map(|backend| SHAPES.map(|shape| (&**backend, shape))) {
        let mut trained = model(shape);
        let (before, after) = train(backend, &mut trained);
        assert!(after < 0.9 * before, "{backend:?}, {shape:?}: {before} to {after}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        trained.save(&path, StyleDtype::F32).unwrap();
        let read = StyleModel::load(&path).unwrap();
        assert_eq!((read.shape, &read.parameters), (shape, &trained.parameters));

        let imported = StyleModel::import_bytes("model.onnx", trained.to_onnx().unwrap()).unwrap();
        assert_eq!(imported.shape, shape);
        let photo = picture(0.3);
        let painted = paint(backend, &trained, &photo);
        assert!(furthest(&painted, &paint(backend, &imported, &photo)) < 1e-2, "{shape:?}");
        assert!(furthest(&painted, &photo) > 1.0);
    }
}

#[test]
fn both_backends_paint_networks_of_other_shapes_alike() {
    let [cpu, reference] = backends();
    for shape in SHAPES {
        let (model, photo) = (model(shape), picture(0.2));
        assert!(furthest(&paint(&*cpu, &model, &photo), &paint(&*reference, &model, &photo)) < 1e-2);
    }
}

#[test]
fn normalisations_may_come_from_outside() {
    for shape in SHAPES {
        let (model, photo) = (model(shape), picture(0.2));
        let given: Vec<f32> = (0..shape.normalisation_len()).map(|i| 0.8 + 0.3 * (i as f32).sin()).collect();
        let found = backends().map(|backend| {
            let mut trainer = backend.style_trainer(shape, SIDE, SIDE).unwrap();
            trainer.set_parameters(&backend.upload(model.parameters.clone())).unwrap();
            let mut painted = backend.zeros(photo.len());
            trainer.forward(&photo, Normalisation::Given(&given), &mut painted);
            trainer.backward(&backend.upload(picture(0.4)));
            (backend.take(painted), trainer.normalisation_gradient().to_vec())
        });
        let [(painted, gradient), (expected, expected_gradient)] = found;
        assert!(furthest(&painted, &expected) < 1e-2, "{shape:?}");
        let largest = expected_gradient.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        assert_eq!(gradient.len(), given.len());
        assert!(furthest(&gradient, &expected_gradient) < 1e-3 * largest, "{shape:?}");
        assert!(furthest(&painted, &paint(&*backends()[0], &model, &photo)) > 1.0);
    }
}

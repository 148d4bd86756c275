//! Networks of other shapes than Johnson's: trained, written, read, exported and imported by walking the same layers.

mod common;

use common::styles::{furthest, model};
use impasto_nn::kernels::reference::{ReferenceStyleNet, ReferenceStyleNetTrainer};
use impasto_nn::kernels::{Isa, StyleNet, StyleNetError, StyleNetShape, Threads};
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

fn paint(model: &StyleModel, picture: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; picture.len()];
    let net = ReferenceStyleNet::new(model.shape, &model.parameters).unwrap();
    net.run(picture, SIDE, SIDE, &[1.0], &mut out).unwrap();
    out
}

/// A few steps down the slope of the squared distance to another picture; the loss before and after.
fn train(model: &mut StyleModel) -> (f64, f64) {
    let (photo, wanted) = (picture(0.11), picture(0.05));
    let mut trainer = ReferenceStyleNetTrainer::new(model.shape, SIDE, SIDE).unwrap();
    let (mut losses, mut painted) = (Vec::new(), vec![0.0; photo.len()]);
    let mut gradient = vec![0.0; model.parameters.len()];
    for _ in 0..6 {
        trainer.set_parameters(&model.parameters).unwrap();
        trainer.forward(&photo, 0, &mut painted);
        let away: Vec<f32> = painted.iter().zip(&wanted).map(|(a, b)| a - b).collect();
        losses.push(away.iter().map(|v| f64::from(v * v)).sum::<f64>());
        trainer.backward(&away);
        trainer.take_gradient(1.0, &mut gradient);
        let length = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        model.parameters.iter_mut().zip(&gradient).for_each(|(value, g)| *value -= 0.05 * g / length);
    }
    (losses[0], losses[5])
}

#[test]
fn a_network_of_another_shape_is_trained_written_exported_and_imported() {
    for shape in SHAPES {
        let mut trained = model(shape);
        let (before, after) = train(&mut trained);
        assert!(after < 0.9 * before, "{shape:?}: {before} to {after}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        trained.save(&path, StyleDtype::F32).unwrap();
        let read = StyleModel::load(&path).unwrap();
        assert_eq!((read.shape, &read.parameters), (shape, &trained.parameters));

        let imported = StyleModel::import_bytes("model.onnx", trained.to_onnx().unwrap()).unwrap();
        assert_eq!(imported.shape, shape);
        let photo = picture(0.3);
        let painted = paint(&trained, &photo);
        assert!(furthest(&painted, &paint(&imported, &photo)) < 1e-2, "{shape:?}");
        assert!(furthest(&painted, &photo) > 1.0);
    }
}

#[test]
fn the_kernels_run_small_edges_and_refuse_other_downsamplings_in_a_sentence() {
    for shape in SHAPES {
        let model = model(shape);
        let net = StyleNet::new(Isa::best(), Threads::new(2), shape, &model.parameters);
        if shape.downsamplings < 2 {
            let error = net.err().unwrap();
            assert_eq!(error, StyleNetError::Kernels { downsamplings: shape.downsamplings });
            assert!(error.to_string().contains("--device reference"), "{error}");
            continue;
        }
        let photo = picture(0.2);
        let mut out = vec![0.0; photo.len()];
        net.unwrap().run(&photo, SIDE, SIDE, &[1.0], usize::MAX, &mut out).unwrap();
        assert!(furthest(&out, &paint(&model, &photo)) < 1e-2);
    }
}

//! What `tools/make_vectors.py` stored, and the network it used.

use std::{collections::HashMap, fs, path::Path, sync::LazyLock};

use impasto_nn::vgg::{Vgg, VggKind};
use safetensors::{Dtype, SafeTensors};

/// The built-in network, unpacked once.
pub(crate) static VGG: LazyLock<Vgg> = LazyLock::new(Vgg::builtin);

/// `height × width` of the pictures that vectors were made for.
pub(crate) const SIZES: [(usize, usize); 7] = [(1, 1), (2, 3), (1, 17), (15, 40), (33, 17), (61, 45), (93, 70)];

/// The vectors of one size; the script's head says what is in them.
pub(crate) struct Fixture {
    pub(crate) height: usize,
    pub(crate) width: usize,
    arrays: HashMap<String, (Vec<usize>, Vec<f64>)>,
}

impl Fixture {
    pub(crate) fn load((height, width): (usize, usize)) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
        let bytes = fs::read(folder.join(format!("vgg19-{height}x{width}.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let numbers = |name: &str| {
            let view = tensors.tensor(name).unwrap();
            (view.shape().to_vec(), numbers(view.dtype(), view.data()))
        };
        let arrays = tensors.names().into_iter().map(|name| (name.to_string(), numbers(name))).collect();
        Self { height, width, arrays }
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        SIZES.into_iter().map(Self::load)
    }

    pub(crate) fn shape(&self, name: &str) -> &[usize] {
        &self.array(name).0
    }

    pub(crate) fn get(&self, name: &str) -> &[f64] {
        &self.array(name).1
    }

    pub(crate) fn picture(&self, name: &str) -> Vec<f32> {
        self.get(name).iter().map(|&v| v as f32).collect()
    }

    fn array(&self, name: &str) -> &(Vec<usize>, Vec<f64>) {
        self.arrays.get(name).unwrap_or_else(|| panic!("the vectors hold no {name}"))
    }
}

fn numbers(dtype: Dtype, bytes: &[u8]) -> Vec<f64> {
    match dtype {
        Dtype::U8 => bytes.iter().map(|&b| b.into()).collect(),
        Dtype::I32 => bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect(),
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b).into()).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        other => panic!("the vectors hold no {other:?}"),
    }
}

/// The number of a convolution of VGG19 by its name.
pub(crate) fn tap(name: &str) -> usize {
    VggKind::Vgg19.layer_names().iter().position(|n| n == name).unwrap()
}

/// `‖found − expected‖ / ‖expected‖`.
pub(crate) fn distance(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let squares = found.iter().zip(expected).map(|(&f, e)| (f64::from(f) - e).powi(2)).sum::<f64>();
    squares.sqrt() / norm(expected).max(f64::MIN_POSITIVE)
}

pub(crate) fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| v.into()).collect()
}

/// Reproducible numbers, uniform over −1 to 1 (a linear congruential generator, upper bits only).
pub(crate) fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n + 4).map(|_| next()).skip(4).collect()
}

//! The image transformation network on Burn's stock operations: what runs on a GPU, and a second opinion on the kernels.

use burn::{
    Tensor,
    tensor::{
        Device, TensorData,
        activation::relu,
        module::conv2d,
        ops::{ConvOptions, PadMode},
    },
};
use impasto_kernels::{LEAST_SIDE, LayerRole, StyleNetError, StyleNetLayer, StyleNetShape};

/// ε of instance normalisation.
const EPSILON: f32 = 1e-5;

/// An image transformation network on any Burn device, to paint with.
pub struct BurnStyleNet {
    shape: StyleNetShape,
    layers: Vec<Layer>,
    device: Device,
}

/// A convolution and what follows it.
struct Layer {
    plan: StyleNetLayer,
    /// `out × in × k × k`.
    weight: Tensor<4>,
    /// Scale and shift of a normalisation, `styles × out` each; or the bias, `1 × out`.
    after: Vec<Tensor<2>>,
}

impl BurnStyleNet {
    /// The network with these parameters, which lie as [`StyleNetShape::parameters`] says, on `device`.
    ///
    /// # Errors
    /// If there are no styles, or not as many parameters as the shape needs.
    pub fn new(shape: StyleNetShape, parameters: &[f32], device: Device) -> Result<Self, StyleNetError> {
        if shape.styles == 0 {
            return Err(StyleNetError::NoStyles);
        }
        let (expected, found) = (shape.parameter_count(), parameters.len());
        if expected != found {
            return Err(StyleNetError::Parameters { expected, found });
        }
        let device = device.without_autodiff();
        let mut values = shape.parameters().into_iter().map(|p| parameters[p.range].to_vec());
        let mut next = || values.next().unwrap_or_default();
        let layer = |plan: StyleNetLayer| {
            let filters = [plan.out_channels, plan.in_channels, plan.kernel, plan.kernel];
            let weight = Tensor::from_data(TensorData::new(next(), filters), &device);
            let rows = if plan.role.is_normalised() { vec![shape.styles; 2] } else { vec![1] };
            let upload = |rows| Tensor::from_data(TensorData::new(next(), [rows, plan.out_channels]), &device);
            let after = rows.into_iter().map(upload).collect();
            Layer { plan, weight, after }
        };
        let layers = shape.layers().into_iter().map(layer).collect();
        Ok(Self { shape, layers, device })
    }

    /// The same on the CPU.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn cpu(shape: StyleNetShape, parameters: &[f32]) -> Result<Self, StyleNetError> {
        Self::new(shape, parameters, Device::flex())
    }

    /// Paints a planar picture, `3 × height × width`, RGB 0–255, into `out`, which has the same shape and may leave
    /// 0–255; as [`StyleNet::run`](impasto_kernels::StyleNet::run), but always the whole picture at once.
    ///
    /// # Errors
    /// If a side is shorter than [`LEAST_SIDE`].
    ///
    /// # Panics
    /// If a slice has the wrong length.
    pub fn run(
        &self,
        picture: &[f32],
        height: usize,
        width: usize,
        styles: &[f32],
        out: &mut [f32],
    ) -> Result<(), StyleNetError> {
        if height.min(width) < LEAST_SIDE {
            return Err(StyleNetError::TooSmall { width, height, least: LEAST_SIDE });
        }
        assert_eq!(styles.len(), self.shape.styles, "one share for each style");
        let picture = TensorData::new(picture.to_vec(), [1, 3, height, width]);
        let shares = Tensor::from_data(TensorData::new(styles.to_vec(), [1, styles.len()]), &self.device);
        let missing = |side: usize| (0, side.next_multiple_of(4) - side);
        let whole = Tensor::from_data(picture, &self.device).pad([missing(height), missing(width)], PadMode::Reflect);
        let painted = self.forward(whole.mul_scalar(1.0 / 255.0), &shares).mul_scalar(255.0);
        let painted = painted.slice([0..1, 0..3, 0..height, 0..width]);
        out.copy_from_slice(&painted.into_data_as::<f32>().try_into_vec::<f32>().expect("the values are f32"));
        Ok(())
    }

    /// `1 × 3 × height × width` to the same, both 0–1, sides that are multiples of 4; `shares` is `1 × styles`.
    fn forward(&self, picture: Tensor<4>, shares: &Tensor<2>) -> Tensor<4> {
        let mut x = picture;
        let mut block = None;
        for Layer { plan, weight, after } in &self.layers {
            if plan.role == LayerRole::ResidualFirst {
                block = Some(x.clone());
            }
            if plan.role.upsamples() {
                x = enlarge(x);
            }
            let side = plan.kernel / 2;
            let padded = x.pad([(side, side), (side, side)], PadMode::Reflect);
            let options = ConvOptions::new([plan.role.stride(); 2], [0, 0], [1, 1], 1);
            let y = conv2d(padded, weight.clone(), None, options);
            x = match &after[..] {
                [scale, shift] => {
                    let blended = |each: &Tensor<2>| shares.clone().matmul(each.clone());
                    normalise(y, blended(scale), blended(shift))
                }
                bias => bias.iter().fold(y, |y, bias| y + bias.clone().reshape([1, plan.out_channels, 1, 1])),
            };
            x = match block.take_if(|_| plan.role == LayerRole::ResidualSecond) {
                Some(before) => x + before,
                None if plan.role.has_relu() => relu(x),
                None => x,
            };
        }
        x
    }
}

/// Every pixel twice in each direction.
fn enlarge(x: Tensor<4>) -> Tensor<4> {
    let [_, channels, height, width] = x.dims();
    let spread: Tensor<5> = x.reshape([channels, height, 1, width, 1]).expand([channels, height, 2, width, 2]);
    spread.reshape([1, channels, 2 * height, 2 * width])
}

/// Instance normalisation with the variance of the population; `scale` and `shift` are `1 × channels`.
fn normalise(x: Tensor<4>, scale: Tensor<2>, shift: Tensor<2>) -> Tensor<4> {
    let [_, channels, height, width] = x.dims();
    let x: Tensor<2> = x.reshape([channels, height * width]);
    let centred = x.clone() - x.mean_dim(1);
    let deviation = centred.clone().square().mean_dim(1).add_scalar(EPSILON).sqrt();
    let y = centred / deviation * scale.reshape([channels, 1]) + shift.reshape([channels, 1]);
    y.reshape([1, channels, height, width])
}

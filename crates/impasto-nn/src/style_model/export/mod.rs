//! Networks for other programs: ONNX, and what pytorch/examples' `TransformerNet` loads.
//!
//! Both hold one style, and take and give pictures of 0–255: [`StyleModel::blend`] makes one of several. As ONNX, a network
//! of any style may take the style as a second picture.

mod onnx;
mod torch;

use impasto_kernels::{LayerRole, StyleNetShape};

use super::{StyleCard, StyleModel, StyleModelError, write};
use crate::vgg::{Vgg, VggKind};

impl StyleModel {
    /// The number of the style of this name.
    pub fn style(&self, name: &str) -> Option<usize> {
        self.card.styles.iter().position(|style| style.name == name)
    }

    /// A model of one style that paints what this one paints when its styles have these shares, which should add up
    /// to 1: scales and shifts of the normalisations are what styles differ in, and a blend blends them (Dumoulin et al.
    /// 2017, section 3.4).
    ///
    /// # Panics
    /// If there is not one share for each style.
    pub fn blend(&self, shares: &[f32]) -> Self {
        assert_eq!(shares.len(), self.shape.styles, "one share for each style");
        let shape = StyleNetShape { styles: 1, ..self.shape };
        let mut parameters = Vec::with_capacity(shape.parameter_count());
        for (from, to) in self.shape.parameters().into_iter().zip(shape.parameters()) {
            let values = &self.parameters[from.range];
            if from.shape == to.shape {
                parameters.extend_from_slice(values);
            } else {
                let channels = to.range.len();
                let blended = |channel| {
                    let of = |(style, &share): (usize, &f32)| {
                        f64::from(share) * f64::from(values[style * channels + channel])
                    };
                    shares.iter().enumerate().map(of).sum::<f64>() as f32
                };
                parameters.extend((0..channels).map(blended));
            }
        }
        let mut card = self.card.clone();
        card.styles = vec![self.blended_card(shares)];
        Self { shape, parameters, predictor: None, card }
    }

    /// The card of the one style that has a share, or one that names all that have.
    fn blended_card(&self, shares: &[f32]) -> StyleCard {
        let used: Vec<_> = self.card.styles.iter().zip(shares).filter(|(_, share)| **share != 0.0).collect();
        match used[..] {
            [(style, _)] => style.clone(),
            _ => {
                let name = used.iter().map(|(style, share)| format!("{}:{share}", style.name));
                StyleCard { name: name.collect::<Vec<_>>().join("+"), ..StyleCard::default() }
            }
        }
    }

    /// The network of a model of one style as an ONNX file (opset 13, standard operations only).
    ///
    /// Input `picture` and output `painting` are `1 × 3 × height × width`, float, RGB 0–255, of every size from 16×16 up;
    /// the output may leave 0–255. It is what [`StyleNet::run`](impasto_kernels::StyleNet::run) paints, to rounding.
    ///
    /// # Errors
    /// If the model has several styles, or a parameter is not finite.
    pub fn to_onnx(&self) -> Result<Vec<u8>, StyleModelError> {
        self.check_single("ONNX")?;
        Ok(onnx::of_one_style(self))
    }

    /// Writes [`to_onnx`](Self::to_onnx) to a file, whole and durably or not at all.
    ///
    /// # Errors
    /// As there, and if the folder cannot be written to or the disk is full.
    pub fn save_onnx(&self, path: &std::path::Path) -> Result<(), StyleModelError> {
        write::save(path, &self.to_onnx()?)
    }

    /// A network of any style as an ONNX file as that of [`to_onnx`](Self::to_onnx), with a second input: `style`, a picture
    /// that the painting shall look like. `vgg` is the built-in network, of which the layers that see it are in the file.
    ///
    /// `style` is to be brought to a longer side of [`ModelCard::style_size`](super::ModelCard::style_size),
    /// which the file says too; at another size it is another style. Its shorter side is 8 or more, and it has no opacity.
    ///
    /// # Errors
    /// If the model takes no picture as a style, `vgg` is another network than VGG19, or a parameter is not finite.
    pub fn to_onnx_of_any_style(&self, vgg: &Vgg) -> Result<Vec<u8>, StyleModelError> {
        write::check(self)?;
        let unwritable = |detail: String| Err(StyleModelError::Unwritable { detail });
        let Some(predictor) = &self.predictor else {
            return unwritable("it takes no picture as a style".into());
        };
        if vgg.kind != VggKind::Vgg19 {
            return unwritable(format!("it sees styles through VGG19, not {}", vgg.kind));
        }
        check_finite(self.parameters.iter().chain(&predictor.parameters))?;
        Ok(onnx::of_any_style(self, predictor, vgg))
    }

    /// Writes [`to_onnx_of_any_style`](Self::to_onnx_of_any_style) to a file, whole and durably or not at all.
    ///
    /// # Errors
    /// As there, and if the folder cannot be written to or the disk is full.
    pub fn save_onnx_of_any_style(&self, vgg: &Vgg, path: &std::path::Path) -> Result<(), StyleModelError> {
        write::save(path, &self.to_onnx_of_any_style(vgg)?)
    }

    /// The network of a model of one style as a safetensors file with the names and sizes of pytorch/examples'
    /// `fast_neural_style`, whose `TransformerNet` loads it. Its biases before normalisations are zeros.
    ///
    /// # Errors
    /// If the model has several styles or is of another size, or a parameter is not finite.
    pub fn to_pytorch(&self) -> Result<Vec<u8>, StyleModelError> {
        self.check_single("pytorch/examples' network")?;
        torch::to_bytes(self)
    }

    /// Writes [`to_pytorch`](Self::to_pytorch) to a file, whole and durably or not at all.
    ///
    /// # Errors
    /// As there, and if the folder cannot be written to or the disk is full.
    pub fn save_pytorch(&self, path: &std::path::Path) -> Result<(), StyleModelError> {
        write::save(path, &self.to_pytorch()?)
    }

    fn check_single(&self, what: &str) -> Result<(), StyleModelError> {
        write::check(self)?;
        let styles = self.shape.styles;
        if styles > 1 {
            let detail = format!("{what} holds one style and it has {styles}: choose or blend them");
            return Err(StyleModelError::Unwritable { detail });
        }
        check_finite(self.parameters.iter())
    }
}

fn check_finite<'a>(mut values: impl Iterator<Item = &'a f32>) -> Result<(), StyleModelError> {
    if values.all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(StyleModelError::Unwritable { detail: "it has a value that is not finite".into() })
}

/// By what a weight or bias of a layer is multiplied in a network that takes and gives 0–255; see
/// `import::assemble`, which does the reverse.
fn factor(layer: LayerRole) -> f32 {
    match layer {
        LayerRole::Input => 1.0 / 255.0,
        LayerRole::Output => 255.0,
        _ => 1.0,
    }
}

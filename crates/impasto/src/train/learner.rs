//! The network in training, the losses it is trained under, and the step between two networks.

use std::ops::Range;
use std::sync::Arc;

use impasto_nn::backend::{AdamVectors, Backend, StyleTrainer, Tensor};
use impasto_nn::kernels::{Normalisation, StyleNetShape, Threads, vector};
use impasto_nn::trunk::Packing;
use impasto_nn::vgg::Vgg;

use super::TrainError;
use super::any_styles::{AnyStyles, PaintingFiles, predictor_shape};
use super::events::Skipped;
use super::muon::{self, Matrix};
use super::settings::TrainSettings;
use super::values::TrainOptimizer;
use crate::device::{self, DeviceError, Machine};
use crate::objective::{ContentTarget, Losses, Perceptual, StyleTarget, Weights};
use crate::picture::Picture;
use crate::settings::Device;

/// Adam's constants (Kingma & Ba 2015).
const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The optimiser's state for a network's parameters.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// Steps that are in them.
    pub(super) steps: u32,
    /// Of the gradient.
    pub(super) first: Tensor,
    /// Of its squares, where Adam moves the parameter.
    pub(super) second: Tensor,
}

impl Moments {
    /// Of no step.
    pub(super) fn new(parameters: usize, backend: &dyn Backend) -> Self {
        Self { steps: 0, first: backend.zeros(parameters), second: backend.zeros(parameters) }
    }
}

/// The network that is trained and what it is trained under.
pub(super) struct Learner {
    trainer: Box<dyn StyleTrainer>,
    /// The parameters that are moved as matrices, ascending.
    matrices: Vec<Matrix>,
    perceptual: Perceptual,
    backend: Arc<dyn Backend>,
    styles: Styles,
    size: usize,
    shape: StyleNetShape,
    /// What the network painted last, planar `3 × size × size`.
    painted: Tensor,
    /// The gradient with respect to it.
    painted_gradient: Tensor,
    /// The gradient of the network's parameters.
    network_gradient: Tensor,
    /// The gradient of all parameters.
    gradient: Tensor,
}

/// The styles that a network learns, by number: its own first, then those of paintings.
struct Styles {
    /// Each has scales and shifts among the network's parameters.
    own: Vec<StyleTarget>,
    /// Paintings, of which a predictor makes scales and shifts.
    any: Option<Box<AnyStyles>>,
}

/// A style by its number.
#[derive(Clone, Copy)]
enum Numbered {
    Own(usize),
    /// One of the paintings.
    Painting(usize),
}

/// Where the styles come from.
pub(super) struct StyleSource<'a> {
    /// A painting for each style of the network's own, and the weight of the style.
    pub(super) own: &'a [(Picture, f64)],
    /// The paintings of a network of any style.
    pub(super) paintings: Option<PaintingFiles>,
}

impl Learner {
    /// A network of this shape on a device, under the losses of the settings.
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        settings: &TrainSettings,
        network: Arc<Vgg>,
        shape: StyleNetShape,
        styles: StyleSource<'_>,
    ) -> Result<Self, TrainError> {
        let paint = settings.to_paint();
        let weights = Weights::new(&paint, network.kind)?;
        let machine = Machine::on(backend.clone(), &network, &paint, &weights.taps(), Packing::Kept);
        let machine = machine.map_err(DeviceError::from)?;
        // The trunk has its own copy, packed.
        let kind = network.kind;
        drop(network);
        let size = settings.image_size;
        let mut perceptual = Perceptual::new(machine, &weights);
        let own = styles.own.iter().map(|painting| perceptual.style(std::slice::from_ref(painting))).collect();
        let mut any = None;
        if let Some(files) = styles.paintings {
            let any = any.insert(Box::new(AnyStyles::new(shape, files, &weights, kind)?));
            any.measure_first(&mut perceptual)?;
        }
        let styles = Styles { own, any };
        let trainer = backend.style_trainer(shape, size, size)?;
        let pixels = 3 * size * size;
        let (network_gradient, gradient) =
            (backend.zeros(shape.parameter_count()), backend.zeros(parameter_count(shape, settings.any)));
        let (painted, painted_gradient) = (backend.zeros(pixels), backend.zeros(pixels));
        let matrices = match settings.optimizer {
            TrainOptimizer::Muon => muon::matrices(shape),
            TrainOptimizer::Adam => Vec::new(),
        };
        Ok(Self {
            trainer,
            matrices,
            perceptual,
            backend,
            styles,
            size,
            shape,
            painted,
            painted_gradient,
            network_gradient,
            gradient,
        })
    }

    /// The parameters of a new predictor, for a network with these parameters; none for one with styles of its own.
    ///
    /// # Errors
    /// If no painting can be read.
    pub(super) fn fresh_predictor(&mut self, network: &[f32], seed: u64) -> Result<Vec<f32>, TrainError> {
        let Some(any) = &mut self.styles.any else { return Ok(Vec::new()) };
        any.fresh(&self.shape.normalisation_of(0, network), seed, &mut self.perceptual)
    }

    /// The parameters that are used from here on.
    pub(super) fn set_parameters(&mut self, parameters: &Tensor) -> Result<(), TrainError> {
        let Some(any) = &mut self.styles.any else { return Ok(self.trainer.set_parameters(parameters)?) };
        let all = self.backend.download(parameters);
        let (network, predictor) = all.split_at(self.shape.parameter_count());
        any.set_parameters(predictor);
        Ok(self.trainer.set_parameters(&self.backend.upload(network.to_vec()))?)
    }

    /// Paintings that could not be read since the last call.
    pub(super) fn take_skipped(&mut self) -> Vec<Skipped> {
        self.styles.any.as_mut().map(|any| any.take_skipped()).unwrap_or_default()
    }

    /// Something that paints a photograph in a style with these parameters, on one thread, beside the training; nothing
    /// comes of it where the network does not run.
    pub(super) fn painter(
        &self,
        parameters: &Tensor,
    ) -> impl FnOnce(&Picture, usize) -> Option<Picture> + Send + use<> {
        let (shape, all) = (self.shape, self.backend.download(parameters));
        let (network, predictor) = all.split_at(shape.parameter_count());
        // A painting that is held out is measured from the start.
        let predicted = self.styles.any.as_ref().map(|any| any.predict_with(predictor, any.training()));
        let parameters = network.to_vec();
        move |photo, style| {
            let net = device::backend(Device::Cpu, Some(1)).ok()?.style_net(shape, &parameters).ok()?;
            let (height, width) = (photo.height(), photo.width());
            let style = predicted.as_deref().map_or(Normalisation::Style(style), Normalisation::Given);
            let mut painted = vec![0.0; photo.data().len()];
            net.run(photo.data(), height, width, style, usize::MAX, &mut painted).ok()?;
            Some(Picture::from_planar(height, width, painted))
        }
    }

    /// The threads that everything is computed on.
    pub(super) fn threads(&self) -> &Threads {
        self.backend.host().threads()
    }

    /// The targets of a photograph as a content.
    pub(super) fn content(&mut self, photo: &Picture) -> ContentTarget {
        self.perceptual.content(photo)
    }

    /// Paints a photograph in a style.
    pub(super) fn paint(&mut self, photo: &Picture, style: usize) -> Picture {
        self.forward(photo, style);
        Picture::from_planar(self.size, self.size, self.backend.download(&self.painted).into_owned())
    }

    /// The losses of a photograph in a style, without a gradient.
    pub(super) fn value(&mut self, photo: &Picture, content: &ContentTarget, style: usize) -> Losses {
        let style = self.forward(photo, style);
        let target = self.styles.target(style);
        self.perceptual.value(&self.painted, content, target)
    }

    /// Runs the network on a photograph; the style that it has, of another painting where one cannot be read.
    fn forward(&mut self, photo: &Picture, style: usize) -> Numbered {
        let style = self.styles.find(style, &mut self.perceptual);
        match style {
            Numbered::Own(i) => self.trainer.forward(photo.data(), Normalisation::Style(i), &mut self.painted),
            Numbered::Painting(i) => {
                let predicted = self.styles.paintings().predict(i);
                self.trainer.forward(photo.data(), Normalisation::Given(&predicted), &mut self.painted);
            }
        }
        style
    }

    /// The losses of a photograph in a style; the gradient of the loss's logarithm is added to that of the batch.
    ///
    /// The loss falls a hundredfold within the first thousand steps, and differs as much between photographs and
    /// paintings. Adam divides by the size of past gradients, of which it remembers a thousand: with gradients of the
    /// loss itself its steps are far too short for long, and a few photographs rule. The logarithm's are all of a size.
    ///
    /// The style loss counts with `share` in that gradient, and whole in the losses that are returned.
    pub(super) fn evaluate(&mut self, photo: &Picture, style: usize, share: f64) -> Losses {
        let content = self.perceptual.content(photo);
        let style = self.forward(photo, style);
        let target = self.styles.target(style);
        target.share = share;
        let losses = self.perceptual.value_and_gradient(&self.painted, &content, target, &mut self.painted_gradient);
        target.share = 1.0;
        if losses.loss > 0.0 {
            self.backend.scale(&mut self.painted_gradient, 1.0 / losses.loss);
        }
        self.trainer.backward(&self.painted_gradient);
        if let Numbered::Painting(i) = style {
            self.styles.paintings().add_gradient(i, self.trainer.normalisation_gradient());
        }
        let style = losses.style / share;
        Losses { style, loss: losses.loss - losses.style + style, ..losses }
    }

    /// Ends a batch of this many photographs; the norm of the gradient of their mean loss.
    pub(super) fn end_batch(&mut self, photographs: usize) -> f64 {
        let factor = 1.0 / photographs as f32;
        match &mut self.styles.any {
            None => self.trainer.take_gradient(factor, &mut self.gradient),
            Some(any) => {
                self.trainer.take_gradient(factor, &mut self.network_gradient);
                let network = self.backend.download(&self.network_gradient);
                self.backend.on_host(&mut self.gradient, 0..network.len(), &mut |part| part.copy_from_slice(&network));
                let rest = network.len()..self.gradient.len();
                self.backend.on_host(&mut self.gradient, rest, &mut |part| any.take_gradient(factor, part));
            }
        }
        self.backend.dot(&self.gradient, &self.gradient).sqrt()
    }

    /// A step along the gradient of the last batch.
    pub(super) fn step(
        &mut self,
        learning_rate: f64,
        parameters: &mut Tensor,
        moments: &mut Moments,
    ) -> Result<(), TrainError> {
        moments.steps += 1;
        let (step, learning_rate) = (moments.steps, learning_rate as f32);
        let adam = vector::Adam { step, learning_rate, beta1: BETA1, beta2: BETA2, epsilon: EPSILON };
        let gradient = self.backend.download(&self.gradient);
        let mut at = 0;
        for matrix in &self.matrices {
            self.adam_step(adam, at..matrix.range.start, parameters, moments);
            at = matrix.range.end;
            matrix.step_on(&*self.backend, learning_rate, &gradient, parameters, &mut moments.first);
        }
        self.adam_step(adam, at..parameters.len(), parameters, moments);
        self.set_parameters(parameters)
    }

    /// A step of Adam for some parameters.
    fn adam_step(&self, adam: vector::Adam, range: Range<usize>, values: &mut Tensor, moments: &mut Moments) {
        let Moments { first, second, .. } = moments;
        self.backend.adam_step(adam, range, AdamVectors { gradient: &self.gradient, values, first, second });
    }
}

/// Values of all parameters of a network of this shape, with those of the predictor of any style.
pub(super) fn parameter_count(shape: StyleNetShape, any: bool) -> usize {
    shape.parameter_count() + if any { predictor_shape(shape).parameter_count() } else { 0 }
}

impl Styles {
    /// The style of this number; where its painting cannot be read, that of the next one.
    fn find(&mut self, number: usize, perceptual: &mut Perceptual) -> Numbered {
        let Some(painting) = number.checked_sub(self.own.len()) else { return Numbered::Own(number) };
        let found = self.paintings().measure(painting, perceptual);
        Numbered::Painting(found.expect("some painting was read at the start"))
    }

    fn paintings(&mut self) -> &mut AnyStyles {
        self.any.as_mut().expect("numbers beyond the network's own styles are those of paintings")
    }

    fn target(&mut self, style: Numbered) -> &mut StyleTarget {
        match style {
            Numbered::Own(i) => &mut self.own[i],
            Numbered::Painting(i) => &mut self.paintings().painting_mut(i).target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::cpu_backend;
    use crate::network::network;
    use crate::train::start;

    fn example(name: &str, size: usize) -> Picture {
        Picture::read(&path(name)).unwrap().resized(size, size)
    }

    fn path(name: &str) -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pictures").join(name)
    }

    /// Photograph, network, VGG19, losses and back: the slope told is the slope found, along random directions and
    /// along the gradient itself.
    fn check_gradient(learner: &mut Learner, parameters: &[f32]) {
        let photos = [example("chelsea.png", 32), example("rocket.jpg", 32)];
        let contents = [learner.content(&photos[0]), learner.content(&photos[1])];
        let backend = cpu_backend();
        learner.set_parameters(&backend.upload(parameters.to_vec())).unwrap();
        let told: Vec<f64> = (0..2).map(|i| learner.evaluate(&photos[i], i, 1.0).loss.ln()).collect();
        learner.end_batch(2);
        let gradient = backend.download(&learner.gradient).into_owned();
        let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        let mut value = |moved: &[f32]| {
            learner.set_parameters(&backend.upload(moved.to_vec())).unwrap();
            (0..2).map(|i| learner.value(&photos[i], &contents[i], i).loss.ln()).sum::<f64>() / 2.0
        };
        assert_eq!(value(parameters), (told[0] + told[1]) / 2.0, "with and without a gradient the same loss");
        for wave in [0.0, 0.5, 1.0] {
            let direction = |i: usize| {
                let along = f64::from(gradient[i]) / norm;
                (1.0 - wave) * along + wave * (i as f64 * 0.37).sin() * along.abs().sqrt().min(0.05)
            };
            let mut at = |step: f64| {
                let moved = |(i, p): (usize, &f32)| (f64::from(*p) + step * direction(i)) as f32;
                value(&parameters.iter().enumerate().map(moved).collect::<Vec<f32>>())
            };
            let step = 2e-4;
            let found = (at(step) - at(-step)) / (2.0 * step);
            let told: f64 = gradient.iter().enumerate().map(|(i, g)| f64::from(*g) * direction(i)).sum();
            assert!((found / told - 1.0).abs() < 1e-2, "{wave}: {found} found, {told} told");
        }
    }

    #[test]
    fn the_gradient_of_a_whole_batch_is_that_of_finite_differences() {
        let shape = StyleNetShape { width: 16, residual_blocks: 1, styles: 2, ..StyleNetShape::JOHNSON };
        let settings = TrainSettings { image_size: 32, threads: Some(2), tv_weight: 2.0, ..TrainSettings::default() };
        let paintings = [(example("starry-night.jpg", 40), 1.0), (example("coffee.png", 40), 2.0)];
        let styles = StyleSource { own: &paintings, paintings: None };
        let mut learner = Learner::new(cpu_backend(), &settings, network("vgg19").unwrap(), shape, styles).unwrap();
        check_gradient(&mut learner, &start::fresh(shape, 1));
    }

    /// Through the predictor as well.
    #[test]
    fn the_gradient_of_any_style_is_that_of_finite_differences() {
        let shape = StyleNetShape { width: 16, residual_blocks: 1, ..StyleNetShape::JOHNSON };
        let settings = TrainSettings {
            any: true,
            image_size: 32,
            style_size: 40,
            style_weight: 20.0,
            threads: Some(2),
            ..TrainSettings::default()
        };
        let files = PaintingFiles {
            training: ["starry-night.jpg", "missing.jpg", "coffee.png"].map(path).into(),
            validation: vec![path("rocket.jpg")],
            size: settings.style_size,
            limits: settings.read_limits(),
        };
        let own = [(example("astronaut.png", 40), 1.0)];
        let styles = StyleSource { own: &own, paintings: Some(files) };
        let mut learner = Learner::new(cpu_backend(), &settings, network("vgg19").unwrap(), shape, styles).unwrap();
        let mut parameters = start::fresh(shape, 1);
        let predictor = learner.fresh_predictor(&parameters, 7).unwrap();
        assert_eq!(learner.take_skipped().len(), 1, "one painting is missing, and the next one takes its place");
        parameters.extend(predictor);
        assert_eq!(parameters.len(), parameter_count(shape, true));
        check_gradient(&mut learner, &parameters);
    }

    /// What a network is trained as is what it is run as.
    #[test]
    fn a_network_paints_the_same_in_training_and_out_of_it() {
        let shape = StyleNetShape { width: 16, residual_blocks: 2, styles: 2, ..StyleNetShape::JOHNSON };
        let settings = TrainSettings { image_size: 64, threads: Some(2), ..TrainSettings::default() };
        let paintings = [(example("starry-night.jpg", 40), 1.0), (example("coffee.png", 40), 1.0)];
        let mut learner = Learner::new(
            cpu_backend(),
            &settings,
            network("vgg19").unwrap(),
            shape,
            StyleSource { own: &paintings, paintings: None },
        )
        .unwrap();
        let mut parameters = start::fresh(shape, 5);
        // The two styles differ.
        parameters.iter_mut().enumerate().for_each(|(i, p)| *p *= 1.0 + 0.2 * (i as f32 * 0.7).sin());
        let backend = cpu_backend();
        learner.set_parameters(&backend.upload(parameters.clone())).unwrap();
        let photo = example("chelsea.png", 64);
        let net = backend.style_net(shape, &parameters).unwrap();
        let run = |weights: &[f32]| {
            let mut out = vec![0.0; photo.data().len()];
            net.run(photo.data(), 64, 64, Normalisation::Blend(weights), usize::MAX, &mut out).unwrap();
            out
        };
        let away = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let (first, second) = (learner.paint(&photo, 0), learner.paint(&photo, 1));
        assert!(away(first.data(), &run(&[1.0, 0.0])) < 0.05 && away(second.data(), &run(&[0.0, 1.0])) < 0.05);
        assert!(away(first.data(), second.data()) > 1.0);
    }
}

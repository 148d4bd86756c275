//! The objective for pictures of one size against one content and some styles.

use impasto_nn::backend::Tensor;

use super::content_target::ContentTarget;
use super::losses::Losses;
use super::margin::Margin;
use super::perceptual::Perceptual;
use super::protect::Protected;
use super::regions::Regions;
use super::style::StyleTarget;
use super::weights::Weights;
use crate::device::Machine;
use crate::layout::Layout;
use crate::picture::Picture;

/// The loss of a picture of one size against a content and styles, and its gradient.
pub struct Objective {
    perceptual: Perceptual,
    content: ContentTarget,
    style: StyleTarget,
    protected: Option<Protected>,
    margin: Option<Margin>,
}

impl Objective {
    /// Runs the content and the styles, each with its share of the blend, through the trunk.
    ///
    /// # Panics
    /// If the trunk does not offer [`Weights::taps`].
    pub fn new(machine: Machine, weights: &Weights, content: &Picture, styles: &[(Picture, f64)]) -> Self {
        Self::within(machine, weights, Layout::Whole, content, styles, Regions::default())
    }

    /// The same, in this layout, where the content counts, and each style, as the regions say.
    ///
    /// # Panics
    /// If the trunk does not offer [`Weights::taps`], or a region is not of the content's size.
    pub fn within(
        machine: Machine,
        weights: &Weights,
        layout: Layout,
        content: &Picture,
        styles: &[(Picture, f64)],
        regions: Regions,
    ) -> Self {
        let mut objective = Self::blank(machine, weights);
        objective.prepare(layout, content, styles, regions);
        objective
    }

    /// One without a content and styles yet.
    pub(crate) fn blank(machine: Machine, weights: &Weights) -> Self {
        let mut perceptual = Perceptual::new(machine, weights);
        let style = perceptual.style(&[]);
        Self { perceptual, content: ContentTarget::default(), style, protected: None, margin: None }
    }

    /// Runs another content and other styles through the network.
    ///
    /// # Panics
    /// If a region is not of the content's size.
    pub fn prepare(&mut self, layout: Layout, content: &Picture, styles: &[(Picture, f64)], regions: Regions) {
        self.release();
        self.perceptual.set_layout(layout);
        let shares: Vec<f64> = styles.iter().map(|(_, share)| *share).collect();
        if self.perceptual.has_margin() {
            let backend = self.perceptual.backend().clone();
            let margin = Margin::new(backend, content.height(), content.width());
            let styles: Vec<_> = styles.iter().map(|(style, share)| (Margin::picture(style), *share)).collect();
            self.style = self.perceptual.style(&styles);
            let (content, regions) = (Margin::picture(content), margin.regions(&regions));
            self.content = self.perceptual.content_within(&content, &regions, &shares);
            self.margin = Some(margin);
        } else {
            self.style = self.perceptual.style(styles);
            self.content = self.perceptual.content_within(content, &regions, &shares);
        }
        self.protected = regions.protect.map(|stays| Protected::new(self.perceptual.backend().clone(), content, stays));
    }

    /// Gives back the memory of content and styles, which may be much; nothing can be evaluated before it is prepared
    /// again.
    pub(crate) fn release(&mut self) {
        (self.content, self.protected, self.margin) = (ContentTarget::default(), None, None);
        self.perceptual.release();
    }

    /// The loss itself, to plan its memory.
    pub(crate) fn perceptual(&self) -> &Perceptual {
        &self.perceptual
    }

    /// The losses of a planar `3 × height × width` picture of the host, without a gradient.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value(&mut self, picture: &[f32]) -> Losses {
        let picture = self.perceptual.backend().upload(picture.to_vec());
        self.value_of(&picture)
    }

    /// The losses of a picture of the host; their gradient with respect to it is written to `gradient`.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient(&mut self, picture: &[f32], gradient: &mut [f32]) -> Losses {
        let backend = self.perceptual.backend().clone();
        let (picture, mut slopes) = (backend.upload(picture.to_vec()), backend.zeros(gradient.len()));
        let losses = self.value_and_gradient_of(&picture, &mut slopes);
        gradient.copy_from_slice(&backend.download(&slopes));
        losses
    }

    /// The losses of a picture on the device, without a gradient.
    ///
    /// # Panics
    /// If the picture is not of the content's size.
    pub fn value_of(&mut self, picture: &Tensor) -> Losses {
        let Self { perceptual, content, style, protected, margin } = self;
        let shown = protected.as_mut().map_or(picture, |protected| protected.shown(picture));
        let seen = margin.as_mut().map_or(shown, |margin| margin.around(shown));
        perceptual.value(seen, content, style)
    }

    /// The losses of a picture on the device; their gradient with respect to it is written to `gradient`.
    ///
    /// # Panics
    /// If the picture or the gradient is not of the content's size.
    pub fn value_and_gradient_of(&mut self, picture: &Tensor, gradient: &mut Tensor) -> Losses {
        let Self { perceptual, content, style, protected, margin } = self;
        let shown = protected.as_mut().map_or(picture, |protected| protected.shown(picture));
        let mut evaluate =
            |seen: &Tensor, gradient: &mut Tensor| perceptual.value_and_gradient(seen, content, style, gradient);
        let losses = match margin {
            None => evaluate(shown, gradient),
            Some(margin) => margin.through(shown, gradient, evaluate),
        };
        if let Some(protected) = protected {
            protected.hold(gradient);
        }
        losses
    }

    /// Makes of a picture what is seen of it: where the content is protected, the content. The losses are those of
    /// what is seen.
    pub fn show(&self, picture: &mut Tensor) {
        if let Some(protected) = &self.protected {
            protected.lay_over(picture);
        }
    }
}

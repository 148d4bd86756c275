//! Stylising: Johnson et al. 2016. A network that has learned a style paints any photograph in one pass.
//!
//! [`Stylizer`] works on pictures in memory, [`StylizeJob`] from files to files:
//!
//! ```text
//! photograph ─▶ size ─▶ ÷ stroke size ─▶ StyleNet ─▶ back to size ─▶ colours kept ─▶ strength ─▶ picture
//!                 └──────────────────────────────────────────────────────┴──────────────┘
//! ```
//!
//! With masks the network runs once for each style, and the pictures are mixed where the strength is applied (`masked`).

mod allowance;
mod event;
mod inputs;
mod job;
mod masked;
mod outputs;
mod settings;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use impasto_nn::backend::{Backend, StyleNetwork};
use impasto_nn::kernels::{LEAST_SIDE, Normalisation, StyleNetError};

use crate::colors;
use crate::device::{self, DeviceError};
use crate::job::{Context, Interruption, OnRelease, Stopped};
use crate::luma;
use crate::memory::Bytes;
use crate::picture::{Picture, ReadLimits, size_with_longer_side};
use crate::settings::{Colors, SettingsError};
use crate::styles::Blend;

pub use event::StylizeEvent;
pub use inputs::InputError;
pub use job::{Failure, StylizeJob, StylizeJobError, StylizeSummary};
pub use masked::MaskedStyle;
pub use outputs::OutputError;
pub use settings::{StylizeOverrides, StylizeSettings};

use allowance::{Allowance, mixing_bytes, picture_bytes};
use masked::{Region, Regions, mix};

/// Why a picture was not stylised.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StylizeError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is nothing to compute with.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The network does not run, or does not take the picture.
    #[error(transparent)]
    Network(#[from] StyleNetError),
    /// It would not fit into memory, not even in strips.
    #[error(
        "painting {width}×{height} pixels takes at least {} of memory and {} may be taken: allow more with `--memory`, \
         or choose a smaller `--size`",
        Bytes(*needed), Bytes(*allowed)
    )]
    Memory {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
    },
    /// The job was stopped before the picture was painted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// What a pass leaves.
#[derive(Clone, Debug)]
pub struct Stylized {
    /// The picture, of the photograph's size or the one asked for.
    pub picture: Picture,
    /// Seconds of the network's pass; 0 where none was needed.
    pub network_seconds: f64,
    /// Bytes that the pass took beside the pictures.
    pub network_bytes: usize,
    /// Seconds spent waiting for the pass of another picture.
    pub(crate) waited: f64,
}

/// Styles, ready to paint. Several threads may share it; their passes take turns, since each uses all threads.
pub struct Stylizer {
    nets: Vec<Box<dyn StyleNetwork>>,
    backend: Arc<dyn Backend>,
    passes: Vec<Pass>,
    regions: Option<Regions>,
    settings: StylizeSettings,
    allowance: Allowance,
    turn: Mutex<()>,
}

/// One run of a network over a picture.
#[derive(PartialEq)]
struct Pass {
    /// The number of the network.
    net: usize,
    /// The share of each of its styles.
    shares: Vec<f32>,
}

impl Stylizer {
    /// Packs a network's weights for this machine.
    ///
    /// # Errors
    /// If a setting is out of its range, or the network does not run here.
    pub fn new(blend: &Blend, settings: &StylizeSettings) -> Result<Self, StylizeError> {
        Self::masked(vec![MaskedStyle::everywhere(blend.clone())], settings)
    }

    /// The same for styles in their places, at least one. Where no mask covers, the photograph stays.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn masked(styles: Vec<MaskedStyle>, settings: &StylizeSettings) -> Result<Self, StylizeError> {
        settings.check()?;
        let backend = device::backend(settings.device, settings.threads)?;
        let (mut models, mut passes, mut regions) = (Vec::new(), Vec::new(), Vec::new());
        for MaskedStyle { blend: Blend { model, shares }, weight, mask } in styles {
            let net = place_of(model, &mut models);
            let pass = place_of(Pass { net, shares }, &mut passes);
            regions.push(Region { pass, weight, mask });
        }
        let nets = models.iter().map(|model| backend.style_net(model.shape, &model.parameters));
        let nets = nets.collect::<Result<Vec<_>, _>>()?;
        let regions = Regions::new(regions);
        let masks = regions.as_ref().map_or(0, Regions::bytes);
        let allowance = Allowance::new(settings.memory.map(|memory| memory.0)).with(nets.len(), masks);
        Ok(Self { nets, backend, passes, regions, settings: settings.clone(), allowance, turn: Mutex::new(()) })
    }

    /// What computes, for people, such as `cpu, avx512, 2 threads`.
    pub fn device(&self) -> String {
        self.backend.name()
    }

    /// Paints a photograph.
    ///
    /// # Errors
    /// If it is smaller than 16 pixels on a side, or needs more memory than it may take.
    pub fn stylize(&self, photo: Picture) -> Result<Stylized, StylizeError> {
        self.stylize_in(photo, &Context::default(), &|_, _| ())
    }

    /// As [`stylize`](Self::stylize), paused and stopped by a context. `begins` is called right before the pass, with
    /// rows and columns.
    fn stylize_in(
        &self,
        photo: Picture,
        context: &Context<'_>,
        begins: &dyn Fn(usize, usize),
    ) -> Result<Stylized, StylizeError> {
        self.check(photo.height(), photo.width())?;
        let (height, width) = self.result_size(photo.height(), photo.width());
        let photo =
            if (height, width) == (photo.height(), photo.width()) { photo } else { photo.resized(height, width) };
        if self.settings.strength == 0.0 {
            return Ok(Stylized { picture: photo, network_seconds: 0.0, network_bytes: 0, waited: 0.0 });
        }
        let seen = self.seen(&photo);
        let shares = self.shares(&photo);
        let (mut picture, mut network_seconds, mut network_bytes, mut waited) = (None, 0.0, 0, 0.0);
        for (number, pass) in self.passes.iter().enumerate() {
            let begins = || {
                if number == 0 {
                    begins(height, width)
                }
            };
            let painted = self.run(pass, &seen, (height, width), context, &begins)?;
            network_seconds += painted.network_seconds;
            network_bytes = network_bytes.max(painted.network_bytes);
            waited += painted.waited;
            let painted = self.finish(&photo, painted.picture);
            picture = Some(match &shares {
                Some(shares) => mix(picture, painted, &shares[number], &photo),
                None => painted,
            });
        }
        let picture = picture.unwrap_or_else(|| photo.clone()).with_alpha_of(&photo);
        Ok(Stylized { picture, network_seconds, network_bytes, waited })
    }

    /// Whether a photograph of this many rows and columns can be painted: large enough for the network, and small enough
    /// for memory.
    ///
    /// # Errors
    /// As [`stylize`](Self::stylize), without the work.
    pub fn check(&self, height: usize, width: usize) -> Result<(), StylizeError> {
        let (height, width) = self.result_size(height, width);
        if height.min(width) < LEAST_SIDE {
            return Err(StyleNetError::TooSmall { width, height, least: LEAST_SIDE }.into());
        }
        if self.settings.strength == 0.0 {
            Ok(())
        } else {
            self.nets.iter().try_for_each(|net| self.budget(&**net, height, width).map(drop))
        }
    }

    /// Rows and columns of the result for a photograph with this many.
    fn result_size(&self, height: usize, width: usize) -> (usize, usize) {
        self.settings.size.map_or((height, width), |size| size_with_longer_side((height, width), size))
    }

    /// Rows and columns that the network sees of a result with this many.
    fn seen_size(&self, height: usize, width: usize) -> (usize, usize) {
        let seen = |side: usize| ((side as f64 / self.settings.stroke_size).round() as usize).max(LEAST_SIDE);
        (seen(height), seen(width))
    }

    /// What reading a photograph may take.
    fn read_limits(&self) -> ReadLimits {
        ReadLimits::new(self.settings.max_pixels, Some(self.allowance.reading()))
    }

    /// Bytes that a picture takes on its way, beside the network, from a photograph with this many rows and columns.
    fn expected_bytes(&self, height: usize, width: usize) -> u64 {
        let (result_height, result_width) = self.result_size(height, width);
        self.picture_bytes(height, width).max(self.picture_bytes(result_height, result_width))
    }

    /// The same for a result with this many.
    fn picture_bytes(&self, height: usize, width: usize) -> u64 {
        let (seen_height, seen_width) = self.seen_size(height, width);
        let mixing = if self.regions.is_some() { mixing_bytes(self.passes.len()) } else { 0 };
        picture_bytes(height * width, seen_height * seen_width) + (height * width) as u64 * mixing
    }

    /// The photograph as the network sees it.
    fn seen<'a>(&self, photo: &'a Picture) -> Cow<'a, Picture> {
        let (height, width) = self.seen_size(photo.height(), photo.width());
        let same = (height, width) == (photo.height(), photo.width());
        if same { Cow::Borrowed(photo) } else { Cow::Owned(photo.resized(height, width)) }
    }

    /// How much of each pass is in every pixel; nothing where it is as much everywhere.
    fn shares(&self, photo: &Picture) -> Option<Vec<Vec<f32>>> {
        let mut shares = self.regions.as_ref()?.shares(self.passes.len(), (photo.height(), photo.width()));
        let strength = self.settings.strength as f32;
        shares.iter_mut().flatten().for_each(|share| *share *= strength);
        Some(shares)
    }

    /// One pass over what is seen of a picture whose result has `size`.
    fn run(
        &self,
        pass: &Pass,
        seen: &Picture,
        size: (usize, usize),
        context: &Context<'_>,
        begins: &dyn Fn(),
    ) -> Result<Stylized, StylizeError> {
        let net = &*self.nets[pass.net];
        let (budget, network_bytes) = self.budget(net, size.0, size.1)?;
        let asked = Instant::now();
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = asked.elapsed().as_secs_f64();
        begins();
        context.control().wait()?;
        let (height, width) = (seen.height(), seen.width());
        let mut painted = vec![0.0; seen.data().len()];
        let interruption = Interruption::new(self.backend.host().threads(), context.control(), OnRelease::Wait);
        let begun = Instant::now();
        let style = Normalisation::Blend(&pass.shares);
        net.run(seen.data(), height, width, style, budget, &mut painted).map_err(|error| match error {
            StyleNetError::Interrupted => Stopped.into(),
            error => StylizeError::from(error),
        })?;
        drop(interruption);
        let network_seconds = begun.elapsed().as_secs_f64();
        if self.nets.len() > 1 {
            net.release();
        }
        drop(turn);
        let picture = Picture::from_planar(height, width, painted);
        Ok(Stylized { picture, network_seconds, network_bytes, waited })
    }

    /// What a network may take for a result with this many rows and columns, and what it will.
    fn budget(&self, net: &dyn StyleNetwork, height: usize, width: usize) -> Result<(usize, usize), StylizeError> {
        let (seen_height, seen_width) = self.seen_size(height, width);
        let picture = self.picture_bytes(height, width);
        let whole = net.plan(seen_height, seen_width, usize::MAX)?;
        let mut needed = 0;
        for allowed in self.allowance.network(picture, whole as u64) {
            let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
            match net.plan(seen_height, seen_width, allowed) {
                Ok(bytes) => return Ok((allowed, bytes)),
                Err(StyleNetError::Budget { needed: least, .. }) => {
                    needed = self.allowance.in_all(least as u64, picture)
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StylizeError::Memory { width, height, needed, allowed: self.allowance.utmost() })
    }

    /// What is seen of the painting: at the photograph's size, in its colours, and as strong as wanted where it is as
    /// strong everywhere.
    fn finish(&self, photo: &Picture, mut painted: Picture) -> Picture {
        painted.data_mut().iter_mut().for_each(|value| *value = value.clamp(0.0, 255.0));
        if (painted.height(), painted.width()) != (photo.height(), photo.width()) {
            painted = painted.resized(photo.height(), photo.width());
        }
        painted = match self.settings.colors {
            Colors::Style => painted,
            Colors::Content => {
                luma::keep(photo.data(), painted.data_mut());
                painted
            }
            Colors::Match => colors::matched(&painted, photo),
            Colors::Histogram => colors::histogram_matched(&painted, photo),
        };
        let strength = self.settings.strength as f32;
        if strength < 1.0 && self.regions.is_none() {
            let pairs = painted.data_mut().iter_mut().zip(photo.data());
            pairs.for_each(|(painted, photo)| *painted = photo + strength * (*painted - photo));
        }
        painted
    }
}

/// The place of a thing among those that are known, as the last of which it is added if it is new.
fn place_of<T: PartialEq>(thing: T, known: &mut Vec<T>) -> usize {
    known.iter().position(|one| *one == thing).unwrap_or_else(|| {
        known.push(thing);
        known.len() - 1
    })
}

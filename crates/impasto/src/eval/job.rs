//! An evaluation from files.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{EvalError, EvalEvent, Evaluation, Evaluator};
use crate::job::{Context, Job, Stopped};
use crate::network::{NetworkError, network};
use crate::picture::{Picture, ReadError, ReadLimits};
use crate::settings::{Preset, Settings, SettingsError};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is described where it is made")]
pub enum EvalJobError {
    Settings(#[from] SettingsError),
    Read(#[from] ReadError),
    Network(#[from] NetworkError),
    Eval(#[from] EvalError),
    Stopped(#[from] Stopped),
}

/// Paintings of one photograph in one style, and how to measure them.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalJob {
    /// The photograph.
    pub content: PathBuf,
    /// The painting that they should look like.
    pub style: PathBuf,
    /// The paintings to measure.
    pub paintings: Vec<PathBuf>,
    /// The network, layers, pooling, border, size, threads and `max_pixels` count; by default those of the preset
    /// `article`, so that figures stay comparable while the presets change.
    pub settings: Settings,
}

impl EvalJob {
    /// With the settings that figures are compared by.
    pub fn new(content: impl Into<PathBuf>, style: impl Into<PathBuf>, paintings: Vec<PathBuf>) -> Self {
        let settings = Settings { size: None, ..Settings::preset(Preset::Article) };
        Self { content: content.into(), style: style.into(), paintings, settings }
    }

    fn read(&self, path: &Path) -> Result<Picture, ReadError> {
        Picture::read_within(path, &ReadLimits::new(self.settings.max_pixels, None))
    }

    /// The evaluator and the paintings.
    fn prepare(&self) -> Result<(Evaluator, Vec<Picture>), EvalJobError> {
        let (content, style) = (self.read(&self.content)?, self.read(&self.style)?);
        let paintings = self.paintings.iter().map(|path| self.read(path)).collect::<Result<_, _>>()?;
        let network = network(&self.settings.network)?;
        Ok((Evaluator::new(&network, &self.settings, content, style)?, paintings))
    }
}

impl Job for EvalJob {
    type Output = Vec<(PathBuf, Evaluation)>;
    type Error = EvalJobError;

    /// Reads all pictures, then measures one painting after the other.
    ///
    /// # Errors
    /// If a setting or a file cannot be used, or the job is stopped: what was measured by then was told as an event.
    fn run(&self, context: &Context<'_>) -> Result<Self::Output, EvalJobError> {
        let begun = Instant::now();
        self.settings.check()?;
        let job = self.clone();
        let (mut evaluator, paintings) = context.abandonable(move || job.prepare())??;
        context.tell(EvalEvent::Started { paintings: paintings.len() });
        let mut all = Vec::new();
        for (path, painting) in self.paintings.iter().zip(paintings) {
            let (again, evaluation) = context.abandonable(move || {
                let evaluation = evaluator.evaluate(&painting);
                (evaluator, evaluation)
            })?;
            evaluator = again;
            let evaluation = evaluation?;
            context.tell(EvalEvent::Done { path: path.clone(), evaluation: Box::new(evaluation.clone()) });
            all.push((path.clone(), evaluation));
        }
        context.tell(EvalEvent::Finished { paintings: all.len(), elapsed: begun.elapsed().as_secs_f64() });
        Ok(all)
    }
}

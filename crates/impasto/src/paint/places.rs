//! All files of a painting, so that none is written over another.

use std::path::{Path, PathBuf};

use impasto_files::{Clash, Places, names};

use super::NO_MASK;
use super::job::{JobError, PaintJob};
use crate::picture::settings_of;
use crate::settings::{Init, Overrides};

impl PaintJob {
    /// The job's picture is called this unless something else is said: content and style, in the folder that the program
    /// runs in.
    pub(super) fn default_output(content: &Path, style: &Path) -> PathBuf {
        let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        names::fitted(format!("{}-{}", stem(content), stem(style)), ".png").into()
    }

    /// All files that the job reads and writes, but snapshots.
    ///
    /// # Errors
    /// If one of them would be written over another.
    pub(super) fn places(&self) -> Result<Places, Clash> {
        let mut places = Places::default();
        places.input("the photograph", &self.content)?;
        for style in &self.styles {
            places.input("the painting (`--style`)", &style.path)?;
        }
        for mask in self.masks.iter().filter(|mask| mask.as_os_str() != NO_MASK) {
            places.input("the mask (`--mask`)", mask)?;
        }
        if let Some(protect) = &self.protect {
            places.input("the mask (`--protect`)", protect)?;
        }
        if let Init::File(start) = &self.settings.init {
            places.input("the start (`--init`)", start)?;
        }
        let network = Path::new(&self.settings.network);
        if network.is_file() {
            places.input("the network (`--network`)", network)?;
        }
        for file in &self.settings_files {
            places.input("the file that the settings are read from,", file)?;
        }
        places.output("the picture (`-o`)", &self.output)?;
        if let Some(curve) = &self.curve {
            places.output("the curve (`--curve`)", curve)?;
        }
        let label = if self.resume { "the checkpoint (`--resume`)" } else { "the checkpoint (`--checkpoint`)" };
        if self.checkpoint_every > 0.0 {
            places.output(label, &self.checkpoint)?;
        } else if self.resume {
            places.input(label, &self.checkpoint)?;
        }
        Ok(places)
    }

    /// Checks that the snapshots of a run of this many iterations take the place of nothing but earlier snapshots.
    ///
    /// # Errors
    /// If one would be written over a file of the run, or over one that impasto did not paint.
    pub(super) fn check_snapshots(&self, iterations: usize) -> Result<(), JobError> {
        let Some(every) = self.settings.save_every else { return Ok(()) };
        impasto_files::check(&self.snapshot_path(every))?;
        let snapshot = |path: &Path| {
            let iteration = self.snapshot_iteration(path)?;
            (iteration.is_multiple_of(every) && (1..iterations).contains(&iteration)).then_some(iteration)
        };
        // Only files that exist can be in the way, and the other outputs, which may not exist yet.
        let existing = self.snapshot_folder().read_dir().into_iter().flatten().flatten();
        let existing = existing.map(|entry| self.output.with_file_name(entry.file_name()));
        let existing: Vec<PathBuf> = existing.filter(|path| snapshot(path).is_some()).collect();
        let mut places = self.places()?;
        for path in &existing {
            places.output("a snapshot (`--save-every`)", path)?;
        }
        let others = self.curve.iter().chain([&self.checkpoint]);
        for path in others.filter(|path| snapshot(path).is_some()) {
            let mut places = self.places()?;
            places.output("a snapshot (`--save-every`)", &self.snapshot_path(snapshot(path).unwrap_or_default()))?;
        }
        let foreign = existing.into_iter().find(|path| path.is_dir() || !self.is_own_snapshot(path));
        foreign.map_or(Ok(()), |path| Err(JobError::ForeignSnapshot(path)))
    }

    /// `out.png` after 50 of 1000 iterations: `out-0050.png`.
    pub(super) fn snapshot_path(&self, iteration: usize) -> PathBuf {
        let digits = self.settings.iterations.to_string().len();
        let ending = self.output.extension().unwrap_or_default().to_string_lossy();
        names::beside_stem(&self.output, &format!("-{iteration:0digits$}.{ending}"))
    }

    /// The iteration whose snapshot has this name, if it is one.
    fn snapshot_iteration(&self, path: &Path) -> Option<usize> {
        let stem = path.file_stem()?.to_str()?;
        let iteration = stem.rsplit('-').next()?.parse().ok()?;
        (self.snapshot_path(iteration).file_name() == path.file_name()).then_some(iteration)
    }

    /// Whether a file says that impasto painted it. Those of a run without settings do not, so a run that is resumed takes
    /// what has their names for its own.
    fn is_own_snapshot(&self, path: &Path) -> bool {
        let without_settings = self.resume && !self.embed_settings;
        without_settings || settings_of(path).is_some_and(|settings| Overrides::from_toml(&settings, path).is_ok())
    }

    fn snapshot_folder(&self) -> &Path {
        self.output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(output: &str) -> PaintJob {
        let given = Overrides {
            content: Some("cat.png".into()),
            style: vec!["night.png".parse().unwrap()],
            output: Some(output.into()),
            iterations: Some(500),
            ..Overrides::default()
        };
        PaintJob::new(given).unwrap()
    }

    #[test]
    fn a_snapshot_is_known_by_its_name() {
        for output in ["out.png", "a/out-7.png", &format!("{}.jpg", "x".repeat(251))] {
            let job = job(output);
            for iteration in [1, 50, 499, 1234] {
                let path = job.snapshot_path(iteration);
                assert_eq!(job.snapshot_iteration(&path), Some(iteration), "{}", path.display());
                assert!(path.file_name().unwrap().len() <= names::LONGEST);
            }
            for other in ["out.png", "out-50.png", "out-0050.png", "out-050.jpg", "other-050.png", "-.png"] {
                assert_eq!(job.snapshot_iteration(Path::new(other)), None, "{other}");
            }
        }
    }

    #[test]
    fn names_of_any_length_fit() {
        let long = "ü".repeat(120);
        let name = |content: &str, style: &str| PaintJob::default_output(content.as_ref(), style.as_ref());
        assert_eq!(name("a/cat.png", "night.jpg"), Path::new("cat-night.png"));
        let (one, other) =
            (name(&format!("{long}.png"), "night.jpg"), name(&format!("{long}.png"), &format!("{long}.jpg")));
        assert!(one.as_os_str().len() <= 255 && other.as_os_str().len() <= 255 && one != other);
        for output in [&one, &other] {
            assert!(super::super::checkpoint_path(output).as_os_str().len() <= 255);
        }
    }
}

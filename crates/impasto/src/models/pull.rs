//! Pulling a file: addresses in turn, retries, resume, checksum, and only then the name.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use impasto_files::FileError;

use super::error::PullError;
use super::event::PullEvent;
use super::manifest::{Entry, Manifest};
use super::part::{Part, beside, digest_of};
use super::transfer::{Client, Fault, Source};
use crate::job::{Context, Job};

/// A pause between attempts is never longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Progress events come at most this often.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// The rate is averaged over about this long.
const RATE_WINDOW: Duration = Duration::from_secs(3);

/// With an attempt that brings at least one part in this many of the file, the count of failures starts again.
const PROGRESS_SHARE: u64 = 200;

/// How to pull. The defaults suit a file of half a gigabyte on any network.
#[derive(Clone, Debug)]
pub struct PullOptions {
    /// Longest wait for a connection, an answer, or more bytes; 30 s.
    pub stall: Duration,
    /// Attempts in a row that may fail, for each address, before it is given up; at least 1; 5.
    pub attempts: u32,
    /// Pause after the first failure; it doubles with each further one, up to 30 s; 1 s.
    pub backoff: Duration,
    /// Whether `ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count; true.
    pub use_proxy: bool,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { stall: Duration::from_secs(30), attempts: 5, backoff: Duration::from_secs(1), use_proxy: true }
    }
}

/// A file to download, where to, and how.
#[derive(Clone, Debug)]
pub struct PullJob {
    /// What to download.
    pub entry: Entry,
    /// The folder that it goes to.
    pub dir: PathBuf,
    /// How.
    pub options: PullOptions,
}

impl Job for PullJob {
    /// The file.
    type Output = PathBuf;
    type Error = PullError;

    /// Downloads the file and returns its path.
    ///
    /// What arrives is kept in `<file>.part`, which a later run continues; the file gets its name only when its SHA-256
    /// is right, by a rename. Beside it, `<file>.toml` keeps the entry, so that [`list`](super::list) and
    /// [`find`](super::find) know files of any manifest. A file that is there already is checked, not downloaded.
    ///
    /// # Errors
    /// A [`PullError`] of one sentence. The part file is removed after a wrong checksum or too many bytes, and kept in
    /// every other case, also if the job is stopped.
    fn run(&self, context: &Context<'_>) -> Result<PathBuf, PullError> {
        let Self { entry, dir, .. } = self;
        let target = dir.join(&entry.file);
        fs::create_dir_all(dir).map_err(|source| PullError::Folder { path: dir.to_owned(), source })?;
        if target.exists() {
            return confirm(entry, target, context);
        }
        let (place, size) = (target.clone(), entry.size);
        let mut part = context.abandonable(move || Part::open(&place, size))??;
        if target.exists() {
            // Another pull finished while this one waited for the file.
            part.discard();
            return confirm(entry, target, context);
        }
        match (Pull { job: self, context }).fill(&mut part) {
            Ok(()) => {
                write_receipt(entry, &target)?;
                part.finish()?;
                context.tell(PullEvent::Done { path: target.clone(), already: false });
                Ok(target)
            }
            Err(error) => {
                if part.len() == 0 {
                    part.discard();
                }
                Err(error)
            }
        }
    }
}

/// Checks a file that has the name already.
fn confirm(entry: &Entry, target: PathBuf, context: &Context<'_>) -> Result<PathBuf, PullError> {
    let size = fs::metadata(&target).map_err(|e| PullError::file(&target, e))?.len();
    if size != entry.size {
        return Err(PullError::Occupied { path: target });
    }
    context.tell(PullEvent::Checking { path: target.clone() });
    let path = target.clone();
    if context.abandonable(move || digest_of(&path))?.map_err(|e| PullError::file(&target, e))? != entry.sha256 {
        return Err(PullError::Occupied { path: target });
    }
    write_receipt(entry, &target)?;
    context.tell(PullEvent::Done { path: target.clone(), already: true });
    Ok(target)
}

/// Writes the entry beside the file, as a manifest of one.
fn write_receipt(entry: &Entry, target: &Path) -> Result<(), PullError> {
    let path = beside(target, ".toml");
    let manifest = Manifest { entries: vec![entry.clone()] };
    let text = toml::to_string(&manifest).expect("an entry has only text and a number");
    impasto_files::write(&path, |out| out.write_all(text.as_bytes())).map_err(|error| match error {
        FileError::DiskFull(path) => PullError::DiskFull { path },
        FileError::Folder { error, .. } | FileError::Write { error, .. } => PullError::file(&path, error),
        other => PullError::file(&path, io::Error::other(other)),
    })
}

/// A download under way.
struct Pull<'a> {
    job: &'a PullJob,
    context: &'a Context<'a>,
}

impl Pull<'_> {
    /// Fills `part` from the first address that has the right bytes.
    fn fill(&self, part: &mut Part) -> Result<(), PullError> {
        let client = Client::new(self.job.options.stall, self.job.options.use_proxy);
        let mut addresses = self.job.entry.addresses().peekable();
        while let Some(url) = addresses.next() {
            let error = match self.fill_from(&client, url, part) {
                Ok(()) => return Ok(()),
                Err(Fault::Stop(error)) => return Err(error),
                Err(fault) => PullError::from(fault),
            };
            if addresses.peek().is_none() {
                return Err(error);
            }
            self.context.tell(PullEvent::Elsewhere { reason: error.to_string() });
        }
        unreachable!("every entry has an address")
    }

    /// Fills `part` from `url` and checks it. What an earlier pull left may be the fault of a wrong checksum, so
    /// then it is downloaded once more from the beginning.
    fn fill_from(&self, client: &Client, url: &str, part: &mut Part) -> Result<(), Fault> {
        let size = self.job.entry.size;
        self.context.tell(PullEvent::Started { url: url.to_owned(), have: part.len(), total: size });
        let mut source = Source { url, size, tag: None, whole: part.len() == 0 };
        loop {
            self.download(client, &mut source, part)?;
            let (found, expected) = (part.digest(), self.job.entry.sha256.clone());
            if found == expected {
                return Ok(());
            }
            part.restart().map_err(Fault::Stop)?;
            if source.whole {
                return Err(Fault::Elsewhere(PullError::Checksum { url: url.to_owned(), found, expected }));
            }
            source.whole = true;
        }
    }

    /// Asks again and again until all bytes are there or it fails too often in a row.
    fn download(&self, client: &Client, source: &mut Source, part: &mut Part) -> Result<(), Fault> {
        let (total, step) = (source.size, source.size.div_ceil(PROGRESS_SHARE));
        let (mut failures, mut reached) = (0, part.len());
        let mut meter = Meter::new(part.len());
        while part.len() < total {
            let mut report = |bytes| {
                if let Some(rate) = meter.update(bytes, bytes == total) {
                    self.context.tell(PullEvent::Progress { bytes, total, rate });
                }
            };
            let error = match client.fetch(source, part, self.context.control(), &mut report) {
                Ok(()) => break,
                Err(Fault::Again(error)) => error,
                Err(fault) => return Err(fault),
            };
            if part.len() >= reached + step {
                (failures, reached) = (0, part.len());
            }
            failures += 1;
            if failures >= self.job.options.attempts {
                return Err(Fault::Again(error));
            }
            let pause = (self.job.options.backoff * 2u32.saturating_pow(failures - 1)).min(LONGEST_PAUSE);
            self.context.tell(PullEvent::Retrying { reason: error.to_string(), failures, pause: pause.as_secs_f64() });
            self.wait(pause).map_err(Fault::Stop)?;
        }
        Ok(())
    }

    fn wait(&self, pause: Duration) -> Result<(), PullError> {
        let end = Instant::now() + pause;
        loop {
            self.context.control().wait()?;
            match end.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(REPORT_EVERY)),
                _ => return Ok(()),
            }
        }
    }
}

/// Bytes per second, smoothed over the last seconds.
struct Meter {
    since: Instant,
    bytes: u64,
    rate: Option<f64>,
}

impl Meter {
    fn new(bytes: u64) -> Self {
        Self { since: Instant::now(), bytes, rate: None }
    }

    /// The rate, when it is time to report again or `last` is true.
    fn update(&mut self, bytes: u64, last: bool) -> Option<f64> {
        let elapsed = self.since.elapsed();
        if elapsed < REPORT_EVERY && !last {
            return None;
        }
        let now = bytes.saturating_sub(self.bytes) as f64 / elapsed.as_secs_f64().max(1e-9);
        let keep = self.rate.map_or(0.0, |_| (-elapsed.as_secs_f64() / RATE_WINDOW.as_secs_f64()).exp());
        let rate = keep * self.rate.unwrap_or(0.0) + (1.0 - keep) * now;
        *self = Self { since: Instant::now(), bytes, rate: Some(rate) };
        Some(rate)
    }
}

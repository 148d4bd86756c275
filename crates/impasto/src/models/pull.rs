//! Pulling a file: addresses in turn, retries, resume, checksum, and only then the name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use impasto_files::FileError;

use super::error::PullError;
use super::manifest::{Entry, Manifest};
use super::part::{Part, beside, digest_of};
use super::transfer::{Client, Fault, Source};

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
    /// Set to true from another thread, stops the pull within a chunk and keeps the part file; none.
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            attempts: 5,
            backoff: Duration::from_secs(1),
            use_proxy: true,
            cancel: None,
        }
    }
}

/// What happens during a pull, for whoever watches.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PullEvent {
    /// An address is asked for the first time.
    Started {
        /// The address.
        url: String,
        /// Bytes there already from an earlier pull.
        have: u64,
        /// Bytes in all.
        total: u64,
    },
    /// More has arrived. Comes at most ten times a second, and once at the end of the download.
    Progress {
        /// Bytes there now; fewer than before where a server cannot resume.
        bytes: u64,
        /// Bytes in all.
        total: u64,
        /// Bytes per second over the last seconds.
        rate: f64,
    },
    /// An attempt failed and will be repeated.
    Retrying {
        /// What went wrong, in one sentence.
        reason: String,
        /// Failures in a row so far, from 1.
        failures: u32,
        /// The pause before the next attempt.
        pause: Duration,
    },
    /// An address was given up and the next one is tried.
    Elsewhere {
        /// What went wrong, in one sentence.
        reason: String,
    },
    /// A file that is there already is being compared with the checksum.
    Checking {
        /// The file.
        path: PathBuf,
    },
    /// The file is there and its checksum is right.
    Done {
        /// The file.
        path: PathBuf,
        /// Whether it was there before, so that nothing was downloaded.
        already: bool,
    },
}

/// Downloads `entry` into the folder `dir` and returns the path of the file.
///
/// What arrives is kept in `<file>.part`, which a later call continues; the file gets its name only when its SHA-256
/// is right, by a rename. Beside it, `<file>.toml` keeps the entry, so that [`list`](super::list) and
/// [`find`](super::find) know files of any manifest. A file that is there already is checked, not downloaded.
///
/// # Errors
/// A [`PullError`] of one sentence. The part file is removed after a wrong checksum or too many bytes, and kept in
/// every other case.
pub fn pull(
    entry: &Entry,
    dir: &Path,
    options: &PullOptions,
    events: &mut dyn FnMut(PullEvent),
) -> Result<PathBuf, PullError> {
    let target = dir.join(&entry.file);
    fs::create_dir_all(dir).map_err(|source| PullError::Folder { path: dir.to_owned(), source })?;
    if target.exists() {
        return confirm(entry, target, events);
    }
    let mut part = Part::open(&target, entry.size)?;
    if target.exists() {
        // Another pull finished while this one waited for the file.
        part.discard();
        return confirm(entry, target, events);
    }
    match (Pull { entry, options, events }).fill(&mut part) {
        Ok(()) => {
            write_receipt(entry, &target)?;
            part.finish()?;
            events(PullEvent::Done { path: target.clone(), already: false });
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

/// Checks a file that has the name already.
fn confirm(entry: &Entry, target: PathBuf, events: &mut dyn FnMut(PullEvent)) -> Result<PathBuf, PullError> {
    let size = fs::metadata(&target).map_err(|e| PullError::file(&target, e))?.len();
    if size != entry.size {
        return Err(PullError::Occupied { path: target });
    }
    events(PullEvent::Checking { path: target.clone() });
    if digest_of(&target).map_err(|e| PullError::file(&target, e))? != entry.sha256 {
        return Err(PullError::Occupied { path: target });
    }
    write_receipt(entry, &target)?;
    events(PullEvent::Done { path: target.clone(), already: true });
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

struct Pull<'a> {
    entry: &'a Entry,
    options: &'a PullOptions,
    events: &'a mut dyn FnMut(PullEvent),
}

impl Pull<'_> {
    /// Fills `part` from the first address that has the right bytes.
    fn fill(&mut self, part: &mut Part) -> Result<(), PullError> {
        let client = Client::new(self.options.stall, self.options.use_proxy);
        let mut addresses = self.entry.addresses().peekable();
        while let Some(url) = addresses.next() {
            let error = match self.fill_from(&client, url, part) {
                Ok(()) => return Ok(()),
                Err(Fault::Stop(error)) => return Err(error),
                Err(fault) => PullError::from(fault),
            };
            if addresses.peek().is_none() {
                return Err(error);
            }
            (self.events)(PullEvent::Elsewhere { reason: error.to_string() });
        }
        unreachable!("every entry has an address")
    }

    /// Fills `part` from `url` and checks it. What an earlier pull left may be the fault of a wrong checksum, so
    /// then it is downloaded once more from the beginning.
    fn fill_from(&mut self, client: &Client, url: &str, part: &mut Part) -> Result<(), Fault> {
        let size = self.entry.size;
        (self.events)(PullEvent::Started { url: url.to_owned(), have: part.len(), total: size });
        let mut source = Source { url, size, tag: None, whole: part.len() == 0 };
        loop {
            self.download(client, &mut source, part)?;
            let (found, expected) = (part.digest(), self.entry.sha256.clone());
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
    fn download(&mut self, client: &Client, source: &mut Source, part: &mut Part) -> Result<(), Fault> {
        let (total, step) = (source.size, source.size.div_ceil(PROGRESS_SHARE));
        let (mut failures, mut reached) = (0, part.len());
        let mut meter = Meter::new(part.len());
        while part.len() < total {
            let Self { options, events, .. } = self;
            let mut report = |bytes| {
                if let Some(rate) = meter.update(bytes, bytes == total) {
                    events(PullEvent::Progress { bytes, total, rate });
                }
                check_cancel(options)
            };
            let error = match client.fetch(source, part, &mut report) {
                Ok(()) => break,
                Err(Fault::Again(error)) => error,
                Err(fault) => return Err(fault),
            };
            if part.len() >= reached + step {
                (failures, reached) = (0, part.len());
            }
            failures += 1;
            if failures >= self.options.attempts {
                return Err(Fault::Again(error));
            }
            let pause = (self.options.backoff * 2u32.saturating_pow(failures - 1)).min(LONGEST_PAUSE);
            (self.events)(PullEvent::Retrying { reason: error.to_string(), failures, pause });
            self.wait(pause).map_err(Fault::Stop)?;
        }
        Ok(())
    }

    fn wait(&self, pause: Duration) -> Result<(), PullError> {
        let end = Instant::now() + pause;
        loop {
            check_cancel(self.options)?;
            match end.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => thread::sleep(left.min(REPORT_EVERY)),
                _ => return Ok(()),
            }
        }
    }
}

fn check_cancel(options: &PullOptions) -> Result<(), PullError> {
    match &options.cancel {
        Some(cancel) if cancel.load(Ordering::Relaxed) => Err(PullError::Cancelled),
        _ => Ok(()),
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

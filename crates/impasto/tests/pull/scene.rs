//! What a test pulls from and into.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use impasto::job::{Context, Event, Job};
use impasto::models::{Entry, Kind, PullError, PullEvent, PullJob, PullOptions};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::server::{Reply, Request, Server};

/// A photograph of 111 kB.
pub(crate) fn data() -> Vec<u8> {
    fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/pictures/rocket.jpg")).unwrap()
}

/// A server, an empty folder, and the entry for the photograph on that server.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) dir: TempDir,
    pub(crate) entry: Entry,
    pub(crate) options: PullOptions,
    pub(crate) events: Vec<PullEvent>,
}

impl Scene {
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        let server = Server::new(replies);
        let data = data();
        let entry = Entry {
            name: "rocket".into(),
            kind: Kind::Network,
            network: Some("vgg16".into()),
            file: "rocket.pth".into(),
            size: data.len() as u64,
            sha256: Sha256::digest(&data).iter().map(|byte| format!("{byte:02x}")).collect(),
            url: server.url("w/rocket.pth"),
            mirrors: vec![],
            origin: "SpaceX".into(),
            licence: "CC0".into(),
        };
        let options = PullOptions {
            stall: Duration::from_secs(20),
            attempts: 3,
            backoff: Duration::from_millis(5),
            use_proxy: false,
        };
        Self { server, dir: TempDir::new().unwrap(), entry, options, events: vec![] }
    }

    /// As [`new`](Self::new), for a client that soon loses patience.
    pub(crate) fn impatient(replies: Vec<Reply>) -> Self {
        let mut scene = Self::new(replies);
        scene.options.stall = Duration::from_secs(1);
        scene
    }

    pub(crate) fn job(&self) -> PullJob {
        let (entry, dir, options) = (self.entry.clone(), self.dir.path().to_owned(), self.options.clone());
        PullJob { entry, dir, options }
    }

    pub(crate) fn pull(&mut self) -> Result<PathBuf, PullError> {
        let events = Mutex::new(Vec::new());
        let pulled = self.job().run(&Context::new(&events));
        let of_pull = |event| match event {
            Event::Pull(event) => event,
            other => panic!("{other:?}"),
        };
        self.events.extend(events.into_inner().unwrap().into_iter().map(of_pull));
        pulled
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.dir.path().join("rocket.pth")
    }

    pub(crate) fn part(&self) -> PathBuf {
        self.dir.path().join("rocket.pth.part")
    }

    /// The starts of the ranges asked for, request by request.
    pub(crate) fn starts(&self) -> Vec<Option<usize>> {
        self.server.requests().iter().map(Request::start).collect()
    }

    pub(crate) fn retries(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, PullEvent::Retrying { .. })).count()
    }

    /// The pull succeeds and leaves the right file, its receipt and nothing else.
    pub(crate) fn succeeds(&mut self) {
        assert_eq!(self.pull().unwrap(), self.target());
        assert_eq!(fs::read(self.target()).unwrap(), data());
        assert_eq!(self.files(), ["rocket.pth", "rocket.pth.toml"]);
        let done = PullEvent::Done { path: self.target(), already: false };
        assert_eq!(self.events.last(), Some(&done));
    }

    /// The pull fails and leaves a part file of `kept` bytes from the start of the right ones, or nothing at all.
    pub(crate) fn fails(&mut self, kept: Option<usize>) -> PullError {
        let error = self.pull().expect_err("the pull must fail");
        let message = error.to_string();
        assert!(!message.contains('\n') && !message.ends_with('.'), "not one sentence: {message}");
        match kept {
            Some(n) => {
                assert_eq!(self.files(), ["rocket.pth.part"]);
                assert!(fs::read(self.part()).unwrap() == data()[..n], "the part file is not the first {n} bytes");
            }
            None => assert_eq!(self.files(), [] as [&str; 0]),
        }
        error
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

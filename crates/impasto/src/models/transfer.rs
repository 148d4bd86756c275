//! One request: from what the part file has to what the server sends.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use ureq::http::header;
use ureq::http::response::Parts;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Error, RequestBuilder, Timeout};

use super::error::PullError;
use super::part::Part;
use crate::job::Control;

/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// Chunks that may wait to be written.
const CHUNKS_AHEAD: usize = 4;

/// How often the control is asked while nothing arrives.
const POLL: Duration = Duration::from_millis(20);

/// Redirects followed from one address.
const REDIRECTS: u32 = 10;

/// What to do about an error.
pub(super) enum Fault {
    /// Likely to pass: ask the same address again.
    Again(PullError),
    /// This address will not do: ask the next.
    Elsewhere(PullError),
    /// Nothing on the network can help.
    Stop(PullError),
}

impl From<Fault> for PullError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Again(error) | Fault::Elsewhere(error) | Fault::Stop(error) => error,
        }
    }
}

/// How to ask.
pub(super) struct Client {
    agent: Agent,
    stall: Duration,
}

/// One address and what is known about it.
pub(super) struct Source<'a> {
    pub(super) url: &'a str,
    /// The file's size in bytes.
    pub(super) size: u64,
    /// Entity tag of the last answer (RFC 9110, 8.8.3), to continue only the same representation.
    pub(super) tag: Option<String>,
    /// Whether every byte of the part file came from this address.
    pub(super) whole: bool,
}

impl Client {
    /// A client that waits at most `stall` for a connection, an answer, or more bytes. It trusts the certificates
    /// that the system trusts, as behind a company's proxy.
    pub(super) fn new(stall: Duration, use_proxy: bool) -> Self {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(REDIRECTS)
            .accept_encoding("identity")
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .user_agent(concat!("impasto/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(stall))
            .timeout_connect(Some(stall))
            .timeout_per_read(Some(stall))
            .timeout_per_write(Some(stall));
        if !use_proxy {
            config = config.proxy(None);
        }
        Self { agent: config.build().new_agent(), stall }
    }

    /// Asks for what is missing and appends it to `part`, reporting its new length after each chunk.
    ///
    /// Returns when `part` has all `source.size` bytes. The network is waited for on a thread of its own, so that the
    /// control is answered meanwhile; when this returns, the thread ends with what it waits for.
    pub(super) fn fetch(
        &self,
        source: &mut Source,
        part: &mut Part,
        control: &Control,
        report: &mut dyn FnMut(u64),
    ) -> Result<(), Fault> {
        let (sender, arriving) = sync_channel(CHUNKS_AHEAD);
        let request = self.request(source, part.len());
        let spawned = thread::Builder::new().spawn(move || receive(request, &sender));
        spawned.map_err(|error| Fault::Stop(PullError::file(part.path(), error)))?;
        loop {
            let arrived = match arriving.recv_timeout(POLL) {
                Ok(arrived) => arrived,
                Err(RecvTimeoutError::Timeout) => {
                    control.wait().map_err(|stopped| Fault::Stop(stopped.into()))?;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(broken(source, part)),
            };
            match arrived.map_err(|error| self.fault(error, source, part))? {
                Arrived::Head(head) => self.accept(&head, source, part)?,
                Arrived::Chunk(chunk) if part.len() + chunk.len() as u64 > source.size => {
                    part.restart().map_err(Fault::Stop)?;
                    source.whole = true;
                    return Err(Fault::Elsewhere(PullError::TooLong { url: source.url.into(), expected: source.size }));
                }
                Arrived::Chunk(chunk) => {
                    part.append(&chunk).map_err(Fault::Stop)?;
                    report(part.len());
                }
                Arrived::End if part.len() == source.size => return Ok(()),
                Arrived::End => return Err(broken(source, part)),
            }
            control.wait().map_err(|stopped| Fault::Stop(stopped.into()))?;
        }
    }

    fn request(&self, source: &Source, have: u64) -> RequestBuilder<WithoutBody> {
        let mut request = self.agent.get(source.url);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
            if let Some(tag) = &source.tag {
                request = request.header(header::IF_RANGE, tag);
            }
        }
        request
    }

    /// Decides from status and headers whether the body continues `part`, replaces it, or is of no use.
    fn accept(&self, reply: &Parts, source: &mut Source, part: &mut Part) -> Result<(), Fault> {
        let url = source.url.to_owned();
        let stated = match reply.status.as_u16() {
            200 => content_length(reply),
            206 => {
                let (start, total) = content_range(reply);
                if start != Some(part.len()) {
                    part.restart().map_err(Fault::Stop)?;
                    let reason = "it sends another part of the file than the one asked for".to_owned();
                    return Err(Fault::Again(PullError::Nonsense { url, reason }));
                }
                total
            }
            416 => {
                part.restart().map_err(Fault::Stop)?;
                return Err(Fault::Again(PullError::Status { url, status: 416 }));
            }
            status @ (408 | 429 | 500..) => return Err(Fault::Again(PullError::Status { url, status })),
            status => return Err(Fault::Elsewhere(PullError::Status { url, status })),
        };
        if let Some(stated) = stated.filter(|&stated| stated != source.size) {
            return Err(Fault::Elsewhere(PullError::Size { url, stated, expected: source.size }));
        }
        if reply.status.as_u16() == 200 && part.len() > 0 {
            part.restart().map_err(Fault::Stop)?;
        }
        source.whole |= part.len() == 0;
        source.tag = strong_tag(reply);
        Ok(())
    }

    fn fault(&self, error: Error, source: &Source, part: &Part) -> Fault {
        let url = source.url.to_owned();
        let unreachable = |reason: String| PullError::Unreachable { url: source.url.to_owned(), reason };
        match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                Fault::Again(unreachable(format!("no connection within {} s", self.stall.as_secs_f32())))
            }
            Error::Timeout(_) => {
                let seconds = self.stall.as_secs_f32();
                Fault::Again(PullError::Stalled { url, seconds, have: part.len(), size: source.size })
            }
            Error::HostNotFound => Fault::Again(unreachable("there is no such host, or no network".into())),
            Error::Io(e) => self.io_fault(&e, source, part),
            Error::ConnectionFailed | Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl | Error::Tls(_) => {
                Fault::Elsewhere(unreachable(error.to_string()))
            }
            Error::Rustls(e) => Fault::Elsewhere(unreachable(e.to_string())),
            other => Fault::Elsewhere(PullError::Nonsense { url, reason: other.to_string() }),
        }
    }

    fn io_fault(&self, error: &io::Error, source: &Source, part: &Part) -> Fault {
        let unreachable = |reason: String| PullError::Unreachable { url: source.url.to_owned(), reason };
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                broken(source, part)
            }
            ErrorKind::ConnectionRefused if self.agent.config().proxy().is_some() => {
                Fault::Again(unreachable("it, or the proxy that the environment names, refuses the connection".into()))
            }
            ErrorKind::ConnectionRefused => Fault::Again(unreachable("it refuses the connection".into())),
            // A certificate that is not trusted comes so.
            ErrorKind::InvalidData => Fault::Elsewhere(unreachable(error.to_string())),
            _ => Fault::Again(unreachable(error.to_string())),
        }
    }
}

/// What comes from the network, in this order.
enum Arrived {
    /// Status and headers.
    Head(Box<Parts>),
    /// Some bytes.
    Chunk(Vec<u8>),
    /// All bytes that the server sends have come.
    End,
}

/// Sends a request and passes on what arrives, until it ends, fails, or nobody wants it any more.
fn receive(request: RequestBuilder<WithoutBody>, to: &SyncSender<Result<Arrived, Error>>) {
    let mut body = match request.call() {
        Ok(reply) => {
            let (head, body) = reply.into_parts();
            if to.send(Ok(Arrived::Head(Box::new(head)))).is_err() {
                return;
            }
            body.into_reader()
        }
        Err(error) => {
            let _ = to.send(Err(error));
            return;
        }
    };
    let mut buffer = vec![0; CHUNK];
    loop {
        let arrived = match body.read(&mut buffer) {
            Ok(0) => Ok(Arrived::End),
            Ok(read) => Ok(Arrived::Chunk(buffer[..read].to_vec())),
            Err(error) => Err(Error::from(error)),
        };
        let last = !matches!(arrived, Ok(Arrived::Chunk(_)));
        if to.send(arrived).is_err() || last {
            return;
        }
    }
}

fn broken(source: &Source, part: &Part) -> Fault {
    Fault::Again(PullError::BrokenOff { url: source.url.into(), have: part.len(), size: source.size })
}

/// `Content-Length`, where the body's end is not told in another way (RFC 9112, 6.3).
fn content_length(reply: &Parts) -> Option<u64> {
    let headers = &reply.headers;
    let length = headers.get(header::CONTENT_LENGTH).filter(|_| !headers.contains_key(header::TRANSFER_ENCODING))?;
    length.to_str().ok()?.parse().ok()
}

/// Start and total of `Content-Range: bytes start-end/total` (RFC 9110, 14.4); the total may be `*`.
fn content_range(reply: &Parts) -> (Option<u64>, Option<u64>) {
    let text = reply.headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let Some((range, total)) = text.strip_prefix("bytes ").and_then(|rest| rest.split_once('/')) else {
        return (None, None);
    };
    (range.split_once('-').and_then(|(start, _)| start.parse().ok()), total.parse().ok())
}

/// The entity tag, unless it is weak: only a strong one says that the bytes are the same.
fn strong_tag(reply: &Parts) -> Option<String> {
    let tag = reply.headers.get(header::ETAG)?.to_str().ok()?;
    (!tag.starts_with("W/")).then(|| tag.to_owned())
}

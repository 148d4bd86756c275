//! A web server on this machine that does what it is told, right or wrong.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a client sent: the first line and all headers, names in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The header called `name`, given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// N of `Range: bytes=N-`.
    pub(crate) fn start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// How to answer one request; the connection is closed afterwards.
pub(crate) type Reply = Box<dyn Fn(&Request, &mut TcpStream) -> io::Result<()> + Send + Sync>;

/// Serves until dropped: the first reply to the first request, and so on; the last one to all further ones.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (requests, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, stopping, replies) = (requests.clone(), stop.clone(), Arc::new(replies));
        let listening = thread::spawn(move || {
            let mut answering = Vec::new();
            for stream in listener.incoming() {
                if stopping.load(Ordering::SeqCst) {
                    break;
                }
                let (seen, replies) = (seen.clone(), replies.clone());
                // The client may leave in the middle: that is no fault of the server.
                answering.push(thread::spawn(move || stream.and_then(|stream| answer(stream, &seen, &replies))));
            }
            for thread in answering {
                let _ = thread.join().expect("no server thread panics");
            }
        });
        Self { address, requests, stop, listening: Some(listening) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.listening.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<Request>>, replies: &[Reply]) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    let mut request = Request { path: first.split(' ').nth(1).unwrap_or_default().to_owned(), headers: Vec::new() };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        request.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    replies[number.min(replies.len() - 1)](&request, &mut stream)?;
    stream.shutdown(Shutdown::Both)
}

/// Writes a status line and headers; each of `headers` without its line end.
pub(crate) fn head(stream: &mut TcpStream, status: &str, headers: &[String]) -> io::Result<()> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")
}

/// The head of a right answer, with or without a range; returns what remains to be sent.
fn right_head<'a>(data: &'a [u8], request: &Request, stream: &mut TcpStream) -> io::Result<&'a [u8]> {
    let tag = "ETag: \"one\"".to_owned();
    let same = request.header("if-range").is_none_or(|tag| tag == "\"one\"");
    match request.start().filter(|_| same) {
        Some(start) if start >= data.len() => {
            head(stream, "416 Range Not Satisfiable", &[format!("Content-Range: bytes */{}", data.len())])?;
            Ok(&[])
        }
        Some(start) => {
            let range = format!("Content-Range: bytes {start}-{}/{}", data.len() - 1, data.len());
            let length = format!("Content-Length: {}", data.len() - start);
            head(stream, "206 Partial Content", &[length, range, tag])?;
            Ok(&data[start..])
        }
        None => {
            head(stream, "200 OK", &[format!("Content-Length: {}", data.len()), tag])?;
            Ok(data)
        }
    }
}

/// Everything as it should be, ranges too.
pub(crate) fn right(data: &[u8]) -> Reply {
    let data = data.to_vec();
    Box::new(move |request, stream| {
        let rest = right_head(&data, request, stream)?;
        stream.write_all(rest)
    })
}

/// Announces everything, sends `n` bytes, and closes the connection.
pub(crate) fn break_after(data: &[u8], n: usize) -> Reply {
    let data = data.to_vec();
    Box::new(move |request, stream| {
        let rest = right_head(&data, request, stream)?;
        stream.write_all(&rest[..n.min(rest.len())])
    })
}

/// Announces everything, sends `n` bytes, and keeps quiet until the client leaves.
pub(crate) fn stall_after(data: &[u8], n: usize) -> Reply {
    let data = data.to_vec();
    Box::new(move |request, stream| {
        let rest = right_head(&data, request, stream)?;
        stream.write_all(&rest[..n.min(rest.len())])?;
        keep_quiet(stream)
    })
}

/// Takes the request and says nothing until the client leaves.
pub(crate) fn silent() -> Reply {
    Box::new(|_, stream| keep_quiet(stream))
}

fn keep_quiet(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.read(&mut [0]).map(drop)
}

/// Sends everything in small pieces with a pause between them.
pub(crate) fn trickle(data: &[u8], pieces: usize, pause: Duration) -> Reply {
    let data = data.to_vec();
    Box::new(move |request, stream| {
        let rest = right_head(&data, request, stream)?;
        for piece in rest.chunks(data.len().div_ceil(pieces)) {
            stream.write_all(piece)?;
            thread::sleep(pause);
        }
        Ok(())
    })
}

/// Status 200, these headers and this body, whatever was asked.
pub(crate) fn fixed(headers: &[&str], body: &[u8]) -> Reply {
    let (headers, body) = (headers.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>(), body.to_vec());
    Box::new(move |_, stream| {
        head(stream, "200 OK", &headers)?;
        stream.write_all(&body)
    })
}

/// A status and headers without a body.
pub(crate) fn status(line: &'static str, headers: &[&str]) -> Reply {
    let mut headers: Vec<_> = headers.iter().map(|header| (*header).to_owned()).collect();
    headers.push("Content-Length: 0".to_owned());
    Box::new(move |_, stream| head(stream, line, &headers))
}

/// These bytes in place of HTTP.
pub(crate) fn raw(bytes: &'static [u8]) -> Reply {
    Box::new(move |_, stream| stream.write_all(bytes))
}

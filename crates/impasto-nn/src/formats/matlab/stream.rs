//! The bytes of one variable of a MATLAB file, unpacked as they are read.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

use flate2::bufread::ZlibDecoder;

use crate::formats::source::{Source, read_bounded, skip};

/// Where a variable lies in the file: behind its outer tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) first: u64,
    pub(super) bytes: u64,
    /// Whether it is a zlib stream.
    pub(super) packed: bool,
}

/// Reads variables from front to back: reading forwards is cheap, going back starts the variable again. Only the
/// requested values are kept, so hundreds of megabytes pass through a buffer of a few kilobytes.
pub(super) struct Stream {
    body: Body,
    place: Option<Place>,
    position: u64,
}

enum Body {
    Plain(Take<BufReader<Source>>),
    Packed(Box<ZlibDecoder<Take<BufReader<Source>>>>),
    /// In between only: the source is on its way from one body to the next.
    Gone,
}

impl Stream {
    pub(super) fn new(source: Source) -> Self {
        Self { body: Body::Plain(BufReader::with_capacity(1 << 16, source).take(0)), place: None, position: 0 }
    }

    /// Goes to the start of a variable.
    pub(super) fn begin(&mut self, place: Place) -> io::Result<()> {
        let mut file = match std::mem::replace(&mut self.body, Body::Gone) {
            Body::Plain(body) => body.into_inner(),
            Body::Packed(body) => body.into_inner().into_inner(),
            Body::Gone => return Err(io::Error::other("an earlier read failed")),
        };
        let sought = file.seek(SeekFrom::Start(place.first));
        let body = file.take(place.bytes);
        self.body = if place.packed { Body::Packed(Box::new(ZlibDecoder::new(body))) } else { Body::Plain(body) };
        self.place = Some(place);
        self.position = 0;
        sought.map(drop)
    }

    /// Unpacked bytes read since the start of the variable.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Reads `count` unpacked bytes from `offset` of a variable.
    pub(super) fn read_at(&mut self, place: Place, offset: u64, count: u64) -> io::Result<Vec<u8>> {
        if self.place != Some(place) || self.position > offset {
            self.begin(place)?;
        }
        self.pass(offset - self.position)?;
        read_bounded(self, count)
    }

    /// Passes over `count` unpacked bytes; where nothing is packed they are not even read.
    pub(super) fn pass(&mut self, count: u64) -> io::Result<()> {
        let Body::Plain(body) = &mut self.body else { return skip(self, count) };
        let left = body.limit().checked_sub(count).ok_or(io::ErrorKind::UnexpectedEof)?;
        body.get_mut().seek_relative(count.cast_signed())?;
        body.set_limit(left);
        self.position += count;
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.body {
            Body::Plain(body) => body.read(buffer)?,
            Body::Packed(body) => body.read(buffer)?,
            Body::Gone => 0,
        };
        self.position += count as u64;
        Ok(count)
    }
}

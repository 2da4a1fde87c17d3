//! One socket that never blocks: frames out by as few writes as they take, frames in.

use crate::Result;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::ops::Range;

/// Parts given to one write.
const PARTS_MAX: usize = 64;
/// Size of a new buffer.
const READ_MIN: usize = 64 << 10;

pub struct Connection {
    pub stream: TcpStream,
    parts: VecDeque<Bytes>,
    /// How much of the first part is written.
    written: usize,
    /// What follows on `parts`.
    open: BytesMut,
    incoming: BytesMut,
    /// Bytes at the front of `incoming` that were received.
    received: usize,
}

impl Connection {
    pub fn open(address: &str) -> Result<Connection> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection { stream, parts: VecDeque::new(), written: 0, open: BytesMut::new(), incoming: BytesMut::new(), received: 0 })
    }

    /// Where small requests are appended.
    pub fn open_part(&mut self) -> (&mut BytesMut, impl FnMut(&mut BytesMut, &Bytes) + use<'_>) {
        let parts = &mut self.parts;
        (&mut self.open, move |open: &mut BytesMut, part: &Bytes| {
            parts.push_back(open.split().freeze());
            parts.push_back(part.clone());
        })
    }

    /// Whether requests wait for the socket.
    pub fn is_blocked(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) -> Result<()> {
        if !self.open.is_empty() {
            self.parts.push_back(self.open.split().freeze());
        }
        while !self.parts.is_empty() {
            let slices: Vec<IoSlice<'_>> = self.slices().take(PARTS_MAX).collect();
            match (&self.stream).write_vectored(&slices) {
                Ok(0) => return Err("the broker takes no more".into()),
                Ok(count) => self.wrote(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        let first = self.parts.iter().take(1).map(|part| IoSlice::new(&part[self.written..]));
        first.chain(self.parts.iter().skip(1).map(|part| IoSlice::new(part)))
    }

    fn wrote(&mut self, count: usize) {
        self.written += count;
        while self.parts.front().is_some_and(|part| part.len() <= self.written) {
            self.written -= self.parts.pop_front().map_or(0, |part| part.len());
        }
    }

    /// Receives what is there and shows each whole frame, without its size.
    pub fn receive(&mut self, mut frame: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        loop {
            let short = self.read()?;
            let mut at = 0;
            while let Some(size) = size_at(&self.incoming[at..self.received])?
                && self.received - at >= 4 + size
            {
                frame(&self.incoming[at + 4..at + 4 + size])?;
                at += 4 + size;
            }
            self.incoming.copy_within(at..self.received, 0);
            self.received -= at;
            if short {
                return Ok(());
            }
        }
    }

    /// The one frame that is awaited, once it is whole: the buffer and where the frame is in it. Give it back with [`Self::recycle`].
    pub fn receive_one(&mut self) -> Result<Option<(Bytes, Range<usize>)>> {
        loop {
            let short = self.read()?;
            match size_at(&self.incoming[..self.received])? {
                Some(size) if self.received > 4 + size => return Err("more than the answer".into()),
                Some(size) if self.received == 4 + size => {
                    self.received = 0;
                    return Ok(Some((std::mem::take(&mut self.incoming).freeze(), 4..4 + size)));
                }
                Some(size) if self.incoming.len() < 4 + size => self.incoming.resize(4 + size, 0),
                _ if short => return Ok(None),
                _ => {}
            }
        }
    }

    /// Gives a buffer back for the next frame.
    pub fn recycle(&mut self, buffer: Bytes) {
        if let Ok(buffer) = buffer.try_into_mut() {
            self.incoming = buffer;
        }
    }

    /// Reads once; whether the socket had less than there was room for.
    fn read(&mut self) -> Result<bool> {
        if self.incoming.len() == self.received {
            self.incoming.resize((self.received * 2).max(READ_MIN), 0);
        }
        let room = self.incoming.len() - self.received;
        match self.stream.read(&mut self.incoming[self.received..]) {
            Ok(0) => Err("the broker closed a connection".into()),
            Ok(count) => {
                self.received += count;
                Ok(count < room)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// The size of the frame that begins here, if so much of it is there.
fn size_at(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(prefix) = bytes.first_chunk::<4>() else { return Ok(None) };
    Ok(Some(usize::try_from(i32::from_be_bytes(*prefix))?))
}

//! TCP: a listener on one core, accepted sockets that may cross to another, connections that stay.

use super::{Backend, SharedFile, backend, sim, uring};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

/// A listening socket (SO_REUSEADDR, backlog 4096).
pub struct Listener(ListenerKind);

enum ListenerKind {
    Uring(uring::net::Listener),
    Sim(sim::net::Listener),
}

impl Listener {
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        Ok(Listener(match backend() {
            Backend::Uring => ListenerKind::Uring(uring::net::Listener::bind(address)?),
            Backend::Sim => ListenerKind::Sim(sim::net::Listener::bind(address)?),
        }))
    }

    /// The next connection. Not cancel-safe: one task accepts and does nothing else. Errors like EMFILE are transient: wait and call again.
    pub async fn accept(&self) -> io::Result<Incoming> {
        Ok(Incoming(match &self.0 {
            ListenerKind::Uring(l) => IncomingKind::Uring(l.accept().await?),
            ListenerKind::Sim(l) => IncomingKind::Sim(l.accept().await?),
        }))
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            ListenerKind::Uring(l) => l.local_address(),
            ListenerKind::Sim(l) => l.local_address(),
        }
    }
}

/// An accepted socket that no core owns yet: `Send`, so it travels in a mesh message. Closed when dropped.
pub struct Incoming(IncomingKind);

enum IncomingKind {
    Uring(uring::net::Incoming),
    Sim(sim::net::Incoming),
}

impl Incoming {
    pub fn peer_address(&self) -> SocketAddr {
        match &self.0 {
            IncomingKind::Uring(i) => i.peer_address(),
            IncomingKind::Sim(i) => i.peer_address(),
        }
    }

    /// Makes it a connection of the current core (TCP_NODELAY on).
    pub fn attach(self) -> io::Result<Connection> {
        Ok(Connection(match self.0 {
            IncomingKind::Uring(i) => ConnectionKind::Uring(i.attach()?),
            IncomingKind::Sim(i) => ConnectionKind::Sim(i.attach()?),
        }))
    }
}

/// A TCP connection of the current core. Clones share the socket: one task reads while another writes. Closed with the last clone.
#[derive(Clone)]
pub struct Connection(ConnectionKind);

#[derive(Clone)]
enum ConnectionKind {
    Uring(uring::net::Connection),
    Sim(sim::net::Connection),
}

impl Connection {
    pub async fn connect(address: SocketAddr) -> io::Result<Connection> {
        Ok(Connection(match backend() {
            Backend::Uring => ConnectionKind::Uring(uring::net::Connection::connect(address).await?),
            Backend::Sim => ConnectionKind::Sim(sim::net::Connection::connect(address).await?),
        }))
    }

    pub fn peer_address(&self) -> SocketAddr {
        match &self.0 {
            ConnectionKind::Uring(c) => c.peer_address(),
            ConnectionKind::Sim(c) => c.peer_address(),
        }
    }

    /// Waits for bytes and appends at most `limit` of them to `buffer` (growing it only by what arrived); 0: the peer has closed. Cancel-safe.
    /// One reader at a time.
    pub async fn read(&self, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
        match &self.0 {
            ConnectionKind::Uring(c) => c.read(buffer, limit).await,
            ConnectionKind::Sim(c) => c.read(buffer, limit).await,
        }
    }

    /// The same for many bytes: `buffer` has room for some, and they go there without a copy.
    pub async fn read_in_place(&self, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
        match &self.0 {
            ConnectionKind::Uring(c) => c.read_in_place(buffer, limit).await,
            ConnectionKind::Sim(c) => c.read(buffer, limit.min(buffer.capacity() - buffer.len())).await,
        }
    }

    /// Sends all of `parts` in order with vectored sends, popping what was sent. One writer at a time.
    pub async fn write_all(&self, parts: &mut VecDeque<Bytes>) -> io::Result<()> {
        match &self.0 {
            ConnectionKind::Uring(c) => c.write_all(parts).await,
            ConnectionKind::Sim(c) => c.write_all(parts).await,
        }
    }

    /// As [`Connection::write_all`] where more is sent at once: what does not fill a packet may wait for it.
    pub async fn write_before_more(&self, parts: &mut VecDeque<Bytes>) -> io::Result<()> {
        match &self.0 {
            ConnectionKind::Uring(c) => c.write_before_more(parts).await,
            ConnectionKind::Sim(c) => c.write_all(parts).await,
        }
    }

    /// Sends `len` bytes of `file` from `offset` with sendfile(2). Blocks the core neither on a slow peer nor on a cold page
    /// (probed with RWF_NOWAIT, read through the ring on a miss). `UnexpectedEof` if the file is shorter: the answer is then
    /// torn, so close the connection.
    pub async fn send_file(&self, file: &SharedFile, offset: u64, len: u64) -> io::Result<()> {
        match &self.0 {
            ConnectionKind::Uring(c) => c.send_file(file.uring(), offset, len).await,
            ConnectionKind::Sim(c) => c.send_file(file.sim(), offset, len).await,
        }
    }

    /// Shuts both directions; pending and later reads and writes end with 0 or an error.
    pub fn shutdown(&self) {
        match &self.0 {
            ConnectionKind::Uring(c) => c.shutdown(),
            ConnectionKind::Sim(c) => c.shutdown(),
        }
    }
}

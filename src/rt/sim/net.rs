//! The seam's sockets on the simulated network.

use super::clock::pause;
use super::file::SharedFile;
use super::network::Attempt;
use super::slab::Key;
use super::state;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;

pub struct Listener(Key);

impl Listener {
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let machine = state::current().machine;
        state::with(|s| s.bind(machine, address)).map(Listener)
    }

    pub async fn accept(&self) -> io::Result<Incoming> {
        std::future::poll_fn(|cx| {
            state::with(|s| {
                let Some(listening) = s.network.listeners.get_mut(self.0) else {
                    return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
                };
                let Some(key) = listening.backlog.pop_front() else {
                    listening.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                };
                let peer = s.network.connections.get(key).map(|pair| pair.ends[0].address);
                Poll::Ready(peer.map(|peer| Incoming(End { key, end: 1, peer })).ok_or(io::ErrorKind::ConnectionAborted.into()))
            })
        })
        .await
    }

    pub fn local_address(&self) -> io::Result<SocketAddr> {
        state::with(|s| s.network.listeners.get(self.0).map(|l| l.address)).ok_or(io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        state::with_if_alive(|s| s.stop_listening(self.0));
    }
}

/// One end of a connection; released when dropped.
struct End {
    key: Key,
    end: usize,
    peer: SocketAddr,
}

impl Drop for End {
    fn drop(&mut self) {
        state::with_if_alive(|s| s.release(self.key, self.end));
    }
}

pub struct Incoming(End);

impl Incoming {
    pub fn peer_address(&self) -> SocketAddr {
        self.0.peer
    }

    pub fn attach(self) -> io::Result<Connection> {
        Ok(Connection(Rc::new(self.0)))
    }
}

#[derive(Clone)]
pub struct Connection(Rc<End>);

impl Connection {
    pub async fn connect(address: SocketAddr) -> io::Result<Connection> {
        let machine = state::current().machine;
        let one_way_ns = || state::with(|s| s.rng.span(s.options.network));
        pause(one_way_ns()).await;
        match state::with(|s| s.connect(machine, address)) {
            Attempt::Accepted(key) => {
                let connection = Connection(Rc::new(End { key, end: 0, peer: address }));
                pause(one_way_ns()).await;
                Ok(connection)
            }
            Attempt::Refused => {
                pause(one_way_ns()).await;
                Err(io::ErrorKind::ConnectionRefused.into())
            }
            Attempt::Lost => {
                pause(state::with(|s| s.rng.span(s.options.connect_timeout))).await;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }

    pub fn peer_address(&self) -> SocketAddr {
        self.0.peer
    }

    pub async fn read(&self, buffer: &mut BytesMut, limit: usize) -> io::Result<usize> {
        std::future::poll_fn(|cx| state::with(|s| s.poll_read(self.0.key, self.0.end, buffer, limit, cx))).await
    }

    pub async fn write_all(&self, parts: &mut VecDeque<Bytes>) -> io::Result<()> {
        // The parts sent in full are dropped outside of the state.
        std::future::poll_fn(|cx| state::with(|s| s.poll_write(self.0.key, self.0.end, parts, cx))).await
    }

    pub async fn send_file(&self, file: &SharedFile, mut offset: u64, mut len: u64) -> io::Result<()> {
        while len > 0 {
            if state::with(|s| s.rng.one_in(4)) {
                // A cold page is read through the ring first.
                file.read_at(offset, 1).await?;
            }
            let end = (self.0.key, self.0.end);
            let sent = std::future::poll_fn(|cx| state::with(|s| s.poll_send_file(end, file.handle(), offset, len, cx))).await?;
            offset += sent;
            len -= sent;
        }
        Ok(())
    }

    pub fn shutdown(&self) {
        state::with_if_alive(|s| s.shut(self.0.key, self.0.end));
    }
}
